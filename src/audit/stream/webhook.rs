//! Lines posted to an HTTP receiver, many at a time. Its answer says that it took them.

use std::io;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::Medium;
use crate::posting;
use crate::settings::with_causes;

/// How much of an answer is read, in bytes: a connection is of further use only once an answer has come to its end.
const ANSWER: usize = 64 * 1024;

/// Where lines are posted.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) url: Url,
    pub(super) token: Option<SecretString>,
    /// The authorities to trust in place of the system's (PEM).
    pub(super) authority: Option<Vec<u8>>,
}

impl Post {
    /// The header that shows the token.
    pub(super) fn authorization(&self) -> Option<Result<HeaderValue, String>> {
        let token = self.token.as_ref()?;
        let header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let header = header.map_err(|_| "it has characters in it that no header may have".to_owned());
        Some(header.map(|mut header| {
            header.set_sensitive(true);
            header
        }))
    }
}

pub(super) struct Webhook {
    url: Url,
    authorization: Option<HeaderValue>,
    client: Client,
    /// Of its own, with a thread: it must see that a connection was closed while nothing is sent, and go on while the gateway stops.
    runtime: Option<Runtime>,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        // A runtime that waits for its threads must not be dropped by a thread of another one, as where the gateway is not to start.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Webhook {
    pub(super) fn new(post: Post, patience: Duration) -> io::Result<Self> {
        let authorization = post.authorization().transpose().map_err(io::Error::other)?;
        let client = posting::client(&post.url, post.authority.as_deref(), patience).map_err(io::Error::other)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("audit-post").enable_all().build()?;
        Ok(Self { url: post.url, authorization, client, runtime: Some(runtime) })
    }

    async fn post(&self, lines: Vec<u8>) -> io::Result<()> {
        let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/x-ndjson").body(lines);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        // An error's own text may have the address in it, whose path may be a secret.
        let answer = request.send().await.map_err(|error| {
            let kind = if error.is_timeout() { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
            io::Error::new(kind, with_causes(&error.without_url()))
        })?;
        let status = answer.status();
        read_off(answer).await;
        if status.is_success() { Ok(()) } else { Err(io::Error::other(format!("it answered with status {}", status.as_u16()))) }
    }
}

impl Medium for Webhook {
    fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        let runtime = self.runtime.as_ref().ok_or_else(|| io::Error::other("it is being given up"))?;
        runtime.block_on(self.post(lines.to_vec()))
    }
}

async fn read_off(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > ANSWER {
            return;
        }
    }
}

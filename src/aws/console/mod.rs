//! The console sign-in: credentials in, a one-time address out that opens the console in a browser.
//!
//! AWS's federation endpoint trades credentials for a sign-in token (IAM User Guide, "Enable custom identity broker access to the AWS
//! console"). The credentials travel in a POST body, never in a URL. Every host follows from the partition of the role.

mod destination;
mod palette;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

pub use destination::{Destination, DestinationRefused};
pub use palette::{SERVICES, Service, chosen, regions};

use super::settings::endpoint;
use super::{AwsSettings, Credentials, Explanation, Mender};
use crate::access::{LONGEST_SESSION, SHORTEST_SESSION};
use crate::arn::Partition;
use crate::lasting::Lasting;
use crate::settings::{Problem, is_loopback};

/// The longest answer of the federation endpoint that is read, in bytes. A sign-in token has about two thousand.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The way into the console of every partition.
#[derive(Debug)]
pub struct Console {
    client: reqwest::Client,
    lasting: Lasting,
    issuer: Url,
    signin: Option<Url>,
    stand_in: Option<Url>,
}

/// An address that signs its holder in to the console, for 15 minutes. As good as a password: it prints nothing.
pub struct ConsoleUrl(SecretString);

impl ConsoleUrl {
    /// How long AWS lets the address be opened (IAM User Guide, "Enable custom identity broker access to the AWS console").
    pub const LIFE: Duration = Duration::from_mins(15);

    /// The address, for the one redirect.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ConsoleUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsoleUrl(…)")
    }
}

/// Why the console cannot be entered. Nothing in it comes from the wire but a status.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleUnavailable {
    /// The destination lies in another partition than the role.
    #[error("the destination is in another partition than the role")]
    OtherPartition,
    /// The session's length is outside 15 minutes to 12 hours.
    #[error("a console session lasts from 15 minutes to 12 hours")]
    SessionDuration,
    /// AWS refused the credentials or the request.
    #[error("the federation endpoint refused with status {0}")]
    Refused(u16),
    /// The endpoint is out of order or throttles.
    #[error("the federation endpoint is out of order, status {0}")]
    OutOfOrder(u16),
    /// The answer is not one that the federation endpoint gives: a redirect, too long, or without a token.
    #[error("the answer is not one that the federation endpoint gives: {0}")]
    Garbled(&'static str),
    /// No answer came in time.
    #[error("the federation endpoint did not answer in time")]
    TimedOut,
    /// No connection came about, or it broke.
    #[error("the federation endpoint cannot be reached")]
    Unreachable(#[source] reqwest::Error),
}

impl ConsoleUnavailable {
    /// The failure in plain words.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        match self {
            Self::OtherPartition => Explanation::new(
                "The page you want to reach is in another AWS partition than the role.",
                Mender::Person,
                "choose a role of the same partition, or enter the console without a destination.",
            ),
            Self::SessionDuration => {
                Explanation::new("A console session lasts from 15 minutes to 12 hours.", Mender::Person, "choose another length.")
            }
            Self::Refused(_) => Explanation::new(
                "AWS's sign-in page did not accept the credentials of this session.",
                Mender::GatewayAdministrator,
                "try again; if it stays so, see the status in the log: sessions that come from another role cannot enter the console so.",
            ),
            Self::OutOfOrder(_) => Explanation::new(
                "AWS's sign-in page is out of order at the moment.",
                Mender::Aws,
                "try again in a minute; the AWS Health Dashboard shows known disturbances.",
            ),
            Self::Garbled(_) => Explanation::new(
                "AWS's sign-in page answered in a way that this gateway does not know.",
                Mender::GatewayAdministrator,
                "if an own sign-in endpoint is configured, check that it really is one.",
            ),
            Self::TimedOut | Self::Unreachable(_) => Explanation::new(
                "AWS's sign-in page did not answer in time.",
                Mender::GatewayAdministrator,
                "try again; if it stays so, check the gateway's way to the sign-in endpoint (DNS, proxy, firewall).",
            )
            .passing(),
        }
    }
}

/// The credentials in the words of the federation endpoint.
#[derive(Serialize)]
struct Session<'a> {
    #[serde(rename = "sessionId")]
    id: &'a str,
    #[serde(rename = "sessionKey")]
    key: &'a str,
    #[serde(rename = "sessionToken")]
    token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    signin_token: String,
}

impl Console {
    /// The console as the settings say; `issuer` is the gateway's own page, where AWS sends people when their session ends.
    ///
    /// # Errors
    /// Everything in the settings that must be mended, with paths that start at `aws`.
    pub fn new(settings: &AwsSettings, issuer: Url) -> Result<Self, Vec<Problem>> {
        settings.checked()?;
        let parse =
            |text: &Option<String>, path| text.as_deref().map(|text| endpoint(text, path)).transpose().map_err(|problem| vec![problem]);
        let signin = parse(&settings.signin_endpoint, "aws.signin_endpoint")?;
        let stand_in = parse(&settings.console_endpoint, "aws.console_endpoint")?;
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(3).min(settings.deadline.0))
            .timeout(settings.deadline.0)
            .https_only(!signin.as_ref().is_some_and(is_loopback))
            .referer(false)
            .user_agent("rolegate")
            .build()
            .map_err(|error| {
                vec![Problem::new("aws", format!("no HTTPS client can be made: {error}"), "check the machine's CA certificates")]
            })?;
        Ok(Self { client, lasting: Lasting::here(), issuer, signin, stand_in })
    }

    /// Where in the console somebody wants to go: an https address of the partition's console, a service's short name (`s3`, or with a
    /// region `ec2@eu-central-1`), or nothing for the front page.
    ///
    /// # Errors
    /// [`DestinationRefused`] for everything else: it would be an open redirect through this gateway.
    pub fn destination(&self, partition: Partition, wanted: Option<&str>) -> Result<Destination, DestinationRefused> {
        Destination::parse(partition, self.stand_in.as_ref(), wanted)
    }

    /// Trades credentials for the address that opens the console at `destination`.
    ///
    /// `session_duration` is the console session's own length; without it the session ends with the credentials. Leave it out for
    /// credentials from any call that set `DurationSeconds`, and for those of a role that was assumed from another role: AWS documents
    /// that the endpoint refuses it there.
    ///
    /// # Errors
    /// [`ConsoleUnavailable`]; neither the credentials nor the token are in it.
    pub async fn sign_in_url(
        &self,
        credentials: &Credentials,
        destination: &Destination,
        session_duration: Option<Duration>,
    ) -> Result<ConsoleUrl, ConsoleUnavailable> {
        let partition = credentials.target.partition();
        if destination.partition() != partition {
            return Err(ConsoleUnavailable::OtherPartition);
        }
        if session_duration.is_some_and(|duration| !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&duration)) {
            return Err(ConsoleUnavailable::SessionDuration);
        }
        let federation = self.federation(partition);
        let token = self.sign_in_token(&federation, credentials, session_duration).await?;
        let query = Serializer::new(String::new())
            .append_pair("Action", "login")
            .append_pair("Issuer", self.issuer.as_str())
            .append_pair("Destination", destination.as_str())
            .append_pair("SigninToken", token.expose_secret())
            .finish();
        Ok(ConsoleUrl(SecretString::from(format!("{federation}?{query}"))))
    }

    /// The origin that the sign-in address stands on.
    #[must_use]
    pub fn signin_origin(&self, partition: Partition) -> String {
        self.signin.as_ref().map_or_else(|| format!("https://{}", partition.signin_host()), |url| url.origin().ascii_serialization())
    }

    /// What a page's `form-action` must allow so that its button can lead into the console: browsers hold the redirects that follow a
    /// form to it as well, and AWS redirects to regional hosts of its own choice.
    #[must_use]
    pub fn form_action_sources(&self, partitions: impl IntoIterator<Item = Partition>) -> Vec<String> {
        let mut sources = BTreeSet::new();
        for partition in partitions {
            sources.insert(self.signin_origin(partition));
            match &self.stand_in {
                Some(url) => sources.insert(url.origin().ascii_serialization()),
                None => sources.insert(format!("https://{}", partition.console_host())),
            };
            if self.signin.is_none() {
                sources.insert(format!("https://*.{}", partition.console_domain()));
            }
        }
        sources.into_iter().collect()
    }

    /// The federation endpoint of a partition.
    #[must_use]
    pub fn federation(&self, partition: Partition) -> String {
        let base = self.signin.as_ref().map_or_else(|| format!("https://{}", partition.signin_host()), Url::to_string);
        format!("{}/federation", base.trim_end_matches('/'))
    }

    async fn sign_in_token(
        &self,
        federation: &str,
        credentials: &Credentials,
        session_duration: Option<Duration>,
    ) -> Result<SecretString, ConsoleUnavailable> {
        let request = self
            .client
            .post(federation)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form(credentials, session_duration)?);
        let body = self.lasting.run(answer_to(request)).await?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| ConsoleUnavailable::Garbled("no sign-in token"))?;
        if answer.signin_token.is_empty() {
            return Err(ConsoleUnavailable::Garbled("an empty sign-in token"));
        }
        Ok(SecretString::from(answer.signin_token))
    }
}

async fn answer_to(request: reqwest::RequestBuilder) -> Result<Zeroizing<Vec<u8>>, ConsoleUnavailable> {
    let mut response = request.send().await.map_err(failed)?;
    match response.status().as_u16() {
        200 => {}
        status @ (429 | 500..=599) => return Err(ConsoleUnavailable::OutOfOrder(status)),
        300..=399 => return Err(ConsoleUnavailable::Garbled("a redirect")),
        status => return Err(ConsoleUnavailable::Refused(status)),
    }
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(ConsoleUnavailable::Garbled("too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn form(credentials: &Credentials, session_duration: Option<Duration>) -> Result<String, ConsoleUnavailable> {
    let session = Session {
        id: &credentials.access_key_id,
        key: credentials.secret_access_key.expose_secret(),
        token: credentials.session_token.expose_secret(),
    };
    let session = serde_json::to_string(&session).map_err(|_| ConsoleUnavailable::Garbled("credentials that JSON cannot hold"))?;
    let session = Zeroizing::new(session);
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", "getSigninToken").append_pair("Session", &session);
    if let Some(duration) = session_duration {
        form.append_pair("SessionDuration", &duration.as_secs().to_string());
    }
    Ok(form.finish())
}

fn failed(error: reqwest::Error) -> ConsoleUnavailable {
    // The URL says nothing that the settings do not, but errors are for logs, and logs are kept free of URLs.
    if error.is_timeout() { ConsoleUnavailable::TimedOut } else { ConsoleUnavailable::Unreachable(error.without_url()) }
}

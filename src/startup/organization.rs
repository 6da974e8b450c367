//! Keeps the copy of the organization's accounts fresh, and says when it has changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::aws::organization::{Copy, OrganizationSettings, discover};
use crate::clock::Clock;
use crate::config::Config;

/// How soon it is tried again after a failure, if that is sooner than the usual time.
const AFTER_FAILURE: Duration = Duration::from_mins(1);

/// What asks AWS for the accounts, again and again.
pub(super) struct Discovery {
    settings: OrganizationSettings,
    path: PathBuf,
    last: Option<Arc<Copy>>,
    clock: Arc<dyn Clock>,
    changed: mpsc::Sender<()>,
}

impl Discovery {
    /// None where the configuration does not ask for it.
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>, changed: mpsc::Sender<()>) -> Option<Self> {
        let settings = config.file.organization.clone();
        let path = config.base.join(&settings.cache);
        settings.enabled.then(|| Self { settings, path, last: config.discovered.clone(), clock, changed })
    }

    /// Asks as long as somebody wants to know: at once, after each pause, and on SIGHUP.
    pub(super) async fn run(mut self) {
        let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
        if let Some(age) = self.age() {
            tracing::info!(age = %humantime::format_duration(age), "accounts of the organization come from the last good copy");
        } else {
            tracing::warn!("the organization's accounts are not known yet: those of the file alone count until AWS answers");
        }
        while !self.changed.is_closed() {
            let pause = if self.refresh().await { self.settings.refresh.0 } else { AFTER_FAILURE.min(self.settings.refresh.0) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(()) = hangups.recv() => {}
            }
        }
    }

    /// One round; says whether there is a good copy of now.
    async fn refresh(&mut self) -> bool {
        let accounts = match discover(&self.settings).await {
            Ok(accounts) if accounts.is_empty() => return self.failed("AWS names no active account"),
            Ok(accounts) => accounts,
            Err(error) => return self.failed(&error.to_string()),
        };
        let is_news = self.last.as_ref().is_none_or(|last| last.accounts != accounts);
        let copy = Arc::new(Copy { at: self.clock.now(), accounts });
        let (written, path) = (Arc::clone(&copy), self.path.clone());
        let written = tokio::task::spawn_blocking(move || written.write(&path)).await.map_err(std::io::Error::other).flatten();
        if let Err(error) = written {
            return self.failed(&format!("the copy {} cannot be written: {error}", self.path.display()));
        }
        tracing::info!(accounts = copy.accounts.len(), changed = is_news, "the organization's accounts were read");
        self.last = Some(copy);
        // Who reloads has ended: then nobody wants to know.
        !is_news || self.changed.send(()).await.is_ok()
    }

    fn failed(&self, reason: &str) -> bool {
        let age = self.age().map_or_else(|| "none".to_owned(), |age| humantime::format_duration(age).to_string());
        tracing::warn!(reason, age_of_copy = %age, "the organization's accounts were not read; those known before stay");
        false
    }

    /// How old the copy is, in whole seconds.
    fn age(&self) -> Option<Duration> {
        let age = self.clock.now() - self.last.as_ref()?.at;
        Some(Duration::from_secs(age.num_seconds().try_into().unwrap_or(0)))
    }
}

//! The organization's accounts: asked for again and again, and kept on disk once a policy that was made with them is in force.
//!
//! Names, units and tags decide who gets what, and whoever may change them in AWS need not be who writes the rules. So what AWS says is like
//! a changed file: the policy made with it must compile and pass the rules' own tests. What does not is told, and is not what the next start
//! begins with.

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
    last: Option<Arc<Copy>>,
    clock: Arc<dyn Clock>,
    news: mpsc::Sender<Arc<Copy>>,
}

impl Discovery {
    /// None where the configuration does not ask for it. Whatever AWS says goes to `news`.
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>, news: mpsc::Sender<Arc<Copy>>) -> Option<Self> {
        let settings = config.file.organization.clone();
        settings.enabled.then(|| Self { settings, last: config.discovered.clone(), clock, news })
    }

    /// Asks as long as somebody wants to know: at once, after each pause, and on SIGHUP.
    pub(super) async fn run(mut self) {
        let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
        if let Some(age) = self.age() {
            tracing::info!(age = %humantime::format_duration(age), "accounts of the organization come from the last good copy");
        } else {
            tracing::warn!("the organization's accounts are not known yet: those of the file alone count until AWS answers");
        }
        while !self.news.is_closed() {
            let pause = if self.refresh().await { self.settings.refresh.0 } else { AFTER_FAILURE.min(self.settings.refresh.0) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(()) = hangups.recv() => {}
            }
        }
    }

    /// One round; says whether AWS answered.
    async fn refresh(&mut self) -> bool {
        let accounts = match discover(&self.settings).await {
            Ok(accounts) if accounts.is_empty() => return self.failed("AWS names no active account"),
            Ok(accounts) => accounts,
            Err(error) => return self.failed(&error.to_string()),
        };
        let changed = self.last.as_ref().is_none_or(|last| last.accounts != accounts);
        let copy = Arc::new(Copy { at: self.clock.now(), accounts });
        tracing::info!(accounts = copy.accounts.len(), changed, "the organization's accounts were read");
        self.last = Some(Arc::clone(&copy));
        // Who reloads has ended: then nobody wants to know.
        self.news.send(copy).await.is_ok()
    }

    fn failed(&self, reason: &str) -> bool {
        let age = self.age().map_or_else(|| "none".to_owned(), |age| humantime::format_duration(age).to_string());
        tracing::warn!(reason, age_of_copy = %age, "the organization's accounts were not read; those known before stay");
        false
    }

    /// How old is what was read last, in whole seconds.
    fn age(&self) -> Option<Duration> {
        let age = self.clock.now() - self.last.as_ref()?.at;
        Some(Duration::from_secs(age.num_seconds().try_into().unwrap_or(0)))
    }
}

/// The organization's accounts as far as they are known: those in force, and those that AWS named since and that are not.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Where the copy is kept.
    path: PathBuf,
    accepted: Option<Arc<Copy>>,
    waiting: Option<Arc<Copy>>,
}

impl Known {
    pub(super) fn new(config: &Config) -> Self {
        Self { path: config.base.join(&config.file.organization.cache), accepted: config.discovered.clone(), waiting: None }
    }

    /// What may be tried, the better first: what AWS said last, then what is in force.
    pub(super) fn choices(&self) -> (Option<Arc<Copy>>, Option<Arc<Copy>>) {
        (self.waiting.clone(), self.accepted.clone())
    }

    /// Takes what AWS said. Says whether a policy has to be made with it.
    pub(super) async fn learn(&mut self, copy: Arc<Copy>) -> bool {
        if self.accepted.as_ref().is_some_and(|accepted| accepted.accounts == copy.accounts) {
            // What was refused is gone again: then the accounts in force have to be looked at no longer as second best.
            let was_waiting = self.waiting.is_some();
            self.accept(copy).await;
            return was_waiting;
        }
        let is_known = self.waiting.as_ref().is_some_and(|waiting| waiting.accounts == copy.accounts);
        if is_known {
            tracing::warn!("the organization's accounts are still those that were refused; those of the last accepted copy stay in use");
        }
        self.waiting = Some(copy);
        !is_known
    }

    /// A policy with these accounts is in force: the next start may begin with them.
    pub(super) async fn accept(&mut self, copy: Arc<Copy>) {
        self.waiting = None;
        self.accepted = Some(Arc::clone(&copy));
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || copy.write(&path)).await.map_err(std::io::Error::other).flatten();
        if let Err(error) = written {
            let path = self.path.display();
            tracing::error!(%path, %error, "the copy of the organization's accounts cannot be written: the next start begins with an older one");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::AccountSettings;

    #[tokio::test]
    async fn only_what_is_in_force_is_kept_and_what_is_refused_is_tried_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("organization.json");
        let copy = |minute: u32, id: &str| {
            let account = AccountSettings { id: id.into(), ..AccountSettings::default() };
            Arc::new(Copy { at: format!("2026-06-01T00:{minute:02}:00Z").parse().unwrap(), accounts: vec![account] })
        };
        let kept = || Copy::read(&path).unwrap().map(Arc::new);
        let mut known = Known { path: path.clone(), accepted: None, waiting: None };
        assert!(known.learn(copy(0, "1")).await);
        assert_eq!((known.choices(), kept()), ((Some(copy(0, "1")), None), None));
        known.accept(copy(0, "1")).await;
        assert_eq!((known.choices(), kept()), ((None, Some(copy(0, "1"))), Some(copy(0, "1"))));
        // The same again is no news, and makes the copy younger.
        assert!(!known.learn(copy(1, "1")).await);
        assert_eq!((known.choices(), kept()), ((None, Some(copy(1, "1"))), Some(copy(1, "1"))));
        // What nobody accepts stays a choice, and is tried once.
        assert!(known.learn(copy(2, "2")).await);
        assert!(!known.learn(copy(3, "2")).await);
        assert_eq!((known.choices(), kept()), ((Some(copy(3, "2")), Some(copy(1, "1"))), Some(copy(1, "1"))));
        // When it is gone, the policy is made once more without it.
        assert!(known.learn(copy(4, "1")).await);
        assert_eq!((known.choices(), kept()), ((None, Some(copy(4, "1"))), Some(copy(4, "1"))));
    }
}

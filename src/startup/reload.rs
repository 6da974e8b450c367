//! Accounts, rules, naming and tests are read anew while the gateway runs: on SIGHUP, when the file has changed, and when other accounts
//! were discovered.
//!
//! A file is looked at once a second instead of being watched by the kernel's notices: those do not come from network file systems, are
//! lost when a folder above the file is swapped by a link, and would be one more library. A look costs a system call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::organization::Known;
use super::{policy, try_rules};
use crate::aws::organization::Copy;
use crate::config::{self, Config, Discovered, Finding, Findings, LogSettings, Watch};
use crate::gateway::{Failure, Newer};
use crate::web::Site;

/// How often the file is looked at. A change counts when it looks alike twice.
const PACE: Duration = Duration::from_secs(1);

/// How often it is looked whether files are complete before they are read as they are.
const LOOKS: u32 = 30;

/// Rules that can take over, and what came to light beside them.
struct Reread {
    /// The organization's accounts that they were made with, where those are other ones than before.
    news: Option<Arc<Copy>>,
    /// Why they were not made with the accounts that AWS named last.
    refused: Option<Findings>,
    newer: Newer,
    log: LogSettings,
    warnings: Findings,
}

/// What keeps the rules in force those of the file.
pub(super) struct Reloader {
    site: Arc<Site>,
    /// What runs.
    running: Arc<Config>,
    watch: Option<(PathBuf, Watch)>,
    /// Whether the last change could not be recorded, and has to be tried again.
    retry: bool,
    /// What AWS says about the organization.
    news: mpsc::Receiver<Arc<Copy>>,
    known: Known,
}

impl Reloader {
    pub(super) fn new(site: Arc<Site>, running: &Config, news: mpsc::Receiver<Arc<Copy>>) -> Self {
        let watch = running.origin.as_ref().map(|from| (from.path.clone(), Watch::new(from.files.clone(), from.stamp.clone())));
        Self { site, running: Arc::new(running.clone()), watch, known: Known::new(running), news, retry: false }
    }

    /// Serves signals and changes as long as the runtime lives.
    pub(super) async fn run(mut self) {
        let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
        let mut looks = interval(PACE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watches = self.running.file.server.reload_on_change;
        loop {
            tokio::select! {
                hangup = hangups.recv() => {
                    if hangup.is_none() {
                        return;
                    }
                    self.reopen_trail().await;
                    self.settle().await;
                    self.reload().await;
                }
                Some(copy) = self.news.recv() => {
                    if self.known.learn(copy).await {
                        self.settle().await;
                        self.reload().await;
                    }
                }
                _ = looks.tick(), if watches || self.retry => {
                    if self.watch.as_mut().is_some_and(|(_, watch)| watch.has_changed()) {
                        self.reload().await;
                    }
                }
            }
        }
    }

    /// After a log rotation the audit trail goes on in a new file.
    async fn reopen_trail(&self) {
        match self.site.gateway.audit.reopen().await {
            Ok(()) => tracing::info!("the audit trail was opened anew"),
            Err(error) => tracing::error!(reason = %error, "the audit trail was not opened anew; the old file stays in use"),
        }
    }

    /// Waits until nobody writes to the files any more: half a file could be a good one, without its last rules.
    async fn settle(&self) {
        let Some((_, watch)) = &self.watch else { return };
        let mut last = watch.look();
        for _ in 0..LOOKS {
            tokio::time::sleep(PACE).await;
            let now = watch.look();
            if now == last {
                return;
            }
            last = now;
        }
    }

    async fn reload(&mut self) {
        let Some((path, watch)) = &mut self.watch else { return };
        let (running, path, (newest, accepted)) = (Arc::clone(&self.running), path.clone(), self.known.choices());
        // The file may refer to others than before, and a policy document that is wrong is watched until it is mended.
        watch.about_to_read(config::files(&path));
        // Reading and compiling may take a second: not on the thread that serves signals.
        let Ok(reread) = tokio::task::spawn_blocking(move || reread(&path, &running, newest, accepted)).await else {
            tracing::error!("reading the configuration anew ended by an error in Rolegate; the policy in force stays");
            return;
        };
        let done = match reread {
            Ok(reread) => self.take_over(reread).await,
            Err(findings) => self.site.gateway.refuse_policy(findings.iter().map(Finding::to_string).collect()).await,
        };
        self.retry = done.is_err();
        if let Some((_, watch)) = self.watch.as_mut().filter(|_| self.retry) {
            // The failure is logged. Nothing changes unrecorded, so it is tried until it can be recorded.
            watch.try_again();
        }
    }

    async fn take_over(&mut self, reread: Reread) -> Result<(), Failure> {
        super::log::follow(&reread.log);
        for warning in &reread.warnings {
            tracing::warn!("{warning}");
        }
        if !reread.newer.waiting.is_empty() {
            tracing::warn!(keys = %reread.newer.waiting.join(", "), "a restart is needed to take over these keys of the configuration");
        }
        if !self.site.gateway.put_in_force(reread.newer).await? {
            tracing::info!("the accounts and rules of the configuration are those in force");
        }
        if let Some(copy) = reread.news {
            self.known.accept(copy).await;
        }
        let Some(refused) = reread.refused else { return Ok(()) };
        let what = "the accounts that AWS Organizations names now are refused; those of the last accepted copy stay in use";
        let findings = std::iter::once(what.to_owned()).chain(refused.iter().map(Finding::to_string));
        self.site.gateway.refuse_policy(findings.collect()).await
    }
}

/// The rules of a file with the accounts that AWS named last. Where those make the rules wrong, and the accounts in force do not, with these:
/// a change of the rules must not wait until somebody has mended the organization.
fn reread(path: &std::path::Path, running: &Config, newest: Option<Arc<Copy>>, accepted: Option<Arc<Copy>>) -> Result<Reread, Findings> {
    let Some(newest) = newest else { return reread_with(path, running, accepted) };
    match reread_with(path, running, Some(Arc::clone(&newest))) {
        Ok(reread) => Ok(Reread { news: Some(newest), ..reread }),
        Err(refused) => match reread_with(path, running, accepted) {
            Ok(reread) => Ok(Reread { refused: Some(refused), ..reread }),
            Err(_) => Err(refused),
        },
    }
}

/// The rules of a file, if all of the file is right and they hold with what runs and with these accounts of the organization.
fn reread_with(path: &std::path::Path, running: &Config, accounts: Option<Arc<Copy>>) -> Result<Reread, Findings> {
    let newer = super::load_again(path, Discovered::These(accounts))?;
    let waiting = running.needs_restart_for(&newer);
    let found = running.with_rules_of(&newer).and_then(|taken| match policy(&taken) {
        Ok(policy) => Ok((policy, try_rules(&taken))),
        Err(problems) => Err(taken.locate(problems)),
    });
    let (policy, try_rules) = found.map_err(|findings| {
        if waiting.is_empty() {
            return findings;
        }
        let hint = format!("the rules need what only a restart brings: {}", waiting.join(", "));
        findings.into_iter().map(|finding| Finding { hint: format!("{}; {hint}", finding.hint), ..finding }).collect::<Findings>()
    })?;
    let vetted = super::vetted(&newer);
    Ok(Reread {
        news: None,
        refused: None,
        newer: Newer { policy, try_rules, waiting, vetted },
        log: newer.file.log.clone(),
        warnings: newer.warnings,
    })
}

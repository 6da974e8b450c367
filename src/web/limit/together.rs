//! What all processes that share a store count together.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::Quota;
use tokio::time::{Instant, timeout};

use crate::store::{Allowance, Vault};

/// How long the store is waited for: what the process counts by itself will do, so that nobody should wait long for more.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long the store is left alone after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Counting with the other processes, and whether it works.
#[derive(Default)]
pub(in crate::web) struct Together {
    /// Until when it is not tried, since it failed last.
    fails_until: Mutex<Option<Instant>>,
}

impl Together {
    /// Takes so many out of somebody's allowance at all processes; an error says how long they should wait. Where the store does not answer, takes
    /// nothing, or has no room, what this process counts has to do.
    pub(super) async fn spend(&self, vault: &Vault, (what, who): (&str, &str), count: NonZeroU32, quota: Quota) -> Result<(), Duration> {
        let is_paused = |until: &Option<Instant>| until.is_some_and(|until| Instant::now() < until);
        if is_paused(&self.fails_until.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let of = Allowance { each: quota.replenish_interval(), burst: quota.burst_size().get() };
        let spent = match timeout(PATIENCE, vault.spend(what, who, count.get(), of)).await {
            Ok(spent) => spent.map_err(|error| error.to_string()),
            Err(_) => Err("the store does not answer in time".to_owned()),
        };
        self.learn(spent.as_ref().err());
        let Ok(Some(wait)) = spent else { return Ok(()) };
        tracing::warn!(what, seconds = wait.as_secs_f32(), "refused: the gateways with this store have let enough of it through together");
        Err(wait)
    }

    /// Says once that it fails, and once that it does not any more.
    fn learn(&self, failure: Option<&String>) {
        let mut fails_until = self.fails_until.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Some(reason) if fails_until.is_none() => {
                tracing::warn!(%reason, "limits are not counted with the other gateways: each counts for itself");
            }
            None if fails_until.is_some() => tracing::info!("limits are counted with the other gateways again"),
            _ => {}
        }
        *fails_until = failure.map(|_| Instant::now() + PAUSE);
    }
}

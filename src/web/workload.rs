//! Credentials for a workload's token: its own limit, and the gateway. Both faces, the API and the token endpoint, come through here.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use secrecy::{ExposeSecret, SecretString};

use super::site::Site;
use super::trouble::PageError;
use crate::access::Wish;
use crate::gateway::{Caller, Issued};

/// How many workloads are remembered one by one; beyond that the newcomers share one allowance.
const MOST: usize = 65_536;
/// After so many questions those are forgotten that have their whole allowance back.
const SWEEP: u32 = 1024;

/// An allowance for each workload, in this process: a platform that went wild asks for one workload, from any number of addresses.
pub(super) struct WorkloadLimit<C: Clock = DefaultClock> {
    allowances: RateLimiter<String, HashMapStateStore<String>, C, NoOpMiddleware<C::Instant>>,
    asked: AtomicU32,
}

impl WorkloadLimit {
    /// So many requests a second, and so many at once after a pause. Zero counts as one.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Self::with_clock(per_second, burst, DefaultClock::default())
    }
}

impl<C: Clock> WorkloadLimit<C> {
    fn with_clock(per_second: u32, burst: u32, clock: C) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        Self { allowances: RateLimiter::new(quota, HashMapStateStore::default(), clock), asked: AtomicU32::new(0) }
    }

    /// Counts a request of that workload; an error says how long it should wait.
    fn check(&self, workload: String) -> Result<(), Duration> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.allowances.retain_recent();
            self.allowances.shrink_to_fit();
        }
        let key = if self.allowances.len() >= MOST { String::new() } else { workload };
        self.allowances.check_key(&key).map_err(|too_early| too_early.wait_time_from(self.allowances.clock().now()))
    }
}

/// Issues credentials to the workload of a token, which is counted once it is known. Its address must have been counted before: verifying
/// costs.
pub(super) async fn issue(site: &Site, caller: &Caller, token: &SecretString, wish: &Wish) -> Result<Issued, PageError> {
    let workload = site.gateway.identify(token.expose_secret()).await?;
    let wait = site.workload_limit.check(workload.identity.person());
    wait.map_err(|wait| PageError::TooMany(wait.as_secs() + 1))?;
    Ok(site.gateway.assume_for(&workload, wish, caller).await?)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn w09_each_workload_has_its_own_allowance_and_gets_it_back() {
        let clock = FakeRelativeClock::default();
        let limit = WorkloadLimit::with_clock(2, 5, clock.clone());
        let allowed = |who: &str| (0..100).take_while(|_| limit.check(who.to_owned()).is_ok()).count();
        assert_eq!(allowed("github+repo:example/web"), 5);
        assert_eq!(allowed("github+repo:example/api"), 5);
        assert!(limit.check("github+repo:example/web".into()).unwrap_err() <= Duration::from_millis(500));
        clock.advance(Duration::from_secs(1));
        assert_eq!(allowed("github+repo:example/web"), 2);
    }
}

//! How often one address may begin and finish sign-ins: what strangers can ask for without end must cost them something.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use super::trouble::html;
use super::views::{ErrorPage, Link, Mender};
use super::visitor::Visitor;

/// How many networks are remembered one by one.
const MOST: usize = 65_536;
/// What is worth a request by itself, in bytes: a longer message counts as several, because verifying it takes so much longer.
const WORTH_ONE: usize = 16 * 1024;
/// After so many questions those are forgotten that have their whole allowance back.
const SWEEP: u32 = 1024;

/// An allowance for each network that people come from, in this process.
pub(super) struct SignInLimit<C: Clock = DefaultClock> {
    allowances: RateLimiter<IpNet, HashMapStateStore<IpNet>, C, NoOpMiddleware<C::Instant>>,
    burst: NonZeroU32,
    asked: AtomicU32,
    most: usize,
}

impl SignInLimit {
    /// So many requests a second, and so many at once after a pause. Zero counts as one.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Self::with_clock(per_second, burst, DefaultClock::default(), MOST)
    }
}

impl<C: Clock> SignInLimit<C> {
    fn with_clock(per_second: u32, burst: u32, clock: C, most: usize) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let burst = at_least_one(burst);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(burst);
        let allowances = RateLimiter::new(quota, HashMapStateStore::default(), clock);
        Self { allowances, burst, asked: AtomicU32::new(0), most }
    }

    /// Counts a request of that address with a message of so many bytes; an error says how long it should wait.
    fn check(&self, ip: Option<IpAddr>, bytes: usize) -> Result<(), Duration> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.allowances.retain_recent();
            self.allowances.shrink_to_fit();
        }
        let network = network(ip, self.allowances.len() >= self.most);
        let counts = u32::try_from(bytes / WORTH_ONE).unwrap_or(u32::MAX).saturating_add(1);
        // What is worth more than a whole allowance has to wait for a whole one.
        let counts = NonZeroU32::new(counts).unwrap_or(NonZeroU32::MIN).min(self.burst);
        match self.allowances.check_key_n(&network, counts) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(too_early)) => Err(too_early.wait_time_from(self.allowances.clock().now())),
            Err(_) => Err(Duration::from_secs(1)),
        }
    }
}

/// Whom an address stands for: itself, or in IPv6 its /64, which is what one subscriber has. When there are too many to be remembered
/// one by one, wider networks share an allowance: somebody with very many addresses then gets in their own way, not in everybody's.
fn network(ip: Option<IpAddr>, crowded: bool) -> IpNet {
    let ip = ip.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ip| ip.to_canonical());
    let (own, wide) = if ip.is_ipv4() { (32, 16) } else { (64, 32) };
    let prefix = if crowded { wide } else { own };
    IpNet::new(ip, prefix).map_or_else(|_| ip.into(), |net| net.trunc())
}

/// The answer to an address that asked too often; none if it may go on.
pub(super) fn refusal(visitor: &Visitor) -> Option<HttpResponse> {
    refusal_of(visitor, 0)
}

/// The same for a request with a message to be verified, of so many bytes.
pub(super) fn refusal_of(visitor: &Visitor, bytes: usize) -> Option<HttpResponse> {
    let wait = visitor.site.sign_in_limit.check(visitor.caller.ip, bytes).err()?;
    let seconds = wait.as_secs() + 1;
    let page = ErrorPage {
        shell: visitor.site.shell(String::new(), None),
        title: "Too many sign-ins at once".into(),
        happened: "Very many sign-ins were begun or finished from your network within a short time. This one was not.".into(),
        mender: Mender::You,
        next: "Wait a few seconds, then start again. If it stays, tell your administrator.".into(),
        incident: None,
        action: Some(Link { label: "Sign in".into(), href: "/login".into() }),
    };
    let mut response = html(&page);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    Some(response)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limit(most: usize) -> (SignInLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (SignInLimit::with_clock(10, 20, clock.clone(), most), clock)
    }

    fn allowed(limit: &SignInLimit<FakeRelativeClock>, ip: &str) -> usize {
        (0..1000).take_while(|_| limit.check(Some(ip.parse().unwrap()), 0).is_ok()).count()
    }

    #[test]
    fn w09_each_address_has_its_own_allowance_and_gets_it_back() {
        let (limit, clock) = limit(MOST);
        assert_eq!(allowed(&limit, "192.0.2.1"), 20);
        assert_eq!(allowed(&limit, "192.0.2.2"), 20);
        assert_eq!(allowed(&limit, "::ffff:192.0.2.2"), 0);
        let wait = limit.check(Some("192.0.2.1".parse().unwrap()), 0).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
        clock.advance(Duration::from_millis(500));
        assert_eq!(allowed(&limit, "192.0.2.1"), 5);
        assert!(limit.check(None, 0).is_ok());
    }

    #[test]
    fn w09_a_long_message_counts_as_several() {
        let (limit, clock) = limit(MOST);
        let ip = Some("192.0.2.1".parse().unwrap());
        let passed = |bytes| (0..1000).take_while(|_| limit.check(ip, bytes).is_ok()).count();
        assert_eq!(passed(WORTH_ONE * 4), 4, "five of twenty each");
        clock.advance(Duration::from_secs(2));
        assert_eq!(passed(WORTH_ONE - 1), 20);
        clock.advance(Duration::from_secs(2));
        assert_eq!(passed(usize::MAX), 1, "one that is worth more than all takes all");
    }

    #[test]
    fn w09_in_ipv6_one_subscriber_is_one_address() {
        let (limit, _) = limit(MOST);
        assert_eq!(allowed(&limit, "2001:db8:1:2::1"), 20);
        assert_eq!(allowed(&limit, "2001:db8:1:2:ffff::9"), 0);
        assert_eq!(allowed(&limit, "2001:db8:1:3::1"), 20);
    }

    #[test]
    fn w09_a_crowd_of_addresses_is_forgotten_or_counted_together() {
        let (limit, clock) = limit(100);
        let crowd = |n: u32| IpAddr::V6(Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(n) << 64)));
        let passed = (0..10_000).filter(|n| limit.check(Some(crowd(*n)), 0).is_ok()).count();
        assert_eq!(passed, 100 + 20, "beyond the first hundred, all of the /32 have one allowance");
        assert!(limit.allowances.len() <= 102, "{}", limit.allowances.len());
        assert!(limit.check(Some("192.0.2.1".parse().unwrap()), 0).is_ok(), "others go on");
        clock.advance(Duration::from_secs(10));
        for _ in 0..SWEEP {
            let _ = limit.check(None, 0);
        }
        assert!(limit.allowances.len() <= 2, "{}", limit.allowances.len());
    }
}

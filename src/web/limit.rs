//! How often one address may begin and finish sign-ins, and one person or workload have credentials: what can be asked for without end must cost
//! something.

mod together;

use std::fmt::Display;
use std::hash::Hash;
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
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
pub(super) use together::Together;

use super::site::Site;
use super::trouble::{PageError, html};
use super::views::{ErrorPage, Link, Mender};
use super::visitor::{SignedInVisitor, Visitor};
use crate::identity::Identity;

/// How many networks, people or workloads are remembered one by one.
const MOST: usize = 65_536;
/// What is worth a request by itself, in bytes: a longer message counts as several, because verifying it takes so much longer.
const WORTH_ONE: usize = 16 * 1024;
/// After so many questions those are forgotten that have their whole allowance back.
const SWEEP: u32 = 1024;

/// An allowance for each of those who are told apart by a key, in this process. Beyond so many of them the newcomers share.
struct Allowances<K: Clone + Eq + Hash, C: Clock> {
    /// What they are of.
    what: &'static str,
    each: RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<C::Instant>>,
    quota: Quota,
    asked: AtomicU32,
    most: usize,
}

impl<K: Clone + Eq + Hash, C: Clock> Allowances<K, C> {
    fn of(what: &'static str, quota: Quota, clock: C, most: usize) -> Self {
        let each = RateLimiter::new(quota, HashMapStateStore::default(), clock);
        Self { what, each, quota, asked: AtomicU32::new(0), most }
    }

    /// Counts so many for whoever `key` says, which is told whether there are too many to be remembered one by one; an error says how long they
    /// should wait. What is worth more than a whole allowance has to wait for a whole one.
    fn check(&self, key: impl FnOnce(bool) -> K, count: usize) -> Result<(), Duration> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.each.retain_recent();
            self.each.shrink_to_fit();
        }
        let count = counted(count).min(self.quota.burst_size());
        match self.each.check_key_n(&key(self.each.len() >= self.most), count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(too_early)) => Err(too_early.wait_time_from(self.each.clock().now())),
            Err(_) => Err(Duration::from_secs(1)),
        }
    }
}

impl<K: Clone + Eq + Hash + Display, C: Clock> Allowances<K, C> {
    /// The same, and then with all processes that share the store. What is refused here costs the store nothing.
    async fn check_with_all(&self, site: &Site, key: impl Fn(bool) -> K, count: usize) -> Result<(), Duration> {
        self.check(&key, count)?;
        let who = key(false).to_string();
        site.together.spend(&site.gateway.vault, (self.what, &who), counted(count), self.quota).await
    }
}

/// Nothing counts as one.
fn counted(count: usize) -> NonZeroU32 {
    NonZeroU32::new(u32::try_from(count).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
}

/// So many a second, and so many at once after a pause. Zero counts as one.
fn quota(per_second: u32, burst: u32) -> Quota {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
}

/// An allowance for each network that people come from.
pub(super) struct SignInLimit<C: Clock = DefaultClock>(Allowances<IpNet, C>);

impl SignInLimit {
    /// So many requests a second, and so many at once after a pause. Zero counts as one.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Self(Allowances::of("sign-ins", quota(per_second, burst), DefaultClock::default(), MOST))
    }
}

impl<C: Clock> SignInLimit<C> {
    /// Counts a request of that address with a message of so many bytes, in this process; an error says how long it should wait.
    fn check(&self, ip: Option<IpAddr>, bytes: usize) -> Result<(), Duration> {
        self.0.check(|crowded| network(ip, crowded), worth(bytes))
    }

    /// The same with all processes.
    async fn check_with_all(&self, site: &Site, ip: Option<IpAddr>, bytes: usize) -> Result<(), Duration> {
        self.0.check_with_all(site, |crowded| network(ip, crowded), worth(bytes)).await
    }
}

/// How many requests one with a message of so many bytes is worth.
const fn worth(bytes: usize) -> usize {
    (bytes / WORTH_ONE).saturating_add(1)
}

/// Whom an address stands for: itself, or in IPv6 its /64, which is what one subscriber has. When there are too many to be remembered
/// one by one, wider networks share an allowance: somebody with very many addresses then gets in their own way, not in everybody's.
fn network(ip: Option<IpAddr>, crowded: bool) -> IpNet {
    let ip = ip.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ip| ip.to_canonical());
    let (own, wide) = if ip.is_ipv4() { (32, 16) } else { (64, 32) };
    let prefix = if crowded { wide } else { own };
    IpNet::new(ip, prefix).map_or_else(|_| ip.into(), |net| net.trunc())
}

/// The answer to an address that begins sign-ins too often; none if it may go on. It costs little to begin one, and the store nothing: each process
/// counts by itself.
pub(super) fn refusal_to_begin(visitor: &Visitor) -> Option<HttpResponse> {
    visitor.site.sign_in_limit.check(visitor.caller.ip, 0).err().map(|wait| HttpResponse::from_error(PageError::TooMany(in_seconds(wait))))
}

/// The same for a request with a message to be verified, of so many bytes, counted with all processes.
pub(super) async fn refusal_to_verify(visitor: &Visitor, bytes: usize) -> Option<HttpResponse> {
    may_verify(&visitor.site, visitor.caller.ip, bytes).await.err().map(HttpResponse::from_error)
}

/// The same where it is no page that asks.
pub(super) async fn may_verify(site: &Site, ip: Option<IpAddr>, bytes: usize) -> Result<(), PageError> {
    let checked = site.sign_in_limit.check_with_all(site, ip, bytes).await;
    checked.map_err(|wait| PageError::TooMany(in_seconds(wait)))
}

fn too_many(page: &ErrorPage<'_>, wait: Duration) -> HttpResponse {
    let mut response = html(page);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(in_seconds(wait)));
    response
}

const fn in_seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

/// How many seconds a program has to wait that asked too often; none if it may go on.
pub(super) async fn wait_to_verify(visitor: &Visitor) -> Option<u64> {
    let site = &visitor.site;
    site.sign_in_limit.check_with_all(site, visitor.caller.ip, 0).await.err().map(in_seconds)
}

/// An allowance of credentials for each person, or each workload: a script or a platform that went wild asks for one of them, from any number of
/// addresses.
pub(super) struct IssueLimit<C: Clock = DefaultClock>(Allowances<String, C>);

impl IssueLimit {
    /// So many a second, and so many at once after a pause. Zero counts as one. `whose` tells people from workloads.
    pub(super) fn new(whose: &'static str, per_second: u32, burst: u32) -> Self {
        Self(Allowances::of(whose, quota(per_second, burst), DefaultClock::default(), MOST))
    }
}

impl<C: Clock> IssueLimit<C> {
    /// Counts so many credentials for somebody, with all processes; an error says how long they should wait.
    async fn check_with_all(&self, site: &Site, who: &Identity, count: usize) -> Result<(), Duration> {
        self.0.check_with_all(site, |crowded| if crowded { String::new() } else { who.person() }, count).await
    }
}

/// Counts so many credentials that a person asks for.
pub(super) async fn of_person(site: &Site, who: &Identity, count: usize) -> Result<(), PageError> {
    site.person_limit.check_with_all(site, who, count).await.map_err(|wait| {
        tracing::warn!(person = who.username(), "credentials are asked for more often than the configuration allows");
        PageError::TooOften(in_seconds(wait))
    })
}

/// Counts credentials that a workload asks for.
pub(super) async fn of_workload(site: &Site, who: &Identity) -> Result<(), PageError> {
    site.workload_limit.check_with_all(site, who, 1).await.map_err(|wait| PageError::TooOften(in_seconds(wait)))
}

/// How often codes of devices may be tried by people who are signed in (RFC 8628 section 5.1), at all processes that share a store.
///
/// A code is one of 20^8, or 2.56e10, and waits for ten minutes. In that time all together may try 100 + 600 * 2 = 1300 codes: whoever uses
/// all of them finds a given code with a chance of 1300 / 2.56e10, or 5e-8. One address may try 10 + 100 = 110, a chance of 4e-9. Each try is
/// made by somebody who is signed in, and could but let a stranger's machine act for the one who guessed.
pub(super) struct CodeLimit<C: Clock = DefaultClock> {
    by_network: SignInLimit<C>,
    overall: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
}

const CODES_AT_ONCE: NonZeroU32 = NonZeroU32::new(10).unwrap();
const CODE_EVERY: Duration = Duration::from_secs(6);
const CODES_OVERALL: Quota = Quota::per_second(NonZeroU32::new(2).unwrap()).allow_burst(NonZeroU32::new(100).unwrap());

impl CodeLimit {
    pub(super) fn new() -> Self {
        Self::with_clock(&DefaultClock::default())
    }
}

impl<C: Clock + Clone> CodeLimit<C> {
    fn with_clock(clock: &C) -> Self {
        let each = Quota::with_period(CODE_EVERY).unwrap_or(Quota::per_minute(CODES_AT_ONCE)).allow_burst(CODES_AT_ONCE);
        Self {
            by_network: SignInLimit(Allowances::of("codes", each, clock.clone(), MOST)),
            overall: RateLimiter::direct_with_clock(CODES_OVERALL, clock.clone()),
        }
    }

    fn check(&self, ip: Option<IpAddr>) -> Result<(), Duration> {
        self.by_network.check(ip, 0)?;
        self.overall.check().map_err(|too_early| too_early.wait_time_from(self.overall.clock().now()))
    }

    async fn check_with_all(&self, site: &Site, ip: Option<IpAddr>) -> Result<(), Duration> {
        self.check(ip)?;
        let (each, who, vault) = (&self.by_network.0, network(ip, false).to_string(), &site.gateway.vault);
        site.together.spend(vault, (each.what, &who), NonZeroU32::MIN, each.quota).await?;
        site.together.spend(vault, (each.what, "overall"), NonZeroU32::MIN, CODES_OVERALL).await
    }
}

/// The answer to somebody who tries too many codes; none if they may go on.
pub(super) async fn code_refusal(me: &SignedInVisitor) -> Option<HttpResponse> {
    let site = &me.visitor.site;
    let wait = site.code_limit.check_with_all(site, me.visitor.caller.ip).await.err()?;
    tracing::warn!(person = me.session.identity.username(), "too many codes of devices are tried");
    let page = ErrorPage {
        shell: me.shell(),
        title: "Too many codes at once".into(),
        happened: "Many codes of command lines were tried from your network within a short time. This one was not looked at.".into(),
        mender: Mender::You,
        next: "Wait a few seconds, then type the code again.".into(),
        incident: None,
        action: Some(Link { label: "Enter a code".into(), href: "/device".into() }),
    };
    Some(too_many(&page, wait))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limit(most: usize) -> (SignInLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (SignInLimit(Allowances::of("sign-ins", quota(10, 20), clock.clone(), most)), clock)
    }

    fn allowed(limit: &SignInLimit<FakeRelativeClock>, ip: &str) -> usize {
        (0..1000).take_while(|_| limit.check(Some(ip.parse().unwrap()), 0).is_ok()).count()
    }

    #[test]
    fn w10_codes_are_tried_so_often_by_one_address_and_by_all() {
        let clock = FakeRelativeClock::default();
        let limit = CodeLimit::with_clock(&clock);
        let tries = |ip: &str| (0..1000).take_while(|_| limit.check(Some(ip.parse().unwrap())).is_ok()).count();
        assert_eq!(tries("203.0.113.1"), 10);
        clock.advance(Duration::from_mins(10));
        let one = (0..600).map(|_| {
            clock.advance(Duration::from_secs(1));
            tries("203.0.113.1")
        });
        assert!((105..=110).contains(&one.sum::<usize>()), "as the calculation has it");
        clock.advance(Duration::from_mins(10));
        let crowd = |n: u32| Some(Ipv4Addr::from(0x0a00_0000 + n).into());
        let mut found = (0..1000).filter(|n| limit.check(crowd(*n)).is_ok()).count();
        for second in 1..=600 {
            clock.advance(Duration::from_secs(1));
            found += (0..10).filter(|n| limit.check(crowd(second * 1000 + n)).is_ok()).count();
        }
        assert!((1290..=1300).contains(&found), "as the calculation has it: {found}");
    }

    #[test]
    fn w09_each_person_and_each_workload_has_its_own_allowance_and_gets_it_back() {
        let clock = FakeRelativeClock::default();
        let limit = Allowances::of("credentials", quota(2, 5), clock.clone(), MOST);
        let check = |subject: &str, count| limit.check(|_| subject.to_owned(), count);
        let allowed = |subject: &str| (0..100).take_while(|_| check(subject, 1).is_ok()).count();
        assert_eq!(allowed("github+repo:example/web"), 5);
        assert_eq!(allowed("github+repo:example/api"), 5);
        assert!(check("github+repo:example/web", 1).unwrap_err() <= Duration::from_millis(500));
        clock.advance(Duration::from_secs(1));
        assert_eq!(allowed("github+repo:example/web"), 2);
        assert!(check("okta+ana", 3).is_ok());
        assert!(check("okta+ana", 3).is_err(), "several count as what they are");
        assert!(check("okta+ben", 50).is_ok(), "more than a whole allowance waits for a whole one");
        assert_eq!(allowed("okta+ben"), 0);
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
        assert!(limit.0.each.len() <= 102, "{}", limit.0.each.len());
        assert!(limit.check(Some("192.0.2.1".parse().unwrap()), 0).is_ok(), "others go on");
        clock.advance(Duration::from_secs(10));
        for _ in 0..SWEEP {
            let _ = limit.check(None, 0);
        }
        assert!(limit.0.each.len() <= 2, "{}", limit.0.each.len());
    }
}

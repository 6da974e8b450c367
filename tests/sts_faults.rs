//! STS and the way to it fail, and people get their credentials all the same, or are told why not. A proxy of the test's own makes the faults;
//! behind it stands the sandbox's STS, which checks every proof and signature.
//!
//! `FAULTED_ASSUMPTIONS` says how many assumptions go through random faults, `FAULTS_SEED` which; `--nocapture` shows what was measured.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed step is a failed test")]
#![expect(clippy::print_stdout, reason = "time is measured here and not asserted")]

mod support;

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use rolegate::sandbox::SandboxSettings;
use support::{
    Fault, FaultProxy, Faults, Gateway, OidcOptions, OidcProvider, PRODUCTION, Page, Plan, Random, SandboxAws, Scratch, Visitor,
};

/// So many of a hundred calls fail, in every way that passes by itself.
const PERCENT: usize = 30;
/// People who take credentials at the same time.
const AT_ONCE: usize = 25;

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// A gateway that asks these STS endpoints in their order, and somebody who is signed in.
struct World {
    gateway: Gateway,
    _provider: OidcProvider,
    ana: Visitor,
    portal: Page,
}

impl World {
    /// `keys` stand in `[aws]`, `rule` in the rule of the role.
    async fn start(plan: &Plan, aws: &SandboxAws, endpoints: &[&str], keys: &str, rule: &str) -> Self {
        let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
        let endpoint = format!("sts_endpoint = \"{}\"", aws.url());
        let proxied = format!("sts_endpoint = \"{}\"\nsts_fallbacks = {:?}\n{keys}", endpoints[0], &endpoints[1..]);
        let config = plan.config(&provider, aws.url());
        let granted = "roles = [\"PlatformAdmin\"]\n";
        assert!(config.contains(&endpoint) && config.contains(granted));
        let config = config.replace(&endpoint, &proxied).replace(granted, &format!("{granted}{rule}\n"));
        // One person asks for more than people do.
        let config = config.replace("workers = 1", "workers = 1\nperson_burst = 5000");
        let env = [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ACCESS_KEY_ID", OWN_KEY), ("AWS_SECRET_ACCESS_KEY", OWN_SECRET)];
        let env: Vec<_> = Plan::env().into_iter().filter(|(name, _)| *name != "ROLEGATE_LOG").chain(env).collect();
        let gateway = Gateway::start_in(Scratch::new(), &config, &env).await;
        let mut ana = Visitor::new();
        let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
        Self { gateway, _provider: provider, ana, portal }
    }

    /// Takes credentials of the role.
    async fn take(&mut self) -> Page {
        take(&mut self.ana, &self.portal).await
    }

    fn issuances(&self) -> Vec<serde_json::Value> {
        self.gateway.events("issue")
    }
}

async fn take(ana: &mut Visitor, portal: &Page) -> Page {
    let role = format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin");
    ana.post(portal, "/credentials", &[("role", &role), ("duration", "3600")]).await
}

const OWN_KEY: &str = "AKIAROLEGATEOWNKEY00";
const OWN_SECRET: &str = "own-secret-of-the-test";

/// The role can be taken by the gateway's own user too.
fn with_own_user(settings: &mut SandboxSettings) {
    let user = rolegate::sandbox::SandboxUser {
        name: "rolegate".into(),
        partition: rolegate::arn::Partition::Aws,
        account: PRODUCTION.parse().unwrap(),
        access_key_id: OWN_KEY.into(),
        secret_access_key: OWN_SECRET.to_owned().into(),
        mfa: None,
    };
    let arn = user.arn();
    settings.users.push(user);
    settings.roles = settings.roles.drain(..).map(|role| role.assumed_by(&arn)).collect();
}

/// What a page says that happened, for the message of a failed test.
fn told(page: &Page) -> &str {
    let (_, rest) = page.body.split_once("What happened</dt><dd dir=\"auto\">").unwrap_or_default();
    rest.split('<').next().unwrap()
}

/// Takes credentials so often, `AT_ONCE` at a time: how long each took, and the pages of those who got none.
async fn take_many(world: &World, count: usize) -> (Vec<Duration>, Vec<Page>) {
    let next = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tabs = (0..AT_ONCE).map(|_| {
        let (mut ana, next) = (world.ana.clone(), std::sync::Arc::clone(&next));
        let portal = Page { url: world.portal.url.clone(), status: world.portal.status, body: world.portal.body.clone() };
        tokio::spawn(async move {
            let (mut times, mut refused) = (Vec::new(), Vec::new());
            while next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < count {
                let start = Instant::now();
                let page = take(&mut ana, &portal).await;
                times.push(start.elapsed());
                if page.status != StatusCode::OK {
                    refused.push(page);
                }
            }
            (times, refused)
        })
    });
    let (mut times, mut refused) = (Vec::new(), Vec::new());
    for tab in tabs.collect::<Vec<_>>() {
        let (some, others) = tab.await.unwrap();
        times.extend(some);
        refused.extend(others);
    }
    times.sort_unstable();
    (times, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_three_of_ten_calls_failing_999_of_1000_get_their_credentials() {
    let (count, seed) = (setting("FAULTED_ASSUMPTIONS", 200), setting("FAULTS_SEED", 1) as u64);
    for endpoints in [1, 2] {
        let plan = Plan::new();
        let aws = SandboxAws::start(&plan.url()).await;
        let mut proxies = Vec::new();
        for number in 0..endpoints {
            proxies.push(FaultProxy::start(aws.url(), Faults::Some(PERCENT, Random(seed + number))).await);
        }
        let world = World::start(&plan, &aws, &proxies.iter().map(|proxy| proxy.url.as_str()).collect::<Vec<_>>(), "", "").await;
        let start = Instant::now();
        let (times, refused) = take_many(&world, count).await;
        let calls: Vec<_> = proxies.iter().flat_map(FaultProxy::seen).collect();
        let faults = calls.iter().filter(|call| call.fault.is_some()).count();
        let at = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)];
        println!(
            "{endpoints} endpoints: {count} assumptions in {:?}, {} calls, {faults} of them failed, {} people got nothing; half took up to {:?}, \
             99 % {:?}, 99.9 % {:?}, the longest {:?}",
            start.elapsed(),
            calls.len(),
            refused.len(),
            at(500),
            at(990),
            at(999),
            times[times.len() - 1]
        );
        assert_eq!(times.len(), count);
        assert!(faults * 4 > count, "the faults happened: {faults} of {}", calls.len());
        assert!(refused.len() <= (count / 1000).max(1), "{:?}", refused.iter().map(told).collect::<Vec<_>>());
        // Who was let down was told so, by a page that says whose it is to mend, and the trail agrees with both.
        assert!(refused.iter().all(|page| page.status == StatusCode::BAD_GATEWAY));
        let failed = world.issuances().iter().filter(|event| event["outcome"] == "failed").count();
        assert_eq!((world.issuances().len(), failed), (count, refused.len()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_that_passes_is_asked_about_once_more() {
    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let proxy = FaultProxy::scripted(aws.url(), Fault::PASSING.into_iter().flat_map(|fault| [Some(fault), None])).await;
    let mut world = World::start(&plan, &aws, &[&proxy.url], "deadline = \"6s\"", "").await;
    for (number, fault) in Fault::PASSING.into_iter().enumerate() {
        let page = world.take().await;
        assert_eq!((page.status, proxy.requests()), (StatusCode::OK, 2 * (number + 1)), "{fault:?}: {}", told(&page));
    }
    let seen = proxy.seen();
    assert_eq!(seen[0].body, seen[1].body, "what is asked again is the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_call_that_fails_is_signed_anew_for_the_next_endpoint() {
    let plan = Plan::new();
    let aws = SandboxAws::start_with(&plan.url(), with_own_user).await;
    // With refusals between them, so that the endpoint counts as well and is asked first each time.
    let script: Vec<_> = Fault::PASSING.into_iter().flat_map(|fault| [fault, Fault::Throttling]).collect();
    let proxy = FaultProxy::scripted(aws.url(), script.iter().copied().map(Some)).await;
    let mut world = World::start(&plan, &aws, &[&proxy.url, aws.url()], "deadline = \"6s\"", "operation = \"assume_role\"").await;
    for (number, fault) in script.iter().enumerate() {
        let page = world.take().await;
        let asked = (proxy.requests(), aws.sandbox().ledger().len());
        assert_eq!((page.status, asked), (StatusCode::OK, (number + 1, number + 1)), "{fault:?}: {}", told(&page));
    }
    let head = proxy.seen()[0].head.to_ascii_lowercase();
    assert!(head.contains("/us-east-1/sts/aws4_request") && head.contains(";host;"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_is_asked_once_and_no_other_region_is_bothered() {
    const FINAL: [&str; 9] = [
        "AccessDenied",
        "ValidationError",
        "MalformedPolicyDocument",
        "PackedPolicyTooLarge",
        "InvalidIdentityToken",
        "IDPRejectedClaim",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "SomethingThatAwsInventsNextYear",
    ];
    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let proxy = FaultProxy::scripted(aws.url(), FINAL.map(|code| Some(Fault::Refusal(code)))).await;
    let other = FaultProxy::scripted(aws.url(), []).await;
    let mut world = World::start(&plan, &aws, &[&proxy.url, &other.url], "", "").await;
    for (number, code) in FINAL.into_iter().enumerate() {
        let page = world.take().await;
        assert_eq!((page.status, proxy.requests(), other.requests()), (StatusCode::BAD_GATEWAY, number + 1, 0), "{code}");
    }
    assert_eq!(world.take().await.status, StatusCode::OK, "refusals are no reason to leave the endpoint");
    assert_eq!((proxy.requests(), other.requests()), (FINAL.len() + 1, 0));

    // And so with a refusal of the sandbox's own: the account knows another issuer only.
    let plan = Plan::new();
    let elsewhere = |settings: &mut SandboxSettings| {
        settings.issuers[0].issuer = "http://127.0.0.1:9".into();
        settings.roles.iter_mut().for_each(|role| role.issuers = vec!["http://127.0.0.1:9".into()]);
    };
    let aws = SandboxAws::start_with(&plan.url(), elsewhere).await;
    let (proxy, other) = (FaultProxy::scripted(aws.url(), []).await, FaultProxy::scripted(aws.url(), []).await);
    let mut world = World::start(&plan, &aws, &[&proxy.url, &other.url], "", "").await;
    let page = world.take().await;
    assert_eq!((page.status, proxy.requests(), other.requests()), (StatusCode::BAD_GATEWAY, 1, 0));
    assert!(told(&page).contains("does not know the issuer"), "{}", told(&page));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_region_costs_three_tries_and_is_then_left_alone() {
    for death in [Fault::Reset, Fault::Hang] {
        let plan = Plan::new();
        let aws = SandboxAws::start(&plan.url()).await;
        let dead = FaultProxy::start(aws.url(), Faults::Always(death)).await;
        let alive = FaultProxy::scripted(aws.url(), []).await;
        let mut world = World::start(&plan, &aws, &[&dead.url, &alive.url], "deadline = \"4s\"", "").await;
        let mut times = Vec::new();
        for _ in 0..4 {
            let start = Instant::now();
            assert_eq!(world.take().await.status, StatusCode::OK);
            times.push(start.elapsed());
        }
        println!("{death:?}: each of the first three asked the dead region first, the fourth did not: {times:?}");
        assert_eq!((dead.requests(), alive.requests()), (3, 4));
        assert!(world.gateway.output().contains("the endpoint rests"), "the log says so");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_to_wait_is_waited_for_or_another_is_asked() {
    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let proxy = FaultProxy::scripted(aws.url(), [Some(Fault::RetryAfter(2)), None, Some(Fault::RetryAfter(60))]).await;
    let mut world = World::start(&plan, &aws, &[&proxy.url], "", "").await;
    let start = Instant::now();
    assert_eq!(world.take().await.status, StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_secs(2), "as it was asked to");
    // Nobody is kept waiting for what cannot come in time.
    let page = world.take().await;
    assert_eq!((page.status, proxy.requests()), (StatusCode::BAD_GATEWAY, 3));
    assert!(told(&page).contains("AWS asks to slow down"), "{}", told(&page));

    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let first = FaultProxy::scripted(aws.url(), [Some(Fault::RetryAfter(60)), Some(Fault::RegionDisabled)]).await;
    let second = FaultProxy::scripted(aws.url(), []).await;
    let mut world = World::start(&plan, &aws, &[&first.url, &second.url], "", "").await;
    for number in 1..=2 {
        assert_eq!(world.take().await.status, StatusCode::OK);
        assert_eq!((first.requests(), second.requests()), (number, number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_proof_is_minted_anew_once() {
    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let expired = Some(Fault::Expired);
    let proxy = FaultProxy::scripted(aws.url(), [expired, None, expired, expired]).await;
    let mut world = World::start(&plan, &aws, &[&proxy.url], "", "").await;
    assert_eq!(world.take().await.status, StatusCode::OK);
    let seen = proxy.seen();
    assert_eq!(seen.len(), 2);
    assert_ne!(seen[0].body, seen[1].body, "a fresh one, not the same again");
    let page = world.take().await;
    assert_eq!((page.status, proxy.requests()), (StatusCode::BAD_GATEWAY, 4));
    assert!(told(&page).contains("too old"), "{}", told(&page));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_of_sts_is_down_people_are_told_so_and_it_is_not_asked_without_end() {
    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let proxies = [
        FaultProxy::start(aws.url(), Faults::Always(Fault::Error500)).await,
        FaultProxy::start(aws.url(), Faults::Always(Fault::Error503)).await,
    ];
    let world = World::start(&plan, &aws, &[&proxies[0].url, &proxies[1].url], "deadline = \"2s\"", "").await;
    let (count, start) = (300, Instant::now());
    let (times, refused) = take_many(&world, count).await;
    let (requests, seconds) = (proxies[0].requests() + proxies[1].requests(), usize::try_from(start.elapsed().as_secs()).unwrap());
    println!("all down: {count} assumptions made {requests} calls in {seconds} s, the longest took {:?}", times[times.len() - 1]);
    assert_eq!(refused.len(), count);
    // The time ran out for many; what AWS said before tells more than that.
    for page in refused {
        assert_eq!(page.status, StatusCode::BAD_GATEWAY);
        assert!(told(&page).contains("out of order at the moment"), "{}", told(&page));
    }
    // A hundred more at first, and one more in each second.
    assert!(requests > count && requests <= count + 100 + seconds + 2, "{requests}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_same_credentials_gets_the_same_failure_and_sts_is_not_stormed() {
    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let proxy = FaultProxy::start(aws.url(), Faults::Always(Fault::Hang)).await;
    let mut world = World::start(&plan, &aws, &[&proxy.url], "deadline = \"2s\"", "reuse_credentials = true").await;
    let (_, refused) = take_many(&world, AT_ONCE).await;
    assert_eq!(refused.len(), AT_ONCE);
    assert!(refused.iter().all(|page| told(page).contains("did not answer in time")), "{:?}", refused.iter().map(told).collect::<Vec<_>>());
    let tries = proxy.requests();
    println!("{AT_ONCE} people who asked for the same at once made {tries} tries");
    assert!(tries < AT_ONCE / 4, "{tries}");
    let failed = world.issuances().iter().filter(|event| event["outcome"] == "failed").count();
    assert_eq!(failed, AT_ONCE, "each is in the trail");
    // A failure is not kept: who comes later asks again.
    assert_eq!(world.take().await.status, StatusCode::BAD_GATEWAY);
    assert!(proxy.requests() > tries);
}

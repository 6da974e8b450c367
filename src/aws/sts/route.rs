//! A call's way through the endpoints of its partition.
//!
//! The SDK tries a call several times, with pauses of random length and within a budget that all calls share, and asks before each try where
//! to. It is sent to the first endpoint, in the order of the settings, that this call has tried least, that did not ask to be left alone and
//! that does not rest. If all rest, it is sent all the same: to ask in vain is better than not to ask, and the budget bounds what that costs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sts::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_smithy_types::Document;
use tokio::time::Instant;

use super::breaker::{Breaker, EndpointState};
use super::retry::{Heard, Meaning, Refusal};
use crate::arn::Region;

/// One endpoint of STS.
#[derive(Debug)]
pub(super) struct Regional {
    /// The region that signed calls name.
    pub(super) region: Region,
    pub(super) url: String,
    breaker: Breaker,
}

impl Regional {
    pub(super) const fn new(region: Region, url: String) -> Self {
        Self { region, url, breaker: Breaker::new() }
    }

    /// How it does.
    pub(super) fn state(&self, now: Instant) -> EndpointState {
        self.breaker.state(now)
    }

    /// How many tries it answered since the start, and how many it did not.
    pub(super) fn calls(&self) -> (u64, u64) {
        self.breaker.calls()
    }
}

/// The way of one call.
#[derive(Debug, Clone)]
pub(super) struct Route {
    endpoints: Arc<[Regional]>,
    trip: Arc<Mutex<Trip>>,
}

#[derive(Debug)]
struct Trip {
    /// When the call must be over.
    end: Instant,
    /// One for each endpoint, in their order.
    stops: Vec<Stop>,
    /// The endpoint of the latest try.
    at: usize,
    /// Whether it has not been heard yet how the latest try went.
    pending: bool,
    /// How the latest try went.
    heard: Heard,
    /// The latest refusal; later tries may have heard nothing.
    refusal: Option<Refusal>,
    /// How many tries AWS could not reach the issuer's keys in.
    key_fetches: u32,
    /// Endpoints that began to rest, or answered again, by this call: for the log.
    news: Vec<(usize, bool)>,
}

/// What one call knows of an endpoint.
#[derive(Debug, Clone, Copy, Default)]
struct Stop {
    tries: u32,
    /// The account has switched STS off there.
    disabled: bool,
    /// The endpoint asked not to be asked before.
    not_before: Option<Instant>,
}

/// How long the next try must wait, because each endpoint that is left asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// An endpoint can be asked after the usual pause.
    Usual,
    /// So long at least.
    For(Duration),
    /// Longer than the call may take, or no endpoint is left.
    InVain,
}

impl Route {
    /// A way that nobody has gone yet. `endpoints` is never empty.
    pub(super) fn new(endpoints: Arc<[Regional]>, end: Instant) -> Self {
        let stops = vec![Stop::default(); endpoints.len()];
        let trip = Trip { end, stops, at: 0, pending: false, heard: Heard::Nothing, refusal: None, key_fetches: 0, news: Vec::new() };
        Self { endpoints, trip: Arc::new(Mutex::new(trip)) }
    }

    /// Another try begins: chooses where to.
    pub(super) fn begin(&self, now: Instant) {
        let mut trip = self.trip();
        let left = trip.stops.iter().zip(0..).filter(|(stop, _)| !stop.disabled);
        let mut order: Vec<_> = left.map(|(stop, at)| (stop.not_before.is_some_and(|time| now < time), stop.tries, at)).collect();
        order.sort_unstable();
        let awake = order.iter().find(|(.., at)| self.endpoints.get(*at).is_some_and(|endpoint| endpoint.breaker.admits(now)));
        let Some((.., next)) = awake.or(order.first()) else { return };
        trip.at = *next;
        trip.pending = true;
        if let Some(stop) = trip.stops.get_mut(*next) {
            stop.tries += 1;
        }
    }

    /// The latest try has ended.
    pub(super) fn heard(&self, now: Instant, heard: Heard) {
        let mut trip = self.trip();
        let at = trip.at;
        let Some(endpoint) = self.endpoints.get(at).filter(|_| std::mem::take(&mut trip.pending)) else { return };
        let is_well = heard.is_of_a_well_endpoint();
        if is_well && endpoint.breaker.answered() || !is_well && endpoint.breaker.failed(now) {
            trip.news.push((at, is_well));
        }
        if let Heard::Refusal(refusal) = &heard {
            if let Some(stop) = trip.stops.get_mut(at) {
                stop.not_before = refusal.retry_after.map(|wait| now + wait);
                stop.disabled = refusal.meaning() == Meaning::RegionDisabled;
            }
            trip.key_fetches += u32::from(refusal.meaning() == Meaning::KeysUnreachable);
            trip.refusal = Some(refusal.clone());
        }
        trip.heard = heard;
    }

    /// How the latest try went, and in how many tries AWS could not reach the issuer's keys.
    pub(super) fn latest(&self) -> (Heard, u32) {
        let trip = self.trip();
        (trip.heard.clone(), trip.key_fetches)
    }

    /// How long the next try must wait.
    pub(super) fn wait(&self, now: Instant) -> Wait {
        let trip = self.trip();
        let left = trip.stops.iter().filter(|stop| !stop.disabled);
        let waits = left.map(|stop| stop.not_before.map_or(Duration::ZERO, |time| time.saturating_duration_since(now)));
        match waits.min() {
            Some(Duration::ZERO) => Wait::Usual,
            Some(wait) if now + wait < trip.end => Wait::For(wait),
            _ => Wait::InVain,
        }
    }

    /// The latest refusal that another try might have changed: why a call failed whose last try heard nothing.
    pub(super) fn passing_refusal(&self) -> Option<Refusal> {
        let refusal = self.trip().refusal.clone();
        refusal.filter(|refusal| matches!(refusal.meaning(), Meaning::KeysUnreachable | Meaning::Throttled | Meaning::Unwell))
    }

    /// Says in the log what is worth knowing of the way. Not while the SDK is at work: its log is shut.
    pub(super) fn tell(&self) {
        let trip = self.trip();
        let url = |at: usize| self.endpoints.get(at).map(|endpoint| endpoint.url.as_str()).unwrap_or_default();
        for (at, is_well) in &trip.news {
            if *is_well {
                tracing::info!(endpoint = url(*at), "STS answers again");
            } else {
                tracing::warn!(
                    endpoint = url(*at),
                    "STS does not answer, or with errors of its own: the endpoint rests, and is tried again"
                );
            }
        }
        let tries: u32 = trip.stops.iter().map(|stop| stop.tries).sum();
        if tries > 1 {
            tracing::info!(tries, endpoint = url(trip.at), "STS was asked more than once");
        }
    }

    fn trip(&self) -> MutexGuard<'_, Trip> {
        self.trip.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolveEndpoint for Route {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        let at = self.trip().at;
        EndpointFuture::ready(self.endpoints.get(at).map(endpoint).ok_or_else(|| "no endpoint is configured".into()))
    }
}

/// Signed calls name the region whose endpoint they go to.
fn endpoint(regional: &Regional) -> Endpoint {
    let scheme = [("name", "sigv4"), ("signingName", "sts"), ("signingRegion", regional.region.as_str())]
        .map(|(name, value)| (name.to_owned(), Document::from(value.to_owned())));
    Endpoint::builder().url(regional.url.clone()).property("authSchemes", vec![Document::from(HashMap::from(scheme))]).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
    const SECOND: Duration = Duration::from_secs(1);

    fn endpoints() -> Arc<[Regional]> {
        NAMES.map(|name| Regional::new(name.parse().unwrap(), format!("https://{name}.example.com"))).into()
    }

    fn route(endpoints: &Arc<[Regional]>, now: Instant) -> Route {
        Route::new(endpoints.clone(), now + 10 * SECOND)
    }

    /// One try that ends so: where it went.
    fn tried(route: &Route, now: Instant, heard: Heard) -> &'static str {
        route.begin(now);
        route.heard(now, heard);
        NAMES[route.trip().at]
    }

    fn refusal(code: &str, retry_after: Option<Duration>) -> Heard {
        Heard::Refusal(Refusal::for_tests(code, retry_after))
    }

    #[test]
    fn a_call_goes_through_the_endpoints_in_order_and_round_again() {
        let (now, endpoints) = (Instant::now(), endpoints());
        let route = route(&endpoints, now);
        let way: Vec<_> = (0..5).map(|_| tried(&route, now, Heard::Nothing)).collect();
        assert_eq!(way, [NAMES[0], NAMES[1], NAMES[2], NAMES[0], NAMES[1]]);
    }

    #[tokio::test]
    async fn each_try_is_resolved_to_its_endpoint_and_signed_for_its_region() {
        let (now, endpoints) = (Instant::now(), endpoints());
        let route = route(&endpoints, now);
        for name in NAMES {
            tried(&route, now, Heard::Nothing);
            let endpoint = route.resolve_endpoint(&Params::builder().build().unwrap()).await.unwrap();
            assert_eq!(endpoint.url(), format!("https://{name}.example.com"));
            let schemes = endpoint.properties().get("authSchemes").and_then(Document::as_array).unwrap();
            let told = |key| schemes[0].as_object().and_then(|scheme| scheme.get(key)).and_then(Document::as_string);
            assert_eq!([told("name"), told("signingName"), told("signingRegion")], [Some("sigv4"), Some("sts"), Some(name)]);
        }
    }

    #[test]
    fn an_endpoint_that_does_not_answer_is_passed_over_by_later_calls() {
        let (now, endpoints) = (Instant::now(), endpoints());
        let first_try = |now, heard| tried(&route(&endpoints, now), now, heard);
        for _ in 0..3 {
            assert_eq!(first_try(now, Heard::Nothing), NAMES[0]);
        }
        assert_eq!(first_try(now, Heard::Credentials), NAMES[1]);
        let after_a_rest = now + 5 * SECOND;
        route(&endpoints, after_a_rest).begin(after_a_rest);
        assert_eq!(first_try(after_a_rest, Heard::Credentials), NAMES[1], "while one call probes the first");
        let much_later = now + 60 * SECOND;
        assert_eq!(first_try(much_later, Heard::Credentials), NAMES[0]);
        assert_eq!(first_try(much_later, Heard::Credentials), NAMES[0]);
    }

    #[test]
    fn refusals_and_throttling_are_answers_of_a_well_endpoint() {
        let (now, endpoints) = (Instant::now(), endpoints());
        for code in ["AccessDenied", "Throttling", "IDPCommunicationError", "RegionDisabledException"] {
            for _ in 0..9 {
                assert_eq!(tried(&route(&endpoints, now), now, refusal(code, None)), NAMES[0], "{code}");
            }
        }
        for _ in 0..3 {
            tried(&route(&endpoints, now), now, refusal("InternalFailure", None));
        }
        assert_eq!(tried(&route(&endpoints, now), now, Heard::Credentials), NAMES[1]);
    }

    #[test]
    fn where_all_rest_the_first_is_asked_all_the_same() {
        let (now, endpoints) = (Instant::now(), endpoints());
        for _ in 0..3 {
            let route = route(&endpoints, now);
            assert_eq!([(); 3].map(|()| tried(&route, now, Heard::Nothing)), NAMES);
        }
        let route = route(&endpoints, now);
        assert_eq!([tried(&route, now, Heard::Nothing), tried(&route, now, Heard::Nothing)], [NAMES[0], NAMES[1]]);
    }

    #[test]
    fn a_region_that_the_account_has_switched_off_is_not_asked_again() {
        let (now, endpoints) = (Instant::now(), endpoints());
        let route = route(&endpoints, now);
        let off = || refusal("RegionDisabledException", None);
        assert_eq!(tried(&route, now, off()), NAMES[0]);
        assert_eq!(tried(&route, now, Heard::Nothing), NAMES[1]);
        assert_eq!(tried(&route, now, off()), NAMES[2]);
        assert_eq!((tried(&route, now, Heard::Nothing), route.wait(now)), (NAMES[1], Wait::Usual));
        assert_eq!((tried(&route, now, off()), route.wait(now)), (NAMES[1], Wait::InVain));
    }

    #[test]
    fn an_endpoint_that_asks_to_wait_is_left_alone_for_others_or_waited_for() {
        let (now, endpoints) = (Instant::now(), endpoints());
        let way = route(&endpoints, now);
        let slow = |seconds| refusal("Throttling", Some(seconds * SECOND));
        assert_eq!((tried(&way, now, slow(2)), way.wait(now)), (NAMES[0], Wait::Usual));
        assert_eq!((tried(&way, now, slow(3)), way.wait(now)), (NAMES[1], Wait::Usual));
        assert_eq!((tried(&way, now, slow(4)), way.wait(now)), (NAMES[2], Wait::For(2 * SECOND)));
        assert_eq!((tried(&way, now + 2 * SECOND, slow(60)), way.wait(now + 2 * SECOND)), (NAMES[0], Wait::For(SECOND)));
        let alone: Arc<[Regional]> = vec![Regional::new(NAMES[0].parse().unwrap(), "https://sts.example".into())].into();
        let alone = route(&alone, now);
        assert_eq!((tried(&alone, now, slow(10)), alone.wait(now)), (NAMES[0], Wait::InVain), "the call must be over before");
    }

    #[test]
    fn a_call_that_ran_out_of_time_remembers_why() {
        let (now, endpoints) = (Instant::now(), endpoints());
        let way = route(&endpoints, now);
        tried(&way, now, refusal("Throttling", None));
        tried(&way, now, Heard::Nothing);
        assert_eq!(way.passing_refusal().map(|refusal| refusal.meaning()), Some(Meaning::Throttled));
        let way = route(&endpoints, now);
        tried(&way, now, refusal("RegionDisabledException", None));
        assert!(way.passing_refusal().is_none());
    }
}

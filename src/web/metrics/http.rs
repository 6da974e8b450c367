//! Requests, counted as they are answered.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The upper ends of the histogram's buckets, in seconds: pages take milliseconds, what asks AWS some hundred of them, and 30 seconds is the usual
/// limit on a request.
const BUCKETS: [f64; 8] = [0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

/// The pattern of an address as it is registered: never what somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    #[prometheus(flatten)]
    route: Route,
    method: &'static str,
    status: &'static str,
}

/// How requests went.
#[derive(Debug)]
pub(in crate::web) struct HttpMetrics {
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram>,
}

impl HttpMetrics {
    pub(in crate::web) fn new() -> Self {
        Self { requests: Family::default(), durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)) }
    }

    /// A request was answered. `pattern` is that of its address, none for one that is not ours; `took` is the time from its head to that of its
    /// answer. Takes the pattern as the log has it, so that nothing is copied.
    pub(in crate::web) fn answered(&self, pattern: Option<String>, method: &Method, status: StatusCode, took: Duration) {
        let route = Route { route: pattern.unwrap_or_else(|| "other".to_owned()) };
        let request = Request { route, method: known(method), status: class(status) };
        self.requests.get_or_create(&request).inc();
        self.durations.get_or_create(&request.route).observe(took.as_secs_f64());
    }

    /// Puts both into what is served.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("rolegate_http_requests", "Requests answered on the public address", self.requests.clone());
        let help = "Time from a request's head to that of its answer";
        registry.register("rolegate_http_request_duration_seconds", help, self.durations.clone());
    }
}

/// Anybody may make up a method.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn w14_what_strangers_make_up_makes_no_series() {
        let http = HttpMetrics::new();
        for method in ["BREW", "PROPFIND"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            http.answered(None, &method, StatusCode::NOT_FOUND, Duration::from_millis(30));
        }
        http.answered(Some("/login/{provider}".into()), &Method::GET, StatusCode::FOUND, Duration::from_millis(3));
        let (mut registry, mut text) = (Registry::default(), String::new());
        http.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("rolegate_http_requests_total{route=\"other\",method=\"other\",status=\"4xx\"} 2\n"), "{text}");
        assert!(text.contains("rolegate_http_requests_total{route=\"/login/{provider}\",method=\"GET\",status=\"3xx\"} 1\n"), "{text}");
        assert!(text.contains("rolegate_http_request_duration_seconds_bucket{le=\"0.1\",route=\"other\"} 2\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("rolegate_http_requests_total")).count(), 2, "{text}");
    }
}

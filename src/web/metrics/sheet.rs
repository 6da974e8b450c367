//! All that is read at the moment it is asked for: made anew for each scrape, so that nothing can be out of date, and nothing is kept up that nobody
//! looks at.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use serde::Serialize;
use url::Url;

use super::process;
use crate::audit::{Kind, OUTCOMES, Sort};
use crate::aws::sts::EndpointState;
use crate::clock::Moment;
use crate::gateway::{OwnCertificate, Status, Towards};
use crate::trust::keys::KeyAge;
use crate::web::site::Site;

/// A metric's labels.
type Labels = Vec<(&'static str, String)>;

/// What is served, as it comes together.
struct Sheet(Registry);

impl Sheet {
    /// One number.
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [(Labels::new(), value)]);
    }

    /// A number for each set of labels; of two with the same the last.
    fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    /// What only grows, for each set of labels; two with the same are added. The name is without its `_total`.
    fn counters(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }
}

/// Everything that a monitor may know of a site.
pub(super) fn fill(site: &Site, status: &Status, started: Moment) -> Registry {
    let mut sheet = Sheet(Registry::default());
    sheet.0.register("rolegate_build", "The version that runs", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    of_process(&mut sheet, started);
    if let Some(http) = &site.http {
        http.register(&mut sheet.0);
    }
    of_trail(&mut sheet, site, status);
    of_readiness(&mut sheet, status, site.is_leaving());
    of_policy(&mut sheet, status);
    of_others(&mut sheet, site, status);
    sheet.0
}

fn of_process(sheet: &mut Sheet, started: Moment) {
    sheet.gauge("process_start_time_seconds", "When the process began to serve, in seconds since 1970", seconds(started));
    if let Some(bytes) = process::resident_bytes() {
        sheet.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM", number(bytes));
    }
    if let Some(open) = process::open_descriptors() {
        sheet.gauge("process_open_fds", "Files and sockets that the process has open", number(open));
    }
}

/// What the audit trail counted.
fn of_trail(sheet: &mut Sheet, site: &Site, status: &Status) {
    let counts = site.gateway.audit.counts();
    let of = |kinds: &'static [Kind]| counts.iter().filter(move |(sort, _)| kinds.contains(&sort.kind));
    let provider = |sort: &Sort| sort.provider.as_ref().map(ToString::to_string).unwrap_or_default();
    let events = counts.iter().map(|(sort, count)| (vec![("kind", word(sort.kind)), ("outcome", word(sort.outcome))], *count));
    sheet.counters("rolegate_audit_events", "Events on record in the audit trail", events);
    let missed = site.gateway.audit.missed();
    sheet.counters("rolegate_audit_failures", "Events that could not be recorded when they had to be", [(Labels::new(), missed)]);
    // A rate is seen from the first one on if there was a zero before.
    let people = status.providers.iter().filter(|known| !known.is_platform);
    let zeros = people.flat_map(|known| OUTCOMES.map(|outcome| (vec![("provider", known.id.clone()), ("outcome", outcome.to_owned())], 0)));
    let sign_ins = of(&[Kind::SignIn]).map(|(sort, count)| (vec![("provider", provider(sort)), ("outcome", word(sort.outcome))], *count));
    sheet.counters("rolegate_sign_ins", "Sign-ins of people and of their command lines", zeros.chain(sign_ins));
    let issuances = of(&[Kind::Issue]).map(|(sort, count)| {
        let operation = sort.operation.unwrap_or_default().to_owned();
        let purpose = sort.purpose.map(word).unwrap_or_default();
        (vec![("operation", operation), ("purpose", purpose), ("outcome", word(sort.outcome))], *count)
    });
    sheet.counters("rolegate_issuances", "Credentials and console sign-ins asked for", issuances);
    let requests = [Kind::RequestMade, Kind::RequestApproved, Kind::RequestRefused, Kind::RequestWithdrawn, Kind::GrantRevoked];
    let requests = counts.iter().filter(|(sort, _)| requests.contains(&sort.kind));
    let requests = requests.map(|(sort, count)| (vec![("kind", word(sort.kind)), ("outcome", word(sort.outcome))], *count));
    sheet.counters("rolegate_requests", "What became of requests for roles", requests);
    let unsolicited = [(Labels::new(), status.unsolicited)];
    sheet.counters("rolegate_unsolicited_answers", "Answers of providers to no sign-in that was begun in their browser", unsolicited);
}

fn of_readiness(sheet: &mut Sheet, status: &Status, leaving: bool) {
    let readiness = status.readiness;
    let ready = readiness.store && readiness.audit && !leaving;
    sheet.gauge("rolegate_ready", "Whether /readyz says that people can be served", flag(ready));
    sheet.gauge("rolegate_store_up", "Whether the store answers", flag(readiness.store));
    sheet.gauge("rolegate_audit_up", "Whether the audit trail can be written", flag(readiness.audit));
    let behind = u64::try_from(readiness.audit_behind).unwrap_or(u64::MAX);
    sheet.gauge("rolegate_audit_files_behind", "Files and other sinks of the audit trail that do not have all events", number(behind));
}

fn of_policy(sheet: &mut Sheet, status: &Status) {
    let (rules, accounts) = status.sizes;
    let size = |count: usize| number(u64::try_from(count).unwrap_or(u64::MAX));
    let reloads = &status.reloads;
    sheet.gauge("rolegate_policy_rules", "Rules in force", size(rules));
    sheet.gauge("rolegate_policy_accounts", "Accounts that rules may grant roles in", size(accounts));
    let help = "Since when the rules in force are, in seconds since 1970";
    sheet.gauge("rolegate_policy_loaded_timestamp_seconds", help, seconds(reloads.since));
    let help = "Whether no newer rules were refused since the rules in force were last found to be those of the file";
    sheet.gauge("rolegate_policy_up_to_date", help, flag(reloads.refusal.is_none()));
    sheet.counters("rolegate_policy_reloads", "Times that other rules came into force", [(Labels::new(), reloads.taken)]);
    sheet.counters("rolegate_policy_reload_failures", "Times that newer rules were refused", [(Labels::new(), reloads.refused)]);
}

/// Whom the gateway depends on, and what of its own others depend on.
fn of_others(sheet: &mut Sheet, site: &Site, status: &Status) {
    let providers = status.providers.iter().map(|known| (vec![("provider", known.id.clone())], flag(!known.health.is_down())));
    sheet.gauges("rolegate_provider_up", "Whether a provider answered when it was last asked", providers);
    let place = |endpoint: &crate::aws::sts::EndpointHealth| {
        vec![("partition", endpoint.partition.to_string()), ("endpoint", host_of(&endpoint.url))]
    };
    let up = status.endpoints.iter().map(|endpoint| {
        let rests = matches!(endpoint.state, EndpointState::Resting(_) | EndpointState::Probed);
        (place(endpoint), flag(!rests))
    });
    sheet.gauges("rolegate_sts_endpoint_up", "Whether an endpoint of STS is asked: not while it rests after failures", up);
    let calls = status.endpoints.iter().flat_map(|endpoint| {
        let (answered, failed) = endpoint.calls;
        [("answered", answered), ("failed", failed)].map(|(outcome, count)| {
            let mut labels = place(endpoint);
            labels.push(("outcome", outcome.to_owned()));
            (labels, count)
        })
    });
    sheet.counters("rolegate_sts_requests", "Tries at an endpoint of STS: answered, also by a no, or failed", calls);
    let of_tls = site.tls_certificate();
    let certificates =
        status.certificates.iter().chain(&of_tls).map(|certificate| (of_certificate(certificate), seconds(certificate.ends)));
    let help = "When a certificate of the gateway's own ends, in seconds since 1970";
    sheet.gauges("rolegate_certificate_expiry_timestamp_seconds", help, certificates);
    let alarms = status.webhooks.iter().flat_map(|webhook| {
        [("taken", webhook.sent), ("given_up", webhook.given_up)]
            .map(|(outcome, count)| (vec![("webhook", host_of(&webhook.origin)), ("outcome", outcome.to_owned())], count))
    });
    sheet.counters("rolegate_webhook_alarms", "Alarms that a webhook took, or that were given up", alarms);
}

fn of_certificate(certificate: &OwnCertificate) -> Labels {
    let towards = match &certificate.towards {
        Towards::Aws => "aws".to_owned(),
        Towards::Provider(id, _) => id.to_string(),
        Towards::Browsers => "browsers".to_owned(),
    };
    let age = match certificate.age {
        KeyAge::Active => "active",
        KeyAge::Next => "next",
        KeyAge::Retiring => "retiring",
    };
    vec![("towards", towards), ("age", age.to_owned()), ("fingerprint", certificate.fingerprint.clone())]
}

/// A word of a closed set, as the trail has it.
fn word(of: impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The host of an address, with its port where it has one.
fn host_of(url: &str) -> String {
    let Some((url, host)) = Url::parse(url).ok().and_then(|url| Some((url.clone(), url.host_str()?.to_owned()))) else {
        return String::new();
    };
    url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

const fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn seconds(moment: Moment) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact for millions of years")]
    let seconds = moment.timestamp() as f64;
    seconds
}

const fn number(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 nobody counts exactly")]
    let count = count as f64;
    count
}

//! What all handlers share.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::ArcSwap;
use ipnet::IpNet;
use url::Url;

use super::brand::{Brand, BrandSettings};
use super::connection::Connection;
use super::cookies::Cookies;
use super::limit::{CodeLimit, IssueLimit, SignInLimit, Together};
use super::metrics::HttpMetrics;
use super::tls::Tls;
use super::views::{Offices, Shell, Text, Who};
use crate::arn::Partition;
use crate::gateway::{Caller, Gateway, OwnCertificate, Towards};
use crate::store::Session;
use crate::trust::keys::KeyAge;

/// The longest user agent that is recorded.
const LONGEST_USER_AGENT: usize = 256;

/// What an administrator says about the pages.
#[derive(Debug, Clone, Default)]
pub struct SiteSettings {
    /// Whom people ask for help.
    pub contact: Option<String>,
    /// Where help is had.
    pub help_link: Option<String>,
    /// What makes the pages an organisation's own.
    pub brand: BrandSettings,
    /// A line above every page, such as that this is a demonstration.
    pub banner: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest form that is read, in bytes.
    pub body_limit: usize,
    /// How long a request may take, from its head to its answer.
    pub request_timeout: std::time::Duration,
    /// How many sign-ins one address may begin or finish in a second, over time.
    pub sign_in_rate: u32,
    /// How many of them at once, after a pause.
    pub sign_in_burst: u32,
    /// How many credentials one person may ask for in a second, over time.
    pub person_rate: u32,
    /// How many of them at once, after a pause.
    pub person_burst: u32,
    /// How many credentials one workload may ask for in a second, over time.
    pub workload_rate: u32,
    /// How many of them at once, after a pause.
    pub workload_burst: u32,
    /// Whether requests are counted for monitors.
    pub metrics: bool,
}

/// The gateway with what its pages need. Made once, shared by all workers.
pub struct Site {
    /// The product behind the pages.
    pub gateway: Gateway,
    pub(super) settings: SiteSettings,
    pub(super) cookies: Cookies,
    pub(super) brand: Brand,
    /// The origin of the public URL: absolute URLs and `Origin` checks go by it, never by the `Host` header.
    pub(super) origin: String,
    /// The policy of pages that lead nowhere else.
    pub(super) content_security_policy: HeaderValue,
    /// That of pages with a button into the console, and the partitions that it is for.
    console_policy: ArcSwap<(Vec<Partition>, HeaderValue)>,
    pub(super) is_https: bool,
    pub(super) sign_in_limit: SignInLimit,
    pub(super) code_limit: CodeLimit,
    pub(super) person_limit: IssueLimit,
    pub(super) workload_limit: IssueLimit,
    /// How all gateways with the same store count together.
    pub(super) together: Together,
    /// How requests went; none where no monitor asks.
    pub(super) http: Option<HttpMetrics>,
    /// What the listener does TLS with, if no proxy does it.
    pub(super) tls: Option<Arc<Tls>>,
    /// Whether the process is about to stop.
    leaving: AtomicBool,
}

impl Site {
    /// A site for a gateway.
    #[must_use]
    pub fn new(gateway: Gateway, settings: SiteSettings) -> Self {
        let is_https = gateway.public_url.scheme() == "https";
        let (content_security_policy, console_policy) = (header_of(&policy(&[])), ArcSwap::from_pointee(console_policy(&gateway)));
        let origin = gateway.public_url.origin().ascii_serialization();
        let sign_in_limit = SignInLimit::new(settings.sign_in_rate, settings.sign_in_burst);
        let code_limit = CodeLimit::new();
        let person_limit = IssueLimit::new("credentials of people", settings.person_rate, settings.person_burst);
        let workload_limit = IssueLimit::new("credentials of workloads", settings.workload_rate, settings.workload_burst);
        let http = settings.metrics.then(HttpMetrics::new);
        let (cookies, brand) = (Cookies { is_https }, Brand::new(&settings.brand));
        Self {
            gateway,
            settings,
            cookies,
            brand,
            origin,
            content_security_policy,
            console_policy,
            is_https,
            sign_in_limit,
            code_limit,
            person_limit,
            workload_limit,
            together: Together::default(),
            http,
            tls: None,
            leaving: AtomicBool::new(false),
        }
    }

    /// The same, which does TLS itself.
    #[must_use]
    pub fn with_tls(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// The certificate that browsers are shown, where no proxy shows one.
    pub(super) fn tls_certificate(&self) -> Option<OwnCertificate> {
        let certificate = self.tls.as_ref()?.certificate()?;
        let (fingerprint, ends) = (certificate.fingerprint(), certificate.not_after());
        Some(OwnCertificate { fingerprint, age: KeyAge::Active, towards: Towards::Browsers, ends })
    }

    /// Tells whoever sends people here that it stops soon. It serves on until then.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// It follows the accounts: another policy of roles may bring another partition.
    fn console_policy(&self) -> HeaderValue {
        let kept = self.console_policy.load();
        if kept.0 == self.gateway.policy.load().partitions() {
            return kept.1.clone();
        }
        let (partitions, header) = console_policy(&self.gateway);
        self.console_policy.store(Arc::new((partitions, header.clone())));
        header
    }

    /// The policy of the page whose form goes to one of AWS's sign-in pages: that page, and where AWS redirects from there.
    pub(super) fn policy_towards(&self, partition: Partition, endpoint: &str) -> String {
        let mut sources = self.gateway.console.form_action_sources([partition]);
        if let Ok(url) = Url::parse(endpoint) {
            sources.insert(0, url.origin().ascii_serialization());
        }
        policy(&sources)
    }

    /// A page with a button into the console.
    pub(super) fn leading_to_console(&self, mut page: HttpResponse) -> HttpResponse {
        page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, self.console_policy());
        page
    }

    /// The path under which the issuer's documents stand, without a trailing slash.
    pub(super) fn issuer_path(&self) -> String {
        let url = Url::parse(self.gateway.issuer.url());
        url.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
    }

    /// Who is on the wire. Behind trusted proxies it is the last address in `X-Forwarded-For` that is none of theirs; where that cannot be
    /// told, it is nobody's: the proxy's own address must not stand for its clients, because rules may trust it.
    pub(super) fn caller(&self, request: &HttpRequest) -> Caller {
        // A socket for both families shows IPv4 in IPv6 clothes.
        let peer = request.peer_addr().map(|address| address.ip().to_canonical());
        let is_proxy = |ip: &IpAddr| self.settings.trusted_proxies.iter().any(|net| net.contains(ip));
        let mut ip = peer;
        if peer.as_ref().is_some_and(is_proxy) {
            ip = None;
            let forwarded = request.headers().get_all(header::X_FORWARDED_FOR).filter_map(|value| value.to_str().ok());
            let hops: Vec<_> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
            for hop in hops.iter().rev() {
                // What is not an address was written by nobody that we trust.
                let Some(address) = hop_address(hop) else { break };
                if !is_proxy(&address) {
                    ip = Some(address);
                    break;
                }
            }
        }
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let certificate = request.conn_data::<Connection>().and_then(|connection| connection.certificate(self.gateway.now()));
        Caller { ip, user_agent: user_agent.chars().take(LONGEST_USER_AGENT).collect(), certificate }
    }

    /// What surrounds a page.
    pub(super) fn shell<'a>(&'a self, csrf: String, session: Option<&'a Session>) -> Shell<'a> {
        let who = session.map(|session| {
            let provider = session.identity.provider();
            Who {
                username: session.identity.username().into(),
                provider: self.gateway.provider_name(provider).into(),
                provider_logout: self.gateway.provider(provider.as_str()).is_some_and(crate::identity::Provider::offers_logout),
                ends: session.expires.into(),
            }
        });
        Shell {
            brand: self.brand.name.as_str().into(),
            logo: self.brand.logo.as_str().into(),
            colours: self.brand.colours.as_deref().map(Text::from),
            help_link: self.settings.help_link.as_deref().map(Text::from),
            banner: self.settings.banner.as_deref().map(Text::from),
            contact: self.settings.contact.as_deref().map(Text::from),
            csrf: csrf.into(),
            explains: self.gateway.explains(),
            requests: self.gateway.has_requests(),
            who,
            room: None,
            offices: Offices::default(),
        }
    }
}

/// The address in one entry of `X-Forwarded-For`; some proxies write the port behind it.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// Browsers hold every redirect that follows a form to this list: the way into the console must be on it, where there is a button.
fn console_policy(gateway: &Gateway) -> (Vec<Partition>, HeaderValue) {
    let partitions = gateway.policy.load().partitions().to_vec();
    // The pages with roles are the ones whose script tells the gateway something, which it does to keep a choice.
    let policy = format!("{}; connect-src 'self'", policy(&gateway.console.form_action_sources(partitions.iter().copied())));
    (partitions, header_of(&policy))
}

fn header_of(policy: &str) -> HeaderValue {
    // Origins are ASCII. A page without a policy would be the worse of two evils.
    HeaderValue::from_str(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// The content security policy, where forms may lead to these places beside our own.
pub(super) fn policy(form_action: &[String]) -> String {
    let own = ["'self'"];
    let form_action: Vec<_> = own.into_iter().chain(form_action.iter().map(String::as_str)).collect();
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action {}; frame-ancestors 'none'; base-uri 'none'",
        form_action.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w05_an_entry_with_a_port_is_the_address_and_anything_else_is_none() {
        for (hop, address) in [
            ("203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(hop_address(hop), address.parse().ok(), "{hop}");
        }
        for hop in ["unknown", "", "_hidden", "203.0.113.9:port", "203.0.113", "for=203.0.113.9"] {
            assert_eq!(hop_address(hop), None, "{hop}");
        }
    }
}

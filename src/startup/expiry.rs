//! Rolegate's own SAML certificates, and when somebody must renew them: providers and IAM refuse what is signed by a key whose certificate
//! has ended, and the metadata with the next one has to reach them before.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Moment;
use crate::identity::Provider;
use crate::saml::Certificate;
use crate::settings::Problem;
use crate::trust::{Issuer, SamlIssuer};
use crate::web::Tls;

/// How long ahead the end is warned of: that of the providers' certificates is, too.
const AHEAD: TimeDelta = TimeDelta::days(30);
/// How often a running gateway looks.
const LOOK: Duration = Duration::from_hours(24);

/// Where the certificate of the listener stands.
pub(super) const TLS: &str = "server.tls.certificate";
/// And the authorities of administrators.
const AUTHORITIES: &str = "server.tls.administrator_ca_file";

/// A certificate that the configuration names.
#[derive(Debug, Clone)]
pub(super) struct OwnCertificate {
    /// Where it stands in the configuration.
    path: String,
    fingerprint: String,
    ends: Moment,
    /// How long ahead the end is warned of.
    ahead: TimeDelta,
    /// What to do about it.
    renew: &'static str,
}

/// The certificate of the listener, which may be another one by now, and those of the authorities that it asks administrators for.
pub(super) fn of_tls(tls: &Tls) -> Vec<OwnCertificate> {
    let own = |path: &str, certificate: &Certificate, renew| {
        let (begins, ends) = (certificate.not_before(), certificate.not_after());
        OwnCertificate {
            path: path.to_owned(),
            fingerprint: certificate.fingerprint(),
            ends,
            // Some are made for a week, and renewed when a third of it is left.
            ahead: AHEAD.min((ends - begins) / 3),
            renew,
        }
    };
    let renew = "renew it, and put certificate and key in the place of the old ones: they are read again while the gateway runs";
    let shown = tls.certificate().map(|certificate| own(TLS, &certificate, renew));
    let renew =
        "write the next one into the file beside it, and restart; take it out when no administrator has a certificate by it any more";
    shown.into_iter().chain(tls.authorities().map(|authority| own(AUTHORITIES, authority, renew))).collect()
}

/// The certificates of ours that are in use or will be, but for those that a trial makes for itself.
pub(super) fn own_certificates(providers: &[Provider], issuer: &Issuer) -> Vec<OwnCertificate> {
    let own = |path: String, certificate: &Certificate| OwnCertificate {
        path,
        fingerprint: certificate.fingerprint(),
        ends: certificate.not_after(),
        ahead: AHEAD,
        renew: "make a new pair, show both in the metadata, have it read, then change: docs/identity-providers.md and docs/operations.md tell how",
    };
    let saml = providers.iter().filter_map(Provider::as_saml).enumerate();
    let towards_providers = saml.flat_map(|(index, provider)| {
        provider.own_certificates().into_iter().map(move |(key, certificate)| own(format!("saml_provider[{index}].{key}"), certificate))
    });
    let towards_aws =
        issuer.saml().into_iter().flat_map(SamlIssuer::own_certificates).map(|(path, certificate)| own(path.clone(), certificate));
    towards_providers.chain(towards_aws).collect()
}

/// What of them ends soon, or has ended.
pub(super) fn ending(certificates: &[OwnCertificate], now: Moment) -> Vec<Problem> {
    let soon = certificates.iter().filter(|certificate| certificate.ends - now < certificate.ahead);
    soon.map(|OwnCertificate { path, fingerprint, ends, renew, .. }| {
        let verb = if *ends <= now { "ended" } else { "ends" };
        let message = format!("the certificate {fingerprint} of ours {verb} on {}", ends.format("%Y-%m-%d"));
        Problem::new(path, message, *renew)
    })
    .collect()
}

/// Warns in the log, at once and every day, for as long as it is polled. `now` tells the time.
pub(super) async fn watch(certificates: impl Fn() -> Vec<OwnCertificate>, now: impl Fn() -> Moment) {
    loop {
        for warning in ending(&certificates(), now()) {
            tracing::warn!(place = warning.path, hint = warning.hint, "{}", warning.message);
        }
        tokio::time::sleep(LOOK).await;
    }
}

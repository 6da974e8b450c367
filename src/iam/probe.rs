//! The requests that a trust policy is asked about: Rolegate's own, and those of others that must not get in.

use std::collections::BTreeMap;

use super::doors::{Carries, Door, Way};
use super::evaluate::{Caller, Request, Said};
use super::federation::{Federation, Upstream, UpstreamKind, bare, oidc_principal, saml_provider_arn};
use crate::access::Account;

/// A person whom no policy can mean in particular.
const SOMEBODY: &str = "00somebody-of-rolegate";
/// An audience that is nobody's.
const ELSEWHERE: &str = "https://elsewhere.invalid/saml";

/// What is asked about one door.
pub(super) struct Probe {
    /// What sets it apart from the other probes of the door: a provider's people, an endpoint, an external id.
    pub(super) about: String,
    pub(super) request: Request,
}

impl Probe {
    /// The same, with another provider in IAM.
    pub(super) fn vouched_for_by(self, provider: &str) -> Self {
        let mut request = self.request.saying("aws:FederatedProvider", Said::one(provider));
        request.caller = Caller::Federated(provider.to_owned());
        Self { request, ..self }
    }
}

/// The key that says which role a token is for.
pub(super) const PINNED: &str = "sts:RoleAuthorizedByIdp";
pub(super) const EXTERNAL_ID: &str = "sts:ExternalId";

/// Every request of Rolegate's that the door must let through.
pub(super) fn probes(account: &Account, door: &Door, way: &Way, federation: &Federation<'_>) -> Vec<Probe> {
    match door {
        Door::Minted => minted(account, way, federation),
        Door::Forwarded(issuer) => forwarded(account, issuer, way),
        Door::Saml => {
            let provider = federation.saml_provider(account).unwrap_or_default();
            let issuer = federation.issuer.saml().map(crate::trust::SamlIssuer::entity_id).unwrap_or_default();
            let audiences = federation.saml_audiences(account).into_iter();
            audiences.map(|url| saml_probe(provider.clone(), url, Some(issuer), &way.carries)).collect()
        }
        Door::ForwardedSaml(id) => {
            let kind = federation.upstreams.iter().find(|upstream| upstream.id == *id).map(|upstream| &upstream.kind);
            let Some(UpstreamKind::Saml { recipient: Some(recipient), entity_id, .. }) = kind else { return Vec::new() };
            let provider = saml_provider_arn(account, id.as_str());
            vec![saml_probe(provider, recipient.clone(), entity_id.as_deref(), &Carries::default())]
        }
        Door::OwnIdentity if federation.identities.is_empty() => signed(&Caller::OwnIdentity, "the own AWS identity", way),
        Door::OwnIdentity => federation.identities.iter().flat_map(|arn| signed(&Caller::Aws(arn.clone()), arn, way)).collect(),
        Door::Hub(hub) => signed(&Caller::Aws(hub.to_string()), hub.as_str(), way),
    }
}

fn base(door_action: &'static str, caller: Caller, carries: &Carries) -> Request {
    let mut says = BTreeMap::new();
    let mut say = |key: &str, said: Said| {
        says.insert(key.to_ascii_lowercase(), said);
    };
    say(PINNED, Said::Nothing);
    say(EXTERNAL_ID, Said::Nothing);
    let keys: Vec<_> = carries.tag_keys.iter().cloned().collect();
    if carries.tags.is_none() || keys.is_empty() {
        say("aws:TagKeys", Said::Nothing);
        say("sts:TransitiveTagKeys", Said::Nothing);
    } else {
        for key in &keys {
            say(&format!("aws:RequestTag/{key}"), Said::Shaped("*".into()));
        }
        say("aws:TagKeys", Said::Values(keys));
    }
    let source_identity = if carries.source_identity.is_some() { Said::Shaped("*".into()) } else { Said::Nothing };
    say("sts:SourceIdentity", source_identity);
    say("sts:RoleSessionName", Said::Shaped("*".into()));
    say("aws:MultiFactorAuthPresent", Said::Nothing);
    say("aws:MultiFactorAuthAge", Said::Nothing);
    Request { action: door_action, caller, says }
}

/// What a web identity says: nothing of SAML, and of no other issuer.
fn web_identity(account: &Account, issuer: &str, audience: &str, subject: Option<String>, carries: &Carries) -> Request {
    let host = bare(issuer).to_ascii_lowercase();
    let provider = oidc_principal(account, issuer);
    let mut request = base("sts:AssumeRoleWithWebIdentity", Caller::Federated(provider.clone()), carries);
    request.says.insert("aws:federatedprovider".into(), Said::one(provider));
    request.says.insert(format!("{host}:aud"), Said::one(audience));
    if let Some(subject) = subject {
        request.says.insert(format!("{host}:sub"), Said::one(subject));
    }
    for key in ["saml:aud", "saml:iss", "saml:sub", "saml:sub_type"] {
        request.says.insert(key.into(), Said::Nothing);
    }
    request
}

fn minted(account: &Account, way: &Way, federation: &Federation<'_>) -> Vec<Probe> {
    let is_meant = |upstream: &&Upstream| way.providers.contains(&upstream.id) || (way.everybody && !upstream.is_for_workloads());
    let upstreams = federation.upstreams.iter().filter(is_meant);
    let issuer = federation.issuer.url();
    let probe = |upstream: &Upstream| {
        let provider = &upstream.id;
        let subject = Some(format!("{provider}+{SOMEBODY}"));
        let mut request =
            web_identity(account, issuer, federation.issuer.audience(), subject, &way.carries).saying(PINNED, Said::one("true"));
        request.says.insert(format!("{}:amr", bare(issuer).to_ascii_lowercase()), Said::Nothing);
        let who = if upstream.is_for_workloads() { "workloads" } else { "people" };
        Probe { about: format!("{who} of {provider}"), request }
    };
    upstreams.map(probe).collect()
}

fn forwarded(account: &Account, issuer: &str, way: &Way) -> Vec<Probe> {
    let probe = |client: &String| Probe {
        about: format!("tokens for {client}"),
        // Who it is, and how they signed in, is known to the provider alone. Owners of roles should narrow by it.
        request: ["sub", "amr"].iter().fold(web_identity(account, issuer, client, None, &Carries::default()), |request, key| {
            request.saying(&format!("{}:{key}", bare(issuer)), Said::ForTheOwner)
        }),
    };
    way.clients.iter().map(probe).collect()
}

fn saml_probe(provider: String, audience: String, issuer: Option<&str>, carries: &Carries) -> Probe {
    let mut request = base("sts:AssumeRoleWithSAML", Caller::Federated(provider.clone()), carries);
    request.says.insert("aws:federatedprovider".into(), Said::one(provider));
    request.says.insert("saml:aud".into(), Said::one(audience.clone()));
    if let Some(issuer) = issuer {
        request.says.insert("saml:iss".into(), Said::one(issuer));
    }
    Probe { about: audience, request }
}

/// Calls that AWS credentials sign: one for each external id, and one without where a rule sends none.
fn signed(caller: &Caller, name: &str, way: &Way) -> Vec<Probe> {
    let mut plain = base("sts:AssumeRole", caller.clone(), &way.carries);
    if let Caller::Aws(arn) = caller {
        plain.says.insert("aws:principalarn".into(), Said::one(arn));
        let account = arn.split(':').nth(4).unwrap_or_default();
        plain.says.insert("aws:principalaccount".into(), Said::one(account));
    }
    let mut probes = Vec::new();
    for mask in &way.external.sent {
        let said = if mask.varies() { Said::Shaped(mask.as_str().to_owned()) } else { Said::one(mask.as_str()) };
        let request = plain.saying(EXTERNAL_ID, said);
        probes.push(Probe { about: format!("{name} with the external id {}", mask.as_str()), request });
    }
    if way.external.sent.is_empty() || !way.external.without.is_empty() {
        probes.push(Probe { about: name.to_owned(), request: plain });
    }
    probes
}

/// The same request with an audience that is nobody's; none where a request has no audience.
pub(super) fn for_another_audience(request: &Request) -> Option<Request> {
    let keys: Vec<_> =
        request.says.iter().filter(|(key, said)| key.ends_with(":aud") && **said != Said::Nothing).map(|(key, _)| key.clone()).collect();
    let mut other = request.clone();
    for key in &keys {
        other.says.insert(key.clone(), Said::one(ELSEWHERE));
    }
    (!keys.is_empty()).then_some(other)
}

/// The same request by a token that names no role.
pub(super) fn naming_no_role(request: &Request) -> [Request; 2] {
    [request.saying(PINNED, Said::Nothing), request.saying(PINNED, Said::one("false"))]
}

/// The same request without an external id.
pub(super) fn without_external_id(request: &Request) -> Request {
    request.saying(EXTERNAL_ID, Said::Nothing)
}

/// Strangers, who must not get into any role, by each of the three ways.
pub(super) fn strangers(account: &Account) -> Vec<Request> {
    let partition = account.partition;
    let none = Carries::default();
    let aws = base("sts:AssumeRole", Caller::Aws(format!("arn:{partition}:iam::000000000000:role/Stranger")), &none);
    let web = web_identity(account, "https://elsewhere.invalid", ELSEWHERE, Some(SOMEBODY.into()), &none);
    let saml =
        saml_probe(format!("arn:{partition}:iam::000000000000:saml-provider/Stranger"), ELSEWHERE.into(), Some(ELSEWHERE), &none).request;
    vec![aws, web, saml]
}

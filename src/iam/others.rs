//! Who else gets in: each statement that allows something is asked by a request that is made to fit it.
//!
//! The probes of [`super::probe`] come from the rules, so that a statement which lets in somebody of whom no rule knows is not touched by
//! them. Here the statement itself says what to ask.

use super::doors::{Door, Way};
use super::evaluate::{Answer, Caller, Request, Said, like};
use super::federation::{Federation, UpstreamKind, oidc_principal};
use super::needs::RoleNeed;
use super::policy::{Condition, Principals, Statement, TrustPolicy};
use super::probe::{ELSEWHERE, EXTERNAL_ID, base, naming_no_role, saml_probe, web_identity};
use crate::access::Account;
use crate::arn::AccountId;

/// Audiences that are nobody's: who excludes one by name takes the other.
const NOBODYS: [&str; 2] = [ELSEWHERE, "another.audience.invalid"];
/// What stands for others in a pattern.
const WILD: [char; 2] = ['*', '?'];
/// External ids that no rule sends.
const FOREIGN: [&str; 2] = ["foreign-external-id-of-somebody-else", ""];

/// A way in that no rule needs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opening {
    /// Somebody who is not Rolegate.
    Other {
        statement: String,
        principal: String,
        action: &'static str,
        /// Whether it is so, and does not hang on something that is not known here.
        certain: bool,
    },
    /// What is made for another audience.
    Audience { statement: String, audience: String },
    /// A token that names no role.
    NotPinned { statement: String },
    /// An external id that no rule sends; none is one, too.
    ExternalId { statement: String, id: String },
}

/// What is known of a role whose trust policy is looked at.
pub(super) struct Others<'a> {
    pub(super) account: &'a Account,
    pub(super) need: &'a RoleNeed,
    pub(super) federation: &'a Federation<'a>,
    pub(super) policy: &'a TrustPolicy,
}

impl Others<'_> {
    /// Everything that is open beside what the rules need, statement by statement.
    pub(super) fn openings(&self) -> Vec<Opening> {
        let mut found = Vec::new();
        for statement in self.policy.statements.iter().filter(|statement| statement.allows) {
            // That anybody is meant, or a principal is unknown, is found by the probes of strangers.
            let Principals::These(principals) = &statement.principals else { continue };
            for (kind, name) in principals.iter().filter(|(_, name)| name != "*") {
                for action in ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"] {
                    if statement.actions.covers(action) {
                        self.ask(statement, kind, name, action, &mut found);
                    }
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn ask(&self, statement: &Statement, kind: &str, name: &str, action: &'static str, found: &mut Vec<Opening>) {
        let is_saml = name.contains(":saml-provider/");
        match (kind, action) {
            ("Federated", "sts:AssumeRoleWithWebIdentity") if !is_saml => self.web_identity(statement, name, found),
            ("Federated", "sts:AssumeRoleWithSAML") if is_saml => self.saml(statement, name, found),
            ("AWS", "sts:AssumeRole") => self.signed(statement, name, found),
            ("Service" | "CanonicalUser", "sts:AssumeRole") => {
                found.push(Opening::Other { statement: statement.name.clone(), principal: name.to_owned(), action, certain: true });
            }
            // No such call has such a caller.
            _ => {}
        }
    }

    fn web_identity(&self, statement: &Statement, name: &str, found: &mut Vec<Opening>) {
        let host = name.split_once(":oidc-provider/").map_or(name, |(_, host)| host);
        let own = self.federation.issuer.audience();
        let request = |audience: &str| {
            let mut request = web_identity(self.account, host, audience, Some("x".into()), &super::doors::Carries::default());
            request.caller = Caller::Federated(name.to_owned());
            fitted(&request.saying("aws:FederatedProvider", Said::one(name)), statement)
        };
        let aud = format!("{}:aud", host.to_ascii_lowercase());
        for (door, way) in &self.need.doors {
            match door {
                Door::Minted if name == self.federation.minted_provider(self.account) => {
                    let request = request(own);
                    self.audiences(statement, &request, &aud, |audience| audience == own, found);
                    let pinned = naming_no_role(&request.saying(&aud, Said::one(own)));
                    if pinned.iter().any(|unpinned| self.policy.answer(unpinned) == Answer::Yes) {
                        found.push(Opening::NotPinned { statement: statement.name.clone() });
                    }
                    return;
                }
                Door::Forwarded(issuer) if name == oidc_principal(self.account, issuer) => {
                    let client = way.clients.iter().next().map(String::as_str).unwrap_or_default();
                    return self.audiences(statement, &request(client), &aud, |audience| way.clients.contains(audience), found);
                }
                _ => {}
            }
        }
        self.other(statement, name, &request(own), found);
    }

    fn saml(&self, statement: &Statement, name: &str, found: &mut Vec<Opening>) {
        let request = |audience: &str| {
            fitted(&saml_probe(name.to_owned(), audience.to_owned(), None, &super::doors::Carries::default()).request, statement)
        };
        let own = self.federation.saml_provider(self.account).is_some_and(|own| own == name);
        for door in self.need.doors.keys() {
            let audiences = match door {
                Door::Saml if own => self.federation.saml_audiences(self.account),
                // What another's provider is called in IAM is not known.
                Door::ForwardedSaml(id) if !own => self.recipient(id).into_iter().collect(),
                _ => continue,
            };
            let request = request(audiences.first().map(String::as_str).unwrap_or_default());
            return self.audiences(statement, &request, "saml:aud", |audience| audiences.iter().any(|known| known == audience), found);
        }
        self.other(statement, name, &request(ELSEWHERE), found);
    }

    fn recipient(&self, id: &crate::identity::ProviderId) -> Option<String> {
        let upstream = self.federation.upstreams.iter().find(|upstream| upstream.id == *id)?;
        let UpstreamKind::Saml { recipient, .. } = &upstream.kind else { return None };
        recipient.clone()
    }

    fn signed(&self, statement: &Statement, name: &str, found: &mut Vec<Opening>) {
        let account = name.split(':').nth(4).unwrap_or(name);
        let is_whole_account = name.ends_with(":root") || name.parse::<AccountId>().is_ok();
        if !is_whole_account && !name.starts_with("arn:") {
            // A role or user that is no more has an id in its place, and nobody can come as such.
            return;
        }
        let caller = if is_whole_account { format!("arn:{}:iam::{account}:role/Anybody", self.account.partition) } else { name.to_owned() };
        let mut request = base("sts:AssumeRole", Caller::Aws(caller.clone()), &super::doors::Carries::default());
        request = request.saying("aws:PrincipalArn", Said::one(caller)).saying("aws:PrincipalAccount", Said::one(account));
        let request = fitted(&request, statement);
        for (door, way) in &self.need.doors {
            let is_meant = match door {
                Door::Hub(hub) => name == hub.as_str(),
                // Which of them it is, is not told.
                Door::OwnIdentity if self.federation.identities.is_empty() => !is_whole_account,
                Door::OwnIdentity => self.federation.identities.iter().any(|arn| arn == name),
                _ => false,
            };
            if is_meant {
                return self.external_ids(statement, &request, way, found);
            }
        }
        self.other(statement, name, &request, found);
    }

    fn other(&self, statement: &Statement, principal: &str, request: &Request, found: &mut Vec<Opening>) {
        let certain = match self.policy.answer(request) {
            Answer::Yes => true,
            Answer::Unknown(_) => false,
            Answer::No(_) => return,
        };
        found.push(Opening::Other { statement: statement.name.clone(), principal: principal.to_owned(), action: request.action, certain });
    }

    /// Whether a request with an audience gets in that is none of those that are meant. One that is named as such is no opening by itself: a
    /// provider takes only those that it lists, and is looked at for that.
    fn audiences(&self, statement: &Statement, request: &Request, key: &str, is_meant: impl Fn(&str) -> bool, found: &mut Vec<Opening>) {
        let named = values_under(statement, key).filter(|value| value.contains(WILD)).map(filled);
        let tried = NOBODYS.iter().map(|audience| (*audience).to_owned()).chain(named).filter(|audience| !is_meant(audience));
        let taken = tried.into_iter().find(|audience| self.policy.answer(&request.saying(key, Said::one(audience))) == Answer::Yes);
        found.extend(taken.map(|audience| Opening::Audience { statement: statement.name.clone(), audience }));
    }

    /// Whether an external id gets in that no rule sends.
    fn external_ids(&self, statement: &Statement, request: &Request, way: &Way, found: &mut Vec<Opening>) {
        if !way.external.can_be_demanded() {
            return;
        }
        let is_sent = |id: &str| way.external.sent.iter().any(|mask| mask.as_str() == id || (mask.varies() && like(mask.as_str(), id)));
        let named = values_under(statement, EXTERNAL_ID).flat_map(|value| [value.to_owned(), filled(value)]);
        let tried = FOREIGN.iter().map(|id| (*id).to_owned()).chain(named).filter(|id| !is_sent(id));
        let taken = tried.into_iter().find(|id| self.policy.answer(&request.saying(EXTERNAL_ID, Said::one(id))) == Answer::Yes);
        found.extend(taken.map(|id| Opening::ExternalId { statement: statement.name.clone(), id }));
    }
}

/// The request with something under each key that the statement's condition on it is content with, as far as the operator is known.
fn fitted(request: &Request, statement: &Statement) -> Request {
    // What is demanded counts more than what is excluded.
    let (excluded, demanded): (Vec<_>, Vec<_>) =
        statement.conditions.iter().partition(|condition| condition.operator.to_ascii_lowercase().contains("not"));
    excluded.into_iter().chain(demanded).fold(request.clone(), |request, condition| match content(condition) {
        Some(said) => request.saying(&condition.key, said),
        None => request,
    })
}

fn content(condition: &Condition) -> Option<Said> {
    let operator = condition.operator.to_ascii_lowercase();
    let operator = operator.split_once(':').map_or(operator.as_str(), |(_, operator)| operator);
    let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
    match operator {
        "null" => Some(if condition.values.iter().any(|flag| flag.eq_ignore_ascii_case("true")) { Said::Nothing } else { Said::one("x") }),
        "stringequals" | "stringequalsignorecase" | "bool" => condition.values.first().map(Said::one),
        "stringlike" | "arnlike" | "arnequals" => condition.values.first().map(|pattern| Said::one(filled(pattern))),
        _ if operator.contains("not") => Some(Said::one("none-of-those")),
        _ => None,
    }
}

/// A text that the pattern takes.
fn filled(pattern: &str) -> String {
    pattern.replace(WILD, "x")
}

/// The values that the statement names under a key.
fn values_under<'s>(statement: &'s Statement, key: &'s str) -> impl Iterator<Item = &'s str> {
    let conditions = statement.conditions.iter().filter(move |condition| condition.key.eq_ignore_ascii_case(key));
    conditions.flat_map(|condition| condition.values.iter().map(String::as_str))
}

//! Who else gets in, statement by statement.
//!
//! The probes of [`super::probe`] come from the rules, so that a statement which lets in somebody of whom no rule knows is not touched by
//! them. Here each statement is asked about its own principals, of whom nothing else is known: what a condition hangs on counts as something
//! that somebody can bring. So an opening is never overlooked because a value was guessed wrong; where it hangs on more than the statement
//! says, it is told as something that may be.

use super::doors::{Door, Way};
use super::evaluate::{Answer, Caller, Request, Said, Why, like};
use super::federation::{Federation, UpstreamKind, oidc_principal};
use super::needs::RoleNeed;
use super::policy::{Condition, Principals, Statement, TrustPolicy};
use super::probe::{EXTERNAL_ID, PINNED};
use crate::access::Account;
use crate::arn::AccountId;

/// Audiences and external ids that are nobody's: who excludes one by name takes the other.
const NOBODYS: [&str; 2] = ["https://elsewhere.invalid/saml", "another.nobody.invalid"];

/// A way in that no rule needs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opening {
    /// Somebody who is not Rolegate.
    Other {
        statement: String,
        principal: String,
        action: &'static str,
        /// Whether it is so whatever they bring.
        certain: bool,
        /// Whether all tokens of an issuer are meant, whoever's they are.
        whoever: bool,
    },
    /// What is made for another audience.
    Audience { statement: String },
    /// A token that names no role.
    NotPinned { statement: String },
    /// An external id that no rule sends; none is one, too.
    ExternalId { statement: String },
}

/// What is known of a role whose trust policy is looked at.
pub(super) struct Others<'a> {
    pub(super) account: &'a Account,
    pub(super) need: &'a RoleNeed,
    pub(super) federation: &'a Federation<'a>,
    pub(super) policy: &'a TrustPolicy,
}

impl Others<'_> {
    /// Everything that is open beside what the rules need.
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
        let alone = Alone::new(self.policy, statement);
        match (kind, action) {
            ("Federated", "sts:AssumeRoleWithWebIdentity") if !is_saml => self.web_identity(&alone, name, found),
            ("Federated", "sts:AssumeRoleWithSAML") if is_saml => self.saml(&alone, name, found),
            ("AWS", "sts:AssumeRole") => self.signed(&alone, name, found),
            ("Service" | "CanonicalUser", "sts:AssumeRole") => {
                let (statement, principal) = (statement.name.clone(), name.to_owned());
                found.push(Opening::Other { statement, principal, action, certain: statement_is_bare(&alone), whoever: false });
            }
            // No such call has such a caller.
            _ => {}
        }
    }

    fn web_identity(&self, alone: &Alone<'_>, name: &str, found: &mut Vec<Opening>) {
        let host = name.split_once(":oidc-provider/").map_or(name, |(_, host)| host).to_ascii_lowercase();
        let (audience, subject) = (format!("{host}:aud"), format!("{host}:sub"));
        let request = unknown("sts:AssumeRoleWithWebIdentity", Caller::Federated(name.to_owned())).saying(&audience, any());
        let statement = || alone.statement.name.clone();
        for (door, way) in &self.need.doors {
            match door {
                Door::Minted if name == self.federation.minted_provider(self.account) => {
                    // An audience that is named is no opening: the provider takes only those that it lists, and is looked at for that.
                    if alone.is_open(&request, &audience, &nobodys(), is_exact) {
                        found.push(Opening::Audience { statement: statement() });
                    }
                    let is_pin = |condition: &Condition| {
                        is_plain(condition, &["bool", "stringequals"]) && condition.values.iter().all(|value| value == "true")
                    };
                    if alone.is_open(&request, PINNED, &[Said::Nothing, Said::one("false")], is_pin) {
                        found.push(Opening::NotPinned { statement: statement() });
                    }
                    return;
                }
                Door::Forwarded(issuer) if name == oidc_principal(self.account, issuer) => {
                    let is_client =
                        |condition: &Condition| is_exact(condition) && condition.values.iter().all(|value| way.clients.contains(value));
                    if alone.is_open(&request, &audience, &nobodys(), is_client) {
                        found.push(Opening::Audience { statement: statement() });
                    }
                    return;
                }
                _ => {}
            }
        }
        let names_subject = |condition: &Condition| {
            let wild = |value: &String| value.chars().all(|character| character == '*');
            condition.key.eq_ignore_ascii_case(&subject)
                && is_plain(condition, &["stringequals", "stringequalsignorecase", "stringlike"])
                && !condition.values.iter().any(wild)
        };
        let whoever = !alone.statement.conditions.iter().any(names_subject);
        other(alone, name, &request, whoever, found);
    }

    fn saml(&self, alone: &Alone<'_>, name: &str, found: &mut Vec<Opening>) {
        let request = unknown("sts:AssumeRoleWithSAML", Caller::Federated(name.to_owned()));
        let own = self.federation.saml_provider(self.account).is_some_and(|own| own == name);
        for door in self.need.doors.keys() {
            let audiences = match door {
                Door::Saml if own => self.federation.saml_audiences(self.account),
                // What another's provider is called in IAM is not known.
                Door::ForwardedSaml(id) if !own => self.recipient(id).into_iter().collect(),
                _ => continue,
            };
            let is_ours = |condition: &Condition| is_exact(condition) && condition.values.iter().all(|value| audiences.contains(value));
            if alone.is_open(&request, "saml:aud", &nobodys(), is_ours) {
                found.push(Opening::Audience { statement: alone.statement.name.clone() });
            }
            return;
        }
        other(alone, name, &request, false, found);
    }

    fn recipient(&self, id: &crate::identity::ProviderId) -> Option<String> {
        let upstream = self.federation.upstreams.iter().find(|upstream| upstream.id == *id)?;
        let UpstreamKind::Saml { recipient, .. } = &upstream.kind else { return None };
        recipient.clone()
    }

    fn signed(&self, alone: &Alone<'_>, name: &str, found: &mut Vec<Opening>) {
        let is_whole_account = name.ends_with(":root") || name.parse::<AccountId>().is_ok();
        if !is_whole_account && !name.starts_with("arn:") {
            // A role or user that is no more has an id in its place, and nobody can come as such.
            return;
        }
        let account = name.split(':').nth(4).unwrap_or(name);
        let request = if is_whole_account {
            let somebody = format!("arn:{}:iam::{account}:role/Anybody", self.account.partition);
            unknown("sts:AssumeRole", Caller::Aws(somebody))
        } else {
            unknown("sts:AssumeRole", Caller::Aws(name.to_owned())).saying("aws:PrincipalArn", Said::one(name))
        };
        let request = request.saying("aws:PrincipalAccount", Said::one(account));
        for (door, way) in &self.need.doors {
            let is_meant = match door {
                Door::Hub(hub) => name == hub.as_str(),
                // Which of them it is, is not told.
                Door::OwnIdentity if self.federation.identities.is_empty() => !is_whole_account,
                Door::OwnIdentity => self.federation.identities.iter().any(|arn| arn == name),
                _ => false,
            };
            if is_meant {
                return external_ids(alone, &request, way, found);
            }
        }
        other(alone, name, &request, false, found);
    }
}

/// Whether an external id gets in that no rule sends.
fn external_ids(alone: &Alone<'_>, request: &Request, way: &Way, found: &mut Vec<Opening>) {
    let is_sent = |id: &String| way.external.sent.iter().any(|mask| mask.as_str() == id || (mask.varies() && like(mask.as_str(), id)));
    let demands = |condition: &Condition| is_plain(condition, &["stringequals", "stringlike"]) && condition.values.iter().all(is_sent);
    let mut foreign = nobodys().to_vec();
    foreign.extend([Said::one(""), Said::Nothing]);
    if way.external.can_be_demanded() && alone.is_open(&request.saying(EXTERNAL_ID, any()), EXTERNAL_ID, &foreign, demands) {
        found.push(Opening::ExternalId { statement: alone.statement.name.clone() });
    }
}

fn other(alone: &Alone<'_>, principal: &str, request: &Request, whoever: bool, found: &mut Vec<Opening>) {
    let certain = match alone.policy.answer(request) {
        Answer::Yes => true,
        Answer::Unknown(_) => false,
        Answer::No(_) => return,
    };
    let (statement, principal) = (alone.statement.name.clone(), principal.to_owned());
    found.push(Opening::Other { statement, principal, action: request.action, certain, whoever });
}

/// One allowing statement, and the denials of its policy.
struct Alone<'a> {
    statement: &'a Statement,
    policy: TrustPolicy,
}

impl<'a> Alone<'a> {
    fn new(policy: &TrustPolicy, statement: &'a Statement) -> Self {
        let denials = policy.statements.iter().filter(|statement| !statement.allows).cloned();
        let statements = std::iter::once(statement.clone()).chain(denials).collect();
        Self { statement, policy: TrustPolicy { statements, has_variables: policy.has_variables } }
    }

    /// Whether a request gets in with values under a key that nobody means. Closed is what the statement demands by a condition that is good for it, or
    /// what a denial certainly takes.
    fn is_open(&self, request: &Request, key: &str, nobodys: &[Said], closes: impl Fn(&Condition) -> bool) -> bool {
        let demands = |condition: &&Condition| condition.key.eq_ignore_ascii_case(key);
        if self.statement.conditions.iter().filter(demands).any(closes) {
            return false;
        }
        let is_denied = |said: &Said| {
            let answer = self.policy.answer(&request.saying(key, said.clone()));
            matches!(answer, Answer::No(whys) if whys.iter().any(|why| matches!(why, Why::Denied { .. })))
        };
        // Who is never let in, whatever the key has, is not let in by it.
        let never = matches!(self.policy.answer(&request.saying(key, any())), Answer::No(_));
        !never && !nobodys.iter().all(is_denied)
    }
}

fn nobodys() -> [Said; 2] {
    NOBODYS.map(Said::one)
}

/// Whether nothing narrows a statement: it has no condition, and nothing is denied.
fn statement_is_bare(alone: &Alone<'_>) -> bool {
    alone.statement.conditions.is_empty() && alone.policy.statements.len() == 1
}

/// Somebody of whom nothing is known but who they are: what is not said may be anything.
fn unknown(action: &'static str, caller: Caller) -> Request {
    Request { action, caller, says: std::collections::BTreeMap::new() }
}

/// One value that is not known.
fn any() -> Said {
    Said::Shaped("*".into())
}

/// Whether a condition is by one of these operators, and demands that the key is there. With several values of one key, one of them must fit.
fn is_plain(condition: &Condition, operators: &[&str]) -> bool {
    let operator = condition.operator.to_ascii_lowercase();
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
    operators.contains(&operator)
}

/// Whether a condition names what it takes, each to the letter.
fn is_exact(condition: &Condition) -> bool {
    is_plain(condition, &["stringequals", "stringequalsignorecase"]) && !condition.values.iter().any(|value| value.contains("${"))
}

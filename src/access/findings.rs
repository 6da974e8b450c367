//! What is allowed in rules and deserves a second look: grants that can never come, and grants that people could widen by themselves.

mod emergency;
mod shadow;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::condition::{Concern, Known};
use super::discovered::is_id;
use super::elevation::on_request;
use super::roles::{KnownRoles, Place};
use super::rule::{Body, Roles, Rule, is_tag_text};
use super::settings::{Effect, RuleSettings};
use super::template::{Placeholder, Template};
use super::{Policy, Purposes};
use crate::arn::RoleArn;
use crate::clock::Moment;
use crate::identity::ProviderId;
use crate::settings::Problem;
use shadow::Denies;

/// Claims that people can usually edit about themselves at their provider: those of the scopes `profile`, `email`, `phone` and `address`
/// (OpenID Connect Core section 5.1), and the name that is made from one of them. docs/rules.md lists them.
pub const EDITABLE_CLAIMS: [&str; 18] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "address",
    "email",
    "phone_number",
    "displayName",
    "username",
];

/// The room for session policies and tags together, in bytes. AWS does not tell how it packs them; people report refusals from about a thousand characters on.
const PACKED_ROOM: usize = 1050;
/// From how many percent of it on somebody should look.
const PACKED_WARNING: usize = 80;
/// How long a value is taken to be that only a sign-in brings, in bytes.
const USUAL_VALUE: usize = 32;

impl Policy {
    /// Everything about the rules that deserves a second look, each at its place. `rules` are those that the policy was compiled from.
    #[must_use]
    pub fn second_looks(&self, rules: &[RuleSettings], providers: &[ProviderId], now: Moment) -> Vec<Problem> {
        let denies = Denies::of(self);
        let (mut looks, mut selectors) = (Vec::new(), HashMap::new());
        for (index, (settings, rule)) in rules.iter().zip(&self.rules).enumerate() {
            let mut look = Look { at: format!("rule[{index}]"), settings, rule, roles: &self.roles, problems: &mut looks };
            let never = look.never_holds(providers, now);
            look.unknown_accounts(self, &mut selectors);
            look.open_gateway();
            look.editable_claims();
            look.tag_values();
            look.packed_size();
            look.approvers(self);
            if let Some(by) = self.makes_needless(rule) {
                let message = format!("nobody ever breaks glass here: the rule {by} gives the same people the same roles at once");
                look.problem("break_glass", message, "let that one want a ticket or another sign-in, or take one of the two out");
            }
            if !never && let Some(by) = denies.shadow(rule) {
                let message = format!("the rule grants nothing: all of it is taken away by {}", by.join(" and "));
                look.problem("", message, "take one of them out, or let one speak of fewer groups, accounts or roles");
            }
        }
        looks
    }
}

struct Look<'a, 's> {
    at: String,
    settings: &'s RuleSettings,
    rule: &'a Rule,
    roles: &'a KnownRoles,
    problems: &'a mut Vec<Problem>,
}

impl<'s> Look<'_, 's> {
    fn problem(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let path = if key.is_empty() { self.at.clone() } else { format!("{}.{key}", self.at) };
        self.problems.push(Problem::new(path, message, hint));
    }

    /// Warns of a rule that can never hold, and says whether it is one.
    fn never_holds(&mut self, providers: &[ProviderId], now: Moment) -> bool {
        if let Some(until) = self.rule.until.filter(|until| *until <= now) {
            self.problem("until", format!("the rule ran out on {}", until.format("%F")), "take it out, or move its end");
            return true;
        }
        let names = |ids: &[ProviderId]| ids.iter().map(|id| id.as_str().to_owned()).collect();
        let values = |word: &str| match word {
            "provider" if self.rule.providers.is_empty() => Some(names(providers)),
            "provider" => Some(names(&self.rule.providers)),
            "request.purpose" => Some(purposes(self.rule.purposes)),
            _ => self.rule.role_words(word, self.roles),
        };
        let known = Known { values: &values, now };
        let never = self.rule.condition.as_ref().is_some_and(|condition| condition.can_never_hold(&known));
        if never {
            let hint = "it asks for a value that cannot come: compare it with the ids, purposes, accounts and roles of the file";
            self.problem("when", "the condition can never hold, so the rule does nothing", hint);
        }
        never
    }

    /// Where accounts are discovered, a rule may name some that are not there yet, which looks like a slip.
    /// Selectors are tried once each: one by tag looks at every account.
    fn unknown_accounts(&mut self, policy: &Policy, tried: &mut HashMap<&'s str, Option<String>>) {
        if !policy.accounts.may_grow {
            return;
        }
        for (index, selector) in self.settings.accounts.iter().enumerate().filter(|(_, selector)| !selector.contains("${")) {
            let wrong = tried.entry(selector).or_insert_with(|| policy.accounts.select(selector).err());
            if let Some(message) = wrong.clone() {
                let hint = match self.settings.effect {
                    Effect::Allow => "right if it is to come; otherwise mend the name",
                    Effect::Deny if is_id(selector) => "right if it is to come; otherwise mend the id",
                    Effect::Deny => "until it is known the rule takes away all accounts: mend the name, or write the id",
                };
                self.problem(&format!("accounts[{index}]"), message, hint);
            }
        }
        if let Some(hub) =
            self.settings.via.as_ref().filter(|via| via.parse::<RoleArn>().is_ok_and(|hub| policy.accounts.of_role(&hub).is_none()))
        {
            let message = format!("`{hub}` is in no account that is known yet, so the rule grants nothing");
            self.problem("via", message, "right if it is to come; otherwise mend the id");
        }
        for (index, role) in self.settings.roles.iter().enumerate() {
            if role.parse::<RoleArn>().is_ok_and(|role| policy.accounts.of_role(&role).is_none()) {
                let message = format!("`{role}` is in no account that is known yet");
                self.problem(&format!("roles[{index}]"), message, "right if it is to come; otherwise mend the id");
            }
        }
    }

    /// A role of the gateway itself for everybody who can sign in: nobody means that, and one word writes it.
    fn open_gateway(&mut self) {
        let (rule, settings) = (self.rule, self.settings);
        let tells_people_apart = |concern: &Concern| matches!(concern, Concern::Claims | Concern::Groups);
        let is_narrowed = !rule.wanted.all.is_empty()
            || rule.condition.as_ref().is_some_and(|condition| condition.concerns().iter().any(tells_people_apart));
        if !rule.everyone || settings.effect == Effect::Deny || settings.gateway.is_empty() || is_narrowed {
            return;
        }
        let roles: Vec<_> = settings.gateway.iter().map(|role| role.as_str()).collect();
        let message = format!("everybody who can sign in becomes {} of the gateway", roles.join(" and "));
        self.problem("everyone", message, "name the groups of those who are to be it");
    }

    fn editable_claims(&mut self) {
        let demands = |claim: &str| self.rule.condition.as_ref().is_some_and(|condition| condition.demands(claim));
        let trusted = |claim: &str| {
            self.settings.trusted_claims.iter().any(|trusted| trusted == claim)
                || (claim == "email" && demands("email_verified"))
                || (claim == "phone_number" && demands("phone_number_verified"))
        };
        let is_doubtful = |claim: &str| EDITABLE_CLAIMS.contains(&claim) && !trusted(claim);
        let mut found = Vec::new();
        let asked = self.rule.condition.as_ref().map(|condition| condition.claims()).unwrap_or_default();
        for claim in asked.iter().filter(|claim| is_doubtful(claim)) {
            let gain = if self.settings.effect == Effect::Deny { "get around the deny" } else { "give themselves its roles" };
            found.push(("when".to_owned(), claim.clone(), gain));
        }
        if let Body::Allow { terms, .. } = &self.rule.body {
            for (key, template, _) in terms.tags.iter() {
                for claim in claims_of(template).into_iter().filter(|claim| is_doubtful(claim)) {
                    found.push((format!("tags.{key}"), claim, "choose what policies that go by the tag (ABAC) give them"));
                }
            }
            for claim in terms.external_id.as_ref().map(claims_of).unwrap_or_default().into_iter().filter(|claim| is_doubtful(claim)) {
                found.push(("external_id".to_owned(), claim, "choose which trust policies let them in"));
            }
        }
        for (key, claim, gain) in found {
            let message = format!("people can often edit `{claim}` at their provider: whoever can might {gain}");
            let verified = if claim == "email" { "demand `claims.email_verified`, or " } else { "" };
            let hint = format!(
                "go by groups or a claim that administrators set; {verified}if nobody can edit it at yours, say so: trusted_claims = [\"{claim}\"]"
            );
            self.problem(&key, message, hint);
        }
    }

    /// A value that stands in the file and that AWS would refuse makes the role unavailable for everybody.
    fn tag_values(&mut self) {
        let Body::Allow { terms, .. } = &self.rule.body else { return };
        let refused = |template: &Template| !is_tag_text(&template.texts(), 0, 256);
        let keys: Vec<_> = terms.tags.iter().filter(|(_, template, _)| refused(template)).map(|(key, ..)| format!("tags.{key}")).collect();
        for key in keys {
            let hint = "use at most 256 letters, digits, spaces and _.:/=+-@";
            self.problem(&key, "AWS does not take this value, so nobody gets the role with it", hint);
        }
    }

    /// Where some who approve may also ask, they approve for each other; and a name that is no alias, where rules use aliases, is likely a slip.
    fn approvers(&mut self, policy: &Policy) {
        let (Some(terms), Some(settings)) = (on_request(self.rule), &self.settings.requestable) else { return };
        let wanted = &self.rule.wanted;
        let asks =
            |group: &Arc<str>| wanted.any.contains(group) || wanted.all.len() == 1 && wanted.all.iter().flatten().any(|own| own == group);
        if self.rule.pattern.is_none() && (self.rule.everyone || terms.approvers().iter().any(asks)) {
            let message = "there are approvers who may ask, so that any two of them can grant each other the roles";
            self.problem("requestable.approvers", message, "name a group of others, if that is not meant");
        }
        for (index, name) in settings.approvers.iter().enumerate().filter(|(_, name)| policy.groups.is_odd(name)) {
            let is_named = policy.groups.meant(name).iter().any(|group| policy.exact.contains_key(group));
            if !is_named {
                let message = format!("`{name}` is no alias of [groups], and no other rule names it");
                self.problem(&format!("requestable.approvers[{index}]"), message, "right if providers send this name; otherwise mend it");
            }
        }
    }

    fn packed_size(&mut self) {
        let Body::Allow { terms, .. } = &self.rule.body else { return };
        let value = |template: &Template| template.texts().len() + USUAL_VALUE * template.placeholders().count();
        let tags: usize = terms.tags.iter().map(|(key, template, _)| key.len() + value(template) + 2).sum();
        let policy = terms.session_policy.as_ref().map_or(0, |policy| {
            let arns: usize = policy.arns.iter().map(|arn| arn.to_string().len()).sum();
            policy.document.as_ref().map_or(0, |document| document.len()) + arns
        });
        let bytes = tags + policy;
        let percent = bytes * 100 / PACKED_ROOM;
        if percent >= PACKED_WARNING {
            let (key, what) = match (tags, policy) {
                (_, 0) => ("tags", "session tags"),
                (0, _) => ("", "session policy"),
                _ => ("", "session policy and the tags"),
            };
            let message = format!("the {what} may take about {percent}% of the room that AWS has for them");
            self.problem(key, message, "above 100% AWS refuses: use fewer and shorter tags, and a shorter or a managed policy");
        }
    }
}

impl Rule {
    /// The values that a word about the role or its account can have, where the rule names them; an account without a tag has no value.
    fn role_words(&self, word: &str, known: &KnownRoles) -> Option<Vec<String>> {
        let Body::Allow { roles: Roles::Fixed(fixed), .. } = &self.body else { return None };
        let values = known.of(fixed).filter_map(|Place { target: role, account, .. }| match word.split_once('.')? {
            ("role", "name") => Some(Some(role.path_and_name().to_owned())),
            ("role", "arn") => Some(Some(role.to_string())),
            ("account", "id") => Some(Some(account.id.to_string())),
            ("account", "name") => Some(Some(account.name.clone())),
            ("account", "partition") => Some(Some(account.partition.to_string())),
            ("account", "ou") => Some(account.ou.clone()),
            ("account", tag) => {
                let key = tag.strip_prefix("tags.")?;
                Some(account.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()))
            }
            _ => None,
        });
        let values: Vec<Option<String>> = values.collect();
        // A rule without roles has an error of its own, and a word of another kind has no list of values.
        let distinct: BTreeSet<String> = values.iter().flatten().cloned().collect();
        (!values.is_empty()).then(|| distinct.into_iter().collect())
    }
}

fn purposes(purposes: Purposes) -> Vec<String> {
    purposes.list().into_iter().map(|purpose| purpose.as_str().to_owned()).collect()
}

/// The claims in a tag's value, by their first name.
fn claims_of(template: &Template) -> Vec<String> {
    let name = |placeholder: &Placeholder| match placeholder {
        Placeholder::Claim(name) => name.trim_start_matches('/').split('/').next().map(str::to_owned),
        Placeholder::Username => Some("username".to_owned()),
        Placeholder::Capture(_) | Placeholder::Subject | Placeholder::Provider => None,
    };
    template.placeholders().filter_map(name).collect()
}

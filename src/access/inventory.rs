//! What rules ask of AWS, whoever they match: the roles that they can give, and how each is taken. For what IAM must be told.

use std::sync::Arc;
use std::time::Duration;

use super::accounts::{AccountSelector, roles_named};
use super::compile::Policy;
use super::rule::{Body, Roles, Rule, Terms};
use super::template::Template;
use super::{Account, Carry, Hub, IamUser, Operation, Person, Purposes, Target};
use crate::arn::{RoleArn, is_name_byte};
use crate::clock::Moment;
use crate::identity::ProviderId;

/// One allowing rule, as AWS comes to see it.
#[derive(Debug)]
pub struct Use<'a> {
    /// The rule's id.
    pub rule: &'a Arc<str>,
    /// From when on it gives nothing any more.
    pub until: Option<Moment>,
    /// The providers whose people, or workloads, it is about; all where there is none.
    pub providers: &'a [ProviderId],
    /// What it gives roles for.
    pub purposes: Purposes,
    /// What it gives.
    pub gives: Gives<'a>,
    /// How AWS is asked; none where the rule has no opinion.
    pub operation: Option<Operation>,
    /// The role on the way.
    pub hub: Option<&'a Hub>,
    /// What is sent as external id.
    pub external_id: Option<ExternalIdMask>,
    /// The IAM user whose keys ask.
    pub iam_user: Option<&'a IamUser>,
    /// The longest session that it allows.
    pub max_session: Option<Duration>,
    /// The keys of the session tags that it sets, that of a reason among them.
    pub tag_keys: Vec<&'a str>,
    /// Whether tags travel; none where the rule has no opinion.
    pub carry_tags: Option<Carry>,
    /// Whether the source identity travels; none where the rule has no opinion.
    pub carry_source_identity: Option<Carry>,
}

/// What a rule gives.
#[derive(Debug)]
pub enum Gives<'a> {
    /// What it names.
    Listed(Vec<(&'a Target, &'a Arc<Account>)>),
    /// Roles whose names are made from those of groups.
    Built(Vec<RoleMask>),
}

/// An ARN of a role with gaps that names of groups fill: `arn:aws:iam::111122223333:role/*-admin`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleMask(String);

impl RoleMask {
    /// The ARN, with `*` for each gap.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the gaps can be filled so that it is this role. A gap takes one or more of the characters that names in AWS have.
    #[must_use]
    pub fn matches(&self, role: &RoleArn) -> bool {
        fills(self.0.as_bytes(), role.as_str().as_bytes())
    }
}

/// Goes back to the last gap alone, as a gap that is followed by another need never be longer than it must.
fn fills(mask: &[u8], text: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut gap: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(at) {
        if mask.get(of) == Some(&b'*') && is_name_byte(*byte) {
            gap = Some((of, at + 1));
            (at, of) = (at + 1, of + 1);
        } else if mask.get(of).is_some_and(|wanted| wanted == byte && *wanted != b'*') {
            (at, of) = (at + 1, of + 1);
        } else if let Some((star, end)) = gap
            && text.get(end).is_some_and(|byte| is_name_byte(*byte))
        {
            gap = Some((star, end + 1));
            (at, of) = (end + 1, star + 1);
        } else {
            return false;
        }
    }
    of == mask.len()
}

/// What a rule sends as external id, with `*` for what hangs on the person. The alphabet of external ids has no `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalIdMask {
    text: String,
    varies: bool,
}

impl ExternalIdMask {
    /// The id, with `*` for each gap.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it has gaps.
    #[must_use]
    pub const fn varies(&self) -> bool {
        self.varies
    }

    fn of(template: &Template) -> Self {
        Self { text: template.mask(), varies: template.literal().is_none() }
    }
}

/// A role that a rule builds for somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Built {
    /// The rule's id.
    pub rule: Arc<str>,
    /// The role.
    pub role: RoleArn,
}

impl Policy {
    /// Every allowing rule, in the order of the configuration. Denies and conditions are not looked at: what a rule can give to somebody
    /// at some time must be ready in AWS.
    pub fn uses(&self) -> impl Iterator<Item = Use<'_>> {
        self.rules.iter().filter_map(|rule| match &rule.body {
            Body::Allow { roles, terms } => Some(self.use_of(rule, roles, terms)),
            Body::Deny { .. } | Body::Gateway { .. } => None,
        })
    }

    /// The roles that rules build from the names of somebody's groups. Conditions, denies and ends of rules are not looked at.
    #[must_use]
    pub fn built_for(&self, who: &Person<'_>) -> Vec<Built> {
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        let mut built = Vec::new();
        for matched in self.matches(who) {
            let Body::Allow { roles: Roles::Captured { accounts, roles }, .. } = &matched.rule.body else { continue };
            let Some(captures) = &matched.captures else { continue };
            for role in roles.iter().filter_map(|role| role.fill_captures(captures)) {
                let named = roles_named(&self.accounts, accounts, &role, captures).into_iter().flatten();
                built.extend(named.map(|(role, _)| Built { rule: Arc::clone(&matched.rule.id), role }));
            }
        }
        built
    }

    fn use_of<'a>(&'a self, rule: &'a Rule, roles: &'a Roles, terms: &'a Terms) -> Use<'a> {
        let reason = terms.reason.iter().filter_map(|reason| reason.tag.as_deref());
        Use {
            rule: &rule.id,
            until: rule.until,
            providers: &rule.providers,
            purposes: rule.purposes,
            gives: match roles {
                Roles::Fixed(numbers) => Gives::Listed(self.roles.of(numbers).map(|place| (&place.target, &place.account)).collect()),
                Roles::Captured { accounts, roles } => Gives::Built(masks(accounts, roles)),
            },
            operation: terms.operation,
            hub: terms.hub.as_deref(),
            external_id: terms.external_id.as_ref().map(ExternalIdMask::of),
            iam_user: terms.iam_user.as_deref(),
            max_session: terms.max_session,
            tag_keys: terms.tags.iter().map(|(key, _, _)| key.as_str()).chain(reason).collect(),
            carry_tags: terms.carry_tags,
            carry_source_identity: terms.carry_source_identity,
        }
    }
}

fn masks(accounts: &[AccountSelector], roles: &[Template]) -> Vec<RoleMask> {
    let mut masks = Vec::new();
    for role in roles.iter().map(Template::mask) {
        if role.starts_with("arn:") {
            masks.push(RoleMask(role));
            continue;
        }
        for selector in accounts {
            match selector {
                AccountSelector::These(these) => {
                    masks
                        .extend(these.iter().map(|account| RoleMask(format!("arn:{}:iam::{}:role/{role}", account.partition, account.id))));
                }
                // It may be a name as well as an id, so that any account can be meant.
                AccountSelector::Captured(_) => masks.push(RoleMask(format!("arn:*:iam::*:role/{role}"))),
            }
        }
    }
    masks.sort();
    masks.dedup();
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_takes_what_a_capture_can_be_and_no_more() {
        let mask = |text: &str| RoleMask(text.to_owned());
        for (pattern, role, fits) in [
            ("arn:aws:iam::111122223333:role/*-admin", "arn:aws:iam::111122223333:role/blue-admin", true),
            ("arn:aws:iam::111122223333:role/*-admin", "arn:aws:iam::111122223333:role/blue-admin-admin", true),
            ("arn:aws:iam::111122223333:role/*-admin", "arn:aws:iam::111122223333:role/-admin", false),
            ("arn:aws:iam::111122223333:role/*-admin", "arn:aws:iam::111122223333:role/team/blue-admin", false),
            ("arn:aws:iam::111122223333:role/team/*", "arn:aws:iam::111122223333:role/team/blue", true),
            ("arn:aws:iam::111122223333:role/*", "arn:aws:iam::444455556666:role/blue", false),
            ("arn:*:iam::*:role/*-*", "arn:aws-cn:iam::444455556666:role/blue-green", true),
            ("arn:*:iam::*:role/*-*", "arn:aws-cn:iam::444455556666:role/blue", false),
        ] {
            assert_eq!(mask(pattern).matches(&role.parse().unwrap()), fits, "{pattern} {role}");
        }
    }
}

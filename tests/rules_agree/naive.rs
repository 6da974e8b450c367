//! The rules once more, as docs/rules.md tells them, in the plainest way: every rule is asked about every group, nothing is looked up,
//! nothing is prepared. It shares with the product the settings, the parsing of ARNs, and the regular expressions' library.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::bytes::Regex;
use rolegate::access::{Account, AccountSettings, Carry, ConsoleWay, Effect, Elevation, GatewayRole, Operation, Purpose, RuleSettings};
use rolegate::arn::RoleArn;

use crate::conditions::{Failed, Question};
use crate::generate::Case;
use crate::somebody::Somebody;

const PURPOSES: [Purpose; 3] = [Purpose::Console, Purpose::Credentials, Purpose::Workload];

/// What is decided about one role. Of one that cannot be taken, not how it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) max_session: Duration,
    /// What is left of it by the grants.
    pub(crate) offered: Duration,
    pub(crate) grants: BTreeSet<String>,
    pub(crate) break_glass: bool,
    pub(crate) emergency: Option<Box<Decision>>,
    pub(crate) evidence: BTreeSet<(String, Option<String>)>,
    pub(crate) session: Option<Session>,
}

impl Decision {
    /// For what it is had, in an emergency or not.
    pub(crate) fn all_purposes(&self) -> impl Iterator<Item = &Purpose> {
        self.purposes.iter().chain(self.emergency.iter().flat_map(|way| &way.purposes))
    }

    /// The rules that give it, in an emergency or not.
    pub(crate) fn all_evidence(&self) -> impl Iterator<Item = &str> {
        let all = self.evidence.iter().chain(self.emergency.iter().flat_map(|way| &way.evidence));
        all.map(|(rule, _)| rule.as_str())
    }
}

/// How a role is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) operation: Operation,
    /// The role on the way, and how it is reached.
    pub(crate) hub: Option<(String, Operation)>,
    pub(crate) external_id: Option<String>,
    pub(crate) console: ConsoleWay,
    pub(crate) reuse: bool,
    pub(crate) carry_tags: Carry,
    pub(crate) carry_source_identity: Carry,
    /// Value, and whether it is transitive, by key.
    pub(crate) tags: BTreeMap<String, (String, bool)>,
}

type Captures = Vec<(String, String)>;

/// One way in which a rule matches: the group, and its captures; none where they hold what no AWS name has.
struct Way {
    group: Option<String>,
    captures: Option<Captures>,
}

/// A rule that gives a role, in one way.
struct Gift<'a> {
    rule: &'a RuleSettings,
    way: Way,
    purposes: Vec<Purpose>,
}

pub(crate) struct Naive<'a> {
    pub(crate) case: &'a Case,
    pub(crate) who: &'a Somebody,
}

impl Naive<'_> {
    /// What is granted, by ARN.
    pub(crate) fn decide(&self) -> BTreeMap<String, Decision> {
        let decided = self.gifts().into_iter().filter_map(|(role, gifts)| {
            let held = gifts.into_iter().filter(|gift| !self.is_open(gift, &role));
            let (emergency, usual): (Vec<_>, Vec<_>) = held.partition(|gift| gift.rule.break_glass);
            let of = |gifts: &[Gift<'_>], purposes: Vec<Purpose>| {
                (!purposes.is_empty() && !gifts.is_empty()).then(|| self.decision(&role, purposes, gifts))
            };
            let in_emergency = self.left(&role, &emergency);
            let Some(mut decision) = of(&usual, self.left(&role, &usual)) else {
                return of(&emergency, in_emergency).map(|decision| (role.clone(), decision));
            };
            // What can be taken without an emergency is taken so.
            let at_once = |purpose: &Purpose| decision.session.is_some() && decision.purposes.contains(purpose);
            let left = in_emergency.into_iter().filter(|purpose| !at_once(purpose)).collect();
            decision.emergency = of(&emergency, left).map(Box::new);
            Some((role.clone(), decision))
        });
        decided.collect()
    }

    /// What may be asked for, by ARN: for which purposes, and how long.
    pub(crate) fn requestable(&self) -> BTreeMap<String, (Vec<Purpose>, Duration)> {
        let mut requestable = BTreeMap::new();
        for (role, gifts) in self.gifts() {
            let (open, held): (Vec<_>, Vec<_>) = gifts.into_iter().partition(|gift| self.is_open(gift, &role));
            let longest = open.iter().filter_map(|gift| gift.rule.requestable.as_ref()?.max_duration.map(|span| span.0)).max();
            let has = |purpose: &Purpose| held.iter().any(|gift| !gift.rule.break_glass && gift.purposes.contains(purpose));
            let purposes: Vec<_> = self.left(&role, &open).into_iter().filter(|purpose| !has(purpose)).collect();
            if let Some(longest) = longest.filter(|_| !purposes.is_empty()) {
                requestable.insert(role, (purposes, longest));
            }
        }
        requestable
    }

    /// Whether a gift waits for a grant.
    fn is_open(&self, gift: &Gift<'_>, role: &str) -> bool {
        gift.rule.requestable.is_some() && self.grant(gift, role).is_none()
    }

    fn grant(&self, gift: &Gift<'_>, role: &str) -> Option<&Elevation> {
        let of_it =
            self.who.elevations.iter().filter(|grant| grant.rule == gift.rule.id && grant.role == role && grant.until > self.who.now);
        of_it.filter(|_| gift.rule.requestable.is_some()).max_by_key(|grant| grant.until)
    }

    /// For what gifts give a role, after denies.
    fn left(&self, role: &str, gifts: &[Gift<'_>]) -> Vec<Purpose> {
        let arn: RoleArn = role.parse().unwrap();
        let given = |purpose: &Purpose| gifts.iter().any(|gift| gift.purposes.contains(purpose));
        let taken = |purpose: &Purpose| self.denies(&arn).iter().any(|(_, taken)| taken.contains(purpose));
        PURPOSES.into_iter().filter(|purpose| given(purpose) && !taken(purpose)).collect()
    }

    /// What rules would give, by ARN.
    fn gifts(&self) -> BTreeMap<String, Vec<Gift<'_>>> {
        let mut gifts: BTreeMap<String, Vec<Gift<'_>>> = BTreeMap::new();
        for rule in self.rules(Effect::Allow) {
            if rule.until.is_some_and(|until| until <= self.who.now) {
                continue;
            }
            for way in self.ways(rule) {
                let Some(captures) = way.captures.clone() else { continue };
                for role in self.roles(rule, &captures) {
                    let way = Way { group: way.group.clone(), captures: Some(captures.clone()) };
                    let purposes = self.purposes(rule, &role).unwrap_or_default();
                    if !purposes.is_empty() {
                        gifts.entry(role.to_string()).or_default().push(Gift { rule, way, purposes });
                    }
                }
            }
        }
        gifts
    }

    /// The deny rules that take something of a role, and what.
    pub(crate) fn denies(&self, role: &RoleArn) -> Vec<(String, Vec<Purpose>)> {
        let mut denies = Vec::new();
        for rule in self.rules(Effect::Deny) {
            let takes = self.ways(rule).iter().any(|way| self.is_denied(rule, way, role));
            let purposes = self.purposes(rule, role).unwrap_or_else(|Failed| listed(rule));
            if takes && !purposes.is_empty() {
                denies.push((rule.id.clone(), purposes));
            }
        }
        denies
    }

    /// The roles of the gateway itself, each with the rules that give it and the groups by which they do.
    pub(crate) fn in_gateway(&self) -> BTreeMap<GatewayRole, BTreeSet<(String, Option<String>)>> {
        // Their conditions look at no role, so that any will do to ask them about.
        let first = &self.case.accounts[0];
        let any: RoleArn = format!("arn:{}:iam::{}:role/Any", first.partition, first.id).parse().unwrap();
        let (mut given, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for rule in self.all_rules().filter(|rule| !rule.gateway.is_empty()) {
            let ways = self.ways(rule);
            match rule.effect {
                Effect::Deny => {
                    let takes = self.purposes(rule, &any).unwrap_or_else(|Failed| listed(rule));
                    if !ways.is_empty() && !takes.is_empty() {
                        taken.extend(rule.gateway.iter().copied());
                    }
                }
                Effect::Allow if rule.until.is_some_and(|until| until <= self.who.now) => {}
                Effect::Allow => {
                    let gives = !self.purposes(rule, &any).unwrap_or_default().is_empty();
                    for way in ways.iter().filter(|way| gives && way.captures.is_some()) {
                        for role in &rule.gateway {
                            given.entry(*role).or_insert_with(BTreeSet::new).insert((rule.id.clone(), way.group.clone()));
                        }
                    }
                }
            }
        }
        given.retain(|role, _| !taken.contains(role));
        given
    }

    fn all_rules(&self) -> impl Iterator<Item = &RuleSettings> {
        let is_about = |rule: &&RuleSettings| rule.providers.is_empty() || rule.providers.iter().any(|id| id == self.who.provider);
        self.case.rules.iter().filter(is_about)
    }

    /// Those about roles in AWS.
    fn rules(&self, effect: Effect) -> impl Iterator<Item = &RuleSettings> {
        self.all_rules().filter(move |rule| rule.effect == effect && rule.gateway.is_empty())
    }

    /// Every way in which the person matches.
    fn ways(&self, rule: &RuleSettings) -> Vec<Way> {
        let mut ways = Vec::new();
        let has = |name: &String| self.who.groups.contains(name);
        if !rule.groups_all.iter().all(has) || rule.groups_none.iter().any(has) {
            return ways;
        }
        let by_all_alone = !rule.everyone && rule.groups.is_empty() && rule.group_pattern.is_none();
        if rule.everyone {
            ways.push(Way { group: None, captures: Some(Captures::new()) });
        }
        for group in &self.who.groups {
            if rule.groups.contains(group) || by_all_alone && rule.groups_all.first() == Some(group) {
                ways.push(Way { group: Some(group.clone()), captures: Some(Captures::new()) });
            }
            if let Some(pattern) = &rule.group_pattern {
                let regex = regex(pattern);
                if let Some(found) = regex.captures(group.as_bytes()) {
                    let named = regex.capture_names().flatten().filter_map(|name| Some((name, found.name(name)?.as_bytes())));
                    let captures = named.map(|(name, value)| Some((name.to_owned(), clean(value)?))).collect::<Option<Captures>>();
                    ways.push(Way { group: Some(group.clone()), captures: captures.filter(|_| group.len() <= 256) });
                }
            }
        }
        ways
    }

    /// What a rule's condition leaves of what it lists.
    fn purposes(&self, rule: &RuleSettings, role: &RoleArn) -> Result<Vec<Purpose>, Failed> {
        // A condition is asked for what somebody of this kind could want the role for, and for nothing else.
        let listed: Vec<_> = listed(rule).into_iter().filter(|purpose| (*purpose == Purpose::Workload) == self.who.workload).collect();
        let Some(text) = &rule.when else { return Ok(listed) };
        let account = account(&self.case.accounts, role).unwrap();
        let mut held = Vec::new();
        for purpose in listed {
            if self.case.conditions[text].holds(Question { who: self.who, purpose, role, account: &account })? {
                held.push(purpose);
            }
        }
        Ok(held)
    }

    /// The roles that an allowing rule names; of accounts that are known.
    fn roles(&self, rule: &RuleSettings, captures: &Captures) -> Vec<RoleArn> {
        let mut roles = Vec::new();
        for text in rule.roles.iter().filter_map(|text| fill(text, captures)) {
            if text.starts_with("arn:") {
                roles.extend(text.parse::<RoleArn>().ok().filter(|role| account(&self.case.accounts, role).is_some()));
                continue;
            }
            for account in &self.case.accounts {
                if rule.accounts.iter().any(|selector| selects(selector, account, captures) == Some(true)) {
                    let arn = format!("arn:{}:iam::{}:role/{text}", account.partition, account.id);
                    roles.extend(arn.parse::<RoleArn>());
                }
            }
        }
        roles
    }

    fn is_denied(&self, rule: &RuleSettings, way: &Way, role: &RoleArn) -> bool {
        // What cannot be worked out takes everything.
        let Some(captures) = &way.captures else { return true };
        let account = self.case.accounts.iter().find(|account| account.id == role.account().to_string()).unwrap();
        let selected: Vec<_> = rule.accounts.iter().map(|selector| selects(selector, account, captures)).collect();
        let in_accounts = selected.is_empty() || selected.contains(&None) || selected.contains(&Some(true));
        let names: Vec<_> = rule.roles.iter().map(|text| fill(text, captures)).collect();
        let is_named = |name: &Option<String>| {
            let name = name.as_deref().unwrap_or_default();
            name == role.as_str() || name == role.name() || name == role.path_and_name()
        };
        let in_roles = names.is_empty() || names.contains(&None) || names.iter().any(is_named);
        in_accounts && in_roles
    }

    fn decision(&self, role: &str, purposes: Vec<Purpose>, gifts: &[Gift<'_>]) -> Decision {
        // A role that is taken from another one has an hour at most.
        let chained = gifts.iter().filter_map(|gift| gift.rule.via.as_ref()).map(|_| Duration::from_hours(1)).next();
        let shortest = gifts.iter().filter_map(|gift| gift.rule.max_session.map(|span| span.0)).min();
        let max_session = shortest.into_iter().chain(chained).min().unwrap_or(Duration::from_hours(1));
        let ends: Vec<_> = gifts.iter().map(|gift| self.grant(gift, role)).collect();
        let last =
            ends.iter().map(|grant| grant.map(|grant| grant.until)).collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
        let left = last.map(|end| (end - self.who.now).to_std().unwrap().max(Duration::from_mins(15)));
        Decision {
            session: self.session(&purposes, gifts),
            purposes,
            max_session,
            offered: left.map_or(max_session, |left| left.min(max_session)),
            grants: ends.into_iter().flatten().map(|grant| grant.id.clone()).collect(),
            break_glass: gifts.iter().any(|gift| gift.rule.break_glass),
            emergency: None,
            evidence: gifts.iter().map(|gift| (gift.rule.id.clone(), gift.way.group.clone())).collect(),
        }
    }

    /// How the role is taken; none if rules contradict each other or a tag cannot be made.
    fn session(&self, purposes: &[Purpose], gifts: &[Gift<'_>]) -> Option<Session> {
        let operations: BTreeSet<_> = gifts.iter().filter_map(|gift| gift.rule.operation).collect();
        let consoles: BTreeSet<_> = gifts.iter().filter_map(|gift| gift.rule.console).collect();
        if operations.len() > 1 || consoles.len() > 1 {
            return None;
        }
        let hub = |gift: &Gift<'_>| Some((gift.rule.via.clone()?, gift.rule.via_operation.unwrap_or(Operation::WebIdentity)));
        let hubs: BTreeSet<_> = gifts.iter().filter_map(hub).collect();
        let mut external_ids = BTreeSet::new();
        for Gift { rule, way, .. } in gifts.iter().filter(|gift| gift.rule.external_id.is_some()) {
            let filled = self.filled(rule.external_id.as_ref()?, way.captures.as_ref().unwrap())?;
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
            external_ids.insert(Some(filled).filter(|id| (2..=1224).contains(&id.len()) && id.chars().all(allowed))?);
        }
        if hubs.len() > 1 || external_ids.len() > 1 {
            return None;
        }
        let mut tags: BTreeMap<String, (String, bool)> = BTreeMap::new();
        for Gift { rule, way, .. } in gifts {
            for (key, text) in &rule.tags {
                let value = self.tag(text, way.captures.as_ref().unwrap());
                let Some(value) = value else {
                    if rule.carry_tags.unwrap_or_default() == Carry::Required {
                        return None;
                    }
                    continue;
                };
                let transitive = rule.transitive_tags.contains(key);
                let alike: Vec<_> = tags.iter().filter(|(known, _)| known.to_lowercase() == key.to_lowercase()).collect();
                if alike.iter().any(|(known, (had, _))| *known != key || *had != value) {
                    return None;
                }
                tags.entry(key.clone()).or_insert((value, false)).1 |= transitive;
            }
        }
        let operation = operations.first().copied().unwrap_or(Operation::WebIdentity);
        let forwards = matches!(operation, Operation::ForwardedSaml | Operation::ForwardedWebIdentity);
        // Nothing of ours is in what is passed on, and a workload has nothing to pass on.
        if forwards && (!tags.is_empty() || self.who.workload) {
            return None;
        }
        // What is posted to AWS buys credentials too.
        let may_post = purposes.contains(&Purpose::Credentials) || self.who.workload;
        if !may_post && consoles.contains(&ConsoleWay::Post) {
            return None;
        }
        let usual = if operation == Operation::Saml && may_post { ConsoleWay::Post } else { ConsoleWay::Federation };
        // `required` wins over `if-allowed`, and that over `off`.
        let carried = |said: Vec<Carry>| {
            let strictest = [Carry::Required, Carry::IfAllowed, Carry::Off].into_iter().find(|carry| said.contains(carry));
            strictest.unwrap_or(Carry::Required)
        };
        Some(Session {
            operation,
            hub: hubs.into_iter().next(),
            external_id: external_ids.into_iter().next(),
            console: consoles.first().copied().unwrap_or(usual),
            // Every rule must say so, and what is passed on as it came is good once.
            reuse: !forwards && gifts.iter().all(|gift| gift.rule.reuse_credentials),
            carry_tags: carried(gifts.iter().filter_map(|gift| gift.rule.carry_tags).collect()),
            carry_source_identity: carried(gifts.iter().filter_map(|gift| gift.rule.carry_source_identity).collect()),
            tags,
        })
    }

    fn tag(&self, text: &str, captures: &Captures) -> Option<String> {
        let value = self.filled(text, captures)?;
        let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
        (value.chars().count() <= 256 && value.chars().all(allowed)).then_some(value)
    }

    /// A text with placeholders filled in.
    fn filled(&self, text: &str, captures: &Captures) -> Option<String> {
        let claim = |name: &str| match self.who.claims.get(name)? {
            serde_json::Value::String(text) => Some(text.clone()),
            single @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Some(single.to_string()),
            _ => None,
        };
        substitute(text, |name| match name {
            "username" => Some(Somebody::USERNAME.into()),
            "subject" => Some(Somebody::SUBJECT.into()),
            "provider" => Some(self.who.provider.into()),
            _ => name.strip_prefix("claims.").map_or_else(|| capture(captures, name), claim),
        })
    }
}

/// The same few patterns stand in all policies, and to read one costs more than all the rest.
fn regex(pattern: &str) -> Regex {
    thread_local!(static KNOWN: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) });
    let anchored = || Regex::new(&format!("(?-u)^(?:{pattern})$")).unwrap();
    KNOWN.with_borrow_mut(|known| known.entry(pattern.to_owned()).or_insert_with(anchored).clone())
}

/// What a rule lists. An allow without a list is for people; a deny without one is about everybody.
fn listed(rule: &RuleSettings) -> Vec<Purpose> {
    let unsaid = |purpose: Purpose| rule.purposes.is_empty() && (rule.effect == Effect::Deny || purpose != Purpose::Workload);
    PURPOSES.into_iter().filter(|purpose| unsaid(*purpose) || rule.purposes.contains(purpose)).collect()
}

/// A capture that AWS's names could have.
fn clean(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (!text.is_empty() && text.chars().all(allowed)).then(|| text.to_owned())
}

/// The known account of a role.
fn account(accounts: &[AccountSettings], role: &RoleArn) -> Option<Account> {
    let found = accounts.iter().find(|account| account.id == role.account().as_str() && account.partition == role.partition())?;
    Some(Account {
        id: role.account(),
        name: found.name.clone(),
        partition: found.partition,
        tags: found.tags.clone().into_iter().collect(),
        alias: None,
        ou: found.ou.clone(),
        saml_provider: None,
        saml_acs_id: None,
    })
}

/// Whether one entry of `accounts` is about an account; none if a capture is missing.
fn selects(selector: &str, account: &AccountSettings, captures: &Captures) -> Option<bool> {
    let is_literal = !selector.contains("${");
    let text = fill(selector, captures)?;
    let tag = text.strip_prefix("tag:").and_then(|tag| tag.split_once('=')).filter(|_| is_literal);
    let by_tag = tag.is_some_and(|(key, value)| account.tags.get(key).is_some_and(|has| has == value));
    Some((is_literal && text == "*") || by_tag || text == account.id || text == account.name)
}

fn capture(captures: &Captures, name: &str) -> Option<String> {
    captures.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

fn fill(text: &str, captures: &Captures) -> Option<String> {
    substitute(text, |name| capture(captures, name))
}

/// A text with each `${name}` replaced.
fn substitute(text: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let Some(start) = text.find("${") else { return Some(text.to_owned()) };
    let end = start + text[start..].find('}')?;
    Some(format!("{}{}{}", &text[..start], value(&text[start + 2..end])?, substitute(&text[end + 1..], value)?))
}

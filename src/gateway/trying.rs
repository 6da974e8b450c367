//! Administrators try rules: those in force with somebody who need not exist, and others with those who signed in of late.
//!
//! What they paste is compiled and forgotten: it is neither kept nor logged, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::rooms::{Administrator, TryRules};
use super::{Failure, Gateway};
use crate::access::{Context, Entitlement, Explanation, GatewayGrant, Grant, Person, Policy, Target};
use crate::audit::{self, Found, Kind, Looked, Outcome, Place, Query, SignIn};
use crate::clock::Moment;
use crate::identity::Supposed;

/// How many bytes of the trail are read for recent sign-ins.
const READ: u64 = 64 * 1024 * 1024;
/// How many people a list of recent sign-ins has.
const LISTED: usize = 30;
/// How many people another policy is tried with.
const COMPARED: usize = 1000;

/// With whom the rules are tried.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// Somebody with these claims, a JSON object, at this provider; the first one without a name.
    Claims {
        /// The provider's id.
        provider: Option<String>,
        /// The claims.
        claims: String,
    },
    /// Whoever signed in there in the trail, as if they did so now.
    SignIn(Place),
}

/// How rules are tried.
#[derive(Debug, Clone)]
pub struct Trying {
    /// With whom.
    pub wanted: Wanted,
    /// The role to explain; none for all that are granted.
    pub role: Option<String>,
    /// The address that the request comes from.
    pub ip: Option<IpAddr>,
}

/// What the rules in force say of somebody.
#[derive(Debug)]
pub struct Tried {
    /// The name that people would recognise.
    pub username: String,
    /// The provider.
    pub provider: String,
    /// The groups.
    pub groups: Vec<String>,
    /// What is granted in AWS.
    pub granted: Vec<Grant>,
    /// What is granted of the gateway itself.
    pub in_gateway: Vec<GatewayGrant>,
    /// About the role that was named: who gives and takes it, and what is missing.
    pub explanation: Option<Explanation>,
}

/// What changes for one role under other rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleChange {
    /// Where the role is.
    pub account: String,
    /// Who gains it.
    pub gains: Vec<String>,
    /// Who loses it.
    pub loses: Vec<String>,
    /// In what it is wider for those who keep it: a sentence, and who.
    pub widened: BTreeMap<String, Vec<String>>,
}

/// What changes if other rules take the place of those in force.
#[derive(Debug, Default)]
pub struct Changes {
    /// How many people they were tried with.
    pub people: usize,
    /// How far the trail was read for these.
    pub looked: Looked,
    /// What changes, by role.
    pub roles: BTreeMap<String, RoleChange>,
    /// Rules that one moment cannot judge, a sentence each.
    pub by_hand: Vec<String>,
    /// Rules that look at claims which the trail does not have of some of these people.
    pub unjudged: BTreeSet<String>,
    /// The digest of the other rules, and how many they are.
    pub policy: (String, usize),
}

impl Gateway {
    /// Those who signed in last, each once, the newest first.
    ///
    /// # Errors
    /// [`Audit`](super::Trouble::Audit), as it is recorded; [`TrailUnreadable`](super::Trouble::TrailUnreadable).
    pub async fn recent_sign_ins(&self, administrator: Administrator<'_>) -> Result<Vec<Found>, Failure> {
        self.note_use_of_sign_ins(administrator).await?;
        self.read_trail(|path| latest(path, LISTED).map(|(found, _)| found)).await
    }

    /// Says what the rules in force give somebody, and why. The inner error is a sentence about what was asked.
    ///
    /// # Errors
    /// As [`Self::recent_sign_ins`], where a sign-in is asked about.
    pub async fn try_person(&self, administrator: Administrator<'_>, trying: &Trying) -> Result<Result<Tried, String>, Failure> {
        let now = self.now();
        let person = match &trying.wanted {
            Wanted::Claims { provider, claims } => self.supposed(provider.as_deref(), claims),
            Wanted::SignIn(place) => {
                self.note_use_of_sign_ins(administrator).await?;
                let place = *place;
                let found = self.read_trail(move |path| audit::event_at(path, place)).await?;
                match found.as_ref().and_then(|found| audit::sign_in_of(&found.event)) {
                    Some(sign_in) => self.again(&sign_in, now).ok_or_else(|| "There is no such provider any more.".to_owned()),
                    None => Err("There is no such sign-in.".to_owned()),
                }
            }
        };
        Ok(person.and_then(|person| self.tried(&person, trying, &Context { now, ip: trying.ip })))
    }

    /// Says who of those who signed in of late gains or loses what, if the rules of a text took the place of those in force. The inner error
    /// lists what is wrong with the text.
    ///
    /// # Errors
    /// As [`Self::recent_sign_ins`].
    pub async fn try_candidate(&self, administrator: Administrator<'_>, text: String) -> Result<Result<Changes, Vec<String>>, Failure> {
        self.note_use_of_sign_ins(administrator).await?;
        let (now, in_force, ip) = (self.now(), self.policy.load_full(), administrator.caller.ip);
        let (readings, compile): (_, Arc<TryRules>) = (self.rooms.readings.clone(), Arc::clone(&self.rooms.try_rules));
        self.read_trail(move |path| {
            let policy = match compile(&text) {
                Ok(policy) => policy,
                Err(findings) => return Ok(Err(findings)),
            };
            let (found, looked) = latest(path, COMPARED)?;
            let context = Context { now, ip };
            let mut changes = Changes { looked, policy: (policy.digest().to_owned(), policy.rule_count()), ..Changes::default() };
            for sign_in in found.iter().filter_map(|found| audit::sign_in_of(&found.event)) {
                let Some(reading) = readings.iter().find(|(id, _)| *id == sign_in.person.provider) else { continue };
                changes.people += 1;
                changes.note(&in_force, &policy, (&sign_in, &sign_in.as_now(reading, now)), &context);
            }
            changes.by_hand = policy.difference_from(&in_force).to_judge_by_hand().iter().map(ToString::to_string).collect();
            Ok(Ok(changes))
        })
        .await
    }

    async fn note_use_of_sign_ins(&self, administrator: Administrator<'_>) -> Result<(), Failure> {
        let event = self.event(Kind::AuditRead, Outcome::Ok, administrator.caller).about(&administrator.session.identity);
        self.record(&event.looking_for("recent sign-ins, to try rules with")).await
    }

    fn supposed(&self, provider: Option<&str>, claims: &str) -> Result<Supposed, String> {
        let known = self.rooms.readings.iter().find(|(id, _)| provider.is_none_or(|name| id.as_str() == name));
        let (id, reading) = known.ok_or_else(|| "There is no such provider.".to_owned())?;
        // The decoder's own message says where it stopped; it repeats a word at most, to whoever wrote it.
        let claims = serde_json::from_str(claims).map_err(|error| format!("This is no JSON object of claims: {error}."))?;
        Supposed::new(id.clone(), reading, claims).map_err(|rejected| format!("The sign-in itself would be refused: {rejected}."))
    }

    fn again(&self, sign_in: &SignIn, now: Moment) -> Option<Supposed> {
        let reading = self.rooms.readings.iter().find(|(id, _)| *id == sign_in.person.provider)?;
        Some(sign_in.as_now(reading, now))
    }

    fn tried(&self, person: &Supposed, trying: &Trying, context: &Context) -> Result<Tried, String> {
        let (policy, who) = (self.policy.load(), Person::from(person));
        let role = trying.role.as_deref().map(str::trim).filter(|role| !role.is_empty());
        let role = role.map(|role| policy.role_named(role).map_err(|message| format!("The role: {message}."))).transpose()?;
        Ok(Tried {
            username: person.username().to_owned(),
            provider: person.provider().to_string(),
            groups: person.groups().to_vec(),
            granted: policy.granted(&who, context).iter().map(|entitlement| policy.grant_of(entitlement)).collect(),
            in_gateway: policy.gateway_roles(&who, context),
            explanation: role.map(|role| policy.explain(&who, context, &role)),
        })
    }
}

/// The latest sign-in of each of so many people, the newest first. A command line's session is by a sign-in that has a line of its own.
fn latest(path: &Path, most: usize) -> std::io::Result<(Vec<Found>, Looked)> {
    let query = Query { kind: Some("sign_in".into()), outcome: Some("ok".into()), ..Query::default() };
    let (mut people, mut all) = (BTreeSet::new(), Vec::new());
    let looked = audit::look(path, None, &query, READ, |found| {
        if audit::sign_in_of(&found.event).is_some() && people.insert(found.person()) {
            all.push(found);
        }
        if all.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok((all, looked))
}

impl Changes {
    /// Notes what changes for one person.
    fn note(&mut self, old: &Policy, new: &Policy, (sign_in, person): (&SignIn, &Supposed), context: &Context) {
        let who = Person::from(person);
        let known: BTreeSet<_> = sign_in.claims.keys().map(String::as_str).collect();
        self.unjudged.extend(new.unjudged(&who, &known).into_iter().map(str::to_owned));
        let name = || person.username().to_owned();
        let of = |policy: &Policy| -> BTreeMap<Target, Entitlement> {
            policy.granted(&who, context).into_iter().map(|granted| (granted.target.clone(), granted)).collect()
        };
        let (had, has) = (of(old), of(new));
        for (_, lost) in had.iter().filter(|(role, _)| !has.contains_key(*role)) {
            self.change(lost).loses.push(name());
        }
        for (role, entitlement) in &has {
            let Some(was) = had.get(role) else {
                self.change(entitlement).gains.push(name());
                continue;
            };
            for what in entitlement.wider_than(was) {
                self.change(entitlement).widened.entry(what.to_string()).or_default().push(name());
            }
        }
        let in_gateway = |policy: &Policy| policy.gateway_roles(&who, context).into_iter().map(|grant| grant.role).collect::<BTreeSet<_>>();
        let (had, has) = (in_gateway(old), in_gateway(new));
        for role in had.symmetric_difference(&has) {
            let change = self.roles.entry(role.target()).or_default();
            "the gateway itself".clone_into(&mut change.account);
            if has.contains(role) { change.gains.push(name()) } else { change.loses.push(name()) }
        }
    }

    fn change(&mut self, entitlement: &Entitlement) -> &mut RoleChange {
        let change = self.roles.entry(entitlement.target.to_string()).or_default();
        change.account.clone_from(&entitlement.account.name);
        change
    }
}

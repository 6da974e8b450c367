//! Administrators try rules: those in force with somebody who need not exist, and others with those who signed in of late.
//!
//! What they paste is compiled and forgotten: it is neither kept nor logged, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use super::rooms::Administrator;
use super::turns::aside;
use super::{Failure, Gateway, Trouble};
use crate::access::{Context, Entitlement, Explanation, GatewayGrant, Given, Grant, Meter, Person, Policy, Requestable, Stopped, Target};
use crate::audit::{self, Found, Kind, Looked, Outcome, Place, Query, Reach, SignIn};
use crate::clock::Moment;
use crate::identity::Supposed;

/// How many bytes of the trail are read for recent sign-ins.
const READ: u64 = 64 * 1024 * 1024;
/// How many people a list of recent sign-ins has.
const LISTED: usize = 30;
/// How many people another policy is tried with.
const COMPARED: usize = 1000;
/// How many of somebody's roles are told.
const TOLD: usize = 200;
/// How often rules may match one person, or give them a role, to be tried here.
pub const MOST_ROLES: usize = 20_000;
/// How many changes are gathered, of all people together.
pub const MOST_CHANGES: usize = 100_000;
/// How long a try may take, from its turn on.
pub const TIME_TO_TRY: Duration = Duration::from_secs(10);

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
    /// What is granted in AWS, the first so many.
    pub granted: Vec<Grant>,
    /// What is not held and may be asked for, the first so many.
    pub requestable: Vec<Requestable>,
    /// How many roles there are beyond those.
    pub more: usize,
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
    /// How many were left out, because the rules match them, or give them roles, more than [`MOST_ROLES`] times.
    pub left_out: usize,
    /// How many were not come to: it would take longer than [`TIME_TO_TRY`], or come to more than [`MOST_CHANGES`].
    pub not_reached: usize,
    /// How many changes there are, of all people together.
    noted: usize,
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
        self.note_use_of_sign_ins(administrator, "recent sign-ins, to try rules with").await?;
        self.read_trail(administrator.session, |path, is_wanted| latest(path, LISTED, is_wanted).map(|(found, _)| found)).await
    }

    /// Says what the rules in force give somebody, and why. The inner error is a sentence about what was asked.
    ///
    /// # Errors
    /// As [`Self::recent_sign_ins`], where a sign-in is asked about; [`Broken`](super::Trouble::Broken).
    pub async fn try_person(&self, administrator: Administrator<'_>, trying: Trying) -> Result<Result<Tried, String>, Failure> {
        let now = self.now();
        let person = match &trying.wanted {
            Wanted::Claims { provider, claims } => self.supposed(provider.as_deref(), claims),
            Wanted::SignIn(place) => self.supposed_again(administrator, *place, now).await?,
        };
        let person = match person {
            Ok(person) => person,
            Err(problem) => return Ok(Err(problem)),
        };
        let turn = self.rooms.tries.take(&administrator.session.identity.person()).await;
        let policy = self.policy.load_full();
        let tried = aside(turn, move |is_wanted| {
            let began = Instant::now();
            tried(&policy, &person, &trying, now, &|| is_wanted() && began.elapsed() < TIME_TO_TRY)
        });
        tried.await.map_err(|error| Failure::logged(Trouble::Broken, &error))
    }

    /// Says who of those who signed in of late gains or loses what, if the rules of a text took the place of those in force. The inner error
    /// lists what is wrong with the text.
    ///
    /// # Errors
    /// As [`Self::recent_sign_ins`]; [`Broken`](super::Trouble::Broken).
    pub async fn try_candidate(&self, administrator: Administrator<'_>, text: String) -> Result<Result<Changes, Vec<String>>, Failure> {
        self.note_use_of_sign_ins(administrator, "recent sign-ins, to try other rules with").await?;
        let (context, path) = (Context { now: self.now(), ip: administrator.caller.ip }, self.audit.path().to_owned());
        let readings = self.rooms.readings.clone();
        let turn = self.rooms.tries.take(&administrator.session.identity.person()).await;
        let (in_force, compiler) = (self.policy.load_full(), self.rooms.try_rules.load_full());
        let tried = aside(turn, move |is_wanted| {
            let began = Instant::now();
            let goes_on = || is_wanted() && began.elapsed() < TIME_TO_TRY;
            let policy = match compiler.compile(&text, &goes_on) {
                Ok(policy) => policy,
                Err(findings) => return Ok(Err(findings)),
            };
            let (found, looked) = latest(&path, COMPARED, is_wanted)?;
            let mut changes = Changes { looked, policy: (policy.digest().to_owned(), policy.rule_count()), ..Changes::default() };
            for sign_in in found.iter().filter_map(|found| audit::sign_in_of(&found.event)) {
                let Some(reading) = readings.iter().find(|(id, _)| *id == sign_in.person.provider) else { continue };
                changes.note(&in_force, &policy, (&sign_in, &sign_in.as_now(reading, context.now)), &context, &goes_on);
            }
            changes.by_hand = policy.difference_from(&in_force).to_judge_by_hand().iter().map(ToString::to_string).collect();
            Ok(Ok(changes))
        });
        let tried: std::io::Result<_> = tried.await.map_err(|error| Failure::logged(Trouble::Broken, &error))?;
        tried.map_err(|error| Failure::logged(Trouble::TrailUnreadable, &error))
    }

    async fn note_use_of_sign_ins(&self, administrator: Administrator<'_>, what: &str) -> Result<(), Failure> {
        let event = self.event(Kind::AuditRead, Outcome::Ok, administrator.caller).about(&administrator.session.identity);
        self.record(&event.looking_for(what)).await
    }

    /// Whoever signed in at a place of the trail. Whose sign-in it is stands in the record before anything of it leaves.
    async fn supposed_again(
        &self,
        administrator: Administrator<'_>,
        place: Place,
        now: Moment,
    ) -> Result<Result<Supposed, String>, Failure> {
        let found = self
            .read_trail(administrator.session, move |path, is_wanted| audit::event_at(path, place, Reach { bytes: READ, is_wanted }))
            .await?;
        let sign_in = found.as_ref().and_then(|found| audit::sign_in_of(&found.event));
        let whose = sign_in.as_ref().map(|sign_in| format!("\"{}+{}\"", sign_in.person.provider, sign_in.person.subject));
        let whose = whose.as_deref().unwrap_or("nobody: there is none");
        self.note_use_of_sign_ins(administrator, &format!("the sign-in at {place}, to try rules with, which is of {whose}")).await?;
        let Some(sign_in) = sign_in else { return Ok(Err("There is no such sign-in.".to_owned())) };
        Ok(self.again(&sign_in, now).ok_or_else(|| "There is no such provider any more.".to_owned()))
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
}

fn tried(policy: &Policy, person: &Supposed, trying: &Trying, now: Moment, goes_on: &dyn Fn() -> bool) -> Result<Tried, String> {
    let (who, context) = (Person::from(person), Context { now, ip: trying.ip });
    let role = trying.role.as_deref().map(str::trim).filter(|role| !role.is_empty());
    let role = role.map(|role| policy.role_named(role).map_err(|message| format!("The role: {message}."))).transpose()?;
    let given = policy.granted_within(&who, &context, &Meter::new(MOST_ROLES, goes_on)).map_err(|stopped| match stopped {
        Stopped::TooMuch => {
            format!("The rules match this person, or give them roles, more than {MOST_ROLES} times: that is not tried here. `rolegate explain` does it.")
        }
        Stopped::Late => {
            format!("It would take longer than {} seconds, and was broken off. `rolegate explain` takes its time.", TIME_TO_TRY.as_secs())
        }
    })?;
    Ok(Tried {
        username: person.username().to_owned(),
        provider: person.provider().to_string(),
        groups: person.groups().to_vec(),
        granted: given.roles.iter().take(TOLD).map(|entitlement| policy.grant_of(entitlement)).collect(),
        more: given.roles.len().saturating_sub(TOLD) + given.requestable.len().saturating_sub(TOLD),
        requestable: given.requestable.into_iter().take(TOLD).collect(),
        in_gateway: given.gateway,
        explanation: role.map(|role| policy.explain(&who, &context, &role)),
    })
}

/// The latest sign-in of each of so many people, the newest first. A command line's session is by a sign-in that has a line of its own.
fn latest(path: &Path, most: usize, is_wanted: &dyn Fn() -> bool) -> std::io::Result<(Vec<Found>, Looked)> {
    let query = Query { kind: Some("sign_in".into()), outcome: Some("ok".into()), ..Query::default() };
    let (mut people, mut all) = (BTreeSet::new(), Vec::new());
    let looked = audit::look(path, None, &query, Reach { bytes: READ, is_wanted }, |found| {
        if audit::sign_in_of(&found.event).is_some() && people.insert(found.person()) {
            all.push(found);
        }
        if all.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok((all, looked))
}

impl Changes {
    /// Notes what changes for one person, or that it was not found out.
    fn note(&mut self, old: &Policy, new: &Policy, (sign_in, person): (&SignIn, &Supposed), context: &Context, goes_on: &dyn Fn() -> bool) {
        let who = Person::from(person);
        let of = |policy: &Policy| -> Result<(BTreeMap<Target, Entitlement>, BTreeSet<_>), Stopped> {
            if self.noted > MOST_CHANGES {
                return Err(Stopped::Late);
            }
            let Given { roles, gateway: in_gateway, .. } = policy.granted_within(&who, context, &Meter::new(MOST_ROLES, goes_on))?;
            let roles = roles.into_iter().map(|granted| (granted.target.clone(), granted)).collect();
            Ok((roles, in_gateway.into_iter().map(|grant| grant.role).collect()))
        };
        let ((had, had_here), (has, has_here)) = match of(old).and_then(|before| Ok((before, of(new)?))) {
            Ok(both) => both,
            Err(Stopped::TooMuch) => return self.left_out += 1,
            Err(Stopped::Late) => return self.not_reached += 1,
        };
        self.people += 1;
        let known: BTreeSet<_> = sign_in.claims.keys().map(String::as_str).collect();
        self.unjudged.extend(new.unjudged(&who, &known).into_iter().map(str::to_owned));
        let name = || person.username().to_owned();
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
        for role in had_here.symmetric_difference(&has_here) {
            let change = self.roles.entry(role.target()).or_default();
            "the gateway itself".clone_into(&mut change.account);
            if has_here.contains(role) { change.gains.push(name()) } else { change.loses.push(name()) }
        }
    }

    fn change(&mut self, entitlement: &Entitlement) -> &mut RoleChange {
        self.noted += 1;
        let change = self.roles.entry(entitlement.target.to_string()).or_default();
        change.account.clone_from(&entitlement.account.name);
        change
    }
}

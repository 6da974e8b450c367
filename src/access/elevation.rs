//! Roles that people do not hold and may ask for: what rules say of them, and what a decision makes of what was granted.
//!
//! A grant is data that a decision is given. It opens nothing by itself: the rule that made the role requestable must be in force and match the
//! person at each use, as any other rule, and a deny wins over it. So a grant ends with its time, its rule or the person's groups, whichever is
//! first.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compile::Policy;
use super::decide::Grant;
use super::groups;
use super::reason::{Reason, is_said};
use super::rule::{Body, Roles, Rule, RuleCompiler, Terms};
use super::{Account, Context, Denied, Entitlement, Entitlements, Person, Purpose, Purposes, SHORTEST_SESSION, Target};
use crate::clock::Moment;
use crate::identity::StepUp;
use crate::settings::Span;

/// How long a role may be granted at most, where its rule does not say.
pub const USUAL_ELEVATION: Duration = Duration::from_hours(1);
/// The longest grant that a rule may allow (7 days).
pub const LONGEST_ELEVATION: Duration = Duration::from_hours(7 * 24);
/// The shortest grant: what the shortest AWS session takes.
pub const SHORTEST_ELEVATION: Duration = SHORTEST_SESSION;

/// Who may grant a rule's roles on request, and for how long. What the request must say is the rule's `reason`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestableSettings {
    /// Names or aliases of the groups whose members decide; any one of them does. Nobody decides about themselves.
    pub approvers: Vec<String>,
    /// The longest time that may be asked for, 15 minutes to 7 days; an hour without it.
    #[serde(default)]
    pub max_duration: Option<Span>,
}

/// A compiled [`RequestableSettings`].
#[derive(Debug)]
pub(super) struct OnRequest {
    /// The approvers' groups, aliases resolved.
    pub(super) approvers: Vec<Arc<str>>,
    pub(super) max_duration: Duration,
    /// What a request must say.
    pub(super) reason: Arc<Reason>,
}

/// A role that somebody was granted on request, until an end. Made by the gateway from what the store keeps of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elevation {
    /// What the audit trail calls it.
    pub id: String,
    /// The rule that made the role requestable.
    pub rule: String,
    /// The role's ARN, or the text of another [`Target`].
    pub role: String,
    /// What the request said.
    pub reason: String,
    /// Who granted it: the stable key and the name.
    pub approver: (String, String),
    /// From when on it gives nothing any more.
    pub until: Moment,
}

/// A role that somebody does not hold and may ask for.
#[derive(Debug, Clone)]
pub struct Requestable {
    /// The role, or what the session acts as without one.
    pub target: Target,
    /// The account it lives in.
    pub account: Arc<Account>,
    /// What it could be taken for.
    pub purposes: Purposes,
    /// The longest time that may be asked for.
    pub max_duration: Duration,
    /// The rule. Nothing for the person who asks: pages tell people about themselves and not about rules.
    pub rule: Arc<str>,
    reason: Arc<Reason>,
}

/// What somebody asks to be granted. Nothing in it is trusted: [`Entitlements::ask`] compares it with what the rules make requestable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The role's ARN, or the text of another [`Target`], as it was posted.
    pub role: String,
    /// How long it is wanted; none for the longest time.
    pub duration: Option<Duration>,
    /// What it is wanted for, in words.
    pub reason: String,
}

/// A request that the rules allow to be made.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The role.
    pub target: Target,
    /// The rule that makes it requestable.
    pub rule: Arc<str>,
    /// How long it is wanted.
    pub duration: Duration,
    /// What it is wanted for.
    pub reason: String,
}

impl Requestable {
    /// What a request must say, as people are told it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.reason.hint
    }
}

impl RuleCompiler<'_, '_> {
    /// What the rule says of requests, if it makes its roles requestable.
    pub(super) fn on_request(&mut self, reason: Option<&Arc<Reason>>) -> Option<Arc<OnRequest>> {
        let settings = self.settings;
        let wanted = settings.requestable.as_ref()?;
        if wanted.approvers.is_empty() {
            self.problem("requestable.approvers", "nobody could grant what is asked for", "name the groups whose members decide");
        }
        if !wanted.approvers.iter().all(|name| groups::is_name(name)) {
            let hint = "write the name as the provider sends it, or an alias of [groups]";
            self.problem("requestable.approvers", "a group name has 1 to 256 bytes and no control characters", hint);
        }
        let max_duration = wanted.max_duration.map_or(USUAL_ELEVATION, |span| span.0);
        if !(SHORTEST_ELEVATION..=LONGEST_ELEVATION).contains(&max_duration) {
            self.problem("requestable.max_duration", "a grant lasts from 15 minutes to 7 days", "write for example \"4h\"");
        }
        if settings.break_glass {
            let message = "a role is had on request or, in an emergency, at once: a rule says one of the two";
            self.problem("break_glass", message, "make two rules of it");
        }
        self.not_for_workloads("requestable", "a workload asks nobody");
        let approvers = wanted.approvers.iter().flat_map(|name| self.groups.meant(name)).collect();
        Some(Arc::new(OnRequest { approvers, max_duration, reason: reason.map_or_else(Reason::any, Arc::clone) }))
    }

    /// Whether the rule's roles are for emergencies.
    pub(super) fn break_glass(&mut self) -> bool {
        if self.settings.break_glass {
            self.not_for_workloads("break_glass", "a workload has no emergencies");
        }
        self.settings.break_glass
    }

    fn not_for_workloads(&mut self, key: &str, why: &str) {
        if self.settings.purposes.contains(&Purpose::Workload) {
            self.problem(key, why, "take \"workload\" out of `purposes`, or make two rules of it");
        }
        if self.settings.reuse_credentials {
            let message = "what is had for a while is issued anew each time, so that each use is in the trail with its own call to AWS";
            self.problem("reuse_credentials", message, "take it out");
        }
    }
}

impl Terms {
    /// Whether it gives its roles on request alone, and what of the person's grants answers that now.
    pub(super) fn standing<'a>(&self, rule: &Rule, target: &Target, who: &Person<'a>, now: Moment) -> Standing<'a> {
        if self.on_request.is_none() {
            return if self.break_glass { Standing::BreakGlass } else { Standing::Held(None) };
        }
        let granted = who.elevations.iter().filter(|granted| *granted.rule == *rule.id && granted.role == target.as_str());
        let living = granted.filter(|granted| now < granted.until).max_by_key(|granted| granted.until);
        living.map_or(Standing::Open, |granted| Standing::Held(Some(granted)))
    }
}

/// In what manner a rule gives a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// It is held; by a grant, where the rule gives it on request.
    Held(Option<&'a Elevation>),
    /// It is held, for emergencies.
    BreakGlass,
    /// It could be requested, and was not granted.
    Open,
}

impl<'a> Standing<'a> {
    /// In the order in which grants of one role are parted.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::Held(_) => 0,
            Self::BreakGlass => 1,
            Self::Open => 2,
        }
    }

    pub(super) const fn elevation(self) -> Option<&'a Elevation> {
        if let Self::Held(elevation) = self { elevation } else { None }
    }
}

/// What may be asked for of one role: by the rule that allows the longest time, of those that make it requestable.
pub(super) fn requestable(open: &[Grant<'_>], purposes: Purposes) -> Option<Requestable> {
    let of = |grant: &Grant<'_>| Some((Arc::clone(grant.terms.on_request.as_ref()?), Arc::clone(&grant.matched.rule.id)));
    let mut rules: Vec<_> = open.iter().filter_map(of).collect();
    rules.sort_by(|(one, id), (other, other_id)| other.max_duration.cmp(&one.max_duration).then_with(|| id.cmp(other_id)));
    let ((on_request, rule), first) = (rules.into_iter().next()?, open.first()?);
    Some(Requestable {
        target: first.target.clone().into_owned(),
        account: Arc::clone(first.account),
        purposes,
        max_duration: on_request.max_duration,
        rule,
        reason: Arc::clone(&on_request.reason),
    })
}

impl Entitlements {
    /// The roles that the person does not hold and may ask for, ordered as [`Self::roles`].
    #[must_use]
    pub fn requestable(&self) -> &[Requestable] {
        &self.requestable
    }

    /// Compares what somebody asks for with what the rules make requestable.
    ///
    /// # Errors
    /// [`Denied::NotGranted`] for a role that is not requestable, [`Denied::RequestLength`], [`Denied::Reason`].
    pub fn ask(&self, asking: &Asking) -> Result<Asked, Denied> {
        let wanted = self.requestable.iter().find(|requestable| requestable.target.as_str() == asking.role).ok_or(Denied::NotGranted)?;
        let duration = asking.duration.unwrap_or(wanted.max_duration);
        if !(SHORTEST_ELEVATION..=wanted.max_duration).contains(&duration) {
            return Err(Denied::RequestLength(wanted.max_duration));
        }
        let reason = asking.reason.trim();
        if !is_said(reason) || !wanted.reason.takes(reason) {
            return Err(Denied::Reason(wanted.hint().to_owned()));
        }
        Ok(Asked { target: wanted.target.clone(), rule: Arc::clone(&wanted.rule), duration, reason: reason.to_owned() })
    }
}

impl Entitlement {
    /// What was granted on request and makes rules hold that want it, ordered by id.
    pub fn elevations(&self) -> impl Iterator<Item = &Elevation> {
        self.granted_for.iter().map(|granted| &granted.elevation)
    }

    /// Until when it is held by grants alone; none where a rule gives it without any.
    #[must_use]
    pub fn granted_until(&self) -> Option<Moment> {
        self.by_grants_alone().map(|granted| granted.elevation.until).max()
    }

    /// As much of a session's length as the grants leave, for whatever purpose. What a session gets is [`Self::within_grant`].
    pub(super) fn within_grants(&self, wanted: Duration) -> Duration {
        within(wanted, self.by_grants_alone())
    }

    /// As much of a session's length as the grants leave for a purpose. AWS gives no less than [`SHORTEST_SESSION`], so that the last session may
    /// outlive its grant by as much.
    pub(super) fn within_grant(&self, wanted: Duration, purpose: Purpose) -> Duration {
        within(wanted, self.grants_for(purpose))
    }

    /// What of the grants gives it for a purpose: nothing where another rule gives it for that.
    pub(super) fn elevations_for(&self, purpose: Purpose) -> impl Iterator<Item = &Elevation> {
        self.grants_for(purpose).map(|granted| &granted.elevation)
    }

    /// The way in an emergency, if it is wanted and there is one; else the usual one.
    #[must_use]
    pub fn way(&self, break_glass: bool) -> &Self {
        self.emergency.as_deref().filter(|_| break_glass).unwrap_or(self)
    }

    /// The way that leads to it for a purpose. Nobody breaks glass for what they have without it, and only who says so does.
    pub(super) fn way_for(&self, purpose: Purpose, break_glass: bool) -> &Self {
        let emergency = self.emergency.as_deref().filter(|way| way.purposes.has(purpose));
        emergency.filter(|_| break_glass || !self.purposes.has(purpose)).unwrap_or(self)
    }

    /// For what an emergency's way leads on where this one does not, or not at once: because of rules that contradict each other, a sign-in that will
    /// not do, or a reason of a form that the emergency does not ask for.
    pub(super) fn left_to(&self, emergency: &Self) -> Purposes {
        let asks = |reason: &Reason| reason.is_of_a_form() && !emergency.reasons.iter().any(|own| own.asks_for_all_of(reason));
        let is_stuck = self.obstacle.is_some()
            || self.step_up.is_some() && self.demand != emergency.demand
            || self.reasons.iter().any(|reason| asks(reason));
        let is_at_once = |purpose: &Purpose| !is_stuck || self.is_said_and_done(*purpose);
        let at_once = self.purposes.list().into_iter().filter(is_at_once).fold(Purposes::NONE, |all, purpose| all.with(purpose.into()));
        emergency.purposes.without(at_once)
    }

    /// Whether only the reason could be in the way for a purpose, and it was said in a request.
    fn is_said_and_done(&self, purpose: Purpose) -> bool {
        self.obstacle.is_none() && self.step_up.is_none() && self.said_before(purpose).is_some()
    }

    fn grants_for(&self, purpose: Purpose) -> impl Iterator<Item = &GrantedFor> {
        self.granted_for.iter().filter(move |granted| granted.purposes.has(purpose) && !self.held_anyway.has(purpose))
    }

    fn by_grants_alone(&self) -> impl Iterator<Item = &GrantedFor> {
        let alone = self.held_anyway.is_empty();
        self.granted_for.iter().filter(move |_| alone)
    }
}

fn within<'a>(wanted: Duration, granted: impl Iterator<Item = &'a GrantedFor>) -> Duration {
    granted.map(|granted| granted.left).max().map_or(wanted, |left| wanted.min(left.max(SHORTEST_SESSION)))
}

/// A grant with what it gives a role for, and how long yet.
#[derive(Debug, Clone)]
pub(super) struct GrantedFor {
    elevation: Elevation,
    purposes: Purposes,
    /// From the moment of the decision.
    left: Duration,
}

impl GrantedFor {
    /// Adds what a rule gives by a grant; one that is there already gives it for more.
    pub(super) fn add(all: &mut Vec<Self>, purposes: Purposes, elevation: &Elevation) {
        match all.iter_mut().find(|granted| granted.elevation == *elevation) {
            Some(known) => known.purposes = known.purposes.with(purposes),
            None => all.push(Self { elevation: elevation.clone(), purposes, left: Duration::ZERO }),
        }
    }

    pub(super) fn finish(all: &mut [Self], now: Moment) {
        all.sort_by(|one, other| one.elevation.id.cmp(&other.elevation.id));
        for granted in all {
            granted.left = (granted.elevation.until - now).to_std().unwrap_or_default();
        }
    }
}

impl Policy {
    /// Whether a rule makes roles requestable.
    #[must_use]
    pub const fn has_requests(&self) -> bool {
        !self.on_request.is_empty()
    }

    /// Whether a rule that makes roles requestable is about the person's groups, so that their grants have to be known.
    #[must_use]
    pub fn may_request(&self, who: &Person<'_>) -> bool {
        if !self.has_requests() {
            return false;
        }
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        self.matches(who).iter().any(|matched| on_request(matched.rule).is_some())
    }

    /// The roles that somebody would not hold and might ask for, who need not exist: for tests and explanations.
    #[must_use]
    pub fn requestable(&self, who: &Person<'_>, context: &Context) -> Vec<Requestable> {
        self.decide(who, context, None).requestable
    }

    /// Whether the person decides about requests by a rule, as it is in force: they are in one of its approvers' groups, and signed in with a
    /// provider that the rule is about. That nobody decides about themselves is for whoever knows who asks.
    #[must_use]
    pub fn approves(&self, who: &Person<'_>, rule: &str) -> bool {
        self.approving(who).any(|own| *own.id == *rule)
    }

    /// Whether the person decides about requests by any rule.
    #[must_use]
    pub fn is_approver(&self, who: &Person<'_>) -> bool {
        self.approving(who).next().is_some()
    }

    /// The longest grant that a rule allows as it is in force; none if it makes nothing requestable.
    #[must_use]
    pub fn longest_elevation(&self, rule: &str) -> Option<Duration> {
        let own = self.requests().find(|own| *own.id == *rule)?;
        on_request(own).map(|terms| terms.max_duration)
    }

    /// What the sign-in of an approver lacks to grant a rule's roles.
    #[must_use]
    pub fn lacks_to_grant(&self, who: &Person<'_>, rule: &str, now: Moment) -> Option<StepUp> {
        let own = self.requests().find(|own| *own.id == *rule)?;
        let Body::Allow { terms, .. } = &own.body else { return None };
        terms.demand.missing(who.authentication, now)
    }

    /// For what a grant by a rule gives a role, to whom the rule is about. None where it gives nothing to anybody: the rule is gone or has run out, asks
    /// for no grants any more, or does not name the role.
    #[must_use]
    pub fn elevates(&self, rule: &str, role: &str, now: Moment) -> Option<Purposes> {
        let own = self.requests().find(|own| *own.id == *rule && own.until.is_none_or(|until| now < until))?;
        let target = role.parse::<Target>().ok().filter(|target| self.accounts.of_target(target).is_some())?;
        let Body::Allow { roles, .. } = &own.body else { return None };
        let names = match roles {
            Roles::Fixed(numbers) => self.roles.is_among(&target, numbers),
            // Which those are hangs on the person's groups.
            Roles::Captured { .. } => true,
        };
        names.then_some(own.purposes)
    }

    fn requests(&self) -> impl Iterator<Item = &Rule> {
        self.on_request.iter().filter_map(|number| self.rules.get(*number as usize))
    }

    fn approving<'a>(&'a self, who: &Person<'_>) -> impl Iterator<Item = &'a Rule> {
        let groups = self.groups.names.all(who.groups).unwrap_or_else(|| who.groups.to_vec());
        let (provider, workload) = (who.provider.clone(), who.workload);
        self.requests().filter(move |rule| {
            let has = |group: &Arc<str>| groups.iter().any(|own| **own == **group);
            let decides = on_request(rule).is_some_and(|terms| terms.approvers.iter().any(has));
            decides && !workload && (rule.providers.is_empty() || rule.providers.contains(&provider))
        })
    }
}

/// What a rule says of requests.
pub(super) fn on_request(rule: &Rule) -> Option<&OnRequest> {
    if let Body::Allow { terms, .. } = &rule.body { terms.on_request.as_deref() } else { None }
}

impl OnRequest {
    /// The groups of those who decide.
    pub(super) fn approvers(&self) -> &[Arc<str>] {
        &self.approvers
    }
}

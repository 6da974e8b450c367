//! What the rules need of IAM.
//!
//! A role is entered by [`Door`]s, one for each way in which rules take it. What people bring there is the sum of what each rule alone and
//! all of them together can bring: nobody knows beforehand which rules meet in one person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::federation::{Federation, UpstreamKind, is_built_in};
use crate::access::{
    Account, Built, CHAINED_SESSION, Carry, ExternalIdMask, Gives, Operation, Policy, RoleMask, Target, USUAL_SESSION, Use,
};
use crate::arn::{AccountId, RoleArn};
use crate::clock::Moment;
use crate::identity::ProviderId;

/// What the rules need, account by account.
#[derive(Debug)]
pub struct Needs {
    /// Every known account, ordered by id.
    pub accounts: Vec<AccountNeeds>,
    /// Rules whose roles are known only with people's groups, and what these can be.
    pub open: Vec<(Arc<str>, Vec<RoleMask>)>,
    /// What must be known beside.
    pub notes: Vec<String>,
    /// What the AWS identity that Rolegate runs under takes itself: it must be allowed to.
    pub own: BTreeMap<RoleArn, Carries>,
}

/// What the rules need in one account.
#[derive(Debug)]
pub struct AccountNeeds {
    /// The account.
    pub account: Arc<Account>,
    /// OpenID Connect providers, by issuer.
    pub oidc: BTreeMap<String, OidcNeed>,
    /// SAML providers, by name.
    pub saml: BTreeMap<String, SamlNeed>,
    /// Roles.
    pub roles: BTreeMap<RoleArn, RoleNeed>,
    /// IAM users, by the id under which Rolegate holds them.
    pub users: BTreeMap<String, UserNeed>,
}

/// An OpenID Connect provider.
#[derive(Debug, Default)]
pub struct OidcNeed {
    /// Its client ids.
    pub clients: BTreeSet<String>,
    /// The provider of ours that it is; none for Rolegate's own issuer.
    pub upstream: Option<ProviderId>,
}

/// A SAML provider.
#[derive(Debug)]
pub struct SamlNeed {
    /// Where its metadata document comes from.
    pub source: SamlSource,
}

/// Where a metadata document comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SamlSource {
    /// `rolegate metadata idp` prints it.
    Rolegate,
    /// It is another provider's.
    Upstream {
        /// The provider.
        id: ProviderId,
        /// A URL or a file.
        place: String,
    },
}

/// A role that rules can give, or that is on the way to one.
#[derive(Debug)]
pub struct RoleNeed {
    /// The role.
    pub role: RoleArn,
    /// The rules that need it.
    pub rules: BTreeSet<Arc<str>>,
    /// How it is entered.
    pub doors: BTreeMap<Door, Way>,
    /// The longest session that rules allow, in whole seconds; never less than what every role allows.
    pub max_session: u64,
    /// The roles that are taken with its credentials.
    pub leads_to: BTreeMap<RoleArn, Carries>,
}

/// How a role is entered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// With tokens that Rolegate mints.
    Minted,
    /// With ID tokens of an issuer, passed on.
    Forwarded(String),
    /// With SAML responses that Rolegate mints.
    Saml,
    /// With SAML responses of a provider, passed on.
    ForwardedSaml(ProviderId),
    /// With the AWS identity that Rolegate runs under.
    OwnIdentity,
    /// With the credentials of a role on the way.
    Hub(RoleArn),
}

/// What comes through a door.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// The providers whose people come; none for those of all.
    pub people: Option<BTreeSet<ProviderId>>,
    /// The audiences of forwarded tokens.
    pub clients: BTreeSet<String>,
    /// What the session carries.
    pub carries: Carries,
    /// The external ids that are sent.
    pub external: ExternalIds,
}

/// External ids, where rules send one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalIds {
    /// Those that are sent.
    pub sent: BTreeSet<ExternalIdMask>,
    /// The rules that send none, so that the role cannot demand one.
    pub without: BTreeSet<Arc<str>>,
}

/// What a session carries that the trust policy must allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carries {
    /// The keys of session tags.
    pub tag_keys: BTreeSet<String>,
    /// Whether tags must be let in; none if there are none.
    pub tags: Option<Need>,
    /// Whether a source identity must be let in; none if there is none.
    pub source_identity: Option<Need>,
}

/// How much something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Without it Rolegate asks once more, for less.
    Wanted,
    /// Without it the role is refused.
    Required,
}

/// An IAM user whose keys ask without a role.
#[derive(Debug, Clone, Default)]
pub struct UserNeed {
    /// The rules that need it.
    pub rules: BTreeSet<Arc<str>>,
    /// Whether it must be allowed `sts:GetFederationToken`. For `GetSessionToken` no permission is needed.
    pub federates: bool,
    /// The keys of session tags.
    pub tag_keys: BTreeSet<String>,
    /// The id of its access key, if it is known.
    pub access_key: Option<String>,
}

impl Needs {
    /// What the rules of a policy need, with these roles that rules build from people's groups.
    #[must_use]
    pub fn of(policy: &Policy, federation: &Federation<'_>, built: &[Built], now: Moment) -> Self {
        let known = policy.accounts().iter().map(|account| (account.id, account)).collect();
        let accounts = policy.accounts().iter().map(|account| (account.id, AccountNeeds::new(account))).collect();
        let mut gathered = Gathered { accounts, federation, known };
        let (mut notes, mut open, mut own) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut by_role: BTreeMap<RoleArn, Vec<Arc<Use<'_>>>> = BTreeMap::new();
        for given in policy.uses() {
            if given.until.is_some_and(|until| until <= now) {
                notes.push(format!("the rule {} has run out and is left out", given.rule));
                continue;
            }
            let given = Arc::new(given);
            match &given.gives {
                Gives::Listed(places) => {
                    for (target, account) in places {
                        match target {
                            Target::Role(role) => by_role.entry(role.clone()).or_default().push(Arc::clone(&given)),
                            Target::Federated(_) | Target::IamUser(_) => gathered.user(&given, account),
                        }
                    }
                }
                Gives::Built(masks) => {
                    open.push((Arc::clone(given.rule), masks.clone()));
                    let roles: BTreeSet<_> = built.iter().filter(|built| built.rule == *given.rule).map(|built| &built.role).collect();
                    for role in roles {
                        by_role.entry(role.clone()).or_default().push(Arc::clone(&given));
                    }
                }
            }
        }
        for (role, uses) in &by_role {
            gathered.role(role, uses, &mut own);
        }
        let accounts = gathered.accounts.into_values().collect();
        Self { accounts, open, notes, own }
    }

    /// What is needed in one account.
    #[must_use]
    pub fn in_account(&self, id: AccountId) -> Option<&AccountNeeds> {
        self.accounts.iter().find(|needs| needs.account.id == id)
    }

    /// The same for these accounts alone; for all if none is named.
    #[must_use]
    pub fn only(mut self, ids: &[AccountId]) -> Self {
        self.accounts.retain(|needs| ids.is_empty() || ids.contains(&needs.account.id));
        self
    }

    /// The same without accounts in which nothing is needed.
    #[must_use]
    pub fn without_idle_accounts(mut self) -> Self {
        self.accounts.retain(|needs| !needs.is_idle());
        self
    }
}

impl AccountNeeds {
    fn new(account: &Arc<Account>) -> Self {
        let account = Arc::clone(account);
        Self { account, oidc: BTreeMap::new(), saml: BTreeMap::new(), roles: BTreeMap::new(), users: BTreeMap::new() }
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.roles.is_empty() && self.users.is_empty()
    }
}

struct Gathered<'a> {
    accounts: BTreeMap<AccountId, AccountNeeds>,
    federation: &'a Federation<'a>,
    known: HashMap<AccountId, &'a Arc<Account>>,
}

impl Gathered<'_> {
    fn account(&mut self, account: &Arc<Account>) -> &mut AccountNeeds {
        self.accounts.entry(account.id).or_insert_with(|| AccountNeeds::new(account))
    }

    fn user(&mut self, given: &Use<'_>, account: &Arc<Account>) {
        let Some(user) = given.iam_user else { return };
        let access_key = self.federation.access_keys.get(&user.id).cloned();
        let need = self.account(account).users.entry(user.id.clone()).or_default();
        need.rules.insert(Arc::clone(given.rule));
        need.access_key = access_key;
        if given.operation == Some(Operation::FederationToken) {
            need.federates = true;
            if given.carry_tags != Some(Carry::Off) {
                need.tag_keys.extend(given.tag_keys.iter().map(|key| (*key).to_owned()));
            }
        }
    }

    /// Everything that one role needs, and what lies on the way to it.
    fn role(&mut self, role: &RoleArn, uses: &[Arc<Use<'_>>], own: &mut BTreeMap<RoleArn, Carries>) {
        let Some(account) = self.known.get(&role.account()).map(|account| Arc::clone(account)) else { return };
        let mut doors: BTreeMap<Door, Way> = BTreeMap::new();
        for given in uses {
            for (door, clients) in self.doors_of(given) {
                let way = doors.entry(door).or_insert_with(|| Way { people: Some(BTreeSet::new()), ..Way::default() });
                way.add(given);
                way.clients.extend(clients);
            }
        }
        for (door, way) in &mut doors {
            way.carries = Carries::of(door, uses);
        }
        for given in uses {
            if let Some(hub) = given.hub {
                let carries = doors.get(&Door::Hub(hub.role.clone())).map(|way| way.carries.clone()).unwrap_or_default();
                self.hub(given, role, &carries, own);
            }
        }
        if let Some(way) = doors.get(&Door::OwnIdentity) {
            own.entry(role.clone()).or_default().add(&way.carries);
        }
        self.providers(&account, &doors);
        let need = self.role_need(role, &account);
        need.rules.extend(uses.iter().map(|given| Arc::clone(given.rule)));
        need.max_session = need.max_session.max(longest(uses).as_secs());
        for (door, way) in doors {
            need.doors.entry(door).and_modify(|known| known.merge(&way)).or_insert(way);
        }
    }

    fn role_need(&mut self, role: &RoleArn, account: &Arc<Account>) -> &mut RoleNeed {
        self.account(account).roles.entry(role.clone()).or_insert_with(|| RoleNeed {
            role: role.clone(),
            rules: BTreeSet::new(),
            doors: BTreeMap::new(),
            max_session: USUAL_SESSION.as_secs(),
            leads_to: BTreeMap::new(),
        })
    }

    /// The role on the way: it is entered as the person too, without tags, which go with the last role.
    fn hub(&mut self, given: &Use<'_>, to: &RoleArn, carries: &Carries, own: &mut BTreeMap<RoleArn, Carries>) {
        let Some(hub) = given.hub else { return };
        let door = match hub.operation {
            Operation::AssumeRole => Door::OwnIdentity,
            Operation::Saml => Door::Saml,
            _ => Door::Minted,
        };
        let mut way = Way { people: Some(BTreeSet::new()), ..Way::default() };
        way.add(given);
        // The external id is for the last role.
        way.external = ExternalIds::default();
        way.carries.source_identity = carries.source_identity;
        if door == Door::OwnIdentity {
            own.entry(hub.role.clone()).or_default().add(&way.carries);
        }
        self.providers(&hub.account, &BTreeMap::from([(door.clone(), way.clone())]));
        let need = self.role_need(&hub.role, &hub.account);
        need.rules.insert(Arc::clone(given.rule));
        need.leads_to.entry(to.clone()).or_default().add(carries);
        need.doors.entry(door).and_modify(|known| known.merge(&way)).or_insert(way);
    }

    /// The doors that one rule uses by itself, and the audiences of what is forwarded.
    fn doors_of(&self, given: &Use<'_>) -> Vec<(Door, Vec<String>)> {
        let upstreams = self.federation.upstreams_of(given.providers);
        match given.operation.unwrap_or_default() {
            Operation::WebIdentity => vec![(Door::Minted, Vec::new())],
            Operation::Saml => vec![(Door::Saml, Vec::new())],
            Operation::AssumeRole => {
                let door = given.hub.map_or(Door::OwnIdentity, |hub| Door::Hub(hub.role.clone()));
                vec![(door, Vec::new())]
            }
            Operation::ForwardedWebIdentity => {
                let issuers = upstreams.filter_map(|upstream| match &upstream.kind {
                    UpstreamKind::Oidc { issuers, client_id } => Some(issuers.iter().map(move |issuer| (issuer, client_id))),
                    UpstreamKind::Saml { .. } => None,
                });
                issuers.flatten().map(|(issuer, client)| (Door::Forwarded(issuer.clone()), vec![client.clone()])).collect()
            }
            Operation::ForwardedSaml => {
                let is_for_aws = |kind: &UpstreamKind| matches!(kind, UpstreamKind::Saml { recipient: Some(_), .. });
                upstreams.filter(|upstream| is_for_aws(&upstream.kind)).map(|up| (Door::ForwardedSaml(up.id.clone()), Vec::new())).collect()
            }
            Operation::FederationToken | Operation::SessionToken => Vec::new(),
        }
    }

    /// The providers in IAM that doors hang on.
    fn providers(&mut self, account: &Arc<Account>, doors: &BTreeMap<Door, Way>) {
        let federation = self.federation;
        for (door, way) in doors {
            match door {
                Door::Minted => {
                    let oidc = self.account(account).oidc.entry(federation.issuer.url().to_owned()).or_default();
                    oidc.clients.insert(federation.issuer.audience().to_owned());
                }
                Door::Forwarded(issuer) if !is_built_in(issuer) => {
                    let is_of = |kind: &UpstreamKind| matches!(kind, UpstreamKind::Oidc { issuers, .. } if issuers.contains(issuer));
                    let upstream = federation.upstreams.iter().find(|upstream| is_of(&upstream.kind));
                    let oidc = self.account(account).oidc.entry(issuer.clone()).or_default();
                    oidc.clients.extend(way.clients.iter().cloned());
                    oidc.upstream = upstream.map(|upstream| upstream.id.clone());
                }
                Door::Saml => {
                    let arn = federation.issuer.saml().and_then(|saml| saml.provider(account).ok());
                    let source = SamlSource::Rolegate;
                    self.account(account).saml.extend(arn.map(|arn| (arn.name().to_owned(), SamlNeed { source })));
                }
                Door::ForwardedSaml(id) => {
                    let found = federation.upstreams.iter().find(|upstream| upstream.id == *id);
                    if let Some(UpstreamKind::Saml { metadata, .. }) = found.map(|upstream| &upstream.kind) {
                        let source = SamlSource::Upstream { id: id.clone(), place: metadata.clone() };
                        self.account(account).saml.insert(id.to_string(), SamlNeed { source });
                    }
                }
                Door::Forwarded(_) | Door::OwnIdentity | Door::Hub(_) => {}
            }
        }
    }
}

/// The longest session that one of the rules allows; what no rule says is an hour.
fn longest(uses: &[Arc<Use<'_>>]) -> Duration {
    let each = uses.iter().map(|given| {
        let wanted = given.max_session.unwrap_or(USUAL_SESSION);
        if given.hub.is_some() { wanted.min(CHAINED_SESSION) } else { wanted }
    });
    each.max().unwrap_or(USUAL_SESSION)
}

impl Way {
    /// Adds the people of a rule, and its external id.
    fn add(&mut self, given: &Use<'_>) {
        match &mut self.people {
            Some(people) if !given.providers.is_empty() => people.extend(given.providers.iter().cloned()),
            people => *people = None,
        }
        match &given.external_id {
            Some(mask) => self.external.sent.insert(mask.clone()),
            None => self.external.without.insert(Arc::clone(given.rule)),
        };
    }

    fn merge(&mut self, other: &Self) {
        self.people = self.people.take().zip(other.people.clone()).map(|(one, other)| one.union(&other).cloned().collect());
        self.clients.extend(other.clients.iter().cloned());
        self.carries.add(&other.carries);
        self.external.sent.extend(other.external.sent.iter().cloned());
        self.external.without.extend(other.external.without.iter().cloned());
    }

    /// Whether somebody can come who is no provider's in particular.
    #[must_use]
    pub const fn is_for_everyone(&self) -> bool {
        self.people.is_none()
    }
}

impl ExternalIds {
    /// Whether the role can demand one of these.
    #[must_use]
    pub fn can_be_demanded(&self) -> bool {
        !self.sent.is_empty() && self.without.is_empty()
    }
}

impl Carries {
    /// What the rules of one role bring through a door. Rules meet in people where their operations do not contradict each other.
    fn of(door: &Door, uses: &[Arc<Use<'_>>]) -> Self {
        let Some(operation) = door.operation() else { return Self::default() };
        let meeting: Vec<_> = uses.iter().filter(|given| given.operation.is_none_or(|own| own == operation)).collect();
        // Each alone with no opinion carries; one that switches it off counts for nothing beside one that does not.
        let need = |of: fn(&Use<'_>) -> Option<Carry>, count: &dyn Fn(&Use<'_>) -> bool| {
            let said = meeting.iter().filter(|given| count(given)).filter_map(|given| match of(given).unwrap_or_default() {
                Carry::Required => Some(Need::Required),
                Carry::IfAllowed => Some(Need::Wanted),
                Carry::Off => None,
            });
            said.max()
        };
        let anybody_sends = meeting.iter().any(|given| given.carry_tags.is_some_and(|carry| carry != Carry::Off));
        let sent = |given: &Use<'_>| !given.tag_keys.is_empty() && (anybody_sends || given.carry_tags != Some(Carry::Off));
        let tag_keys: BTreeSet<_> =
            meeting.iter().filter(|given| sent(given)).flat_map(|given| given.tag_keys.iter().map(|key| (*key).to_owned())).collect();
        let opinion = need(|given| given.carry_tags, &|given| !given.tag_keys.is_empty() || given.carry_tags.is_some());
        let tags = if tag_keys.is_empty() { None } else { opinion };
        Self { tag_keys, tags, source_identity: need(|given| given.carry_source_identity, &|_| true) }
    }

    fn add(&mut self, other: &Self) {
        self.tag_keys.extend(other.tag_keys.iter().cloned());
        self.tags = self.tags.max(other.tags);
        self.source_identity = self.source_identity.max(other.source_identity);
    }
}

impl Door {
    /// The operation of rules that use it; none where Rolegate says nothing of what the session carries.
    const fn operation(&self) -> Option<Operation> {
        match self {
            Self::Minted => Some(Operation::WebIdentity),
            Self::Saml => Some(Operation::Saml),
            Self::OwnIdentity | Self::Hub(_) => Some(Operation::AssumeRole),
            Self::Forwarded(_) | Self::ForwardedSaml(_) => None,
        }
    }

    /// The action that a trust policy allows for it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Minted | Self::Forwarded(_) => "sts:AssumeRoleWithWebIdentity",
            Self::Saml | Self::ForwardedSaml(_) => "sts:AssumeRoleWithSAML",
            Self::OwnIdentity | Self::Hub(_) => "sts:AssumeRole",
        }
    }
}

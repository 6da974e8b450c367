//! What the rules need of IAM.
//!
//! A role is entered by [`Door`]s, one for each way in which rules take it. What people bring there is the sum of what each rule alone and
//! all of them together can bring: nobody knows beforehand which rules meet in one person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::doors::{Carries, Door, ExternalIds, Way};
use super::federation::{Federation, UpstreamKind, is_built_in};
use crate::access::{Account, Built, CHAINED_SESSION, Carry, Gives, Operation, Policy, RoleMask, Target, USUAL_SESSION, Use};
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
        let (ended, living): (Vec<_>, Vec<_>) = policy.uses().partition(|given| given.until.is_some_and(|until| until <= now));
        notes.extend(ended.iter().map(|given| format!("the rule {} has run out and is left out", given.rule)));
        let living: Vec<_> = living.into_iter().map(Arc::new).collect();
        for given in &living {
            let Gives::Listed(places) = &given.gives else { continue };
            for (target, account) in places {
                match target {
                    Target::Role(role) => by_role.entry(role.clone()).or_default().push(Arc::clone(given)),
                    Target::Federated(_) | Target::IamUser(_) => gathered.user(given, account),
                }
            }
        }
        for given in &living {
            let Gives::Built(masks) = &given.gives else { continue };
            open.push((Arc::clone(given.rule), masks.clone()));
            for built in built.iter().filter(|built| built.rule == *given.rule) {
                by_role.entry(built.role.clone()).or_default();
            }
        }
        // A role that one rule names, or makes for somebody, another one can make too: people may come to it by both.
        for (role, uses) in &mut by_role {
            let can_make =
                |given: &&Arc<Use<'_>>| matches!(&given.gives, Gives::Built(masks) if masks.iter().any(|mask| mask.matches(role)));
            uses.extend(living.iter().filter(can_make).cloned());
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
                let way = doors.entry(door).or_default();
                way.add(given, self.federation);
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
        let mut way = Way::default();
        way.add(given, self.federation);
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
                    UpstreamKind::Saml { .. } | UpstreamKind::Workload => None,
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

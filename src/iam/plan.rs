//! The documents that the needs come to: trust policies, and what hubs, users and Rolegate's own identity must be allowed.

use std::collections::{BTreeMap, BTreeSet};

use super::doors::{Carries, Door, Way};
use super::federation::{Federation, UpstreamKind, bare, oidc_principal, oidc_provider_arn, saml_provider_arn};
use super::needs::{AccountNeeds, Needs, RoleNeed, SamlSource, UserNeed};
use super::node::{Node, Parameter};
use crate::access::{Account, ExternalIdMask, RoleMask};
use crate::arn::RoleArn;
use crate::trust::SamlIssuer;

/// IAM's policy language of 2012, without which it knows no variables.
pub(super) const VERSION: &str = "2012-10-17";

/// The longest trust policy without a higher quota, in characters; IAM counts no white space (IAM User Guide, "IAM and AWS STS quotas").
const LONGEST_TRUST_POLICY: usize = 2048;

/// The trust policy of a role.
pub(super) fn trust_policy(account: &Account, need: &RoleNeed, federation: &Federation<'_>) -> Node {
    let statements = need.doors.iter().flat_map(|(door, way)| door_statements(account, door, way, federation, need.doors.len() > 1));
    document(statements.collect())
}

fn document(statements: Vec<Node>) -> Node {
    Node::object([("Version", Node::text(VERSION)), ("Statement", Node::List(statements))])
}

/// Conditions by operator and key.
type Conditions = Vec<(&'static str, Vec<(String, Node)>)>;

/// One to three statements: to take the role, and to bring tags and a source identity.
fn door_statements(account: &Account, door: &Door, way: &Way, federation: &Federation<'_>, several: bool) -> Vec<Node> {
    let principal = Node::object([principal(account, door, federation)]);
    let suffix = if several { door_word(door) } else { String::new() };
    let statement = |sid: &str, action: &str, conditions: Conditions| {
        let mut members = vec![
            ("Sid", Node::text(format!("Rolegate{sid}{suffix}"))),
            ("Effect", Node::text("Allow")),
            ("Principal", principal.clone()),
            ("Action", Node::text(action)),
        ];
        if !conditions.is_empty() {
            let conditions = conditions.into_iter().map(|(operator, keys)| (operator, Node::Object(keys)));
            members.push(("Condition", Node::object(conditions)));
        }
        Node::object(members)
    };
    let enter = door_conditions(account, door, way, federation);
    let mut statements = vec![statement("SignIn", door.action(), enter)];
    let bound = attribute_conditions(door, federation);
    if way.carries.tags.is_some() {
        let mut conditions = bound.clone();
        conditions.push(("ForAllValues:StringEquals", vec![("aws:TagKeys".into(), Node::texts(way.carries.tag_keys.iter().cloned()))]));
        statements.push(statement("Tags", "sts:TagSession", conditions));
    }
    if way.carries.source_identity.is_some() {
        statements.push(statement("SourceIdentity", "sts:SetSourceIdentity", bound));
    }
    statements
}

/// Statement ids are letters and digits, each once in a policy; short, because IAM counts a trust policy's characters.
fn door_word(door: &Door) -> String {
    match door {
        Door::Minted => "Token".into(),
        Door::Saml => "Saml".into(),
        Door::OwnIdentity => "Own".into(),
        Door::Forwarded(issuer) => digest(issuer),
        Door::ForwardedSaml(id) => digest(id.as_str()),
        Door::Hub(hub) => digest(hub.as_str()),
    }
}

/// Eight hex digits of a text's SHA-256: keeps names apart that look alike once they are cut to an alphabet.
pub(super) fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    data_encoding::HEXLOWER.encode(digest.as_ref().get(..4).unwrap_or_default())
}

fn principal(account: &Account, door: &Door, federation: &Federation<'_>) -> (&'static str, Node) {
    match door {
        Door::Minted => ("Federated", Node::text(federation.minted_provider(account))),
        Door::Forwarded(issuer) => ("Federated", Node::text(oidc_principal(account, issuer))),
        Door::Saml => ("Federated", Node::text(federation.saml_provider(account).unwrap_or_default())),
        Door::ForwardedSaml(id) => ("Federated", Node::text(saml_provider_arn(account, id.as_str()))),
        Door::OwnIdentity if federation.identities.is_empty() => ("AWS", Node::Parameter(Parameter::OwnIdentity)),
        Door::OwnIdentity => ("AWS", Node::one_or_more(federation.identities.iter().cloned())),
        Door::Hub(hub) => ("AWS", Node::text(hub.as_str())),
    }
}

/// A text that a policy of 2012 takes as itself: `${` would begin a variable.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "${$}{")
}

fn door_conditions(account: &Account, door: &Door, way: &Way, federation: &Federation<'_>) -> Conditions {
    match door {
        Door::Minted => {
            let host = bare(federation.issuer.url());
            let mut conditions = vec![("StringEquals", vec![(format!("{host}:aud"), Node::text(literal(federation.issuer.audience())))])];
            if !way.everybody {
                let subjects = way.providers.iter().map(|provider| format!("{provider}+*"));
                conditions.push(("StringLike", vec![(format!("{host}:sub"), Node::one_or_more(subjects))]));
            }
            // STS refuses a token that names another role in any case, with this one that names none too.
            conditions.push(("Bool", vec![("sts:RoleAuthorizedByIdp".into(), Node::text("true"))]));
            conditions
        }
        Door::Forwarded(issuer) => {
            let audiences = Node::one_or_more(way.clients.iter().map(|client| literal(client)));
            vec![("StringEquals", vec![(format!("{}:aud", bare(issuer)), audiences)])]
        }
        Door::Saml => {
            let audiences = Node::one_or_more(federation.saml_audiences(account).iter().map(|url| literal(url)));
            let mut keys = vec![("saml:aud".to_owned(), audiences)];
            keys.extend(federation.issuer.saml().map(|saml| ("saml:iss".to_owned(), Node::text(literal(saml.entity_id())))));
            vec![("StringEquals", keys)]
        }
        Door::ForwardedSaml(id) => {
            let upstream = federation.upstreams.iter().find(|upstream| upstream.id == *id);
            let Some(UpstreamKind::Saml { recipient, entity_id, .. }) = upstream.map(|upstream| &upstream.kind) else { return Vec::new() };
            let audience = recipient.iter().map(|url| ("saml:aud".to_owned(), Node::text(literal(url))));
            let issuer = entity_id.iter().map(|id| ("saml:iss".to_owned(), Node::text(literal(id))));
            vec![("StringEquals", audience.chain(issuer).collect())]
        }
        Door::OwnIdentity | Door::Hub(_) => external_id(way),
    }
}

/// What must hold for tags and source identity: the token is for AWS, the response is ours.
fn attribute_conditions(door: &Door, federation: &Federation<'_>) -> Conditions {
    match door {
        Door::Minted => {
            let key = format!("{}:aud", bare(federation.issuer.url()));
            vec![("StringEquals", vec![(key, Node::text(literal(federation.issuer.audience())))])]
        }
        Door::Saml => {
            let issuer = federation.issuer.saml().map(|saml| Node::text(literal(saml.entity_id())));
            issuer.map(|issuer| ("StringEquals", vec![("saml:iss".to_owned(), issuer)])).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn external_id(way: &Way) -> Conditions {
    if !way.external.can_be_demanded() {
        return Vec::new();
    }
    let varies = way.external.sent.iter().any(ExternalIdMask::varies);
    let ids = Node::one_or_more(way.external.sent.iter().map(ExternalIdMask::as_str));
    vec![(if varies { "StringLike" } else { "StringEquals" }, vec![("sts:ExternalId".into(), ids)])]
}

/// What somebody must be allowed who takes these roles with AWS credentials.
pub(super) fn assuming(roles: &BTreeMap<RoleArn, Carries>) -> Node {
    let mut statements = Vec::new();
    let mut allow = |action: &str, roles: Vec<&RoleArn>| {
        if !roles.is_empty() {
            let resources = Node::one_or_more(roles.iter().map(|role| role.as_str()));
            statements.push(Node::object([("Effect", Node::text("Allow")), ("Action", Node::text(action)), ("Resource", resources)]));
        }
    };
    allow("sts:AssumeRole", roles.keys().collect());
    let with = |carried: fn(&Carries) -> bool| roles.iter().filter(|(_, carries)| carried(carries)).map(|(role, _)| role).collect();
    allow("sts:TagSession", with(|carries| carries.tags.is_some()));
    allow("sts:SetSourceIdentity", with(|carries| carries.source_identity.is_some()));
    document(statements)
}

/// What an IAM user must be allowed whose keys ask for federated sessions (IAM User Guide, "Permissions for `GetFederationToken`").
pub(super) fn federating(account: &Account, user: &UserNeed) -> Node {
    let mut statements = vec![Node::object([
        ("Effect", Node::text("Allow")),
        ("Action", Node::text("sts:GetFederationToken")),
        ("Resource", Node::text(format!("arn:{}:sts::{}:federated-user/*", account.partition, account.id))),
    ])];
    if !user.tag_keys.is_empty() {
        let keys = Node::object([("aws:TagKeys", Node::texts(user.tag_keys.iter().cloned()))]);
        statements.push(Node::object([
            ("Effect", Node::text("Allow")),
            ("Action", Node::text("sts:TagSession")),
            ("Resource", Node::text("*")),
            ("Condition", Node::object([("ForAllValues:StringEquals", keys)])),
        ]));
    }
    document(statements)
}

/// What a reader of the plan must know beside it, for one account.
pub(super) fn notes(needs: &AccountNeeds, federation: &Federation<'_>) -> Vec<String> {
    let mut notes = saml_notes(needs, federation);
    for need in needs.roles.values() {
        let name = need.role.path_and_name();
        let length = trust_policy(&needs.account, need, federation).compact().len();
        if length > LONGEST_TRUST_POLICY {
            notes.push(format!(
                "{name}: its trust policy has {length} characters, and IAM takes {LONGEST_TRUST_POLICY} unless its quota was raised"
            ));
        }
        for (door, way) in &need.doors {
            notes.extend(door_notes(needs, name, door, way, federation));
        }
    }
    for (id, user) in &needs.users {
        let key = user.access_key.as_deref().unwrap_or("?");
        notes.push(if user.federates {
            format!("attach the policy RolegateFederation-{id} to the IAM user of the access key {key}")
        } else {
            format!("the IAM user {id} (access key {key}) asks by GetSessionToken, for which it needs no permission")
        });
    }
    notes
}

fn saml_notes(needs: &AccountNeeds, federation: &Federation<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, saml) in &needs.saml {
        notes.push(match &saml.source {
            SamlSource::Rolegate => {
                let encrypted = if needs.account.saml_acs_id.is_some() { "; it decrypts with a private key of its own" } else { "" };
                format!("the metadata of the SAML provider {name} is what `rolegate metadata idp --config FILE` prints{encrypted}")
            }
            SamlSource::Upstream { id, place } => format!(
                "the metadata of the SAML provider {name} is that of {id}, from {place}; its attribute Role must name this provider beside each role"
            ),
        });
    }
    let is_ours = needs.saml.values().any(|saml| saml.source == SamlSource::Rolegate);
    if is_ours && federation.issuer.saml().is_some_and(SamlIssuer::is_ephemeral) {
        notes.push("trust.saml has no signing_key: IAM would be told a key that is gone at the next start".into());
    }
    notes
}

fn door_notes(needs: &AccountNeeds, name: &str, door: &Door, way: &Way, federation: &Federation<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    match door {
        Door::Forwarded(issuer) => notes.push(format!(
            "{name}: a forwarded token names no role, so that everybody whom {} lets in for this client can take it without Rolegate: narrow \
             it by sub",
            bare(issuer)
        )),
        Door::OwnIdentity if federation.identities.is_empty() => {
            notes.push(format!("{name}: it is taken by the AWS identity that Rolegate runs under: say which one by --identity ARN"));
        }
        Door::Hub(hub) if hub.account() != needs.account.id => {
            notes.push(format!("{name}: IAM must know {hub} first, as it looks for the roles that a trust policy names"));
        }
        _ => {}
    }
    if !way.external.sent.is_empty() && !way.external.without.is_empty() {
        let rules = way.external.without.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
        notes.push(format!("{name}: it cannot demand an external id, because these rules send none: {rules}"));
    }
    for mask in way.external.sent.iter().filter(|mask| mask.varies()) {
        notes.push(format!("{name}: its external id hangs on the person: the trust policy takes whatever fits {}", mask.as_str()));
    }
    notes
}

/// What is said of rules whose roles are not known.
pub(super) fn open_note(rule: &str, masks: &[RoleMask], people_are_known: bool) -> Option<String> {
    let shown = masks.iter().take(3).map(RoleMask::as_str).collect::<Vec<_>>().join(", ");
    let more = if masks.len() > 3 { format!(" and {} more", masks.len() - 3) } else { String::new() };
    (!people_are_known).then(|| {
        format!("the rule {rule} makes its roles from names of groups ({shown}{more}): they are not in this plan; say whom there is by --people FILE")
    })
}

impl Needs {
    /// Notes that are about no account in particular.
    #[must_use]
    pub fn notes(&self, people_are_known: bool) -> Vec<String> {
        let open = self.open.iter().filter_map(|(rule, masks)| open_note(rule, masks, people_are_known));
        self.notes.iter().cloned().chain(open).collect()
    }
}

/// The plan as JSON: the providers, and the roles with their trust policies, account by account.
#[must_use]
pub fn json(needs: &Needs, federation: &Federation<'_>, people_are_known: bool) -> String {
    let accounts = needs.accounts.iter().map(|account| account_node(account, federation)).collect();
    let mut members = vec![("accounts", Node::List(accounts))];
    if !needs.own.is_empty() {
        members.push(("identity_policy", assuming(&needs.own)));
    }
    members.push(("notes", Node::texts(needs.notes(people_are_known))));
    Node::object(members).pretty()
}

fn account_node(needs: &AccountNeeds, federation: &Federation<'_>) -> Node {
    let account = &needs.account;
    let oidc = needs.oidc.iter().map(|(issuer, oidc)| {
        Node::object([
            ("arn", Node::text(oidc_provider_arn(account, issuer))),
            ("url", Node::text(issuer)),
            ("client_ids", Node::texts(oidc.clients.iter().cloned())),
        ])
    });
    let saml = needs.saml.iter().map(|(name, saml)| {
        let metadata = match &saml.source {
            SamlSource::Rolegate => "rolegate metadata idp --config FILE".to_owned(),
            SamlSource::Upstream { place, .. } => place.clone(),
        };
        Node::object([
            ("arn", Node::text(saml_provider_arn(account, name))),
            ("name", Node::text(name)),
            ("metadata", Node::text(metadata)),
        ])
    });
    let users = needs.users.iter().map(|(id, user)| {
        let mut members = vec![("id", Node::text(id)), ("access_key_id", Node::text(user.access_key.clone().unwrap_or_default()))];
        members.push(("rules", rules_node(&user.rules)));
        if user.federates {
            members.push(("policy", federating(account, user)));
        }
        Node::object(members)
    });
    Node::object([
        ("account", Node::text(account.id.as_str())),
        ("name", Node::text(&account.name)),
        ("partition", Node::text(account.partition.as_str())),
        ("oidc_providers", Node::List(oidc.collect())),
        ("saml_providers", Node::List(saml.collect())),
        ("roles", Node::List(needs.roles.values().map(|need| role_node(account, need, federation)).collect())),
        ("users", Node::List(users.collect())),
        ("notes", Node::texts(notes(needs, federation))),
    ])
}

fn rules_node(rules: &BTreeSet<std::sync::Arc<str>>) -> Node {
    Node::texts(rules.iter().map(AsRef::as_ref))
}

fn role_node(account: &Account, need: &RoleNeed, federation: &Federation<'_>) -> Node {
    let mut members = vec![
        ("arn", Node::text(need.role.as_str())),
        ("name", Node::text(need.role.name())),
        ("path", Node::text(path_of(&need.role))),
        ("rules", rules_node(&need.rules)),
        ("max_session_duration", Node::Number(need.max_session)),
        ("trust_policy", trust_policy(account, need, federation)),
    ];
    if !need.leads_to.is_empty() {
        members.push(("policy", assuming(&need.leads_to)));
    }
    Node::object(members)
}

/// A role's path as IAM has it, with slashes around.
pub(super) fn path_of(role: &RoleArn) -> String {
    let path = role.path_and_name().strip_suffix(role.name()).unwrap_or_default();
    format!("/{path}")
}

//! What IAM has, as the AWS CLI prints it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::findings::{Finding, Kind, Severity};
use super::policy::{NotAPolicy, TrustPolicy};
use crate::arn::{AccountId, Partition, RoleArn};
use crate::clock::Moment;

/// What is known of IAM, account by account.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) accounts: BTreeMap<AccountId, SeenAccount>,
    /// What could not be read.
    pub(super) unread: Vec<Finding>,
}

/// What is known of one account.
#[derive(Debug, Default)]
pub(super) struct SeenAccount {
    /// By name in lower case: IAM lets no two differ in case alone.
    pub(super) roles: BTreeMap<String, SeenRole>,
    /// Whether these are all of its roles.
    pub(super) all_roles: bool,
    /// OpenID Connect providers by ARN, with their client ids as far as they are known.
    pub(super) oidc: BTreeMap<String, Option<Vec<String>>>,
    pub(super) all_oidc: bool,
    /// SAML providers by ARN, and until when their metadata is good.
    pub(super) saml: BTreeMap<String, Option<Moment>>,
    pub(super) all_saml: bool,
}

/// A role as IAM has it.
#[derive(Debug, Clone)]
pub struct SeenRole {
    /// Its ARN.
    pub role: RoleArn,
    /// Its trust policy.
    pub trust: Result<TrustPolicy, NotAPolicy>,
    /// `MaxSessionDuration` in seconds; `get-account-authorization-details` does not tell it.
    pub max_session: Option<u64>,
}

/// Where a document belongs that does not say it itself.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The file's name.
    pub name: &'a str,
    /// The account, and its partition.
    pub account: Option<(AccountId, Partition)>,
}

impl Snapshot {
    /// Adds what a file has: one document of the AWS CLI, or several one after the other.
    pub fn add(&mut self, text: &str, place: Place<'_>) {
        let mut documents = 0;
        for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            documents += 1;
            match document {
                Ok(Value::Object(document)) => self.add_document(&document, place),
                Ok(_) => self.not_understood(place, "it has something that is not an object"),
                Err(error) => return self.not_understood(place, &format!("it is not JSON: {error}")),
            }
        }
        if documents == 0 {
            self.not_understood(place, "it is empty");
        }
    }

    /// The roles of all accounts.
    pub fn roles(&self) -> impl Iterator<Item = &SeenRole> {
        self.accounts.values().flat_map(|account| account.roles.values())
    }

    fn not_understood(&mut self, place: Place<'_>, message: &str) {
        let mend = "give it what `aws iam list-roles`, `get-role`, `get-account-authorization-details`, `list-open-id-connect-providers`, \
                    `get-open-id-connect-provider` or `list-saml-providers` print as JSON";
        self.unread.push(Finding::new(Severity::Error, Kind::NotUnderstood, None, place.name, message, mend));
    }

    fn add_document(&mut self, document: &Map<String, Value>, place: Place<'_>) {
        let is_cut = document.get("IsTruncated").and_then(Value::as_bool) == Some(true);
        if is_cut {
            self.not_understood(place, "it is one page of several (IsTruncated)");
        }
        let array = |name: &str| document.get(name).and_then(Value::as_array);
        let mut known = false;
        for key in ["RoleDetailList", "Roles"] {
            if let Some(roles) = array(key) {
                known = true;
                self.add_roles(roles, !is_cut, place);
            }
        }
        if let Some(role) = document.get("Role") {
            known = true;
            self.add_roles(std::slice::from_ref(role), false, place);
        }
        if let Some(providers) = array("OpenIDConnectProviderList") {
            known = true;
            self.add_oidc_list(providers, place);
        }
        if let Some(clients) = array("ClientIDList") {
            known = true;
            self.add_oidc(document, clients, place);
        }
        if let Some(providers) = array("SAMLProviderList") {
            known = true;
            self.add_saml_list(providers, place);
        }
        // What these documents have beside is of no use here: users, groups, policies, one SAML provider's metadata.
        known |= document.contains_key("UserDetailList") || document.contains_key("SAMLMetadataDocument");
        if !known {
            self.not_understood(place, "it is none of the documents that are known here");
        }
    }

    fn add_roles(&mut self, roles: &[Value], all: bool, place: Place<'_>) {
        let mut accounts = Vec::new();
        for value in roles {
            let arn = value.get("Arn").and_then(Value::as_str).and_then(|arn| arn.parse::<RoleArn>().ok());
            let Some(role) = arn else {
                self.not_understood(place, "it has a role without an ARN of a known form");
                continue;
            };
            let trust = TrustPolicy::read(value.get("AssumeRolePolicyDocument").unwrap_or(&Value::Null));
            let max_session = value.get("MaxSessionDuration").and_then(Value::as_u64);
            if !accounts.contains(&role.account()) {
                accounts.push(role.account());
            }
            let seen = self.accounts.entry(role.account()).or_default();
            let known = seen.roles.entry(role.name().to_ascii_lowercase());
            let known = known.or_insert_with(|| SeenRole { role: role.clone(), trust: trust.clone(), max_session: None });
            (known.role, known.trust) = (role, trust);
            known.max_session = max_session.or(known.max_session);
        }
        if accounts.is_empty() {
            accounts.extend(place.account.map(|(id, _)| id));
        }
        for account in accounts.into_iter().filter(|_| all) {
            self.accounts.entry(account).or_default().all_roles = true;
        }
    }

    fn add_oidc_list(&mut self, providers: &[Value], place: Place<'_>) {
        let arns: Vec<_> = providers.iter().filter_map(|provider| provider.get("Arn")?.as_str()).collect();
        let Some(account) = arns.iter().find_map(|arn| account_of(arn)).or(place.account.map(|(id, _)| id)) else {
            return self.whose(place, "list-open-id-connect-providers");
        };
        let seen = self.accounts.entry(account).or_default();
        seen.all_oidc = true;
        for arn in arns {
            seen.oidc.entry(arn.to_owned()).or_default();
        }
    }

    /// `get-open-id-connect-provider` does not say whose it is.
    fn add_oidc(&mut self, document: &Map<String, Value>, clients: &[Value], place: Place<'_>) {
        let url = document.get("Url").and_then(Value::as_str).unwrap_or_default();
        let Some((account, partition)) = place.account else { return self.whose(place, "get-open-id-connect-provider") };
        let arn = format!("arn:{partition}:iam::{account}:oidc-provider/{}", super::federation::bare(url));
        let clients = clients.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        self.accounts.entry(account).or_default().oidc.insert(arn, Some(clients));
    }

    fn add_saml_list(&mut self, providers: &[Value], place: Place<'_>) {
        let named: Vec<_> = providers.iter().filter_map(|provider| Some((provider.get("Arn")?.as_str()?, provider))).collect();
        let Some(account) = named.iter().find_map(|(arn, _)| account_of(arn)).or(place.account.map(|(id, _)| id)) else {
            return self.whose(place, "list-saml-providers");
        };
        let seen = self.accounts.entry(account).or_default();
        seen.all_saml = true;
        for (arn, provider) in named {
            let until = provider.get("ValidUntil").and_then(Value::as_str).and_then(|text| text.parse().ok());
            seen.saml.insert(arn.to_owned(), until);
        }
    }

    fn whose(&mut self, place: Place<'_>, command: &str) {
        let message = format!("what {command} printed does not say of which account it is");
        let mend = "let the account's twelve digits stand in the file's path, or choose one account by --account";
        self.unread.push(Finding::new(Severity::Error, Kind::NotUnderstood, None, place.name, message, mend));
    }
}

fn account_of(arn: &str) -> Option<AccountId> {
    arn.split(':').nth(4)?.parse().ok()
}

/// The account that a path names by twelve digits: the last that stand there with no digit beside them.
#[must_use]
pub fn account_in(path: &str) -> Option<AccountId> {
    path.split(|character: char| !character.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).next_back()
}

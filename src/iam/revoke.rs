//! What ends one person's AWS sessions before their time.
//!
//! AWS has no call for it. A policy of the role denies everything to sessions that were issued before a moment and are the person's (IAM User
//! Guide, "Revoke IAM role temporary security credentials"). By what a session can be told from others of its role:
//!
//! - `aws:SourceIdentity`, where the session carries one: the person's stable key, also in roles that they went on to;
//! - `aws:userid`, which ends in the session's name (`AROA…:ana@example.org`; for a federated session it is `ACCOUNT:name`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::node::Node;
use super::plan::VERSION;
use crate::access::Target;
use crate::clock::Moment;

/// A session of the person, as the audit trail or the rules tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What it acts as.
    pub target: Target,
    /// Its name; none for an IAM user's own session.
    pub session_name: Option<String>,
    /// The source identity that it carries.
    pub source_identity: Option<String>,
    /// When it ends by itself at the latest.
    pub ends: Option<Moment>,
    /// The id of the access key that asked, where an IAM user's did.
    pub user_access_key: Option<String>,
}

/// What an inline policy is put on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyHolder {
    /// The role of this name.
    Role(String),
    /// The IAM user whose access key has this id: only IAM knows its name. None where the configuration no longer has the user.
    UserOf(Option<String>),
}

/// What ends a person's sessions of one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// The role, or what is none.
    pub target: Target,
    /// Its account.
    pub account: String,
    /// On what the policy is put.
    #[serde(skip)]
    pub holder: PolicyHolder,
    /// The name of the inline policy.
    pub policy_name: String,
    /// The policy.
    pub policy: serde_json::Value,
    /// The command that puts it on the role.
    pub command: String,
    /// The command that takes it off again, once the sessions would have ended.
    pub undo: String,
    /// When the last of the sessions ends by itself, as far as it is known.
    pub until: Option<Moment>,
    /// Who else it hits, and what it does not end.
    pub notes: Vec<String>,
}

/// The policies that end these sessions where they were issued before a moment, ordered by role. `person` is the person's stable key: it
/// names the policy, so that those of several people stand beside each other.
#[must_use]
pub fn revocations(sessions: &[Session], person: &str, before: Moment) -> Vec<Revocation> {
    let mut by_target: BTreeMap<&Target, Vec<&Session>> = BTreeMap::new();
    for session in sessions {
        by_target.entry(&session.target).or_default().push(session);
    }
    by_target.into_iter().map(|(target, sessions)| revocation(target, &sessions, person, before)).collect()
}

fn revocation(target: &Target, sessions: &[&Session], person: &str, before: Moment) -> Revocation {
    let mut notes = Vec::new();
    let policy = deny(target, sessions, before, &mut notes);
    // An inline policy's name has the alphabet of session names, and 128 characters at most.
    let policy_name = format!("RolegateRevoke-{}", crate::access::encode_name(person));
    let holder = holder(target, sessions);
    let (verb, at) = match &holder {
        PolicyHolder::Role(name) => ("role", format!("--role-name {}", quoted(name))),
        PolicyHolder::UserOf(key) => ("user", format!("--user-name {}", user_name(key.as_deref().unwrap_or("ACCESS_KEY_ID")))),
    };
    let text = policy.compact();
    let command = format!("aws iam put-{verb}-policy {at} --policy-name {} --policy-document {}", quoted(&policy_name), quoted(&text));
    let undo = format!("aws iam delete-{verb}-policy {at} --policy-name {}", quoted(&policy_name));
    Revocation {
        target: target.clone(),
        account: target.account().to_string(),
        holder,
        policy_name,
        // What was just written is JSON.
        policy: serde_json::from_str(&text).unwrap_or_default(),
        command,
        undo,
        until: if sessions.iter().all(|session| session.ends.is_some()) {
            sessions.iter().filter_map(|session| session.ends).max()
        } else {
            None
        },
        notes,
    }
}

fn holder(target: &Target, sessions: &[&Session]) -> PolicyHolder {
    match target {
        Target::Role(role) => PolicyHolder::Role(role.name().to_owned()),
        Target::Federated(_) | Target::IamUser(_) => {
            PolicyHolder::UserOf(sessions.iter().find_map(|session| session.user_access_key.clone()))
        }
    }
}

/// The user is known by its access key alone; IAM tells whose it is.
fn user_name(key: &str) -> String {
    format!("\"$(aws iam get-access-key-last-used --access-key-id {} --query UserName --output text)\"", quoted(key))
}

fn deny(target: &Target, sessions: &[&Session], before: Moment, notes: &mut Vec<String>) -> Node {
    let issued = Node::object([("aws:TokenIssueTime", Node::text(before.format("%Y-%m-%dT%H:%M:%SZ").to_string()))]);
    let statement = |person: Option<(&str, Node)>| {
        let mut conditions = vec![("DateLessThan".to_owned(), issued.clone())];
        conditions.extend(person.map(|(operator, keys)| (operator.to_owned(), keys)));
        Node::object([
            ("Effect", Node::text("Deny")),
            ("Action", Node::text("*")),
            ("Resource", Node::text("*")),
            ("Condition", Node::Object(conditions)),
        ])
    };
    let names = |of: &dyn Fn(&&&Session) -> bool| -> BTreeSet<&str> {
        sessions.iter().filter(of).filter_map(|session| session.session_name.as_deref()).collect()
    };
    let statements = match target {
        Target::Role(_) => {
            let identities: BTreeSet<_> = sessions.iter().filter_map(|session| session.source_identity.as_deref()).collect();
            let others = names(&|session| session.source_identity.is_none());
            let mut statements = Vec::new();
            if !identities.is_empty() {
                statements.push(statement(Some(("StringEquals", Node::object([("aws:SourceIdentity", Node::one_or_more(identities))])))));
            }
            if !others.is_empty() {
                let list = others.iter().copied().collect::<Vec<_>>().join(", ");
                notes.push(format!("sessions without a source identity are told by their name ({list}): who shares it is hit too"));
                let ids = others.into_iter().map(|name| format!("*:{name}"));
                statements.push(statement(Some(("StringLike", Node::object([("aws:userid", Node::one_or_more(ids))])))));
            }
            statements
        }
        Target::Federated(_) => {
            let ids = names(&|_| true).into_iter().map(|name| format!("{}:{name}", target.account()));
            vec![statement(Some(("StringEquals", Node::object([("aws:userid", Node::one_or_more(ids))]))))]
        }
        Target::IamUser(_) => {
            notes.push("sessions of an IAM user do not tell who opened them: it ends those of everybody who has this user".into());
            vec![statement(None)]
        }
    };
    Node::object([("Version", Node::text(VERSION)), ("Statement", Node::List(statements))])
}

/// A word for a POSIX shell, which takes nothing in it for its own.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/:".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn moment() -> Moment {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn session(target: &str, name: Option<&str>, identity: Option<&str>) -> Session {
        Session {
            target: target.parse().unwrap(),
            session_name: name.map(str::to_owned),
            source_identity: identity.map(str::to_owned),
            ends: Some(moment()),
            user_access_key: Some("AKIAIOSFODNN7EXAMPLE".into()),
        }
    }

    const ROLE: &str = "arn:aws:iam::111122223333:role/team/Dev";

    #[test]
    fn a_person_is_told_by_the_source_identity_and_else_by_the_sessions_name() {
        let sessions = [
            session(ROLE, Some("ana@example.org"), Some("okta+00u1")),
            session(ROLE, Some("ana@example.org"), Some("okta+00u1")),
            session("arn:aws:iam::111122223333:role/Other", Some("ana@example.org"), None),
        ];
        let made = revocations(&sessions, "okta+00u1", moment());
        assert_eq!(made.len(), 2);
        let (other, dev) = (&made[0], &made[1]);
        assert_eq!(
            dev.policy,
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {
                "DateLessThan": { "aws:TokenIssueTime": "2027-01-15T08:00:00Z" },
                "StringEquals": { "aws:SourceIdentity": "okta+00u1" } } }] })
        );
        assert!(dev.notes.is_empty());
        assert!(
            dev.command.starts_with("aws iam put-role-policy --role-name Dev --policy-name RolegateRevoke-okta+00u1 --policy-document '{")
        );
        assert_eq!(dev.undo, "aws iam delete-role-policy --role-name Dev --policy-name RolegateRevoke-okta+00u1");
        assert_eq!(other.policy["Statement"][0]["Condition"]["StringLike"], json!({ "aws:userid": "*:ana@example.org" }));
        assert_eq!(other.notes.len(), 1);
    }

    #[test]
    fn sessions_of_users_are_ended_at_the_user() {
        let federated = session("federated:aws:111122223333:billing", Some("ana@example.org"), None);
        let own = session("iam-user:aws:111122223333:legacy", None, None);
        let made = revocations(&[federated, own], "okta+00u1", moment());
        assert_eq!(made[0].policy["Statement"][0]["Condition"]["StringEquals"], json!({ "aws:userid": "111122223333:ana@example.org" }));
        assert!(made[0].command.contains("--access-key-id AKIAIOSFODNN7EXAMPLE "));
        let condition = made[1].policy["Statement"][0]["Condition"].as_object().unwrap();
        assert_eq!(condition.keys().collect::<Vec<_>>(), ["DateLessThan"]);
        assert!(made[1].notes[0].contains("everybody"));
    }

    #[test]
    fn what_a_shell_would_take_for_its_own_is_quoted() {
        for (word, written) in [("a@b-c", "a@b-c"), ("", "''"), ("$(id)", "'$(id)'"), ("it's", "'it'\\''s'"), ("a b;c", "'a b;c'")] {
            assert_eq!(quoted(word), written);
        }
    }
}

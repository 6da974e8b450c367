//! Trust policies as IAM has them (IAM User Guide, "JSON policy element reference").
//!
//! What this reader does not know it keeps as such, so that whoever asks the policy is told that no answer can be relied on.

use serde_json::{Map, Value};

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no policy document: {0}")]
pub struct NotAPolicy(String);

/// A trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    pub(super) statements: Vec<Statement>,
    /// Whether `${…}` are variables in it, as of the policy language of 2012.
    pub(super) has_variables: bool,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its name, or its place.
    pub(super) name: String,
    pub(super) allows: bool,
    pub(super) principals: Principals,
    pub(super) actions: Listed,
    pub(super) conditions: Vec<Condition>,
    /// Elements that are not known here.
    pub(super) unknown: Vec<String>,
}

/// `Action` and `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) patterns: Vec<String>,
    /// Whether all but these are meant.
    pub(super) inverted: bool,
}

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principals {
    /// Everybody: `"*"`.
    Everybody,
    /// These, by kind: `AWS`, `Federated`, `Service`, `CanonicalUser`.
    These(Vec<(String, String)>),
}

/// One key under one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) operator: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl TrustPolicy {
    /// Reads a policy: an object, or a text with one, which may be percent-encoded as IAM's own API has it.
    ///
    /// # Errors
    /// [`NotAPolicy`] where it has no form of a policy at all.
    pub fn read(document: &Value) -> Result<Self, NotAPolicy> {
        let wrong = |what: &str| NotAPolicy(what.to_owned());
        if let Value::String(text) = document {
            let text = if text.trim_start().starts_with('%') { percent_decoded(text) } else { text.clone() };
            let value: Value = serde_json::from_str(&text).map_err(|error| NotAPolicy(error.to_string()))?;
            return if value.is_string() { Err(wrong("a text within a text")) } else { Self::read(&value) };
        }
        let Value::Object(policy) = document else { return Err(wrong("not an object")) };
        let statements = match member(policy, "Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return Err(wrong("it has no Statement")),
        };
        let has_variables = member(policy, "Version").and_then(Value::as_str) == Some("2012-10-17");
        let read = statements.into_iter().enumerate().map(|(index, statement)| Statement::read(index, statement));
        Ok(Self { statements: read.collect::<Result<_, _>>()?, has_variables })
    }
}

impl Statement {
    fn read(index: usize, statement: &Value) -> Result<Self, NotAPolicy> {
        let at = format!("statement {}", index + 1);
        let wrong = |what: &str| NotAPolicy(format!("{at} {what}"));
        let Value::Object(statement) = statement else { return Err(wrong("is not an object")) };
        let allows = match member(statement, "Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(wrong("has no Effect")),
        };
        let known = ["Sid", "Effect", "Principal", "Action", "NotAction", "Condition"];
        let unknown: Vec<_> = statement.keys().filter(|key| !known.iter().any(|known| known.eq_ignore_ascii_case(key))).cloned().collect();
        let (actions, inverted) = match (member(statement, "Action"), member(statement, "NotAction")) {
            (Some(actions), None) => (actions, false),
            (None, Some(actions)) => (actions, true),
            _ => return Err(wrong("has no Action")),
        };
        let patterns = texts(actions).ok_or_else(|| wrong("has an Action that is no text"))?;
        let sid = member(statement, "Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty());
        Ok(Self {
            allows,
            principals: principals(member(statement, "Principal")).ok_or_else(|| wrong("has a Principal of no known form"))?,
            actions: Listed { patterns, inverted },
            conditions: conditions(member(statement, "Condition")).ok_or_else(|| wrong("has a Condition of no known form"))?,
            unknown,
            name: sid.map_or(at, str::to_owned),
        })
    }
}

/// A member by its name. IAM takes the names of elements in any case.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// One text or a list of them; numbers and truth values are taken as they are written.
fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => Some(vec![text(value)?]),
    }
}

/// Without a principal (there is `NotPrincipal`, which is unknown here) nobody is meant.
fn principals(value: Option<&Value>) -> Option<Principals> {
    match value {
        None => Some(Principals::These(Vec::new())),
        Some(Value::String(text)) if text == "*" => Some(Principals::Everybody),
        Some(Value::Object(kinds)) => {
            let mut these = Vec::new();
            for (kind, names) in kinds {
                these.extend(texts(names)?.into_iter().map(|name| (kind.clone(), name)));
            }
            Some(Principals::These(these))
        }
        Some(_) => None,
    }
}

fn conditions(value: Option<&Value>) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    let operators = match value {
        None => return Some(conditions),
        Some(value) => value.as_object()?,
    };
    for (operator, keys) in operators {
        for (key, values) in keys.as_object()? {
            conditions.push(Condition { operator: operator.clone(), key: key.clone(), values: texts(values)? });
        }
    }
    Some(conditions)
}

/// RFC 3986's percent-encoding undone; what is none stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *byte == b'%').and_then(|digits| data_encoding::HEXUPPER_PERMISSIVE.decode(digits).ok());
        if let Some([decoded]) = digits.as_deref() {
            bytes.push(*decoded);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(*byte);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_read_as_object_as_text_and_percent_encoded() {
        let object = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Principal": { "AWS": "111122223333" },
            "Action": "sts:AssumeRole", "Condition": { "Bool": { "aws:MultiFactorAuthPresent": true } } } });
        let read = TrustPolicy::read(&object).unwrap();
        assert_eq!(TrustPolicy::read(&Value::String(object.to_string())).unwrap(), read);
        let encoded = object.to_string().bytes().fold(String::new(), |text, byte| text + "%" + &data_encoding::HEXUPPER.encode(&[byte]));
        assert_eq!(TrustPolicy::read(&Value::String(encoded)).unwrap(), read);
        assert_eq!(read.statements[0].conditions[0].values, ["true"]);
        assert!(read.has_variables);
    }

    #[test]
    fn what_is_no_policy_is_refused_and_what_is_unknown_is_kept() {
        for wrong in [
            json!([]),
            json!({}),
            json!("x"),
            json!("\"x\""),
            json!({ "Statement": [{ "Effect": "Permit", "Action": "*" }] }),
            json!({ "Statement": [{ "Effect": "Allow" }] }),
            json!({ "Statement": [{ "Effect": "Allow", "Action": "*", "Principal": 7 }] }),
            json!({ "Statement": [{ "Effect": "Allow", "Action": "*", "Principal": "*", "Condition": { "Bool": [] } }] }),
        ] {
            assert!(TrustPolicy::read(&wrong).is_err(), "{wrong}");
        }
        let odd = json!({ "Statement": [{ "Effect": "Allow", "Action": "*", "NotPrincipal": { "AWS": "*" } }] });
        assert_eq!(TrustPolicy::read(&odd).unwrap().statements[0].unknown, ["NotPrincipal"]);
    }
}

//! Verified claims, read by name or by JSON pointer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The claims of a verified token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(Map<String, Value>);

/// Why a claim cannot be read as what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimShape {
    /// The claim is not there.
    Absent,
    /// The claim has another type.
    OtherType,
}

impl Claims {
    pub(crate) const fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// A claim by its name alone.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A claim by its name, or by a JSON pointer (RFC 6901) when the name begins with `/`.
    ///
    /// A name is tried as it stands first: namespaced claims such as `https://example.org/groups` are names.
    #[must_use]
    pub fn find(&self, name_or_pointer: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(name_or_pointer) {
            return Some(value);
        }
        let pointer = name_or_pointer.strip_prefix('/')?;
        let mut parts = pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
        let mut value = self.0.get(&parts.next()?)?;
        for part in parts {
            value = match value {
                Value::Object(map) => map.get(&part)?,
                Value::Array(list) => list.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// A claim that is a string.
    #[must_use]
    pub fn text(&self, name_or_pointer: &str) -> Option<&str> {
        self.find(name_or_pointer)?.as_str()
    }

    /// A claim that is one string or a list of strings, in its order.
    ///
    /// # Errors
    /// Tells an absent claim (which is not an empty list) from one of another type.
    pub fn strings(&self, name_or_pointer: &str) -> Result<Vec<String>, ClaimShape> {
        match self.find(name_or_pointer) {
            None => Err(ClaimShape::Absent),
            Some(Value::String(one)) => Ok(vec![one.clone()]),
            Some(Value::Array(list)) => {
                list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or(ClaimShape::OtherType)
            }
            Some(_) => Err(ClaimShape::OtherType),
        }
    }

    /// Puts a claim that is not there yet; one that is there stays as it was signed.
    pub(crate) fn add(&mut self, name: String, value: Value) {
        self.0.entry(name).or_insert(value);
    }

    /// Takes a claim out that must not be relied on.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// All claims, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_claim_is_found_by_name_before_pointer() {
        let claims = claims(json!({ "realm_access": { "roles": ["a"] }, "/odd": "name", "https://x/groups": "b", "a/b": { "c~d": 1 } }));
        assert_eq!(claims.strings("/realm_access/roles"), Ok(vec!["a".into()]));
        assert_eq!(claims.text("/odd"), Some("name"));
        assert_eq!(claims.strings("https://x/groups"), Ok(vec!["b".into()]));
        assert_eq!(claims.find("/a~1b/c~0d"), Some(&json!(1)));
        assert_eq!(claims.find("/realm_access/roles/7"), None);
    }

    #[test]
    fn an_absent_list_is_not_an_empty_one() {
        let claims = claims(json!({ "groups": [], "odd": [1], "n": 3 }));
        assert_eq!(claims.strings("groups"), Ok(vec![]));
        assert_eq!(claims.strings("missing"), Err(ClaimShape::Absent));
        assert_eq!(claims.strings("odd"), Err(ClaimShape::OtherType));
        assert_eq!(claims.strings("n"), Err(ClaimShape::OtherType));
    }

    #[test]
    fn what_was_signed_is_not_overwritten() {
        let mut claims = claims(json!({ "email": "signed@example.org" }));
        claims.add("email".into(), json!("other@example.org"));
        claims.add("name".into(), json!("N"));
        assert_eq!(claims.text("email"), Some("signed@example.org"));
        assert_eq!(claims.text("name"), Some("N"));
    }
}

//! Session tags in a web identity token, nested or flattened, with the limits of the STS service model.

use serde_json::{Map, Value};

use super::error::StsError;

const NESTED: &str = "https://aws.amazon.com/tags";
const FLAT_TAG: &str = "https://aws.amazon.com/tags/principal_tags/";
const FLAT_TRANSITIVE: &str = "https://aws.amazon.com/tags/transitive_tag_keys";

/// A session tag that STS accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTag {
    /// The key: 1 to 128 characters.
    pub key: String,
    /// The value: up to 256 characters.
    pub value: String,
    /// Whether it stays with the session through role chaining.
    pub transitive: bool,
}

/// The tags that the claims carry, ordered by key.
pub(super) fn read(claims: &Map<String, Value>) -> Result<Vec<SessionTag>, StsError> {
    let mut tags = Vec::new();
    let mut transitive = Vec::new();
    if let Some(nested) = claims.get(NESTED) {
        let nested = nested.as_object().ok_or_else(|| StsError::invalid_token(format!("{NESTED} is not an object.")))?;
        let principal = nested
            .get("principal_tags")
            .map_or(Ok(None), |tags| tags.as_object().map(Some).ok_or_else(|| bad("principal_tags is not an object")))?;
        for (key, value) in principal.into_iter().flatten() {
            let [Value::String(value)] = value.as_array().map(Vec::as_slice).unwrap_or_default() else {
                return Err(bad(&format!("the value of {key} is not a list of one string")));
            };
            tags.push((key.clone(), value.clone()));
        }
        transitive.extend(keys(nested.get("transitive_tag_keys"))?);
    }
    for (name, value) in claims {
        if let Some(key) = name.strip_prefix(FLAT_TAG) {
            let value = value.as_str().ok_or_else(|| bad(&format!("the value of {key} is not a string")))?;
            tags.push((key.to_owned(), value.to_owned()));
        }
    }
    transitive.extend(keys(claims.get(FLAT_TRANSITIVE))?);
    check(tags, &transitive)
}

fn keys(claim: Option<&Value>) -> Result<Vec<String>, StsError> {
    let Some(claim) = claim else {
        return Ok(Vec::new());
    };
    let list = claim.as_array().and_then(|list| list.iter().map(|key| key.as_str().map(str::to_owned)).collect());
    list.ok_or_else(|| bad("transitive_tag_keys is not a list of strings"))
}

/// The tags, ordered by key, if all keep to the limits.
pub(super) fn check(tags: Vec<(String, String)>, transitive: &[String]) -> Result<Vec<SessionTag>, StsError> {
    if tags.len() > 50 {
        return Err(bad("there are more than 50"));
    }
    let mut seen = std::collections::BTreeMap::new();
    for (key, value) in tags {
        if !(1..=128).contains(&key.chars().count()) || !key.chars().all(is_tag_char) {
            return Err(bad(&format!("the key {key:?} is not 1 to 128 letters, numbers, spaces or _.:/=+-@")));
        }
        if value.chars().count() > 256 || !value.chars().all(is_tag_char) {
            return Err(bad(&format!("the value of {key} is not up to 256 letters, numbers, spaces or _.:/=+-@")));
        }
        let folded = key.to_lowercase();
        if folded.starts_with("aws:") {
            return Err(bad(&format!("the key {key} begins with the reserved aws:")));
        }
        let tag = SessionTag { transitive: transitive.contains(&key), key, value };
        if let Some(twin) = seen.insert(folded, tag) {
            return Err(bad(&format!("the key {} stands there twice, as keys are compared without case", twin.key)));
        }
    }
    match transitive.iter().find(|key| !seen.values().any(|tag| tag.key == **key)) {
        Some(unknown) => Err(bad(&format!("the transitive key {unknown} has no tag"))),
        None => Ok(seen.into_values().collect()),
    }
}

fn bad(what: &str) -> StsError {
    StsError::invalid_token(format!("The session tags in the token are not valid: {what}."))
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`, where of the separators only spaces are taken.
fn is_tag_char(letter: char) -> bool {
    letter.is_alphanumeric() || "_.:/=+-@ ".contains(letter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(claims: &Value) -> Result<Vec<SessionTag>, String> {
        read(claims.as_object().unwrap()).map_err(|error| error.message)
    }

    fn tag(key: &str, value: &str, transitive: bool) -> SessionTag {
        SessionTag { key: key.into(), value: value.into(), transitive }
    }

    #[test]
    fn both_forms_are_read() {
        let wanted = vec![tag("CostCenter", "CC 1", false), tag("Team", "blue", true)];
        let nested = json!({NESTED: {"principal_tags": {"Team": ["blue"], "CostCenter": ["CC 1"]}, "transitive_tag_keys": ["Team"]}});
        let flat = json!({format!("{FLAT_TAG}Team"): "blue", format!("{FLAT_TAG}CostCenter"): "CC 1", FLAT_TRANSITIVE: ["Team"]});
        assert_eq!(of(&nested).unwrap(), wanted);
        assert_eq!(of(&flat).unwrap(), wanted);
        assert_eq!(of(&json!({})).unwrap(), []);
    }

    #[test]
    fn what_breaks_a_limit_is_refused_for_it() {
        let many: Map<String, Value> = (0..51).map(|n| (format!("k{n}"), json!(["v"]))).collect();
        for (tags, reason) in [
            (json!({"Team": "blue"}), "list of one string"),
            (json!({"Team": ["a", "b"]}), "list of one string"),
            (json!({"Team": []}), "list of one string"),
            (json!({"Team": [1]}), "list of one string"),
            (json!({"Team": ["a"], "team": ["b"]}), "twice"),
            (json!({"AWS:Team": ["a"]}), "reserved"),
            (json!({"": ["a"]}), "1 to 128"),
            (json!({"k".repeat(129): ["a"]}), "1 to 128"),
            (json!({"Team": ["v".repeat(257)]}), "up to 256"),
            (json!({"Team": ["<b>"]}), "up to 256"),
            (json!({"Team": ["a\nb"]}), "up to 256"),
            (Value::Object(many), "more than 50"),
        ] {
            let message = of(&json!({NESTED: {"principal_tags": tags}})).unwrap_err();
            assert!(message.contains(reason), "{message} / {reason}");
        }
        let orphan = json!({NESTED: {"principal_tags": {"A": ["1"]}, "transitive_tag_keys": ["B"]}});
        assert!(of(&orphan).unwrap_err().contains("has no tag"));
        assert!(of(&json!({NESTED: "x"})).unwrap_err().contains("not an object"));
    }
}

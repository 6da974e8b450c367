//! Whom roles are named after: people from an export of a directory, as `rolegate diff` reads them.

use std::path::Path;

use rolegate::access::{Built, Person, Policy};
use rolegate::config::Config;
use rolegate::identity::Supposed;
use rolegate::startup;
use serde_json::Value;

use super::super::{Stopped, choose, claims, read};

/// The roles that rules build from these people's groups, each once.
pub(super) fn built(path: &Path, config: &Config, policy: &Policy) -> Result<Vec<Built>, Stopped> {
    let text = read(path)?;
    let readings = startup::readings(config);
    let mut built = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let mut claims = claims(line, &format!("line {number}"))?;
        let wrapped = matches!(claims.get("claims"), Some(Value::Object(_)));
        let provider = claims.get("provider").and_then(Value::as_str).filter(|_| wrapped).map(str::to_owned);
        if let Some(Value::Object(inner)) = claims.remove("claims").filter(|_| wrapped) {
            claims = inner;
        }
        let (id, reading) = choose(&readings, provider.as_deref())?;
        let person = Supposed::new(id.clone(), reading, claims);
        let person = person.map_err(|rejected| Stopped::Unusable(format!("line {number}: the sign-in itself would be refused: {rejected}")))?;
        built.extend(policy.built_for(&Person::from(&person)));
    }
    built.sort();
    built.dedup();
    Ok(built)
}

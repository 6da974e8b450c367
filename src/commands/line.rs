//! One person in an export of a directory: a JSON object of claims in each line, or `{"provider": …, "claims": {…}}`.

use rolegate::identity::{ProviderId, Reading, Supposed};
use serde_json::{Map, Value};

use super::{Circumstances, Stopped, claims};

/// One line of the file of people.
pub(crate) struct Line {
    pub(crate) number: usize,
    /// The provider that they sign in with; none where it is not said.
    pub(crate) provider: Option<String>,
    claims: Map<String, Value>,
}

impl Line {
    pub(crate) fn of(text: &str, number: usize) -> Result<Self, Stopped> {
        let mut claims = claims(text, &format!("line {number}"))?;
        let wrapped = matches!(claims.get("claims"), Some(Value::Object(_)));
        let provider = if wrapped { claims.get("provider").and_then(Value::as_str).map(str::to_owned) } else { None };
        if let Some(Value::Object(inner)) = claims.remove("claims").filter(|_| wrapped) {
            claims = inner;
        }
        Ok(Self { number, provider, claims })
    }

    /// The person as a sign-in would make them.
    pub(crate) fn person(&self, (id, reading): &(ProviderId, Reading), circumstances: &Circumstances) -> Result<Supposed, Stopped> {
        let person = circumstances.person_at(id, reading, self.claims.clone());
        person.map_err(|stopped| match stopped {
            Stopped::Unusable(why) => Stopped::Unusable(format!("line {}: {why}", self.number)),
            other @ Stopped::No(_) => other,
        })
    }
}

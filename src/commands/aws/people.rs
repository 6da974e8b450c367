//! Whom roles are named after: people from an export of a directory, as `rolegate diff` reads them.

use std::path::Path;

use rolegate::access::{Built, Person, Policy};
use rolegate::config::Config;
use rolegate::startup;

use super::super::line::Line;
use super::super::{Circumstances, Stopped, choose, read};

/// The roles that rules build from these people's groups, each once.
pub(super) fn built(path: &Path, config: &Config, policy: &Policy) -> Result<Vec<Built>, Stopped> {
    let text = read(path)?;
    let readings = startup::readings(config);
    let mut built = Vec::new();
    for (number, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let line = Line::of(text, number)?;
        let person = line.person(choose(&readings, line.provider.as_deref())?, &Circumstances::default())?;
        built.extend(policy.built_for(&Person::from(&person)));
    }
    built.sort();
    built.dedup();
    Ok(built)
}

//! The JSON Schema of the configuration, for editors and for the hints in findings.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;
use toml::de::DeValue;

use super::ConfigFile;
use super::document::Step;

/// The JSON Schema (draft 2020-12) of the configuration file, indented.
#[must_use]
pub fn schema() -> String {
    let schema = SchemaGenerator::default().into_root_schema_for::<ConfigFile>();
    format!("{:#}\n", schema.as_value())
}

/// What a schema says about one place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The first sentence of its description.
    pub(super) about: Option<String>,
    /// What is to stand there.
    pub(super) kind: Kind,
}

/// What is to stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text in quotes.
    Text,
    /// A span of time.
    Span,
    /// A reference to a secret.
    Secret,
    /// A list.
    List,
    /// A table with known or free keys.
    Table,
    /// Anything else.
    Other,
}

/// A schema that places are looked up in.
pub(super) struct Guide(Value);

impl Guide {
    /// The guide to a type.
    pub(super) fn to<T: JsonSchema>() -> Self {
        Self(SchemaGenerator::default().into_root_schema_for::<T>().to_value())
    }

    /// What is said about the place that the steps lead to.
    pub(super) fn look_up(&self, steps: &[Step]) -> Option<Entry> {
        let mut node = &self.0;
        let mut target = self.resolve(node);
        for step in steps {
            node = match step {
                Step::Key(key) => target.get("properties").and_then(|properties| properties.get(key)).or_else(|| free_keys(target))?,
                Step::Index(_) => target.get("items")?,
            };
            target = self.resolve(node);
        }
        let about = node.get("description").or_else(|| target.get("description")).and_then(Value::as_str).map(first_sentence);
        Some(Entry { about, kind: kind(node, target) })
    }

    /// Where sections belong, as far as the schema leads.
    pub(super) fn sections(&self) -> Option<Sections> {
        self.sections_in(&self.0, DEEPEST)
    }

    fn sections_in(&self, node: &Value, deeper: usize) -> Option<Sections> {
        let target = self.resolve(node);
        let inner = |node: &Value| self.sections_in(node, deeper.checked_sub(1)?);
        match kind(node, target) {
            Kind::Table => {
                let keys = target.get("properties").and_then(Value::as_object).into_iter().flatten();
                let keys = keys.filter_map(|(key, node)| Some((key.clone(), inner(node)?))).collect();
                Some(Sections::Section { keys, others: free_keys(target).and_then(inner).map(Box::new) })
            }
            _ => target.get("items").and_then(inner).map(|items| Sections::List(Box::new(items))),
        }
    }

    /// Follows a reference, and what is optional to what it is when it is there.
    fn resolve<'v>(&'v self, node: &'v Value) -> &'v Value {
        let node = present(node);
        let name = node.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"));
        name.and_then(|name| self.0.get("$defs")?.get(name)).unwrap_or(node)
    }
}

/// What stands under keys that are the author's to choose.
fn free_keys(target: &Value) -> Option<&Value> {
    target.get("additionalProperties").filter(|others| others.is_object())
}

/// How deep sections may lie in each other. Those of a configuration lie no deeper than four.
const DEEPEST: usize = 16;

/// Where sections belong: of a schema what is needed to tell lists that stand in the place of one, made to be asked a million times.
pub(super) enum Sections {
    /// Here, with those below.
    Section {
        /// Under keys that are known.
        keys: BTreeMap<String, Sections>,
        /// Under every other key.
        others: Option<Box<Sections>>,
    },
    /// In the items of a list.
    List(Box<Sections>),
}

impl Sections {
    /// Whether a list stands where a section belongs.
    pub(super) fn forbid(&self, value: &DeValue<'_>) -> bool {
        match (self, value) {
            (Self::Section { .. }, DeValue::Array(_)) => true,
            (Self::List(inner), DeValue::Array(items)) => items.iter().any(|item| inner.forbid(item.get_ref())),
            (Self::Section { keys, others }, DeValue::Table(table)) => table.iter().any(|(key, value)| {
                matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_))
                    && keys.get(&**key.get_ref()).or(others.as_deref()).is_some_and(|inner| inner.forbid(value.get_ref()))
            }),
            _ => false,
        }
    }
}

fn kind(node: &Value, target: &Value) -> Kind {
    match present(node).get("$ref").and_then(Value::as_str) {
        Some("#/$defs/Span") => return Kind::Span,
        Some("#/$defs/SecretRef") => return Kind::Secret,
        _ => {}
    }
    // An optional value's type is a list with "null" in it.
    let is = |name: &str| match target.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    };
    if is("string") || target.get("enum").is_some() || target.get("oneOf").is_some() {
        Kind::Text
    } else if is("array") {
        Kind::List
    } else if is("object") {
        Kind::Table
    } else {
        Kind::Other
    }
}

/// Of `anyOf: [X, null]`, the X.
fn present(node: &Value) -> &Value {
    let choices = node.get("anyOf").and_then(Value::as_array);
    choices.and_then(|choices| choices.iter().find(|choice| choice.get("type").and_then(Value::as_str) != Some("null"))).unwrap_or(node)
}

fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.split_once(". ") {
        Some((first, _)) => first.to_owned(),
        None => text.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(steps: &[&str]) -> Option<Entry> {
        let steps: Vec<_> = steps.iter().map(|step| step.parse().map_or_else(|_| Step::Key((*step).to_owned()), Step::Index)).collect();
        Guide::to::<ConfigFile>().look_up(&steps)
    }

    #[test]
    fn every_kind_is_told_apart() {
        for (steps, kind) in [
            (&["public_url"][..], Kind::Text),
            (&["server"], Kind::Table),
            (&["server", "listen"], Kind::Text),
            (&["server", "workers"], Kind::Other),
            (&["server", "trusted_proxies"], Kind::List),
            (&["provider", "0"], Kind::Table),
            (&["provider", "0", "client_secret"], Kind::Secret),
            (&["provider", "0", "client_auth"], Kind::Text),
            (&["provider", "0", "max_age"], Kind::Span),
            (&["provider", "0", "mfa", "amr", "1"], Kind::Text),
            (&["trust", "retiring_keys", "0"], Kind::Secret),
            (&["aws", "deadline"], Kind::Span),
            (&["rule", "3", "max_session"], Kind::Span),
            (&["rule", "3", "operation"], Kind::Text),
            (&["rule", "0", "tags"], Kind::Table),
            (&["rule", "0", "tags", "Anything"], Kind::Text),
        ] {
            assert_eq!(look_up(steps).map(|entry| entry.kind), Some(kind), "{steps:?}");
        }
        assert_eq!(look_up(&["provider", "0", "no_such_key"]), None);
    }

    #[test]
    fn a_list_in_the_place_of_a_section_is_found_wherever_it_stands() {
        let sections = Guide::to::<ConfigFile>().sections().unwrap();
        for (text, forbidden) in [
            ("server = []", true),
            ("[[server]]", true),
            ("[[provider]]\nmfa = [1]", true),
            ("rule = [{ tags = {} }, { tags = [] }]", true),
            ("rule = [[]]", true),
            ("[groups]\na = ['x']", false),
            ("[[rule]]\ngroups = ['x']\n[rule.tags]\nx = []", false),
            ("[[test]]\nclaims = { groups = ['x'] }", false),
            ("[[test]]\nclaims = ['x']", true),
            ("", false),
        ] {
            let table = toml::de::DeTable::parse(text).unwrap().into_inner();
            assert_eq!(sections.forbid(&DeValue::Table(table)), forbidden, "{text}");
        }
    }

    #[test]
    fn the_first_sentence_of_a_description_is_at_hand() {
        let about = look_up(&["aws", "deadline"]).unwrap().about.unwrap();
        assert_eq!(about, "How long one assumption may take, all tries together");
    }
}

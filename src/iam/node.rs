//! Documents as a tree whose members stay in order, for JSON and for Terraform's language alike.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A value in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Vec<(String, Self)>),
    /// What only its reader can fill in.
    Parameter(Parameter),
}

/// What the configuration does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// The ARNs of the AWS identity that Rolegate runs under.
    OwnIdentity,
}

impl Parameter {
    /// The word that stands for it where there are no parameters.
    pub(super) const fn placeholder(self) -> &'static str {
        match self {
            Self::OwnIdentity => "ROLEGATE_IDENTITY_ARN",
        }
    }

    /// The name of Terraform's variable.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::OwnIdentity => "rolegate_identity",
        }
    }

    /// The name of CloudFormation's parameter.
    pub(super) const fn logical_id(self) -> &'static str {
        match self {
            Self::OwnIdentity => "RolegateIdentity",
        }
    }

    /// What it is, for who fills it in.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::OwnIdentity => "ARN of the IAM role or user that Rolegate runs under (rolegate aws plan --identity ARN writes it here)",
        }
    }
}

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An object with these members.
    pub(super) fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// A list of texts.
    pub(super) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// One text as itself, several as a list: IAM takes both.
    pub(super) fn one_or_more<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut texts: Vec<_> = texts.into_iter().map(Into::into).collect();
        match texts.pop() {
            Some(only) if texts.is_empty() => Self::Text(only),
            Some(last) => Self::texts(texts.into_iter().chain([last])),
            None => Self::List(Vec::new()),
        }
    }

    /// Whether its reader must fill something in.
    pub(super) fn has_parameter(&self) -> bool {
        match self {
            Self::Parameter(_) => true,
            Self::List(items) => items.iter().any(Self::has_parameter),
            Self::Object(members) => members.iter().any(|(_, value)| value.has_parameter()),
            Self::Text(_) | Self::Number(_) => false,
        }
    }

    /// The same with every parameter replaced.
    pub(super) fn with_parameters(self, replace: &impl Fn(Parameter) -> Self) -> Self {
        match self {
            Self::Parameter(parameter) => replace(parameter),
            Self::List(items) => Self::List(items.into_iter().map(|item| item.with_parameters(replace)).collect()),
            Self::Object(members) => Self::Object(members.into_iter().map(|(key, value)| (key, value.with_parameters(replace))).collect()),
            other @ (Self::Text(_) | Self::Number(_)) => other,
        }
    }

    /// As JSON, on one line.
    pub(super) fn compact(&self) -> String {
        // Texts, numbers, lists and objects with texts for keys: JSON can say them all.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As JSON for people.
    pub(super) fn pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Parameter(parameter) => serializer.serialize_str(parameter.placeholder()),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    object.serialize_entry(key, value)?;
                }
                object.end()
            }
        }
    }
}

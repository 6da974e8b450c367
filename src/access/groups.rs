//! Names of groups: how they are compared, and what people call the ids that nobody can read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::settings::Problem;

/// The longest name of a group that a rule may write, in bytes.
const LONGEST: usize = 256;

/// How the names of groups are compared. It holds for the people's groups, for those in rules and for aliases alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupNames {
    /// Byte for byte.
    #[default]
    Exact,
    /// In Unicode's Normalization Form C: one letter with an accent is the same however it is put together.
    Nfc,
    /// As `nfc`, and without regard to capital and small letters (Unicode's full case folding, in no language in particular).
    NfcCasefold,
}

impl GroupNames {
    /// A name in the form in which it is compared.
    #[must_use]
    pub fn normal(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Exact => Cow::Borrowed(name),
            Self::Nfc => ComposingNormalizer::new_nfc().normalize(name),
            // Canonical caseless matching (Unicode, D145): some letters fold only when they are taken apart.
            Self::NfcCasefold => {
                let apart = DecomposingNormalizer::new_nfd().normalize(name).into_owned();
                let folded = CaseMapper::new().fold_string(&apart).into_owned();
                Cow::Owned(ComposingNormalizer::new_nfc().normalize(&folded).into_owned())
            }
        }
    }

    /// All names in that form; none where they are compared as they are.
    pub(super) fn all(self, names: &[String]) -> Option<Vec<String>> {
        (self != Self::Exact).then(|| names.iter().map(|name| self.normal(name).into_owned()).collect())
    }
}

/// What an alias stands for: the id of a group, or the ids of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum GroupIds {
    /// One group.
    One(String),
    /// Any of several.
    Several(Vec<String>),
}

impl GroupIds {
    /// The ids.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Several(ids) => ids,
        }
    }
}

// By hand, because a derived choice says no more than that nothing fits.
impl<'de> Deserialize<'de> for GroupIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ids;

        impl<'de> Visitor<'de> for Ids {
            type Value = GroupIds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a group's id, or a list of ids")
            }

            fn visit_str<E>(self, id: &str) -> Result<GroupIds, E> {
                Ok(GroupIds::One(id.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, ids: A) -> Result<GroupIds, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(ids)).map(GroupIds::Several)
            }
        }

        deserializer.deserialize_any(Ids)
    }
}

/// How groups are named in rules.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct GroupSettings<'a> {
    /// How names are compared.
    pub names: GroupNames,
    /// Readable names for groups, by alias.
    pub aliases: Option<&'a BTreeMap<String, GroupIds>>,
}

/// Names of groups as rules write them, turned into those that providers send.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) names: GroupNames,
    ids: BTreeMap<String, Vec<Arc<str>>>,
    /// Ids → alias, for explanations.
    called: BTreeMap<Arc<str>, String>,
}

impl Groups {
    pub(super) fn compile(settings: &GroupSettings<'_>, problems: &mut Vec<Problem>) -> Self {
        let mut groups = Self { names: settings.names, ..Self::default() };
        for (alias, meant) in settings.aliases.into_iter().flatten() {
            let at = format!("groups.{alias}");
            let normal = settings.names.normal(alias).into_owned();
            if !is_name(alias) {
                problems.push(Problem::new(&at, "an alias has 1 to 256 bytes and no control characters", "choose a readable name"));
            }
            if meant.ids().is_empty() || !meant.ids().iter().all(|id| is_name(id)) {
                let hint = "write the id as the provider sends it, or a list of ids";
                problems.push(Problem::new(&at, "the alias stands for nothing: a group's id has 1 to 256 bytes", hint));
            }
            let ids: Vec<Arc<str>> = meant.ids().iter().map(|id| settings.names.normal(id).into()).collect();
            for id in &ids {
                groups.called.entry(Arc::clone(id)).or_insert_with(|| alias.clone());
            }
            if groups.ids.insert(normal, ids).is_some() {
                let hint = "`group_names` makes them the same: keep one of the two";
                problems.push(Problem::new(&at, format!("another alias is compared like `{alias}`"), hint));
            }
        }
        groups.refuse_ambiguous(problems);
        groups
    }

    /// An alias that is also a group's id could mean either.
    fn refuse_ambiguous(&self, problems: &mut Vec<Problem>) {
        for (id, alias) in &self.called {
            if let Some((other, _)) = self.ids.get_key_value(&**id) {
                let message =
                    format!("`{other}` is an alias, and here it is the id of a group: a rule that says `{other}` could mean either");
                problems.push(Problem::new(format!("groups.{alias}"), message, "give the alias another name"));
            }
        }
    }

    /// The groups that a name in a rule means: those of its alias, or the one that is called so.
    pub(super) fn meant(&self, name: &str) -> Vec<Arc<str>> {
        let normal = self.names.normal(name);
        self.ids.get(&*normal).map_or_else(|| vec![normal.into()], Clone::clone)
    }

    /// Whether there are aliases, and a name is none of them.
    pub(super) fn is_odd(&self, name: &str) -> bool {
        !self.ids.is_empty() && !self.ids.contains_key(&*self.names.normal(name))
    }

    /// The alias of a group, if it has one.
    pub(super) fn alias(&self, group: &str) -> Option<&str> {
        self.called.get(group).map(String::as_str)
    }

    /// A group for people: by alias and id, or by its name alone.
    pub(super) fn shown(&self, group: &str) -> String {
        self.alias(group).map_or_else(|| group.to_owned(), |alias| format!("{alias} ({group})"))
    }
}

/// Whether a text can be the name of a group.
pub(super) fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The groups that a rule asks for, aliases resolved.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Any one of these matches.
    pub(super) any: Vec<Arc<str>>,
    /// Of each of these, one is needed.
    pub(super) all: Vec<Vec<Arc<str>>>,
    /// None of these may be there.
    pub(super) none: Vec<Arc<str>>,
}

impl Wanted {
    /// Why nobody can have such groups, if that is so.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let barred = |groups: &[Arc<str>]| !groups.is_empty() && groups.iter().all(|group| self.none.contains(group));
        if self.all.iter().any(|choice| barred(choice)) {
            return Some("what `groups_all` asks for, `groups_none` forbids");
        }
        barred(&self.any).then_some("every group of `groups` is forbidden by `groups_none`")
    }

    /// Whether the same is asked for, in whatever order.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let set = |groups: &[Arc<str>]| groups.iter().cloned().collect::<BTreeSet<_>>();
        let all = |wanted: &Self| wanted.all.iter().map(|choice| set(choice)).collect::<BTreeSet<_>>();
        set(&self.any) == set(&other.any) && all(self) == all(other) && set(&self.none) == set(&other.none)
    }

    /// Whether a person's groups fulfil `groups_all` and `groups_none`.
    pub(super) fn holds(&self, has: impl Fn(&str) -> bool) -> bool {
        self.all.iter().all(|choice| choice.iter().any(|group| has(group))) && !self.none.iter().any(|group| has(group))
    }

    /// The person's groups that fulfil `groups_all`.
    pub(super) fn fulfilled_by(&self, has: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        self.all.iter().filter_map(|choice| choice.iter().find(|group| has(group)).cloned()).collect()
    }
}

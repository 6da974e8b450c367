//! Conditions that know what they mean: written out as CEL for the product, worked out here by hand. Each atom is one that is true or false,
//! or cannot be told; `&&` and `||` combine as the CEL specification says: what decides alone decides, whatever fails beside it.

use std::fmt;

use rolegate::access::{Account, Purpose};
use rolegate::arn::RoleArn;

use crate::random::Random;
use crate::somebody::{Somebody, THIRD_OF_JUNE};

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Mfa,
    Provider(&'static str),
    HasGroup(&'static str),
    MoreGroupsThan(usize),
    HasClaim(&'static str),
    ClaimIs(&'static str, &'static str),
    LevelAtLeast(i64),
    Within(&'static str, [u8; 4], u32),
    For(Purpose),
    AccountIsTagged(&'static str, &'static str),
    RoleIs(&'static str),
    BeforeTheThirdOfJune,
    Not(Box<Self>),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
}

/// What cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// What a condition is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) who: &'a Somebody,
    pub(crate) purpose: Purpose,
    pub(crate) role: &'a RoleArn,
    pub(crate) account: &'a Account,
}

impl Condition {
    pub(crate) fn random(random: &mut Random, depth: usize) -> Self {
        let inner = |random: &mut Random| Box::new(Self::random(random, depth - 1));
        match random.below(if depth == 0 { 14 } else { 20 }) {
            0 | 1 => Self::Mfa,
            2 => Self::Provider(random.one_of(&["okta", "entra"])),
            3 => Self::HasGroup(random.one_of(&["admins", "contractors", "team-blue-Dev"])),
            4 => Self::MoreGroupsThan(random.below(5)),
            5 => Self::HasClaim(random.one_of(&["cost", "level", "nothing"])),
            6 => Self::ClaimIs(random.one_of(&["cost", "nothing"]), random.one_of(&["4711", "blue"])),
            7 => Self::LevelAtLeast(3),
            8 => Self::Within("10.0.0.0/8", [10, 0, 0, 0], 8),
            9 => Self::Within("10.1.2.0/28", [10, 1, 2, 0], 28),
            10 => Self::For(random.one_of(&Purpose::ALL)),
            11 => Self::AccountIsTagged("env", random.one_of(&["prod", "dev"])),
            12 => Self::RoleIs(random.one_of(&["Dev", "team/Ops"])),
            13 => Self::BeforeTheThirdOfJune,
            14 | 15 => Self::Not(inner(random)),
            16 | 17 => Self::Both(inner(random), inner(random)),
            _ => Self::Either(inner(random), inner(random)),
        }
    }

    /// Whether it looks at groups: more of them can then take something away without any deny.
    pub(crate) fn is_about_groups(&self) -> bool {
        match self {
            Self::HasGroup(_) | Self::MoreGroupsThan(_) => true,
            Self::Not(inner) => inner.is_about_groups(),
            Self::Both(one, other) | Self::Either(one, other) => one.is_about_groups() || other.is_about_groups(),
            _ => false,
        }
    }

    pub(crate) fn holds(&self, asked: Question<'_>) -> Result<bool, Failed> {
        let who = asked.who;
        let claim = |name: &str| who.claims.get(name).ok_or(Failed);
        match self {
            Self::Mfa => Ok(who.mfa),
            Self::Provider(id) => Ok(who.provider == *id),
            Self::HasGroup(group) => Ok(who.groups.iter().any(|has| has == group)),
            Self::MoreGroupsThan(number) => Ok(who.groups.len() > *number),
            Self::HasClaim(name) => Ok(claim(name).is_ok()),
            Self::ClaimIs(name, value) => Ok(claim(name)?.as_str() == Some(value)),
            Self::LevelAtLeast(level) => claim("level")?.as_i64().map(|has| has >= *level).ok_or(Failed),
            Self::Within(_, network, bits) => {
                let ip = u32::from_be_bytes(who.ip.ok_or(Failed)?);
                Ok(ip >> (32 - bits) == u32::from_be_bytes(*network) >> (32 - bits))
            }
            Self::For(purpose) => Ok(asked.purpose == *purpose),
            Self::AccountIsTagged(key, value) => {
                let found = asked.account.tags.iter().find(|(tag, _)| tag == key).ok_or(Failed)?;
                Ok(found.1 == *value)
            }
            Self::RoleIs(name) => Ok(asked.role.as_str().ends_with(&format!(":role/{name}"))),
            Self::BeforeTheThirdOfJune => Ok(who.now < THIRD_OF_JUNE),
            Self::Not(inner) => inner.holds(asked).map(|holds| !holds),
            Self::Both(one, other) => decided(one.holds(asked), other.holds(asked), false),
            Self::Either(one, other) => decided(one.holds(asked), other.holds(asked), true),
        }
    }
}

fn decided(one: Result<bool, Failed>, other: Result<bool, Failed>, alone: bool) -> Result<bool, Failed> {
    if one == Ok(alone) || other == Ok(alone) { Ok(alone) } else { one.and(other) }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mfa => write!(f, "auth.mfa"),
            Self::Provider(id) => write!(f, "provider == '{id}'"),
            Self::HasGroup(group) => write!(f, "'{group}' in groups"),
            Self::MoreGroupsThan(number) => write!(f, "size(groups) > {number}"),
            Self::HasClaim(name) => write!(f, "has(claims.{name})"),
            Self::ClaimIs(name, value) => write!(f, "claims.{name} == '{value}'"),
            Self::LevelAtLeast(level) => write!(f, "claims.level >= {level}"),
            Self::Within(network, ..) => write!(f, "request.ip.within('{network}')"),
            Self::For(purpose) => write!(f, "request.purpose == '{}'", purpose.as_str()),
            Self::AccountIsTagged(key, value) => write!(f, "account.tags.{key} == '{value}'"),
            Self::RoleIs(name) => write!(f, "role.name == '{name}'"),
            Self::BeforeTheThirdOfJune => write!(f, "now < timestamp('2026-06-03T00:00:00Z')"),
            Self::Not(inner) => write!(f, "!({inner})"),
            Self::Both(one, other) => write!(f, "({one}) && ({other})"),
            Self::Either(one, other) => write!(f, "({one}) || ({other})"),
        }
    }
}

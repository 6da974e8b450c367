//! What is wrong with IAM's half, and how it is mended.

use std::fmt;

use serde::Serialize;

use crate::arn::AccountId;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody is refused, somebody gets in who should not, or it could not be told.
    Error,
    /// It works, and could be narrower or will not last.
    Warning,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// No file tells of an account, or of a part of it.
    NotRead,
    /// A role, or a provider, is not there.
    Missing,
    /// A trust policy, or a file, has something that is not understood here.
    NotUnderstood,
    /// The trust policy does not let Rolegate in.
    NotTrusted,
    /// It lets in only some of the people.
    SomeShutOut,
    /// A wrong audience, or too few.
    Audience,
    /// The audience is not looked at.
    AudienceOpen,
    /// The token need not name the role.
    NotPinned,
    /// Anybody is let in.
    OpenToAll,
    /// Somebody is let in who is not Rolegate.
    OtherWays,
    /// Session tags are refused.
    NoTagSession,
    /// A source identity is refused.
    NoSourceIdentity,
    /// The role demands no external id although every rule sends one.
    NoExternalId,
    /// The role allows shorter sessions than the rules.
    SessionTooShort,
    /// It trusts Rolegate and no rule needs it.
    Unused,
    /// A provider takes tokens that are for somebody else, too.
    OtherClients,
    /// A provider's metadata runs out.
    Expired,
}

impl Kind {
    /// The word for it in JSON and on lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRead => "not-read",
            Self::Missing => "missing",
            Self::NotUnderstood => "not-understood",
            Self::NotTrusted => "not-trusted",
            Self::SomeShutOut => "some-shut-out",
            Self::Audience => "audience",
            Self::AudienceOpen => "audience-open",
            Self::NotPinned => "not-pinned",
            Self::OpenToAll => "open-to-all",
            Self::OtherWays => "other-ways",
            Self::NoTagSession => "no-tag-session",
            Self::NoSourceIdentity => "no-source-identity",
            Self::NoExternalId => "no-external-id",
            Self::SessionTooShort => "session-too-short",
            Self::Unused => "unused",
            Self::OtherClients => "other-clients",
            Self::Expired => "expired",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The account that it is in, if that is known.
    pub account: Option<AccountId>,
    /// What it is about: an ARN, or a file's name.
    pub subject: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub kind: Kind,
    /// The same in words.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        kind: Kind,
        account: Option<AccountId>,
        subject: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { account, subject: subject.into(), severity, kind, message: message.into(), mend: mend.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}: {}; {}", self.subject, self.kind.as_str(), self.message, self.mend)
    }
}

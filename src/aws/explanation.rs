//! What people are told when AWS says no.

use std::fmt;

/// Whose it is to mend a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mender {
    /// The person who asked.
    Person,
    /// Who runs this gateway.
    GatewayAdministrator,
    /// Who runs the AWS account that the role lives in.
    AccountAdministrator,
    /// AWS itself; waiting helps.
    Aws,
}

impl fmt::Display for Mender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "you",
            Self::GatewayAdministrator => "the administrator of this gateway",
            Self::AccountAdministrator => "the administrator of the AWS account",
            Self::Aws => "AWS",
        })
    }
}

/// A failure in plain words: fit for a page, because nothing in it comes from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What happened, in one sentence.
    pub happened: &'static str,
    /// Whose it is to mend.
    pub mender: Mender,
    /// What they do about it.
    pub advice: &'static str,
    /// Whether it may pass by itself, so that a program may try again by and by.
    pub may_pass: bool,
}

#[cfg(feature = "server")]
impl Explanation {
    pub(crate) const fn new(happened: &'static str, mender: Mender, advice: &'static str) -> Self {
        Self { happened, mender, advice, may_pass: matches!(mender, Mender::Aws) }
    }

    /// It may pass by itself, although it is somebody's to mend if it stays.
    pub(crate) const fn passing(self) -> Self {
        Self { may_pass: true, ..self }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} To be mended by {}: {}", self.happened, self.mender, self.advice)
    }
}

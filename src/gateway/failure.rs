//! What goes wrong, in two voices: the reason for the log, and the trouble for the page.

use std::fmt;

use data_encoding::BASE32_NOPAD;

use super::{Engaged, RequestRefused};
use crate::access::{Denied, GatewayRole};
use crate::aws::Explanation;
use crate::identity::Rejected;

/// The kinds of trouble that a person can be told of. The page's sentences are made from these alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such provider.
    UnknownProvider,
    /// The provider does not answer; its name.
    ProviderUnavailable(String),
    /// The provider's answer was refused; its name, and why.
    SignInRefused(String, Rejected),
    /// A workload's token is not believed, or was used up; why.
    TokenRefused(Rejected),
    /// A sign-out message of a provider is not believed; its name.
    SignOutRefused(String),
    /// The login waited too long, was finished already, or was begun elsewhere.
    SignInExpired,
    /// The rules do not hand out what was asked for.
    Denied(Denied),
    /// What was wanted of a request is not done.
    Request(RequestRefused),
    /// The console's page that was asked for is not one of AWS's.
    BadDestination,
    /// AWS said no, or nothing.
    Aws(Explanation),
    /// The person's own token is too old to be passed on.
    SignInAgain,
    /// No proof could be made.
    Signing,
    /// The store cannot be asked.
    Store,
    /// AWS issued what was asked for, and the store could not keep it for the page that shows it.
    Undelivered,
    /// The record cannot be written, so nothing is handed over.
    Audit,
    /// What an administrator does cannot be recorded, so it is not done.
    Unrecorded,
    /// The page is for people with this role of the gateway.
    NotForYou(GatewayRole),
    /// The page is for administrators who prove themselves by a client certificate too.
    CertificateWanted,
    /// The audit trail cannot be read.
    TrailUnreadable,
    /// The audit trail was rotated away from where a search had come to.
    TrailMoved,
    /// As many exports go on as may.
    Busy(Engaged),
    /// An error of Rolegate's own.
    Broken,
}

/// A failure that was logged once, with the id that finds the line.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What the person is told.
    pub trouble: Trouble,
    /// What finds the log line and the audit event.
    pub incident: String,
}

impl Failure {
    /// Logs the reason and makes the failure. Called where the failure is noticed and nowhere else.
    pub fn logged(trouble: Trouble, reason: &dyn fmt::Display) -> Self {
        Self::logged_under(incident_id(), trouble, reason)
    }

    /// [`Self::logged`] under the incident of an event that is in the audit trail already.
    pub(super) fn logged_under(incident: String, trouble: Trouble, reason: &dyn fmt::Display) -> Self {
        let failure = Self { trouble, incident };
        tracing::warn!(incident = %failure.incident, kind = failure.kind(), reason = %reason, "refused or failed");
        failure
    }

    /// One word for the log.
    const fn kind(&self) -> &'static str {
        match self.trouble {
            Trouble::UnknownProvider => "unknown-provider",
            Trouble::ProviderUnavailable(_) => "provider-unavailable",
            Trouble::SignInRefused(..) => "sign-in-refused",
            Trouble::TokenRefused(_) => "token-refused",
            Trouble::SignOutRefused(_) => "sign-out-refused",
            Trouble::SignInExpired => "sign-in-expired",
            Trouble::Denied(_) => "denied",
            Trouble::Request(_) => "request",
            Trouble::BadDestination => "bad-destination",
            Trouble::Aws(_) => "aws",
            Trouble::SignInAgain => "sign-in-again",
            Trouble::Signing => "signing",
            Trouble::Store => "store",
            Trouble::Undelivered => "undelivered",
            Trouble::Audit => "audit",
            Trouble::Unrecorded => "unrecorded",
            Trouble::NotForYou(_) => "not-for-you",
            Trouble::CertificateWanted => "certificate-wanted",
            Trouble::TrailUnreadable => "trail-unreadable",
            Trouble::TrailMoved => "trail-moved",
            Trouble::Busy(_) => "busy",
            Trouble::Broken => "broken",
        }
    }
}

/// A short random id that people can read over the telephone: 50 bits as ten letters and digits.
#[must_use]
pub(super) fn incident_id() -> String {
    let mut random = [0; 7];
    // An id that is not unique finds two lines instead of one: no reason to fail.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let mut id = BASE32_NOPAD.encode(&random);
    id.truncate(10);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_id_is_short_and_new_each_time() {
        assert_eq!(incident_id().len(), 10);
        assert_ne!(incident_id(), incident_id());
    }
}

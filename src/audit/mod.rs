//! Records every decision, one JSON line each, on disk before anything is handed over.
//!
//! A line names the person, the role, the rules and the proof, so that it joins with CloudTrail (session name, source identity, access
//! key id, the proof's id) and with the gateway's log (incident). It never holds a secret.

mod backwards;
mod chain;
mod counts;
mod event;
mod export;
mod files;
mod hand;
mod issued;
mod kept;
mod lines;
mod log;
mod look;
mod making;
mod missed;
mod past;
mod resume;
mod settings;
mod several;
mod sink;
mod stream;
mod tally;
mod unpack;
mod verify;

pub use chain::Head;
pub use counts::Sort;
pub use event::{Event, GrantNote, HowSignedIn, Kind, Outcome, Person};
pub use export::ExportFormat;
pub use issued::{AllIssued, Issued, issued};
pub use log::{AuditLog, AuditUnavailable};
pub use look::{Found, Looked, Place, Query, Reach, event_at, look};
pub use making::LONGEST_TEXT;
pub use past::{Past, SignIn, sign_in_of, sign_ins};
pub use settings::{AuditSettings, Require, SinkSettings};
pub use stream::Target;
pub use tally::{OUTCOMES, Step, Tally};
pub use verify::{Begin, Finding, Verdict, VerifiedFile, rotated_files, verify, verify_around};

#[cfg(test)]
mod tests;

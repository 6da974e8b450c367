//! IAM's half of the federation: what it must be told so that roles can be taken, whether it was told, and what ends a person's sessions.
//!
//! [`Needs`] is computed from the rules and from how Rolegate proves people to AWS ([`Federation`]). [`terraform`], [`cloudformation`] and
//! [`json`] write it down; [`verify`] compares it with what IAM has ([`Snapshot`]), by asking each trust policy what Rolegate, and others
//! than Rolegate, would be answered. Nothing here calls AWS: [`crate::aws::iam`] does.

mod cloudformation;
mod doors;
mod evaluate;
mod federation;
mod findings;
mod hcl;
mod needs;
mod node;
mod others;
mod plan;
mod policy;
mod probe;
mod revoke;
mod snapshot;
mod terraform;
#[cfg(test)]
mod tests;
mod verify;

pub use cloudformation::{cloudformation, template};
pub use doors::{Carries, Door, ExternalIds, Need, Way};
pub use federation::{Federation, Upstream, UpstreamKind};
pub use findings::{Finding, Kind, Severity};
pub use needs::{AccountNeeds, Needs, OidcNeed, RoleNeed, SamlNeed, SamlSource, UserNeed};
pub use plan::json;
pub use policy::{NotAPolicy, TrustPolicy};
pub use revoke::{PolicyHolder, Revocation, Session, revocations};
pub use snapshot::{Place, SeenRole, Snapshot, account_in};
pub use terraform::terraform;
pub use verify::verify;

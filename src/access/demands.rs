//! What a rule wants of the sign-in itself. Demands of several rules add up: the narrower limit wins.

use std::time::Duration;

use super::rule::RuleCompiler;
use crate::identity::Demand;

/// The shortest age that a rule may ask for: people come back from their provider and click.
const SHORTEST_AGE: Duration = Duration::from_mins(1);

impl RuleCompiler<'_, '_> {
    /// What the rule wants of the sign-in.
    pub(super) fn demand(&mut self) -> Demand {
        let settings = self.settings;
        let max_age = settings.max_auth_age.map(|span| span.0);
        if max_age.is_some_and(|age| age < SHORTEST_AGE) {
            self.problem("max_auth_age", "nobody comes back from their provider and clicks within that time", "write \"1m\" or more");
        }
        for (index, class) in settings.require_acr.iter().enumerate() {
            if class.is_empty() || class.chars().any(|c| c.is_whitespace() || c.is_control()) {
                let message = "a context class is one word, or a URI";
                self.problem(&format!("require_acr[{index}]"), message, "write it as the provider sends it: one class for each entry");
            }
        }
        Demand { max_age, classes: settings.require_acr.clone(), mfa: settings.require_mfa }
    }
}

/// Adds another rule's demand to the one so far.
///
/// # Errors
/// No class would do for both; the demand so far stays.
pub(super) fn add(so_far: &mut Demand, other: &Demand) -> Result<(), ()> {
    so_far.max_age = super::draft::narrower(so_far.max_age, other.max_age);
    so_far.mfa |= other.mfa;
    if so_far.classes.is_empty() {
        so_far.classes.clone_from(&other.classes);
    } else if !other.classes.is_empty() {
        let both: Vec<_> = so_far.classes.iter().filter(|class| other.classes.contains(class)).cloned().collect();
        if both.is_empty() {
            return Err(());
        }
        so_far.classes = both;
    }
    Ok(())
}

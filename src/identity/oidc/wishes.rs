//! How fresh and how strong a sign-in the provider is asked for (OpenID Connect Core section 3.1.2.1).

use std::time::Duration;

use super::checked::Checked;
use crate::identity::StepUp;

/// What the authorization request asks for beside the identity.
pub(super) struct Wishes {
    pub(super) max_age: Option<Duration>,
    pub(super) classes: Vec<String>,
    /// Whether the person must prove themselves anew, whatever the provider's own session says.
    pub(super) login: bool,
}

impl Wishes {
    /// What the settings want of every sign-in, and what a step-up wants of this one.
    pub(super) fn of(checked: &Checked, step_up: Option<&StepUp>) -> Self {
        let Some(step_up) = step_up else {
            return Self { max_age: checked.max_age, classes: checked.acr_values.clone(), login: false };
        };
        let wanted = &step_up.wanted;
        let max_age = match (checked.max_age, wanted.max_age) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        // A second factor has a class only where the settings name one. A class that the settings refuse would end the sign-in.
        let classes = if wanted.classes.is_empty() && wanted.mfa { &checked.mfa.acr } else { &wanted.classes };
        let accepted = |class: &&String| checked.acr_values.is_empty() || checked.acr_values.contains(class);
        let mut classes: Vec<_> = classes.iter().filter(accepted).cloned().collect();
        let nameless_factor = step_up.lacks_factor() && classes.is_empty();
        if classes.is_empty() {
            classes.clone_from(&checked.acr_values);
        }
        Self { max_age, classes, login: step_up.is_stale() || nameless_factor }
    }
}

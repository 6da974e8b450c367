//! What an administrator says about the organization's accounts.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::settings::{endpoint, known_region};
use crate::settings::{Problem, Span};

/// Whether and how accounts are discovered through AWS Organizations.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrganizationSettings {
    /// Whether accounts are discovered. Rolegate needs AWS credentials of its own for that.
    pub enabled: bool,
    /// How often, 1 minute to 24 hours.
    pub refresh: Span,
    /// The file that keeps the accounts that the rules were last in force with. A relative path starts at the configuration file's folder. Made with mode 0600.
    pub cache: PathBuf,
    /// The region whose Organizations is asked; each partition has one.
    pub region: String,
    /// An endpoint to use instead of AWS's own, for example a VPC endpoint.
    pub endpoint_url: Option<String>,
}

impl Default for OrganizationSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            refresh: Span::seconds(3600),
            cache: PathBuf::from("organization.json"),
            region: "us-east-1".into(),
            endpoint_url: None,
        }
    }
}

impl OrganizationSettings {
    /// Adds everything that must be mended, with paths that start at `path`.
    pub fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        if !(Duration::from_mins(1)..=Duration::from_hours(24)).contains(&self.refresh.0) {
            problems.push(Problem::new(
                format!("{path}.refresh"),
                format!("a refresh of {} is out of range", self.refresh),
                "choose between \"1m\" and \"24h\": each takes a call for every organizational unit and every account",
            ));
        }
        problems.extend(known_region(&self.region, &format!("{path}.region")).err());
        problems.extend(self.endpoint_url.as_deref().and_then(|url| endpoint(url, &format!("{path}.endpoint_url")).err()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_settings_are_sound_and_each_slip_is_told() {
        let problems = |settings: &OrganizationSettings| {
            let mut problems = Vec::new();
            settings.check("organization", &mut problems);
            problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        assert!(problems(&OrganizationSettings::default()).is_empty());
        let wrong = OrganizationSettings {
            refresh: Span::seconds(59),
            region: "nowhere".into(),
            endpoint_url: Some("http://10.0.0.1".into()),
            ..OrganizationSettings::default()
        };
        assert_eq!(problems(&wrong), ["organization.refresh", "organization.region", "organization.endpoint_url"]);
    }
}

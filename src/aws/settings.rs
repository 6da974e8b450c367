//! What an administrator says about reaching AWS.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use crate::arn::{Partition, Region};
use crate::settings::{Problem, Span};

/// How AWS is reached. Every host follows from the partition of the role's ARN; the overrides are for VPC endpoints and tests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSettings {
    /// Regions whose STS is asked, the first one of the role's partition is used. Without one, each partition has a usual region.
    pub regions: Vec<String>,
    /// An STS endpoint to use instead of AWS's own, for example a VPC endpoint.
    pub sts_endpoint: Option<String>,
    /// A sign-in endpoint to use instead of AWS's own, for a sandbox. The path `/federation` is added.
    pub signin_endpoint: Option<String>,
    /// A console to use instead of AWS's own, for a sandbox.
    pub console_endpoint: Option<String>,
    /// The profile that Rolegate's own AWS identity comes from, for `operation = "assume_role"`. Without it, the SDK's usual chain: environment,
    /// profile, web identity, container, instance.
    pub own_profile: Option<String>,
    /// The region in which the chain calls AWS itself to get that identity. Without it, what the environment or the profile says.
    pub own_region: Option<String>,
    /// How long one assumption may take, all tries together.
    pub deadline: Span,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            sts_endpoint: None,
            signin_endpoint: None,
            console_endpoint: None,
            own_profile: None,
            own_region: None,
            deadline: Span::seconds(10),
        }
    }
}

impl AwsSettings {
    /// Adds everything that must be mended, with paths that start at `path`.
    pub fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        for (index, name) in self.regions.iter().enumerate() {
            if let Err(problem) = known_region(name, &format!("{path}.regions[{index}]")) {
                problems.push(problem);
            }
        }
        if let Some(problem) = self.own_region.as_deref().and_then(|name| known_region(name, &format!("{path}.own_region")).err()) {
            problems.push(problem);
        }
        if self.own_profile.as_deref().is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
            problems.push(Problem::new(format!("{path}.own_profile"), "this is no profile's name", "write it as in ~/.aws/config"));
        }
        for (key, value) in
            [("sts_endpoint", &self.sts_endpoint), ("signin_endpoint", &self.signin_endpoint), ("console_endpoint", &self.console_endpoint)]
        {
            if let Err(problem) = value.as_deref().map(|text| endpoint(text, &format!("{path}.{key}"))).transpose() {
                problems.push(problem);
            }
        }
        if !(Duration::from_secs(1)..=Duration::from_mins(1)).contains(&self.deadline.0) {
            problems.push(Problem::new(
                format!("{path}.deadline"),
                format!("`{}` is not between 1s and 60s", self.deadline),
                "10s suits most: the person waits at the page for it",
            ));
        }
    }

    /// Everything that must be mended, as the error of a constructor.
    pub(super) fn checked(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        self.check("aws", &mut problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// The region whose STS is asked for a role of `partition`.
    pub(super) fn region(&self, partition: Partition) -> Result<Region, Problem> {
        let configured = self.regions.iter().filter_map(|name| name.parse().ok()).find(|region| partition.has_region(region));
        configured
            .map_or_else(|| partition.default_region().parse(), Ok)
            .map_err(|error| Problem::new("aws.regions", error.to_string(), HINT))
    }
}

/// How a region is written.
const HINT: &str = "write it as in the AWS console, for example \"eu-central-1\"";

/// New regions keep appearing, so only the area, a region's first part, is compared with those that exist.
pub(super) fn known_region(name: &str, path: &str) -> Result<Region, Problem> {
    const AREAS: [&str; 11] = ["af", "ap", "ca", "cn", "eu", "eusc", "il", "me", "mx", "sa", "us"];
    let region: Region = name.parse().map_err(|error| Problem::new(path, format!("`{name}` is no region: {error}"), HINT))?;
    let area = name.split('-').next().unwrap_or_default();
    // `us-iso-east-1` and its kin parse as regions but belong to partitions that Rolegate does not serve.
    let isolated = name.split('-').nth(1).is_some_and(|part| part.starts_with("iso"));
    if !AREAS.contains(&area) || isolated {
        return Err(Problem::new(
            path,
            format!("`{name}` is in no partition that Rolegate serves (aws, aws-cn, aws-us-gov, aws-eusc)"),
            HINT,
        ));
    }
    Ok(region)
}

/// An endpoint that stands in for one of AWS's own: https, or http where it cannot leave the machine.
pub(super) fn endpoint(text: &str, path: &str) -> Result<Url, Problem> {
    let problem = |message: &str| Problem::new(path, format!("`{text}` {message}"), "write it as https://host or https://host/path");
    let url = Url::parse(text).map_err(|error| problem(&format!("is not a URL: {error}")))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !plain {
        return Err(problem("may not have a user, a query or a fragment"));
    }
    match (url.scheme(), is_loopback(&url)) {
        ("https", _) if url.has_host() => Ok(url),
        ("http", true) => Ok(url),
        ("http", false) => Err(problem("sends credentials in the clear: http is for loopback only")),
        _ => Err(problem("is not an https URL")),
    }
}

/// Whether the URL's host is this machine and no other.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(settings: &AwsSettings) -> Vec<String> {
        let mut problems = Vec::new();
        settings.check("aws", &mut problems);
        problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn the_usual_settings_are_sound_and_have_a_region_for_every_partition() {
        let settings = AwsSettings::default();
        assert!(problems(&settings).is_empty());
        for partition in Partition::ALL {
            assert_eq!(settings.region(partition).unwrap().as_str(), partition.default_region());
        }
    }

    #[test]
    fn the_first_configured_region_of_the_roles_partition_is_used() {
        let regions = ["cn-northwest-1", "eu-west-1", "eu-central-1"].map(str::to_owned).into();
        let settings = AwsSettings { regions, ..AwsSettings::default() };
        assert!(problems(&settings).is_empty());
        assert_eq!(settings.region(Partition::Aws).unwrap().as_str(), "eu-west-1");
        assert_eq!(settings.region(Partition::AwsCn).unwrap().as_str(), "cn-northwest-1");
        assert_eq!(settings.region(Partition::AwsUsGov).unwrap().as_str(), "us-gov-west-1");
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_place() {
        let settings = AwsSettings {
            regions: ["eu-central-1", "Frankfurt", "us-iso-east-1", "xx-nowhere-1"].map(str::to_owned).into(),
            sts_endpoint: Some("http://sts.example".into()),
            signin_endpoint: Some("https://user@signin.example".into()),
            console_endpoint: Some("javascript:alert(1)".into()),
            own_profile: Some(String::new()),
            own_region: Some("Frankfurt".into()),
            deadline: Span::seconds(61),
        };
        assert_eq!(
            problems(&settings),
            [
                "aws.regions[1]",
                "aws.regions[2]",
                "aws.regions[3]",
                "aws.own_region",
                "aws.own_profile",
                "aws.sts_endpoint",
                "aws.signin_endpoint",
                "aws.console_endpoint",
                "aws.deadline"
            ]
        );
        assert_eq!(problems(&AwsSettings { deadline: Span(Duration::from_millis(999)), ..AwsSettings::default() }), ["aws.deadline"]);
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["http://127.0.0.1:9000", "http://[::1]:1", "http://localhost:1/sts", "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com"]
        {
            assert!(endpoint(good, "x").is_ok(), "{good}");
        }
        for bad in
            ["http://10.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "ftp://127.0.0.1", "https://h/?q", "/sts", ""]
        {
            assert!(endpoint(bad, "x").is_err(), "{bad}");
        }
    }
}

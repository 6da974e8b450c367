//! What an administrator says about reaching AWS.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::arn::{Partition, Region};
use crate::settings::{Problem, Span, is_loopback};

/// How AWS is reached. Every host follows from the partition of the role's ARN; the overrides are for VPC endpoints and tests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSettings {
    /// Regions whose STS is asked, the first one of the role's partition is used. Without one, each partition has a usual region.
    pub regions: Vec<String>,
    /// An STS endpoint to use instead of AWS's own, for example a VPC endpoint.
    pub sts_endpoint: Option<String>,
    /// Where STS is asked, in this order, when it does not answer at the first place: regions, of which those of the role's partition count. Beside
    /// an `sts_endpoint`, other such endpoints instead.
    pub sts_fallbacks: Vec<String>,
    /// A sign-in endpoint to use instead of AWS's own, for a sandbox. The path `/federation` is added.
    pub signin_endpoint: Option<String>,
    /// A console to use instead of AWS's own, for a sandbox.
    pub console_endpoint: Option<String>,
    /// The profile that Rolegate's own AWS identity comes from, for `operation = "assume_role"`. Without it, the SDK's usual chain: environment,
    /// profile, web identity, container, instance.
    pub own_profile: Option<String>,
    /// The region in which the chain calls AWS itself to get that identity. Without it, what the environment or the profile says.
    pub own_region: Option<String>,
    /// How long one assumption may take, all tries together. That is for all calls that it needs: by way of another role it is two.
    pub deadline: Span,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            sts_endpoint: None,
            sts_fallbacks: Vec::new(),
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
        self.check_fallbacks(path, problems);
        if !(Duration::from_secs(1)..=Duration::from_mins(1)).contains(&self.deadline.0) {
            problems.push(Problem::new(
                format!("{path}.deadline"),
                format!("`{}` is not between 1s and 60s", self.deadline),
                "10s suits most: the person waits at the page for it",
            ));
        }
    }

    /// A fallback must be of the same kind as what it stands in for. A region beside an endpoint of one's own would lead out of the private network,
    /// or from a sandbox to AWS itself, and an endpoint beside regions belongs to no partition.
    fn check_fallbacks(&self, path: &str, problems: &mut Vec<Problem>) {
        let mut asked: Vec<String> = match self.sts_endpoint.as_deref() {
            Some(text) => endpoint(text, path).ok().map(String::from).into_iter().collect(),
            None => {
                Partition::ALL.into_iter().filter_map(|partition| self.region(partition).ok()).map(|region| region.to_string()).collect()
            }
        };
        for (index, text) in self.sts_fallbacks.iter().enumerate() {
            let path = format!("{path}.sts_fallbacks[{index}]");
            let known = match (self.sts_endpoint.is_some(), text.parse::<Region>().is_ok()) {
                (true, true) => Err(Problem::new(
                    path.clone(),
                    format!("`{text}` is a region, but `sts_endpoint` is asked instead of AWS's own endpoints"),
                    format!("write the address of another endpoint; AWS's own would be \"https://sts.{text}.amazonaws.com\""),
                )),
                (true, false) => endpoint(text, &path).map(String::from),
                (false, _) if text.contains("://") => Err(Problem::new(
                    path.clone(),
                    format!("`{text}` is an address, and there is no `sts_endpoint` that it could stand in for"),
                    "write a region, for example \"eu-west-1\"; or set `sts_endpoint` too",
                )),
                (false, _) => known_region(text, &path).map(|region| region.to_string()),
            };
            match known {
                Ok(known) if asked.contains(&known) => {
                    problems.push(Problem::new(path, format!("`{text}` is asked before already"), "leave it out, or write another one"));
                }
                Ok(known) => asked.push(known),
                Err(problem) => problems.push(problem),
            }
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

    /// The endpoints that are asked for a role of `partition`, in their order, each with the region that signed calls to it name. Never empty.
    pub(super) fn sts_endpoints(&self, partition: Partition) -> Result<Vec<(Region, String)>, Problem> {
        let usual = self.region(partition)?;
        if let Some(first) = &self.sts_endpoint {
            let texts = std::iter::once(first).chain(&self.sts_fallbacks);
            let own = texts.map(|text| {
                let url = endpoint(text, "aws.sts_endpoint")?;
                Ok((region_in(&url).unwrap_or_else(|| usual.clone()), url.to_string()))
            });
            return own.collect();
        }
        let fallbacks = self.sts_fallbacks.iter().filter_map(|name| name.parse().ok()).filter(|region| partition.has_region(region));
        Ok(std::iter::once(usual).chain(fallbacks).map(|region| (region.clone(), partition.sts_endpoint(&region))).collect())
    }
}

/// The region that an endpoint's name tells, as those of VPC endpoints do: `vpce-1.sts.eu-west-1.vpce.amazonaws.com`.
fn region_in(url: &Url) -> Option<Region> {
    let mut labels = url.host_str()?.split('.').skip_while(|label| !["sts", "sts-fips"].contains(label));
    labels.nth(1)?.parse().ok()
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

    fn asked(settings: &AwsSettings, partition: Partition) -> Vec<(String, String)> {
        let endpoints = settings.sts_endpoints(partition).unwrap();
        endpoints.into_iter().map(|(region, url)| (region.to_string(), url)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(region, url)| ((*region).to_owned(), (*url).to_owned())).collect()
    }

    #[test]
    fn fallbacks_are_regions_of_the_roles_partition_in_their_order() {
        let settings = AwsSettings {
            regions: vec!["eu-central-1".into()],
            sts_fallbacks: ["eu-west-1", "cn-northwest-1", "us-east-1"].map(str::to_owned).into(),
            ..AwsSettings::default()
        };
        assert!(problems(&settings).is_empty());
        assert_eq!(
            asked(&settings, Partition::Aws),
            pairs(&[
                ("eu-central-1", "https://sts.eu-central-1.amazonaws.com"),
                ("eu-west-1", "https://sts.eu-west-1.amazonaws.com"),
                ("us-east-1", "https://sts.us-east-1.amazonaws.com"),
            ])
        );
        assert_eq!(
            asked(&settings, Partition::AwsCn),
            pairs(&[
                ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
                ("cn-northwest-1", "https://sts.cn-northwest-1.amazonaws.com.cn"),
            ])
        );
        assert_eq!(asked(&settings, Partition::AwsEusc), pairs(&[("eusc-de-east-1", "https://sts.eusc-de-east-1.amazonaws.eu")]));
    }

    #[test]
    fn beside_an_endpoint_of_ones_own_fallbacks_are_others_each_with_its_region() {
        let settings = AwsSettings {
            sts_endpoint: Some("https://vpce-1.sts.eu-west-1.vpce.amazonaws.com".into()),
            sts_fallbacks: ["https://sts-fips.us-east-2.amazonaws.com", "https://sts.corp.example/x", "http://127.0.0.1:9"]
                .map(str::to_owned)
                .into(),
            ..AwsSettings::default()
        };
        assert!(problems(&settings).is_empty());
        assert_eq!(
            asked(&settings, Partition::Aws),
            pairs(&[
                ("eu-west-1", "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/"),
                ("us-east-2", "https://sts-fips.us-east-2.amazonaws.com/"),
                ("us-east-1", "https://sts.corp.example/x"),
                ("us-east-1", "http://127.0.0.1:9/"),
            ])
        );
    }

    #[test]
    fn fallbacks_that_make_no_sense_are_refused() {
        let refused = |sts_endpoint: Option<&str>, fallbacks: &[&str]| {
            let sts_fallbacks = fallbacks.iter().map(|text| (*text).to_owned()).collect();
            let mut problems = Vec::new();
            AwsSettings { sts_endpoint: sts_endpoint.map(str::to_owned), sts_fallbacks, ..AwsSettings::default() }
                .check("aws", &mut problems);
            problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<Vec<_>>()
        };
        let own = Some("https://sts.example");
        assert_eq!(refused(None, &["eu-west-1", "eu-central-1"]), [""; 0]);
        for (endpoint, fallback, words) in [
            (None, "us-east-1", "asked before already"),
            (None, "https://sts.example", "no `sts_endpoint`"),
            (None, "xx-nowhere-1", "no partition"),
            (None, "Ireland", "no region"),
            (own, "eu-west-1", "is a region"),
            (own, "https://sts.example/", "asked before already"),
            (own, "http://sts.example", "in the clear"),
        ] {
            let said = refused(endpoint, &[fallback]);
            assert!(said.len() == 1 && said[0].starts_with("aws.sts_fallbacks[0]: ") && said[0].contains(words), "{fallback}: {said:?}");
        }
        assert_eq!(refused(None, &["eu-west-1", "eu-west-1"]), ["aws.sts_fallbacks[1]: `eu-west-1` is asked before already"]);
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_place() {
        let settings = AwsSettings {
            regions: ["eu-central-1", "Frankfurt", "us-iso-east-1", "xx-nowhere-1"].map(str::to_owned).into(),
            sts_endpoint: Some("http://sts.example".into()),
            sts_fallbacks: vec!["https://sts.example".into(), "ftp://sts.example".into()],
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
                "aws.sts_fallbacks[1]",
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

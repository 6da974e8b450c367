//! What an administrator says about the HTTP server, and about what people are told.

use std::net::{Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Disclosure;
use crate::settings::{Problem, Span};

/// The HTTP server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The address and port to listen on, such as `127.0.0.1:8700` or `[::]:8700`. TLS is the business of the proxy before it.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Networks of the proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`. Without one, nobody's is.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long one request may take, 1 second to 5 minutes. Issuing credentials asks AWS meanwhile: keep it above `aws.deadline`.
    pub request_timeout: Span,
    /// The largest request body, in bytes, 1024 to 1048576.
    pub body_limit: usize,
    /// How long requests may go on after the signal to stop, 10 minutes at most.
    pub shutdown_grace: Span,
    /// How many sign-ins one address (in IPv6 one /64) may begin or finish in a second, over time, 1 to 10000. Each sign-in is two.
    pub sign_in_rate: u32,
    /// How many of them at once, after a pause, 1 to 100000. Raise both if many people come from one address, as behind a common NAT.
    pub sign_in_burst: u32,
    /// How many credentials one workload (an issuer with a subject) may ask for in a second, over time, 1 to 10000.
    pub workload_rate: u32,
    /// How many of them at once, after a pause, 1 to 100000.
    pub workload_burst: u32,
    /// Whether accounts, rules, naming and tests are read anew when the file changes; on SIGHUP they always are.
    pub reload_on_change: bool,
    /// The number of worker threads, 1 to 512. Without it, one for each processor core.
    pub workers: Option<usize>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8700)),
            trusted_proxies: Vec::new(),
            request_timeout: Span::seconds(30),
            body_limit: 65_536,
            shutdown_grace: Span::seconds(10),
            sign_in_rate: 20,
            sign_in_burst: 200,
            workload_rate: 2,
            workload_burst: 100,
            reload_on_change: true,
            workers: None,
        }
    }
}

impl ServerSettings {
    /// Adds what is wrong with the settings at `path`.
    pub fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        for (index, network) in self.trusted_proxies.iter().enumerate() {
            if network.prefix_len() == 0 {
                problems.push(Problem::new(
                    format!("{path}.trusted_proxies[{index}]"),
                    format!("`{network}` believes everybody's X-Forwarded-For, so anybody could claim any address"),
                    "name the proxies' own networks only",
                ));
            }
        }
        if !(1..=300).contains(&self.request_timeout.as_secs()) {
            problems.push(Problem::new(
                format!("{path}.request_timeout"),
                format!("a request_timeout of {} is out of range", self.request_timeout),
                "choose between \"1s\" and \"5m\"",
            ));
        }
        if !(1024..=1_048_576).contains(&self.body_limit) {
            problems.push(Problem::new(
                format!("{path}.body_limit"),
                format!("a body_limit of {} bytes is out of range", self.body_limit),
                "choose between 1024 and 1048576",
            ));
        }
        if self.shutdown_grace.as_secs() > 600 {
            problems.push(Problem::new(
                format!("{path}.shutdown_grace"),
                format!("a shutdown_grace of {} is out of range", self.shutdown_grace),
                "choose 10 minutes or less",
            ));
        }
        for (key, value, most) in [
            ("sign_in_rate", self.sign_in_rate, 10_000),
            ("sign_in_burst", self.sign_in_burst, 100_000),
            ("workload_rate", self.workload_rate, 10_000),
            ("workload_burst", self.workload_burst, 100_000),
        ] {
            if !(1..=most).contains(&value) {
                problems.push(Problem::new(
                    format!("{path}.{key}"),
                    format!("a {key} of {value} is out of range"),
                    format!("choose between 1 and {most}"),
                ));
            }
        }
        if self.workers.is_some_and(|workers| !(1..=512).contains(&workers)) {
            problems.push(Problem::new(
                format!("{path}.workers"),
                "the number of workers is out of range",
                "choose between 1 and 512, or leave it out for one per processor core",
            ));
        }
    }
}

/// What people are told when they are stuck.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HelpSettings {
    /// Whom to ask for access, shown to people without roles: `Ask #cloud-access on chat`. Plain text.
    pub contact: Option<String>,
}

/// What the pages offer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PortalSettings {
    /// What people are told who ask why they do not have a role: "off" (there is no page for it), "reasons" (what about themselves is
    /// missing) or "groups" (the groups that would give it too).
    pub explain: Disclosure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order() {
        let mut problems = Vec::new();
        ServerSettings::default().check("server", &mut problems);
        assert_eq!(problems, []);
    }

    #[test]
    fn limits_are_limits() {
        let settings = ServerSettings {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()],
            request_timeout: Span::seconds(0),
            body_limit: 10,
            shutdown_grace: Span::seconds(601),
            sign_in_rate: 0,
            sign_in_burst: 100_001,
            workers: Some(0),
            ..ServerSettings::default()
        };
        let mut problems = Vec::new();
        settings.check("server", &mut problems);
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "server.trusted_proxies[1]",
                "server.request_timeout",
                "server.body_limit",
                "server.shutdown_grace",
                "server.sign_in_rate",
                "server.sign_in_burst",
                "server.workers"
            ]
        );
    }
}

//! What an administrator says about the metrics.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::Problem;

/// Where monitors get numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// The address and port that serve `GET /metrics` and nothing else, such as `127.0.0.1:9464`. Whoever reaches it may read: it is for monitors
    /// alone, so it is another one than `server.listen`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)) }
    }
}

impl MetricsSettings {
    /// Adds what is wrong with the settings at `path`, beside a server that listens at `server`.
    pub fn check(&self, path: &str, server: SocketAddr, problems: &mut Vec<Problem>) {
        // Port 0 is any free one.
        let same_port = self.listen.port() == server.port() && server.port() != 0;
        let [ours, servers] = [self.listen, server].map(|address| address.ip().to_canonical());
        if same_port && (ours == servers || ours.is_unspecified() || servers.is_unspecified()) {
            problems.push(Problem::new(
                format!("{path}.listen"),
                format!("{} is where server.listen is, and the metrics are not for the public address", self.listen),
                "choose another port, such as 9464",
            ));
        }
    }

    /// What is allowed, but deserves a second look.
    #[must_use]
    pub fn second_look(&self, path: &str) -> Option<Problem> {
        let message = if self.listen.ip().is_unspecified() {
            format!("{} is every address of this machine, also those that others reach", self.listen)
        } else if is_near(self.listen.ip().to_canonical()) {
            return None;
        } else {
            format!("{} is neither loopback nor a private address", self.listen)
        };
        let hint = "listen on the address that the monitor asks, or see to it that nobody else reaches this one";
        Some(Problem::new(format!("{path}.listen"), message, hint))
    }
}

/// Whether an address is not for everybody on the internet.
const fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_its_own() {
        let wrong = |metrics: &str, server: &str| {
            let mut problems = Vec::new();
            MetricsSettings { listen: metrics.parse().unwrap() }.check("metrics", server.parse().unwrap(), &mut problems);
            problems.len()
        };
        for (metrics, server) in [
            ("127.0.0.1:8700", "127.0.0.1:8700"),
            ("0.0.0.0:8700", "127.0.0.1:8700"),
            ("127.0.0.1:8700", "[::]:8700"),
            ("[::ffff:127.0.0.1]:8700", "127.0.0.1:8700"),
        ] {
            assert_eq!(wrong(metrics, server), 1, "{metrics} beside {server}");
        }
        for (metrics, server) in [("127.0.0.1:9464", "127.0.0.1:8700"), ("10.0.0.1:8700", "127.0.0.1:8700"), ("127.0.0.1:0", "127.0.0.1:0")]
        {
            assert_eq!(wrong(metrics, server), 0, "{metrics} beside {server}");
        }
    }

    #[test]
    fn an_address_that_others_reach_deserves_a_second_look() {
        let told = |listen: &str| MetricsSettings { listen: listen.parse().unwrap() }.second_look("metrics").is_some();
        for near in ["127.0.0.1:1", "[::1]:1", "10.1.2.3:1", "192.168.1.1:1", "[fd00::1]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!told(near), "{near}");
        }
        for far in ["0.0.0.0:1", "[::]:1", "203.0.113.9:1", "[2001:db8::1]:1"] {
            assert!(told(far), "{far}");
        }
        assert!(MetricsSettings::default().second_look("metrics").is_none());
    }
}

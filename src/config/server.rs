//! What an administrator says about the HTTP server, and about what people are told.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::access::Disclosure;
use crate::settings::{Problem, Span};
use crate::web::TlsSettings;

/// The HTTP server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The address and port to listen on, such as `127.0.0.1:8700` or `[::]:8700`. Without `tls`, TLS is the business of the proxy before it.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// TLS by the gateway itself.
    pub tls: Option<TlsSettings>,
    /// Networks of the proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`. Without one, nobody's is.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long one request may take, 1 second to 5 minutes. Issuing credentials asks AWS meanwhile: keep it above `aws.deadline`.
    pub request_timeout: Span,
    /// The largest request body, in bytes, 1024 to 1048576.
    pub body_limit: usize,
    /// How long the gateway serves on after SIGTERM while `/readyz` answers 503, so that a load balancer finds out before the port closes; 5
    /// minutes at most. Ctrl-C, or a second signal, goes without.
    pub shutdown_delay: Span,
    /// How long requests may go on once the port is closed, 10 minutes at most.
    pub shutdown_grace: Span,
    /// How many sign-ins one address (in IPv6 one /64) may begin or finish in a second, over time, 1 to 10000. Each sign-in is two.
    pub sign_in_rate: u32,
    /// How many of them at once, after a pause, 1 to 100000. Raise both if many people come from one address, as behind a common NAT.
    pub sign_in_burst: u32,
    /// How many credentials one person may ask for in a second, over time, 1 to 10000: on the pages, by the API and by command lines together.
    pub person_rate: u32,
    /// How many of them at once, after a pause, 1 to 100000.
    pub person_burst: u32,
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
            tls: None,
            trusted_proxies: Vec::new(),
            request_timeout: Span::seconds(30),
            body_limit: 65_536,
            shutdown_delay: Span::seconds(2),
            shutdown_grace: Span::seconds(10),
            sign_in_rate: 20,
            sign_in_burst: 200,
            person_rate: 2,
            person_burst: 200,
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
        if self.tls.as_ref().is_some_and(|tls| tls.administrator_ca_file.is_some()) && !self.trusted_proxies.is_empty() {
            problems.push(Problem::new(
                format!("{path}.tls.administrator_ca_file"),
                "behind a proxy everybody comes with the proxy's client certificate, or nobody with one",
                "take trusted_proxies out where clients connect to the gateway itself, or administrator_ca_file where a proxy does TLS",
            ));
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
        if self.shutdown_delay.as_secs() > 300 {
            problems.push(Problem::new(
                format!("{path}.shutdown_delay"),
                format!("a shutdown_delay of {} is out of range", self.shutdown_delay),
                "choose 5 minutes or less",
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
            ("person_rate", self.person_rate, 10_000),
            ("person_burst", self.person_burst, 100_000),
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
    /// Where help is had, shown at the foot of each page: an `https:` or `mailto:` address.
    pub link: Option<String>,
}

impl HelpSettings {
    /// Adds what is wrong with the settings at `path`.
    pub fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        let Some(link) = &self.link else { return };
        if !Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "https" | "mailto")) {
            problems.push(Problem::new(
                format!("{path}.link"),
                format!("`{link}` is not an address that a page may lead to"),
                "write one that begins with https:// or mailto:",
            ));
        }
    }
}

/// What the pages offer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PortalSettings {
    /// What people are told who ask why they do not have a role: "off" (there is no page for it), "reasons" (what about themselves is
    /// missing) or "groups" (the groups that would give it too).
    pub explain: Disclosure,
    /// How the pages look like your own.
    pub brand: BrandSettings,
}

/// The name, the logo and the colour of the pages.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BrandSettings {
    /// The name in the header and in the window's title, 40 characters at most.
    pub name: Option<String>,
    /// The picture beside it: a file, SVG or PNG, 64 KiB at most, best as high as wide.
    pub logo: Option<PathBuf>,
    /// The colour of buttons and links on light pages: `#rrggbb`, dark enough for white text on it.
    pub color: Option<String>,
    /// The colour on dark pages: `#rrggbb`, light enough for dark text on it.
    pub color_dark: Option<String>,
}

/// The largest logo that is served, in bytes.
const LARGEST_LOGO: u64 = 64 * 1024;

impl BrandSettings {
    /// Adds what is wrong with the settings at `path`; a relative path of the logo starts at `base`.
    pub fn check(&self, path: &str, base: &Path, problems: &mut Vec<Problem>) {
        let mut wrong = |key: &str, what: String, hint: &'static str| problems.push(Problem::new(format!("{path}.{key}"), what, hint));
        if let Some(name) = &self.name
            && (name.trim().is_empty() || name.chars().count() > 40 || name.chars().any(char::is_control))
        {
            wrong("name", format!("`{name}` is not a good name for the pages"), "use 1 to 40 printable characters");
        }
        if let Some(logo) = &self.logo {
            let is_picture = logo.extension().is_some_and(|extension| extension == "svg" || extension == "png");
            match std::fs::metadata(base.join(logo)) {
                Err(error) => wrong("logo", format!("{} cannot be read: {error}", logo.display()), "name a file that Rolegate can read"),
                Ok(file) if !is_picture || !file.is_file() || file.len() > LARGEST_LOGO => {
                    wrong(
                        "logo",
                        format!("{} is no small picture", logo.display()),
                        "use a file of 64 KiB at most that ends in .svg or .png",
                    );
                }
                Ok(_) => {}
            }
        }
        let shades = [("color", &self.color, Shade::LIGHT), ("color_dark", &self.color_dark, Shade::DARK)];
        for (key, text, shade) in shades.into_iter().filter_map(|(key, text, shade)| Some((key, text.as_ref()?, shade))) {
            match rgb(text) {
                None => wrong(key, format!("`{text}` is no colour"), "write it as #rrggbb, for example #0e5a66"),
                Some(colour) if shade.least_contrast(colour) < LEAST_CONTRAST => {
                    let found = format!("text in `{text}` would have a contrast of {:.1} to 1", shade.least_contrast(colour));
                    wrong(key, found, "choose one with 4.5 to 1 or more (WCAG 2.2, 1.4.3): darker on light pages, lighter on dark ones");
                }
                Some(_) => {}
            }
        }
    }
}

/// What text needs (WCAG 2.2, success criterion 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;

type Rgb = [f64; 3];

/// What a colour stands on, and what stands on it, in one of the two schemes: static/app.css has the same.
struct Shade {
    card: Rgb,
    on: Rgb,
}

impl Shade {
    const LIGHT: Self = Self { card: [255.0, 255.0, 255.0], on: [255.0, 255.0, 255.0] };
    const DARK: Self = Self { card: [22.0, 30.0, 36.0], on: [5.0, 38.0, 43.0] };

    /// The least contrast of the colour as text on a card, as text on its own tint, and under a button's text.
    fn least_contrast(&self, colour: Rgb) -> f64 {
        let mix = |[a, b, c]: Rgb, [x, y, z]: Rgb| [0.1 * a + 0.9 * x, 0.1 * b + 0.9 * y, 0.1 * c + 0.9 * z];
        let pairs = [(colour, self.card), (colour, mix(colour, self.card)), (self.on, colour)];
        pairs.into_iter().map(|(front, back)| contrast(front, back)).fold(f64::INFINITY, f64::min)
    }
}

fn rgb(text: &str) -> Option<Rgb> {
    let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let channel = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok().map(f64::from);
    Some([channel(0)?, channel(2)?, channel(4)?])
}

/// The contrast of two colours (WCAG 2.2, "contrast ratio").
fn contrast(one: Rgb, other: Rgb) -> f64 {
    let linear = |value: f64| if value / 255.0 <= 0.040_45 { value / 255.0 / 12.92 } else { ((value / 255.0 + 0.055) / 1.055).powf(2.4) };
    let luminance = |[red, green, blue]: Rgb| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
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
            shutdown_delay: Span::seconds(301),
            shutdown_grace: Span::seconds(601),
            sign_in_rate: 0,
            sign_in_burst: 100_001,
            person_rate: 10_001,
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
                "server.shutdown_delay",
                "server.shutdown_grace",
                "server.sign_in_rate",
                "server.sign_in_burst",
                "server.person_rate",
                "server.workers"
            ]
        );
    }

    #[test]
    fn a_brand_is_a_short_name_a_small_picture_and_colours_that_can_be_read() {
        let folder = std::env::temp_dir().join(format!("rolegate-brand-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("logo.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
        std::fs::write(folder.join("large.png"), vec![0; 70_000]).unwrap();
        let paths = |brand: &BrandSettings| {
            let mut problems = Vec::new();
            brand.check("portal.brand", &folder, &mut problems);
            problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        let (name, logo) = (Some("Example Cloud".into()), Some("logo.svg".into()));
        let good = BrandSettings { name, logo, color: Some("#0e5a66".into()), color_dark: Some("#6fcfd4".into()) };
        assert_eq!(paths(&good), Vec::<String>::new());
        for (bad, path) in [
            (BrandSettings { name: Some("x".repeat(41)), ..good.clone() }, "portal.brand.name"),
            (BrandSettings { logo: Some("large.png".into()), ..good.clone() }, "portal.brand.logo"),
            (BrandSettings { logo: Some("missing.svg".into()), ..good.clone() }, "portal.brand.logo"),
            (BrandSettings { color: Some("teal".into()), ..good.clone() }, "portal.brand.color"),
            (BrandSettings { color: Some("#6fcfd4".into()), ..good.clone() }, "portal.brand.color"),
            (BrandSettings { color_dark: Some("#0e5a66".into()), ..good.clone() }, "portal.brand.color_dark"),
        ] {
            assert_eq!(paths(&bad), [path]);
        }
        std::fs::remove_dir_all(&folder).unwrap();
        let problems = |link: &str| {
            let mut problems = Vec::new();
            HelpSettings { link: Some(link.into()), contact: None }.check("help", &mut problems);
            problems.len()
        };
        assert_eq!(["https://help.example.org/aws", "mailto:help@example.org", "javascript:alert(1)", "help"].map(problems), [0, 0, 1, 1]);
    }
}

//! `client.toml`: which gateway, and names for roles.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::gateway_url::GatewayUrl;
use super::places::{self, Places};
use super::trouble::{Kind, Trouble};

/// What a person has set, all of it optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The gateway that is asked when no other is named. `rolegate login --gateway URL` writes it.
    gateway: Option<String>,
    /// Names for roles: `prod = "Production/ReadOnly"`, or an ARN.
    #[serde(default)]
    pub(super) alias: BTreeMap<String, String>,
    /// Whether the session may be kept in the system's keyring; otherwise it is in a file.
    #[serde(default = "yes")]
    pub(super) keyring: bool,
}

const fn yes() -> bool {
    true
}

impl Settings {
    pub(super) fn load(places: &Places) -> Result<Self, Trouble> {
        let Some(bytes) = places::read(&places.settings)? else { return Ok(Self { keyring: true, ..Self::default() }) };
        let text = String::from_utf8_lossy(&bytes);
        toml::from_str(&text).map_err(|error| {
            let happened = format!("{} is not what it should be: {}", places.settings.display(), error.to_string().trim_end());
            Trouble::yours(Kind::Usage, happened, "mend the line; docs/command-line.md lists the keys")
        })
    }

    /// The gateway to ask.
    pub(super) fn gateway(&self, named: Option<&GatewayUrl>) -> Result<GatewayUrl, Trouble> {
        if let Some(named) = named {
            return Ok(named.clone());
        }
        let advice = "rolegate login --gateway https://roles.example.org (your administrator knows the address), or set ROLEGATE_GATEWAY";
        let text = self.gateway.as_deref().ok_or_else(|| Trouble::yours(Kind::Usage, "No gateway is known yet.", advice))?;
        text.parse()
            .map_err(|error| Trouble::yours(Kind::Usage, format!("The gateway `{text}` in client.toml cannot be used: {error}."), advice))
    }
}

/// Writes the gateway into `client.toml` and leaves the rest of it as it is.
pub(super) fn remember_gateway(places: &Places, gateway: &GatewayUrl) -> Result<(), Trouble> {
    let old = places::read(&places.settings)?.unwrap_or_default();
    let new = with_gateway(&String::from_utf8_lossy(&old), gateway);
    if new.as_bytes() == old { Ok(()) } else { places::write(&places.settings, new.as_bytes()) }
}

fn with_gateway(text: &str, gateway: &GatewayUrl) -> String {
    let line = format!("gateway = \"{gateway}\"\n");
    // Keys of no table stand before the first one.
    let head = text.find("\n[").map_or_else(|| if text.starts_with('[') { 0 } else { text.len() }, |at| at + 1);
    let (head, tables) = text.split_at(head);
    let is_gateway = |line: &&str| line.trim_start().strip_prefix("gateway").is_some_and(|rest| rest.trim_start().starts_with('='));
    let old = head.split_inclusive('\n').find(is_gateway);
    match old {
        Some(old) => head.replacen(old, &line, 1) + tables,
        None => format!("{line}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_written_where_it_belongs_and_the_rest_stays() {
        let gateway: GatewayUrl = "https://b.example".parse().unwrap();
        for (old, new) in [
            ("", "gateway = \"https://b.example\"\n"),
            (
                "# mine\ngateway=\"https://a.example\"\n[alias]\ngateway = \"x\"\n",
                "# mine\ngateway = \"https://b.example\"\n[alias]\ngateway = \"x\"\n",
            ),
            ("[alias]\ngateway = \"x\"\n", "gateway = \"https://b.example\"\n[alias]\ngateway = \"x\"\n"),
            ("keyring = false", "gateway = \"https://b.example\"\nkeyring = false"),
        ] {
            assert_eq!(with_gateway(old, &gateway), new);
            let settings: Settings = toml::from_str(new).unwrap();
            assert_eq!(settings.gateway(None).unwrap(), gateway);
            assert_eq!(with_gateway(new, &gateway), new);
        }
    }

    #[test]
    fn a_misspelt_key_is_found_and_no_gateway_is_told() {
        assert!(toml::from_str::<Settings>("gatway = 'x'").unwrap_err().to_string().contains("gatway"));
        assert_eq!(Settings::default().gateway(None).unwrap_err().kind, Kind::Usage);
        let open: Settings = toml::from_str("gateway = 'http://roles.example.org'").unwrap();
        assert!(open.gateway(None).unwrap_err().happened.contains("in the open"));
    }
}

//! What a command line sends to be let in, parsed into what can be relied on.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

/// The one client that there is (RFC 6749 section 2.2): Rolegate's own command line, a public client, which has no secret.
pub const CLIENT_ID: &str = "rolegate-cli";

/// Where a command line on the person's own machine waits for its code (RFC 8252 section 7.3): plain http on a loopback address, never on a
/// name, because a name can be made to lead elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopbackUri(String);

impl LoopbackUri {
    /// The origins, without the port.
    const HOSTS: [&str; 2] = ["http://127.0.0.1:", "http://[::1]:"];

    /// Reads `http://127.0.0.1:PORT/callback` or `http://[::1]:PORT/callback`, in exactly this spelling; none for anything else. No URL parser
    /// takes part, so none can see another host in it than the next one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = Self::HOSTS.iter().find_map(|host| text.strip_prefix(host))?;
        let port = rest.strip_suffix("/callback")?;
        let number = port.parse::<u16>().ok().filter(|number| *number > 0)?;
        (number.to_string() == port).then(|| Self(text.to_owned()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its origin where a content security policy can name one: the grammar of CSP (level 3, section 2.3.1) has no IPv6 addresses.
    #[must_use]
    pub fn policy_source(&self) -> Option<&str> {
        self.0.strip_suffix("/callback").filter(|_| !self.0.contains('['))
    }
}

/// A PKCE challenge by S256 (RFC 7636 section 4.2): the hash of what only the command line knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge(String);

impl Challenge {
    /// Reads a challenge; none if it is not the hash of anything. The method `plain` does not exist here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hash = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        (hash.len() == SHA256.output_len()).then(|| Self(text.to_owned()))
    }

    /// Whether a verifier is the one that the challenge was made from (RFC 7636 section 4.6).
    #[must_use]
    pub fn matches(&self, verifier: &str) -> bool {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        let hash = BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        well_formed && verify_slices_are_equal(hash.as_bytes(), self.0.as_bytes()).is_ok()
    }

    /// The challenge as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w10_a_code_goes_to_a_loopback_address_and_nowhere_else() {
        for good in ["http://127.0.0.1:1/callback", "http://127.0.0.1:49152/callback", "http://[::1]:65535/callback"] {
            assert_eq!(LoopbackUri::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:080/callback",
            "http://127.0.0.1:+80/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:80/callback/",
            "http://127.0.0.1:80/callback?x=1",
            "http://127.0.0.1:80/callback#x",
            "http://127.0.0.1:80/Callback",
            "http://127.0.0.1:80/../callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1:@evil.example:80/callback",
            "http://user@127.0.0.1:80/callback",
            "http://user:127.0.0.1:80/callback",
            "http://127.0.0.1.evil.example:80/callback",
            "http://127.0.0.2:80/callback",
            "http://127.1:80/callback",
            "http://2130706433:80/callback",
            "http://0.0.0.0:80/callback",
            "http://localhost:80/callback",
            "http://localhost.evil.example:80/callback",
            "http://[::ffff:127.0.0.1]:80/callback",
            "http://[0::1]:80/callback",
            "http://[::1]@evil.example:80/callback",
            "https://127.0.0.1:80/callback",
            "HTTP://127.0.0.1:80/callback",
            "http:127.0.0.1:80/callback",
            "http://127.0.0.1:80\\@evil.example/callback",
            " http://127.0.0.1:80/callback",
            "http://127.0.0.1:80/callback\n",
            "http://127.0.0.1:８０/callback",
            "javascript:alert(1)//127.0.0.1:80/callback",
        ] {
            assert_eq!(LoopbackUri::parse(bad), None, "{bad:?}");
        }
        assert_eq!(LoopbackUri::parse("http://127.0.0.1:80/callback").unwrap().policy_source(), Some("http://127.0.0.1:80"));
        assert_eq!(LoopbackUri::parse("http://[::1]:80/callback").unwrap().policy_source(), None);
    }

    /// The example of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn w10_a_challenge_is_met_by_its_own_verifier_alone() {
        let challenge = Challenge::parse(CHALLENGE).unwrap();
        assert!(challenge.matches(VERIFIER));
        let (short, long) = (&VERIFIER[1..], format!("{VERIFIER}A"));
        for wrong in ["", CHALLENGE, short, &long, &VERIFIER.replace('d', "e"), &VERIFIER.replace('d', " "), &"A".repeat(200)] {
            assert!(!challenge.matches(wrong), "{wrong}");
        }
        for bad in ["", VERIFIER.get(1..).unwrap(), "plain", &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+"), &"A".repeat(44)] {
            assert!(Challenge::parse(bad).is_none(), "{bad}");
        }
        // A short secret, as the method `plain` would allow, hashes to a challenge, and is refused as a verifier.
        let weak = Challenge::parse(&BASE64URL_NOPAD.encode(digest(&SHA256, b"guess").as_ref())).unwrap();
        assert!(!weak.matches("guess"));
    }
}

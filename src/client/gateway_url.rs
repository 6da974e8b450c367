//! Where a gateway is.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::settings;

/// The origin of a gateway: https, or http on this machine. Tokens are sent there and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct GatewayUrl(Url);

/// Why a text is not where a gateway can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidGatewayUrl {
    /// No URL at all.
    #[error("it is no URL: write one such as https://roles.example.org")]
    NoUrl,
    /// Plain http to another machine, or something else that is no https.
    #[error("it must begin with https:// (http is for this machine alone): tokens would travel in the open")]
    Open,
    /// More than an origin.
    #[error("it must be an origin without user name, path or query, such as https://roles.example.org")]
    NoOrigin,
}

impl GatewayUrl {
    /// The origin, without a slash at the end.
    #[must_use]
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The address of a path there.
    #[must_use]
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// Whether an address is one of this gateway's.
    #[must_use]
    pub(super) fn has(&self, url: &Url) -> bool {
        url.origin() == self.0.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// Whether the gateway is on this machine.
    #[must_use]
    pub(super) fn is_loopback(&self) -> bool {
        settings::is_loopback(&self.0)
    }
}

impl FromStr for GatewayUrl {
    type Err = InvalidGatewayUrl;

    fn from_str(text: &str) -> Result<Self, InvalidGatewayUrl> {
        let url = Url::parse(text).map_err(|_| InvalidGatewayUrl::NoUrl)?;
        // It is written into command lines that shells run, and a URL's host may have `;` and `&`.
        let is_word = url.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:/[]".contains(&byte));
        let is_origin = is_word && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_origin || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidGatewayUrl::NoOrigin);
        }
        let url = Self(url);
        match url.0.scheme() {
            "https" => Ok(url),
            "http" if url.is_loopback() => Ok(url),
            _ => Err(InvalidGatewayUrl::Open),
        }
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_an_origin_that_tokens_may_be_sent_to() {
        for good in [
            "https://roles.example.org",
            "https://roles.example.org:8443/",
            "http://127.0.0.1:8700",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert_eq!(good.parse::<GatewayUrl>().unwrap().as_str(), good.trim_end_matches('/'));
        }
        for (bad, why) in [
            ("roles.example.org", InvalidGatewayUrl::NoUrl),
            ("http://roles.example.org", InvalidGatewayUrl::Open),
            ("http://127.0.0.1.example.org", InvalidGatewayUrl::Open),
            ("file:///etc/passwd", InvalidGatewayUrl::NoOrigin),
            ("https://roles.example.org/x", InvalidGatewayUrl::NoOrigin),
            ("https://roles.example.org?x", InvalidGatewayUrl::NoOrigin),
            ("https://me@roles.example.org", InvalidGatewayUrl::NoOrigin),
            ("https://127.0.0.1@roles.example.org", InvalidGatewayUrl::NoOrigin),
        ] {
            assert_eq!(bad.parse::<GatewayUrl>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn an_address_of_another_is_none_of_its_own() {
        let gateway: GatewayUrl = "https://roles.example.org".parse().unwrap();
        assert_eq!(gateway.at("/api/v1/explain?role=x").as_str(), "https://roles.example.org/api/v1/explain?role=x");
        assert!(gateway.has(&"https://roles.example.org/oauth2/token".parse().unwrap()));
        for other in [
            "http://roles.example.org/",
            "https://roles.example.org:8443/",
            "https://roles.example.org.evil.example/",
            "https://x@roles.example.org/",
        ] {
            assert!(!gateway.has(&other.parse().unwrap()), "{other}");
        }
    }
}

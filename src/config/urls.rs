//! The two URLs that everything else leans on: where browsers reach Rolegate, and who AWS is told has signed.

use url::Url;

use crate::settings::is_loopback;

/// What is wrong with a URL, and what to do.
pub(super) type Fault = (String, String);

/// Checks the public URL and brings it into its normal form: an origin without a slash at the end.
pub(super) fn public_url(text: &str) -> Result<Url, Fault> {
    let url = web_url(text, "public_url")?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err((
            "public_url may not have a path, a query or a fragment".into(),
            format!("Rolegate needs a host name of its own: {}", url.origin().ascii_serialization()),
        ));
    }
    Ok(url)
}

/// Checks the issuer of minted tokens by what IAM accepts (`CreateOpenIDConnectProvider`): https, at most 255 characters, without a port
/// and a query. On loopback, where only a sandbox can fetch its keys, http and a port are let through.
pub(super) fn issuer(text: &str) -> Result<Url, Fault> {
    let url = web_url(text, "the issuer")?;
    if text.len() > 255 {
        return Err(("the issuer is longer than 255 characters".into(), "IAM does not take a longer one".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("the issuer may not have a query or a fragment".into(), "leave out what begins with ? or #".into()));
    }
    if text.ends_with('/') {
        return Err(("the issuer may not end in a slash".into(), "IAM compares it byte for byte: leave the slash out".into()));
    }
    // Url forgets a default port that was written out; IAM would not.
    let authority = text.split('/').nth(2).unwrap_or_default();
    if !is_loopback(&url) && authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err((
            "the issuer may not have a port".into(),
            "IAM takes issuers on port 443 only: set trust.issuer to an https URL without a port that leads to Rolegate".into(),
        ));
    }
    Ok(url)
}

/// An absolute https URL without user information; http on a loopback host.
fn web_url(text: &str, what: &str) -> Result<Url, Fault> {
    let example = "write an absolute URL such as https://roles.example.org".to_owned();
    let url = Url::parse(text).map_err(|error| (format!("{what} is not a URL: {error}"), example.clone()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err((format!("{what} may not have a user name or a password in it"), "leave out what stands before the @".into()));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err((
            format!("{what} is plain http: cookies and tokens would travel in the open"),
            "write https, and let a proxy before Rolegate do TLS; http is for loopback hosts such as 127.0.0.1 only".into(),
        )),
        other => Err((format!("{what} has the scheme `{other}`"), example)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin() {
        for good in
            ["https://roles.example.org", "https://ROLES.example.org:8443/", "http://127.0.0.1:8700", "http://[::1]:1", "http://localhost"]
        {
            assert!(public_url(good).is_ok(), "{good}");
        }
        for (bad, part) in [
            ("http://roles.example.org", "plain http"),
            ("http://localhost.example.org", "plain http"),
            ("http://127.0.0.1.example.org", "plain http"),
            ("https://a.example/roles", "path"),
            ("https://a.example/?x", "query"),
            ("https://a.example#x", "fragment"),
            ("https://me@a.example", "user name"),
            ("ftp://a.example", "scheme"),
            ("roles.example.org", "not a URL"),
            ("", "not a URL"),
        ] {
            assert!(public_url(bad).unwrap_err().0.contains(part), "{bad}: {:?}", public_url(bad));
        }
    }

    #[test]
    fn an_issuer_is_what_iam_accepts() {
        for good in ["https://issuer.example.org", "https://issuer.example.org/a/b", "http://127.0.0.1:8700"] {
            assert!(issuer(good).is_ok(), "{good}");
        }
        let long = format!("https://issuer.example.org/{}", "x".repeat(229));
        for (bad, part) in [
            ("https://issuer.example.org:8443", "port"),
            ("https://issuer.example.org:443", "port"),
            ("https://issuer.example.org/", "slash"),
            ("https://issuer.example.org?a", "query"),
            ("https://issuer.example.org#a", "fragment"),
            ("http://issuer.example.org", "plain http"),
            (long.as_str(), "255"),
        ] {
            assert!(issuer(bad).unwrap_err().0.contains(part), "{bad}: {:?}", issuer(bad));
        }
    }
}

//! What the gateway says when it says no (problem details, RFC 9457), and what that means for the person at the command line.

use reqwest::StatusCode;
use serde::Deserialize;

use super::super::gateway_url::GatewayUrl;
use super::super::trouble::{Kind, Trouble};
use super::Answer;
use crate::aws::Mender;
use crate::terminal::harmless_name;

/// A request that was not granted.
#[derive(Debug)]
pub(in crate::client) struct Refusal {
    /// What the person is told, with the gateway's word for it; without one if no gateway said it.
    pub(in crate::client) trouble: Trouble,
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self { trouble }
    }
}

impl Refusal {
    /// Whether there is no session, or none any more.
    pub(in crate::client) fn wants_sign_in(&self) -> bool {
        matches!(self.trouble.code.as_deref(), Some("not_signed_in" | "session_ended"))
    }

    pub(in crate::client) fn is(&self, code: &str) -> bool {
        self.trouble.code.as_deref() == Some(code)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    code: String,
    incident: Option<String>,
    sign_in_url: Option<String>,
    request_url: Option<String>,
}

/// Reads what the gateway says. Texts of its own are passed on; what to do about them is known here.
pub(super) fn refusal(gateway: &GatewayUrl, answer: &Answer) -> Refusal {
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    if problem.code.is_empty() {
        return foreign(gateway, answer.status).into();
    }
    let wait =
        answer.retry_after.map_or_else(|| "wait a little and try again".to_owned(), |seconds| format!("try again in {seconds} seconds"));
    let sign_in = format!("rolegate login --gateway {gateway}");
    let (kind, mender, advice) = match problem.code.as_str() {
        "not_signed_in" | "session_ended" => (Kind::SignIn, Mender::Person, sign_in),
        "not_granted" => (
            Kind::Refused,
            Mender::GatewayAdministrator,
            "rolegate roles lists what you have; for more, ask the administrator for a rule that gives you this role".to_owned(),
        ),
        "fresh_sign_in_needed" => (Kind::MoreNeeded, Mender::Person, fresh(gateway, problem.sign_in_url.as_deref(), &sign_in)),
        "request_needed" => (Kind::MoreNeeded, Mender::Person, request(gateway, problem.request_url.as_deref())),
        "break_glass_needed" => (
            Kind::MoreNeeded,
            Mender::Person,
            "if this is an emergency, say so with --break-glass and --reason TEXT: it is an alarm".to_owned(),
        ),
        "reason_needed" => (
            Kind::MoreNeeded,
            Mender::Person,
            "give one with --reason TEXT; the credentials are then kept, so that programs get them without asking".to_owned(),
        ),
        "mfa_code_needed" => (Kind::MoreNeeded, Mender::Person, "give the present code of your device with --mfa-code CODE".to_owned()),
        "invalid_request" | "duration_not_allowed" | "destination_not_allowed" => {
            (Kind::Usage, Mender::Person, "change what you ask for, and see `rolegate help`".to_owned())
        }
        "too_many_requests" | "aws_unavailable" | "unavailable" => (Kind::Unavailable, Mender::Person, wait),
        "aws_refused" => {
            (Kind::Refused, Mender::AccountAdministrator, "give them this message and, if there is one, the incident id".to_owned())
        }
        _ => (Kind::Other, Mender::GatewayAdministrator, "give them this message and, if there is one, the incident id".to_owned()),
    };
    // In one line: it must not look as if what follows were ours.
    let said = harmless_name(if problem.detail.is_empty() { &problem.title } else { &problem.detail });
    // What AWS said comes with its mender and the advice in one text.
    let mut trouble = match explained(&said) {
        Some((happened, mender, advice)) => Trouble::new(kind, mender, happened, advice),
        None => Trouble::new(kind, mender, said, advice),
    };
    trouble.code = Some(problem.code);
    trouble.incident = problem.incident.as_deref().map(harmless_name);
    Refusal { trouble }
}

/// An `aws::Explanation` as it was written.
fn explained(text: &str) -> Option<(&str, Mender, &str)> {
    let (happened, rest) = text.split_once(" To be mended by ")?;
    let (mender, advice) = rest.split_once(": ")?;
    let menders = [Mender::Person, Mender::GatewayAdministrator, Mender::AccountAdministrator, Mender::Aws];
    let mender = menders.into_iter().find(|known| known.to_string() == mender)?;
    Some((happened, mender, advice))
}

/// The advice for a role that wants a sign-in of just now. Only an address of the gateway's own is passed on.
fn fresh(gateway: &GatewayUrl, url: Option<&str>, sign_in: &str) -> String {
    match url.and_then(|url| gateway.at("/").join(url).ok()).filter(|url| gateway.has(url)) {
        Some(url) => format!("open {url} in your browser and sign in there, then `{sign_in}`, and ask again"),
        None => format!("sign in anew in your browser, then `{sign_in}`, and ask again"),
    }
}

/// The advice for a role that is had on request.
fn request(gateway: &GatewayUrl, url: Option<&str>) -> String {
    let own = url.and_then(|url| gateway.at("/").join(url).ok()).filter(|url| gateway.has(url));
    let url = own.map_or_else(|| gateway.to_string(), |url| url.to_string());
    format!("ask for it at {url} in your browser, and again here once it is granted")
}

/// An answer that no gateway gives: a proxy before it, or something else at its address.
fn foreign(gateway: &GatewayUrl, status: StatusCode) -> Trouble {
    let happened = format!("{gateway} answers with status {status}, and not as a Rolegate gateway does.");
    let advice = "check the address; if it is right, a proxy before the gateway may be down or too old";
    let kind = if status.is_server_error() { Kind::Unavailable } else { Kind::Other };
    Trouble::new(kind, Mender::GatewayAdministrator, happened, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str, retry_after: Option<u64>) -> Refusal {
        let gateway = "https://roles.example.org".parse().unwrap();
        refusal(&gateway, &Answer { status: StatusCode::from_u16(status).unwrap(), retry_after, body: body.into() })
    }

    #[test]
    fn each_word_of_the_gateway_has_its_exit_code_and_its_advice() {
        for (code, kind, advice) in [
            ("not_signed_in", Kind::SignIn, "rolegate login --gateway https://roles.example.org"),
            ("session_ended", Kind::SignIn, "rolegate login"),
            ("not_granted", Kind::Refused, "rolegate roles"),
            ("fresh_sign_in_needed", Kind::MoreNeeded, "sign in anew"),
            ("request_needed", Kind::MoreNeeded, "ask for it at https://roles.example.org"),
            ("break_glass_needed", Kind::MoreNeeded, "--break-glass"),
            ("reason_needed", Kind::MoreNeeded, "--reason"),
            ("mfa_code_needed", Kind::MoreNeeded, "--mfa-code"),
            ("invalid_request", Kind::Usage, "change"),
            ("too_many_requests", Kind::Unavailable, "in 7 seconds"),
            ("aws_unavailable", Kind::Unavailable, "in 7 seconds"),
            ("aws_refused", Kind::Refused, "incident"),
            ("some_word_of_tomorrow", Kind::Other, "incident"),
        ] {
            let refusal = told(403, &format!(r#"{{"type":"about:blank","detail":"So it is.","code":"{code}","incident":"i-1"}}"#), Some(7));
            assert_eq!((refusal.trouble.kind, refusal.trouble.happened.as_str()), (kind, "So it is."), "{code}");
            assert!(refusal.trouble.advice.contains(advice), "{code}: {}", refusal.trouble.advice);
            assert!(refusal.is(code) && refusal.trouble.to_string().contains("i-1"));
            assert_eq!(refusal.wants_sign_in(), code.starts_with("not_signed") || code.starts_with("session"), "{code}");
        }
    }

    #[test]
    fn what_aws_says_comes_apart_into_what_happened_whose_it_is_and_how() {
        let detail =
            "AWS does not trust us. To be mended by the administrator of the AWS account: correct the trust policy: add the provider.";
        let trouble = told(502, &format!(r#"{{"detail":"{detail}","code":"aws_refused"}}"#), None).trouble;
        assert_eq!((trouble.happened.as_str(), trouble.mender), ("AWS does not trust us.", Mender::AccountAdministrator));
        assert_eq!(trouble.advice, "correct the trust policy: add the provider.");
        let odd = told(502, r#"{"detail":"No. To be mended by nobody: x","code":"aws_refused"}"#, None).trouble;
        assert_eq!(odd.happened, "No. To be mended by nobody: x");
    }

    #[test]
    fn an_address_to_sign_in_at_is_the_gateways_own_or_is_not_told() {
        let body = |url: &str| format!(r#"{{"detail":"x","code":"fresh_sign_in_needed","sign_in_url":"{url}"}}"#);
        for (url, told_url) in [
            ("/login/main?fresh", Some("https://roles.example.org/login/main?fresh")),
            ("https://roles.example.org/login/main", Some("https://roles.example.org/login/main")),
            ("https://evil.example/login", None),
            ("//evil.example/login", None),
            ("javascript:alert(1)", None),
        ] {
            let advice = told(403, &body(url), None).trouble.advice;
            assert_eq!(told_url.is_some_and(|url| advice.contains(url)), told_url.is_some(), "{advice}");
            assert!(!advice.contains("evil") && !advice.contains("javascript"), "{advice}");
            let body = body(url).replace("sign_in_url", "request_url").replace("fresh_sign_in_needed", "request_needed");
            let advice = told(403, &body, None).trouble.advice;
            assert_eq!(told_url.is_some_and(|url| advice.contains(url)), told_url.is_some(), "{advice}");
            assert!(!advice.contains("evil") && !advice.contains("javascript"), "{advice}");
        }
    }

    #[test]
    fn what_is_no_gateways_is_said_to_be_none() {
        for body in ["", "<html>502 Bad Gateway</html>", "{}", "[1]", "{\"code\":1}"] {
            let refusal = told(502, body, None);
            assert_eq!((refusal.trouble.code, refusal.trouble.kind), (None, Kind::Unavailable), "{body}");
            assert!(refusal.trouble.happened.contains("not as a Rolegate gateway"));
        }
        assert_eq!(told(404, "", None).trouble.kind, Kind::Other);
    }
}

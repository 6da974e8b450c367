//! An authorization request, read and checked.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::access::Target;
use crate::clock::Moment;
use crate::gateway::{CLIENT_ID, Challenge, CodeRequest, LocalPath, LoopbackUri};
use crate::identity::Demand;
use crate::store::{DeviceName, Session};

/// The longest `state`, in bytes.
const LONGEST_STATE: usize = 128;
/// The longest freshness that may be asked for: what is longer demands nothing.
const LONGEST_AGE: u32 = 10 * 365 * 86_400;
/// The most context classes, and the longest name of one.
const MOST_CLASSES: usize = 8;
const LONGEST_CLASS: usize = 128;

/// What stands in the address or in the form (RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core section 3.1.2.1), and what the
/// page adds. Of a parameter that stands there twice nothing is read. Unknown ones are ignored, as the standard wants.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Parameters {
    client_id: String,
    redirect_uri: String,
    response_type: Option<String>,
    response_mode: Option<String>,
    state: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    device_name: String,
    prompt: Option<String>,
    max_age: Option<String>,
    acr_values: Option<String>,
    /// RFC 8707: the role that the command line is after, by its ARN.
    resource: Option<String>,
    /// Ours: the person was sent to sign in anew, and must have done so after this second.
    since: Option<String>,
    /// Ours: the person was sent to sign in as is wanted, and is not sent again.
    renewed: Option<String>,
    pub(super) csrf: Option<String>,
    pub(super) decision: Option<String>,
}

/// An authorization request that can be answered.
#[derive(Debug, Clone)]
pub(super) struct Application {
    pub(super) request: CodeRequest,
    pub(super) back: Back,
    /// What the sign-in must bring.
    pub(super) wanted: Demand,
    /// The role for which it must be good enough.
    pub(super) role: Option<Target>,
    /// Whether the person must sign in anew, whatever session there is (`prompt=login`).
    anew: bool,
    /// Since when, once they were sent.
    since: Option<i64>,
    /// Whether they were sent for what is wanted.
    pub(super) renewed: bool,
}

/// The way back to a command line.
#[derive(Debug, Clone)]
pub(super) struct Back {
    pub(super) redirect: LoopbackUri,
    state: Option<String>,
}

/// Why a request cannot be answered as it is.
#[derive(Debug)]
pub(super) enum Flaw {
    /// There is no client to answer to: the person is told.
    Nowhere,
    /// The client hears of it: one of the standards' codes, and why.
    Told(Back, &'static str, &'static str),
}

impl Application {
    /// Reads a request. Whom to answer is settled first: until that, nobody is sent anywhere (RFC 6749 section 4.1.2.1).
    pub(super) fn read(parameters: &Parameters) -> Result<Self, Flaw> {
        let redirect = Some(&parameters.redirect_uri).filter(|_| parameters.client_id == CLIENT_ID);
        let redirect = redirect.and_then(|uri| LoopbackUri::parse(uri)).ok_or(Flaw::Nowhere)?;
        let stated = |state: &&String| state.len() <= LONGEST_STATE && state.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let state = parameters.state.as_ref().filter(stated).cloned();
        let back = Back { redirect, state };
        let told = |code, why| Flaw::Told(back.clone(), code, why);
        let invalid = |why| told("invalid_request", why);
        if parameters.state.is_some() && back.state.is_none() {
            return Err(invalid("state is too long or not ASCII"));
        }
        if parameters.response_type.as_deref() != Some("code") {
            return Err(told("unsupported_response_type", "response_type must be code"));
        }
        if parameters.response_mode.as_deref().is_some_and(|mode| mode != "query") {
            return Err(invalid("response_mode can only be query"));
        }
        // Without a method the standard means `plain`.
        if parameters.code_challenge_method.as_deref() != Some("S256") {
            return Err(invalid("code_challenge_method must be S256"));
        }
        let challenge = parameters.code_challenge.as_deref().and_then(Challenge::parse);
        let challenge = challenge.ok_or_else(|| invalid("code_challenge is missing or no hash"))?;
        let (anew, silent) = prompt(parameters.prompt.as_deref()).ok_or_else(|| invalid("prompt can be login or consent"))?;
        if silent {
            return Err(told("interaction_required", "a person is always asked"));
        }
        let wanted = demand(parameters).ok_or_else(|| invalid("max_age or acr_values cannot be read"))?;
        let role = parameters.resource.as_deref().filter(|text| !text.is_empty()).map(str::parse::<Target>).transpose();
        let role = role.map_err(|_| told("invalid_target", "resource must be the ARN of a role"))?;
        let request = CodeRequest { redirect: back.redirect.clone(), challenge, name: DeviceName::clean(&parameters.device_name) };
        let since = parameters.since.as_deref().and_then(|since| since.parse().ok());
        let application = Self { request, back: back.clone(), wanted, role, anew, since, renewed: parameters.renewed.is_some() };
        // It must be possible to come back to it after a sign-in, with what is added by then.
        let longest = Self { since: Some(i64::MAX), renewed: true, ..application.clone() };
        if longest.place().is_none() { Err(invalid("the request is too long")) } else { Ok(application) }
    }

    /// The request's own parameters, checked and in one spelling, for the form and for the way back after a sign-in.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let CodeRequest { redirect, challenge, name } = &self.request;
        let mut fields = vec![
            ("client_id", CLIENT_ID.to_owned()),
            ("response_type", "code".to_owned()),
            ("redirect_uri", redirect.as_str().to_owned()),
            ("code_challenge", challenge.as_str().to_owned()),
            ("code_challenge_method", "S256".to_owned()),
            ("device_name", name.as_str().to_owned()),
        ];
        fields.extend(self.back.state.clone().map(|state| ("state", state)));
        fields.extend(self.wanted.max_age.map(|age| ("max_age", age.as_secs().to_string())));
        fields.extend((!self.wanted.classes.is_empty()).then(|| ("acr_values", self.wanted.classes.join(" "))));
        fields.extend(self.role.as_ref().map(|role| ("resource", role.as_str().to_owned())));
        fields.extend((self.anew && self.since.is_none()).then(|| ("prompt", "login".to_owned())));
        fields.extend(self.since.map(|since| ("since", since.to_string())));
        fields.extend(self.renewed.then(|| ("renewed", "1".to_owned())));
        fields
    }

    /// Where the request stands, to come back to it; none if it is too long to be carried over a sign-in. The machine's name is left out before
    /// that: it decides nothing.
    pub(super) fn place(&self) -> Option<LocalPath> {
        let place = |named: bool| {
            let fields = self.fields().into_iter().filter(|(name, _)| named || *name != "device_name");
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            LocalPath::parse(&format!("/oauth2/authorize?{query}"))
        };
        place(true).or_else(|| place(false))
    }

    /// Whether the session was opened too early for a request that wants a new sign-in.
    pub(super) fn wants_another(&self, session: &Session) -> bool {
        match self.since {
            Some(since) => session.created.timestamp() < since,
            None => self.anew,
        }
    }

    /// The request as it is to be found after a sign-in that begins now.
    pub(super) fn after_sign_in(&self, now: Moment) -> Self {
        let since = if self.anew { self.since.or(Some(now.timestamp())) } else { self.since };
        Self { since, renewed: true, ..self.clone() }
    }
}

impl Back {
    /// The command line's address with an answer: with who answers (RFC 9207), and with the request's own state.
    pub(super) fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> Option<Url> {
        let mut url = Url::parse(self.redirect.as_str()).ok()?;
        let mut query = url.query_pairs_mut();
        query.extend_pairs(answer);
        query.extend_pairs(self.state.iter().map(|state| ("state", state)));
        query.append_pair("iss", issuer);
        drop(query);
        Some(url)
    }
}

/// Whether a new sign-in is wanted, and whether nobody may be asked; none for words that are not known.
fn prompt(prompt: Option<&str>) -> Option<(bool, bool)> {
    let words: Vec<_> = prompt.unwrap_or_default().split_ascii_whitespace().collect();
    let known = words.iter().all(|word| matches!(*word, "login" | "consent")) || words == ["none"];
    known.then(|| (words.contains(&"login"), words == ["none"]))
}

fn demand(parameters: &Parameters) -> Option<Demand> {
    let max_age = match parameters.max_age.as_deref() {
        None | Some("") => None,
        Some(text) => Some(Duration::from_secs(text.parse::<u32>().ok().filter(|age| *age <= LONGEST_AGE)?.into())),
    };
    let classes = parameters.acr_values.as_deref().unwrap_or_default().split_ascii_whitespace();
    let classes: Vec<_> = classes.map(str::to_owned).collect();
    let fit = classes.len() <= MOST_CLASSES && classes.iter().all(|class| class.len() <= LONGEST_CLASS && class.is_ascii());
    fit.then_some(Demand { max_age, classes, mfa: false })
}

#[cfg(test)]
mod tests {
    use actix_web::web;

    use super::*;

    const GOOD: &str = "client_id=rolegate-cli&response_type=code&redirect_uri=http%3A%2F%2F127.0.0.1%3A49152%2Fcallback&state=a%26b\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&device_name=build-host";

    fn read(query: &str) -> Result<Application, String> {
        let parameters = web::Query::<Parameters>::from_query(query).map_err(|error| error.to_string())?;
        Application::read(&parameters).map_err(|flaw| match flaw {
            Flaw::Nowhere => "nowhere".to_owned(),
            Flaw::Told(_, code, _) => code.to_owned(),
        })
    }

    #[test]
    fn a_request_is_read_and_found_again() {
        let application = read(&format!("{GOOD}&max_age=900&acr_values=gold+silver&prompt=login&unknown=1&scope=x")).unwrap();
        assert_eq!(application.request.name.as_str(), "build-host");
        assert_eq!(application.wanted.max_age, Some(Duration::from_mins(15)));
        assert_eq!(application.wanted.classes, ["gold", "silver"]);
        assert!(application.anew && !application.renewed);
        let place = application.place().unwrap();
        let again = read(place.as_str().split_once('?').unwrap().1).unwrap();
        assert_eq!(again.fields(), application.fields());
        let after = application.after_sign_in(Moment::from_timestamp(1_800_000_000, 0).unwrap());
        let after = read(after.place().unwrap().as_str().split_once('?').unwrap().1).unwrap();
        assert_eq!((after.since, after.renewed, after.anew), (Some(1_800_000_000), true, false));
        let back = application.back.with("https://roles.example.org", &[("code", "x y")]).unwrap();
        assert_eq!(back.as_str(), "http://127.0.0.1:49152/callback?code=x+y&state=a%26b&iss=https%3A%2F%2Froles.example.org");
    }

    #[test]
    fn w10_a_request_without_a_client_to_answer_to_leads_nowhere() {
        for (from, to) in [
            ("rolegate-cli", "another"),
            ("client_id=rolegate-cli&", ""),
            ("127.0.0.1%3A49152", "localhost%3A49152"),
            ("127.0.0.1%3A49152", "127.0.0.1%3A49152%40evil.example"),
            ("127.0.0.1%3A49152", "user%40127.0.0.1%3A49152"),
            ("http%3A%2F%2F127.0.0.1%3A49152%2Fcallback", "https%3A%2F%2Fevil.example%2Fcallback"),
        ] {
            assert_eq!(read(&GOOD.replace(from, to)).unwrap_err(), "nowhere", "{to}");
        }
        let twice = read(&format!("{GOOD}&redirect_uri=https%3A%2F%2Fevil.example")).unwrap_err();
        assert!(twice.contains("duplicate field"), "{twice}");
    }

    #[test]
    fn w10_pkce_cannot_be_left_out_or_weakened() {
        for (from, to) in [
            ("&code_challenge_method=S256", ""),
            ("method=S256", "method=plain"),
            ("method=S256", "method=s256"),
            ("code_challenge=E9", "code_challenge="),
            ("&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", ""),
        ] {
            assert_eq!(read(&GOOD.replace(from, to)).unwrap_err(), "invalid_request", "{from} to {to}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told_the_client() {
        let long = "x".repeat(LONGEST_STATE + 1);
        for (from, to, code) in [
            ("response_type=code", "response_type=token", "unsupported_response_type"),
            ("response_type=code&", "", "unsupported_response_type"),
            ("state=a%26b", &format!("state={long}"), "invalid_request"),
            ("state=a%26b", "state=%00", "invalid_request"),
            ("state=a%26b", &format!("state={}", "%26".repeat(LONGEST_STATE)), "invalid_request"),
            ("state=a%26b", "response_mode=fragment", "invalid_request"),
            ("state=a%26b", "prompt=none", "interaction_required"),
            ("state=a%26b", "prompt=none+login", "invalid_request"),
            ("state=a%26b", "prompt=create", "invalid_request"),
            ("state=a%26b", "resource=https%3A%2F%2Froles.example.org", "invalid_target"),
            ("state=a%26b", "max_age=-1", "invalid_request"),
            ("state=a%26b", "max_age=99999999999", "invalid_request"),
            ("state=a%26b", &format!("acr_values={}", "a+".repeat(9)), "invalid_request"),
        ] {
            assert_eq!(read(&GOOD.replace(from, to)).unwrap_err(), code, "{to}");
        }
        assert!(read(&GOOD.replace("state=a%26b", "state=")).is_ok());
    }

    #[test]
    fn a_long_name_gives_way_to_what_decides() {
        let long = url::form_urlencoded::byte_serialize("ä".repeat(64).as_bytes()).collect::<String>();
        let role = "arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FDeveloper";
        let application = read(&format!("{}&resource={role}", GOOD.replace("build-host", &long))).unwrap();
        let again = read(application.place().unwrap().as_str().split_once('?').unwrap().1).unwrap();
        assert_eq!((again.role, again.request.name.as_str()), (application.role, "a machine without a name"));
    }
}

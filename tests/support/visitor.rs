//! A browser without a window: cookies, redirects and forms, for tests that need no real one.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, StatusCode, Url, redirect};

/// Somebody with a browser. As in browsers, cookies belong to a host, not to one of its ports. A clone is one more tab of it.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    client: Client,
    /// By host with path, and name.
    cookies: BTreeMap<(String, String), String>,
}

/// What came at the end of the redirects.
#[derive(Debug)]
pub(crate) struct Page {
    /// Where it is.
    pub(crate) url: Url,
    /// Its status.
    pub(crate) status: StatusCode,
    /// What it says.
    pub(crate) body: String,
}

impl Visitor {
    /// Somebody without a cookie.
    pub(crate) fn new() -> Self {
        Self { client: Self::client(|builder| builder), cookies: BTreeMap::new() }
    }

    /// The same, who trusts a certificate (PEM).
    pub(crate) fn trusting(pem: &str) -> Self {
        Self::new().and_trusting(pem)
    }

    /// The same person with the same cookies, who trusts this certificate (PEM) and no other of its kind.
    pub(crate) fn and_trusting(self, pem: &str) -> Self {
        let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).expect("the certificate is PEM");
        Self { client: Self::client(|builder| builder.tls_certs_merge([certificate])), ..self }
    }

    /// The same person with the same cookies, who trusts this certificate and shows one of their own (certificate and key, PEM).
    pub(crate) fn and_showing(self, own: &str, trusted: &str) -> Self {
        let identity = reqwest::Identity::from_pem(own.as_bytes()).expect("certificate and key are PEM");
        let certificate = reqwest::Certificate::from_pem(trusted.as_bytes()).expect("the certificate is PEM");
        Self { client: Self::client(|builder| builder.tls_certs_merge([certificate]).identity(identity)), ..self }
    }

    /// What the cookies are called.
    pub(crate) fn names_of_cookies(&self) -> Vec<&str> {
        self.cookies.keys().map(|(_, name)| name.as_str()).collect()
    }

    fn client(how: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Client {
        // The gateway closes idle connections after five seconds: what is sent just then is lost, and this client does not send it again, as
        // browsers do.
        let builder = Client::builder().redirect(redirect::Policy::none()).pool_idle_timeout(std::time::Duration::from_secs(2));
        how(builder.no_proxy()).build().expect("an HTTP client can be made")
    }

    /// Opens a page and follows where it sends a browser.
    pub(crate) async fn open(&mut self, url: &str) -> Page {
        self.go(Method::GET, url.parse().expect("the URL is one"), None).await
    }

    /// Opens a page and follows where it sends a browser, until that is an address that begins so: it, without opening it.
    pub(crate) async fn until_address(&mut self, url: &str, wanted: &str) -> Url {
        let mut url: Url = url.parse().expect("the URL is one");
        for _ in 0..20 {
            if url.as_str().starts_with(wanted) {
                return url;
            }
            let request = self.client.get(url.clone()).header(COOKIE, self.cookies_for(&url));
            let answer = request.send().await.unwrap_or_else(|error| panic!("{url} does not answer: {error}"));
            for cookie in answer.headers().get_all(SET_COOKIE) {
                self.keep(cookie.to_str().expect("a cookie is ASCII"), &url);
            }
            let to = answer.headers().get(LOCATION).unwrap_or_else(|| panic!("{url} leads nowhere")).to_str().expect("ASCII");
            url = url.join(to).expect("a location is a URL");
        }
        panic!("more than 20 redirects, the last one to {url}")
    }

    /// Posts a form of `page`, with its csrf token, to a path of the same site.
    pub(crate) async fn post(&mut self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let target = page.url.join(path).expect("the path is one");
        let csrf = page.hidden("csrf").unwrap_or_default();
        let mut body = Url::parse("http://x/").expect("a URL");
        body.query_pairs_mut().append_pair("csrf", &csrf).extend_pairs(fields);
        self.go(Method::POST, target, body.query().map(|query| (page.url.clone(), query.to_owned()))).await
    }

    /// Sends the first form of a page that posts, with its hidden fields and these, wherever it leads.
    pub(crate) async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let (action, hidden) = page.form().unwrap_or_else(|| panic!("{} has no form:\n{}", page.url, page.body));
        let mut body = Url::parse("http://x/").expect("a URL");
        body.query_pairs_mut().extend_pairs(hidden).extend_pairs(fields);
        self.post_from(&page.url, action, body.query().unwrap_or_default().to_owned()).await
    }

    /// Posts a body that stands on a page at `from`.
    pub(crate) async fn post_from(&mut self, from: &Url, to: Url, body: String) -> Page {
        self.go(Method::POST, to, Some((from.clone(), body))).await
    }

    /// Sends forms that nobody fills in, as scripts do, until there is none.
    pub(crate) async fn onward(&mut self, mut page: Page) -> Page {
        while page.hidden("SAMLResponse").or_else(|| page.hidden("SAMLRequest")).is_some() {
            page = self.submit(&page, &[]).await;
        }
        page
    }

    /// The values of all cookies: what must not be found in logs.
    pub(crate) fn cookie_values(&self) -> Vec<String> {
        self.cookies.values().cloned().collect()
    }

    /// The cookies as they are sent to pages of the gateway, for a request that a test makes itself.
    pub(crate) fn cookie_header(&self, url: &str) -> String {
        self.cookies_for(&url.parse().expect("an address"))
    }

    async fn go(&mut self, mut method: Method, mut url: Url, mut form: Option<(Url, String)>) -> Page {
        for _ in 0..20 {
            // A form of another site comes without cookies: all that matter here are Lax. A port makes no other site.
            let foreign = form.as_ref().is_some_and(|(from, _)| from.host() != url.host());
            let cookies = if foreign { String::new() } else { self.cookies_for(&url) };
            let mut request = self.client.request(method, url.clone()).header(COOKIE, cookies);
            if let Some((from, body)) = form.take() {
                request = request
                    .header(ORIGIN, from.origin().ascii_serialization())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(body);
            }
            let answer = request.send().await.unwrap_or_else(|error| panic!("{url} does not answer: {error}"));
            for cookie in answer.headers().get_all(SET_COOKIE) {
                self.keep(cookie.to_str().expect("a cookie is ASCII"), &url);
            }
            let (status, location) = (answer.status(), answer.headers().get(LOCATION).cloned());
            let body = answer.text().await.unwrap_or_else(|error| panic!("{url} breaks off: {error}"));
            let refresh = between(&body, "<meta http-equiv=\"refresh\" content=\"0; url=", "\"").map(unescape);
            let next =
                location.filter(|_| status.is_redirection()).map(|to| to.to_str().expect("a location is ASCII").to_owned()).or(refresh);
            let Some(next) = next else {
                return Page { url, status, body };
            };
            url = url.join(&next).expect("a location is a URL");
            method = Method::GET;
        }
        panic!("more than 20 redirects, the last one to {url}")
    }

    fn cookies_for(&self, url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        let sent = self.cookies.iter().filter(|((scope, _), _)| format!("{host}{}", url.path()).starts_with(scope.as_str()));
        sent.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, cookie: &str, url: &Url) {
        let mut parts = cookie.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie has a name and a value");
        let attributes: Vec<_> = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
        let attribute = |wanted: &str| attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
        let own_folder = url.path().rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        let scope = format!("{}{}", url.host_str().unwrap_or_default(), attribute("path").unwrap_or(own_folder));
        let key = (scope, name.to_owned());
        let ended =
            value.is_empty() || attribute("max-age") == Some("0") || attribute("expires").is_some_and(|date| date.contains(" 1970 "));
        if ended {
            self.cookies.remove(&key);
        } else {
            self.cookies.insert(key, value.to_owned());
        }
    }
}

impl Page {
    /// The value of the first hidden field of that name.
    pub(crate) fn hidden(&self, name: &str) -> Option<String> {
        between(&self.body, &format!("name=\"{name}\" value=\""), "\"").map(unescape)
    }

    /// Where the first form that posts goes, and its hidden fields.
    pub(crate) fn form(&self) -> Option<(Url, Vec<(String, String)>)> {
        let forms = self.body.split("<form").skip(1);
        let form = forms.map(|rest| rest.split("</form>").next().unwrap_or_default()).find(|form| form.contains("method=\"post\""))?;
        let attribute = |tag: &str, name: &str| between(tag, &format!(" {name}=\""), "\"").map(unescape);
        let start = form.split('>').next().unwrap_or_default();
        let action = attribute(start, "action").filter(|action| *action != "?").unwrap_or_else(|| self.url.to_string());
        let inputs = form.split("<input").skip(1).map(|rest| format!(" {}", rest.split('>').next().unwrap_or_default().replace('\n', " ")));
        let hidden = inputs.filter(|tag| tag.contains("type=\"hidden\""));
        let fields = hidden.filter_map(|tag| Some((attribute(&tag, "name")?, attribute(&tag, "value").unwrap_or_default())));
        Some((self.url.join(&action).ok()?, fields.collect()))
    }

    /// The page, if it has the status 200.
    ///
    /// # Panics
    /// With what it says, if it has not.
    #[track_caller]
    pub(crate) fn or_fail(self) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{} says:\n{}", self.url, self.body);
        self
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// The few entities that stand in attributes.
fn unescape(text: &str) -> String {
    let mut text = text.to_owned();
    for (entity, character) in
        [("&#38;", "&"), ("&#x2F;", "/"), ("&#47;", "/"), ("&#34;", "\""), ("&#39;", "'"), ("&quot;", "\""), ("&amp;", "&")]
    {
        text = text.replace(entity, character);
    }
    text
}

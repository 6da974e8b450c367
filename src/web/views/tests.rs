use std::collections::HashMap;

use askama::Template;

use super::samples::HOSTILE;
use super::*;
use crate::web::assets;

/// Every sample of every page, rendered.
fn pages() -> Vec<(&'static str, String)> {
    fn render<T: Template>(samples: Vec<(&'static str, T)>) -> impl Iterator<Item = (&'static str, String)> {
        samples.into_iter().map(|(name, page)| (name, page.render().unwrap()))
    }
    render(SignIn::samples())
        .chain(render(Continue::samples()))
        .chain(render(HandOn::samples()))
        .chain(render(SignedOut::samples()))
        .chain(render(OtherPerson::samples()))
        .chain(render(Consent::samples()))
        .chain(render(DeviceEntry::samples()))
        .chain(render(DeviceConsent::samples()))
        .chain(render(DeviceAnswered::samples()))
        .chain(render(Portal::samples()))
        .chain(render(NoRoles::samples()))
        .chain(render(Explain::samples()))
        .chain(render(Go::samples()))
        .chain(render(Several::samples()))
        .chain(render(SeveralTaken::samples()))
        .chain(render(Credentials::samples()))
        .chain(render(CredentialsGone::samples()))
        .chain(render(ConsolePost::samples()))
        .chain(render(ErrorPage::samples()))
        .chain(render(Audit::samples()))
        .chain(render(AuditEvent::samples()))
        .chain(render(AuditChart::samples()))
        .chain(render(Admin::samples()))
        .chain(render(Sessions::samples()))
        .chain(render(Playground::samples()))
        .chain(render(Requests::samples()))
        .chain(render(AllRequests::samples()))
        .collect()
}

/// A start tag as a browser reads it.
#[derive(Debug)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The start and end tags of a page, in order: quotes are honoured, so an escaped attack stays inside its value.
fn tags(html: &str) -> Vec<Tag> {
    let tag = regex::Regex::new(r#"<(/?[a-zA-Z!][^\s>]*)((?:\s+[^\s=>"]+(?:=(?:"[^"]*"|[^\s">]+))?)*)\s*>"#).unwrap();
    let attribute = regex::Regex::new(r#"\s+([^\s=>"]+)(?:=(?:"([^"]*)"|([^\s">]+)))?"#).unwrap();
    let found: Vec<Tag> = tag
        .captures_iter(html)
        .map(|tag| Tag {
            name: tag[1].to_ascii_lowercase(),
            attributes: attribute
                .captures_iter(&tag[2])
                .map(|a| (a[1].to_ascii_lowercase(), a.get(2).or(a.get(3)).map_or("", |value| value.as_str()).to_owned()))
                .collect(),
        })
        .collect();
    assert_eq!(found.len(), html.matches('<').count(), "every < opens a tag that this reader understands");
    found
}

#[test]
fn every_page_is_well_formed_and_free_of_inline_code() {
    for (name, html) in pages() {
        assert!(html.starts_with("<!DOCTYPE html>"), "{name}");
        let tags = tags(&html);
        let all = |wanted: &str| tags.iter().filter(|tag| tag.name == wanted).collect::<Vec<_>>();
        assert_eq!(all("html")[0].get("lang"), Some("en"), "{name}");
        for once in ["title", "h1", "main", "header"] {
            assert_eq!(all(once).len(), 1, "{name}: {once}");
        }
        assert!(!html.contains("<title> ·"), "{name} has a title of its own");
        assert!(all("style").is_empty(), "{name}");
        let scripts: Vec<_> = all("script").iter().filter_map(|tag| tag.get("src")).collect();
        let lists = ["portal", "go", "several"].iter().any(|page| name.starts_with(page));
        assert_eq!(scripts, if lists { vec![assets::js(), assets::url("roles.js")] } else { vec![assets::js()] }, "{name}");
        for tag in &tags {
            // The forms that lead to AWS and to providers.
            let leads_out = tag.get("data-onward").is_some();
            let may = name.starts_with("console-post") || name.starts_with("hand-on");
            assert!(!leads_out || tag.name == "form" && may, "{name}: {tag:?}");
            for (key, value) in &tag.attributes {
                assert!(key != "style" && !key.starts_with("on"), "{name}: {tag:?}");
                assert!(leads_out || !["src", "action", "formaction"].contains(&key.as_str()) || value.starts_with('/'), "{name}: {tag:?}");
            }
        }
        assert_eq!(all("img").iter().filter(|img| img.get("alt").is_none()).count(), 0, "{name}");
    }
}

#[test]
fn elements_close_in_the_order_in_which_they_opened() {
    const VOID: [&str; 7] = ["!doctype", "meta", "link", "img", "input", "br", "option"];
    for (name, html) in pages() {
        let mut open: Vec<String> = Vec::new();
        for tag in tags(&html).into_iter().filter(|tag| !VOID.contains(&tag.name.as_str())) {
            match tag.name.strip_prefix('/') {
                Some(closing) => assert_eq!(open.pop().as_deref(), Some(closing), "{name}"),
                None => open.push(tag.name),
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
}

#[test]
fn every_id_is_there_once_and_every_reference_to_one_leads_somewhere() {
    for (name, html) in pages() {
        let tags = tags(&html);
        let mut ids: HashMap<&str, usize> = HashMap::new();
        tags.iter().filter_map(|tag| tag.get("id")).for_each(|id| *ids.entry(id).or_default() += 1);
        assert!(ids.values().all(|count| *count == 1), "{name}: {ids:?}");
        for tag in &tags {
            for key in ["aria-describedby", "aria-labelledby", "for", "form", "data-copy", "data-from"] {
                assert!(tag.get(key).is_none_or(|id| ids.contains_key(id)), "{name}: {tag:?}");
            }
        }
    }
}

#[test]
fn w2_every_form_that_posts_carries_the_csrf_token() {
    let mut forms = 0;
    for (name, html) in pages() {
        let token = if name.ends_with("hostile") { HOSTILE } else { "q4Yx0vC2mB8sJ1nLr7Tz5Kd9Wf3HgPaEuViOyXcMbNk" };
        for form in html.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap()) {
            if form.contains("method=\"post\"") {
                forms += 1;
                let fields = tags(&format!("<form{form}"));
                let csrf: Vec<_> = fields.iter().filter(|tag| tag.get("name") == Some("csrf")).collect();
                if form.contains("data-onward") {
                    // It leads to where the token must not get.
                    assert!(csrf.is_empty() && (!form.contains(token) || name.ends_with("hostile")), "{name}");
                    continue;
                }
                assert_eq!(csrf.len(), 1, "{name}");
                assert!(name.ends_with("hostile") || csrf[0].get("value") == Some(token), "{name}");
            }
        }
    }
    assert!(forms > 100, "the samples have forms: {forms}");
}

#[test]
fn w8_o17_hostile_text_comes_out_escaped_on_every_page() {
    let mut hostile = 0;
    for (name, html) in pages().into_iter().filter(|(name, _)| name.ends_with("hostile")) {
        hostile += 1;
        assert!(!html.contains("<script>"), "{name}");
        assert!(!html.contains("<img src=x"), "{name}");
        assert!(!html.contains("49}"), "{name}: a template in a value is not a template");
        // What is left of it stands as text, so that a page shows what arrived.
        assert!(html.contains("&#60;script&#62;alert(1)"), "{name}");
        assert!(html.contains("{{ 7*7 }}{% if %}"), "{name}");
        assert!(html.contains("&#38;amp;"), "{name}: an entity is not taken for an escape");
        let scripts = tags(&html).iter().filter(|tag| tag.name == "script" && tag.get("src").is_none()).count();
        assert_eq!(scripts, 0, "{name}");
    }
    assert!(hostile >= 9, "each page has a hostile sample: {hostile}");
}

#[test]
fn w4_a_hostile_value_in_a_link_stays_one_parameter() {
    let (_, html) = pages().into_iter().find(|(name, _)| *name == "sign-in-hostile").unwrap();
    let tags = tags(&html);
    let link = tags.iter().find(|tag| tag.get("class") == Some("provider last")).and_then(|tag| tag.get("href")).unwrap();
    let path = link.strip_prefix("/login/").unwrap();
    assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"?=%+-._*".contains(&b)), "{path}");
    assert_eq!(path.matches('?').count(), 1);
}

#[test]
fn w4_an_address_that_is_no_web_address_is_shown_and_never_opened() {
    let page = |name: &str| pages().into_iter().find(|(n, _)| *n == name).unwrap().1;
    let (good, bad) = (page("continue"), page("continue-script"));
    assert!(good.contains("http-equiv=\"refresh\" content=\"0; url=https://example.okta.com/oauth2/v1/authorize?client_id=abc&#38;state="));
    assert!(good.contains("<a href=\"https://example.okta.com/"));
    assert!(bad.contains("<code>javascript:alert(1)</code>"));
    assert!(!bad.contains("http-equiv") && !bad.contains("href=\"javascript"));
}

#[test]
fn a_page_tells_where_its_reader_is_in_the_list_of_groups() {
    let page = |name: &str| pages().into_iter().find(|(n, _)| *n == name).unwrap().1;
    assert!(page("no-roles").contains("The 37 groups that arrived"));
    assert!(page("no-roles").contains("and 33 more"));
    assert!(page("no-roles-no-groups").contains("sent no groups for you"));
}

#[test]
fn a_role_offers_the_steps_up_to_its_limit_and_the_limit_itself() {
    let offers = |seconds, chosen| {
        let offers = lengths(std::time::Duration::from_secs(seconds), chosen);
        offers.map(|offer| format!("{}{}", offer.label(), if offer.usual { "*" } else { "" })).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(offers(900, None), "15 min*");
    assert_eq!(offers(1800, None), "15 min, 30 min*");
    assert_eq!(offers(3600, None), "15 min, 1 h*");
    assert_eq!(offers(5400, None), "15 min, 1 h*, 1 h 30 min");
    assert_eq!(offers(43_200, None), "15 min, 1 h*, 2 h, 4 h, 8 h, 12 h");
    assert_eq!(offers(43_200, Some(28_800)), "15 min, 1 h, 2 h, 4 h, 8 h*, 12 h");
    assert_eq!(offers(3600, Some(28_800)), "15 min, 1 h*");
    assert_eq!(offers(43_200, Some(5400)), "15 min, 1 h*, 2 h, 4 h, 8 h, 12 h");
}

#[test]
fn the_buttons_of_a_list_belong_to_one_form_and_name_their_role() {
    let (_, html) = pages().into_iter().find(|(name, _)| *name == "portal").unwrap();
    let tags = tags(&html);
    let buttons: Vec<_> = tags.iter().filter(|tag| tag.name == "button" && tag.get("name") == Some("role")).collect();
    assert_eq!(buttons.len(), 12);
    assert!(buttons.iter().all(|button| button.get("form").is_none() && button.get("value").unwrap().starts_with("arn:aws:iam::")));
    assert_eq!(buttons.iter().filter(|button| button.get("formaction") == Some("/credentials")).count(), 6);
    assert_eq!(
        tags.iter().filter(|tag| tag.name == "form" && tag.get("id") == Some("f") && tag.get("action") == Some("/console")).count(),
        1
    );
}

#[test]
fn a_role_that_cannot_be_taken_says_why_and_has_no_form() {
    let (_, html) = pages().into_iter().find(|(name, _)| *name == "portal-long").unwrap();
    let (_, blocked) = html.split_once("class=\"blocked\"").unwrap();
    let blocked = blocked.split("</li>").next().unwrap();
    assert!(blocked.contains("cost_center") && !blocked.contains("<button") && !blocked.contains("<form"));
    assert!(!html.contains("value=\"arn:aws:iam::444455556666:role/BillingAuditor\""));
}

/// The requirement: first view with 100 roles at most 60 KiB in all, and 5,000 roles at most 250 KiB, compressed as they are sent.
#[test]
fn the_portal_stays_small_with_many_roles() {
    let sent = |accounts| {
        let page = Portal::of_size(accounts, false).render().unwrap();
        (page.len(), crate::web::compression::gzip(page.as_bytes(), flate2::Compression::fast()).unwrap().len())
    };
    let files: usize = ["app.css", "app.js", "roles.css", "roles.js", "logo.svg"]
        .map(|source| assets::find(assets::url(source).strip_prefix(assets::PREFIX).unwrap()).unwrap().compressed.len())
        .iter()
        .sum();
    let (hundred, five_thousand) = (sent(20), sent(1000));
    assert!(hundred.1 + files <= 60 * 1024, "100 roles: {} of {} bytes, and {files} of files", hundred.1, hundred.0);
    assert!(five_thousand.1 <= 250 * 1024, "5,000 roles: {} of {} bytes", five_thousand.1, five_thousand.0);
}

#[test]
fn an_env_tag_has_a_colour_and_always_its_text() {
    assert_eq!(["PROD", "stg", "sandbox", "blue"].map(tone), ["prod", "staging", "dev", "other"]);
    let (_, html) = pages().into_iter().find(|(name, _)| *name == "portal").unwrap();
    assert!(html.contains("<span class=\"env prod\">prod</span>"));
}

/// The custom properties of a block of the style sheet that hold a colour, as linear light.
fn colours(block: &str) -> HashMap<String, f64> {
    let property = regex::Regex::new(r"--([a-z-]+): #([0-9a-f]{6});").unwrap();
    let channel = |hex: &str| {
        let value = f64::from(u8::from_str_radix(hex, 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = |hex: &str| 0.2126 * channel(&hex[..2]) + 0.7152 * channel(&hex[2..4]) + 0.0722 * channel(&hex[4..]);
    property.captures_iter(block).map(|c| (c[1].to_owned(), luminance(&c[2]))).collect()
}

#[test]
fn the_colours_have_the_contrast_that_wcag_asks_for() {
    const TEXT: [(&str, &[&str]); 9] = [
        ("ink", &["paper", "card", "tint", "other-tint", "staging-tint"]),
        ("soft", &["paper", "card", "other-tint", "tint", "staging-tint"]),
        ("brand", &["paper", "card", "tint"]),
        ("brand-hover", &["paper", "card"]),
        ("on-brand", &["brand", "brand-hover"]),
        ("prod", &["prod-tint", "card", "paper"]),
        ("staging", &["staging-tint", "card", "paper"]),
        ("dev", &["dev-tint"]),
        ("other", &["other-tint"]),
    ];
    const EDGES: [(&str, &[&str]); 5] = [
        ("edge", &["card", "paper"]),
        ("prod-bar", &["card"]),
        ("staging-bar", &["card"]),
        ("dev-bar", &["card"]),
        ("brand", &["card", "paper"]),
    ];
    let css = include_str!("../../../static/app.css");
    let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
    for (scheme, block) in [("light", light), ("dark", rest.split("\n}").next().unwrap())] {
        let colour = colours(block);
        let check = |pairs: &[(&str, &[&str])], least: f64| {
            for (front, backs) in pairs {
                for back in *backs {
                    let (a, b) = (colour[*front], colour[*back]);
                    let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                    assert!(ratio >= least, "{scheme}: {front} on {back} has {ratio:.2}:1");
                }
            }
        };
        check(&TEXT, 4.5);
        check(&EDGES, 3.0);
    }
}

/// Writes every sample as a file to look at: `ROLEGATE_PAGES=folder cargo test --lib write_pages -- --ignored`.
#[test]
#[ignore = "writes files for the eye"]
fn write_pages() {
    let folder = std::path::PathBuf::from(std::env::var("ROLEGATE_PAGES").expect("ROLEGATE_PAGES names a folder"));
    let large = [("portal-100", 20, false), ("portal-5000", 1000, false), ("portal-5000-by-role", 1000, true)];
    let large = large.map(|(name, accounts, by_role)| (name, Portal::of_size(accounts, by_role).render().unwrap()));
    std::fs::create_dir_all(folder.join("static")).unwrap();
    for (name, html) in pages().into_iter().chain(large) {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
    for source in ["app.css", "rooms.css", "app.js", "roles.css", "roles.js", "logo.svg"] {
        let url = assets::url(source).strip_prefix('/').unwrap();
        std::fs::create_dir_all(folder.join("static")).unwrap();
        std::fs::copy(format!("static/{source}"), folder.join(url)).unwrap();
    }
}

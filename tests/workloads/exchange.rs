//! The standard face: token exchange (RFC 8693) at `/oauth2/token`.

use serde_json::{Value, json};

use crate::platform::{Platform, good};
use crate::world::{ADMIN, Answer, Browser, READER, World};

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ID_TOKEN: (&str, &str) = ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token");

/// An error as RFC 6749 section 5.2 has it.
#[track_caller]
fn error(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
    let error: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(error["error"], code, "{error}");
    let description = error["error_description"].as_str().unwrap().to_owned();
    assert!(description.chars().all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\'), "{description}");
    description
}

#[actix_web::test]
async fn a_token_becomes_the_document_that_awss_own_tools_read() {
    let platform = Platform::new().await;
    let token = platform.token(&json!({}));
    let answer =
        platform.exchange(&[GRANT, ID_TOKEN, ("subject_token", token.as_str()), ("resource", READER), ("duration_seconds", "900")]).await;
    let answer = good(&answer);
    assert_eq!(answer["issued_token_type"], "urn:rolegate:token-type:aws-credentials");
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("N_A"), &json!(900)));
    let document: Value = serde_json::from_str(answer["access_token"].as_str().unwrap()).unwrap();
    assert_eq!((&document["Version"], &document["Expiration"]), (&json!(1), &json!("2027-01-15T08:15:00Z")));
    for member in ["AccessKeyId", "SecretAccessKey", "SessionToken"] {
        assert!(document[member].as_str().unwrap().len() > 10, "{member}");
    }
    let scope =
        [GRANT, ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"), ("subject_token", token.as_str()), ("scope", READER)];
    good(&platform.exchange(&scope).await);
    assert_eq!(platform.world.audit().last().unwrap()["token_id"], "jti:run-1");
}

#[actix_web::test]
async fn the_metadata_tell_of_the_grant_where_there_are_workloads() {
    let metadata = async |world: &World| {
        let answer = Browser::new(world).get("/.well-known/oauth-authorization-server").await;
        if answer.status == 200 { serde_json::from_str(&answer.body).unwrap() } else { Value::Null }
    };
    let (code, device) = ("authorization_code", "urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!(metadata(&World::new().await).await["grant_types_supported"], json!([code, device]));
    let with_both = metadata(&Platform::new().await.world).await;
    assert_eq!(with_both["grant_types_supported"], json!([code, device, GRANT.1]));
    let off = |config: String| format!("{config}[command_line]\nenabled = false\n");
    let alone = Platform::with("", off).await;
    let told = metadata(&alone.world).await;
    assert_eq!(told["token_endpoint"], format!("{}/oauth2/token", alone.world.base));
    assert_eq!((&told["grant_types_supported"], &told["response_types_supported"]), (&json!([GRANT.1]), &json!([])));
    for absent in ["authorization_endpoint", "device_authorization_endpoint", "code_challenge_methods_supported"] {
        assert!(told.get(absent).is_none(), "{absent}: {told}");
    }
    let token = alone.token(&json!({}));
    good(&alone.exchange(&[GRANT, ID_TOKEN, ("subject_token", token.as_str()), ("resource", READER)]).await);
}

#[actix_web::test]
async fn w11_w12_the_token_endpoint_refuses_in_the_standards_words() {
    let platform = Platform::new().await;
    let token = platform.token(&json!({}));
    let subject = ("subject_token", token.as_str());
    good(&platform.exchange(&[GRANT, ID_TOKEN, subject, ("resource", READER)]).await);
    let issued = platform.world.issued();
    let foreign = platform.token(&json!({ "aud": "somebody-else" }));
    for (fields, code, words) in [
        (&[("x", "y")][..], "invalid_request", "grant_type"),
        (&[("grant_type", "client_credentials")], "unsupported_grant_type", ""),
        (&[("grant_type", "password"), ("username", "ana"), ("password", "x")], "unsupported_grant_type", ""),
        (&[GRANT, subject, ("resource", READER)], "invalid_request", "subject_token_type"),
        (
            &[GRANT, ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"), subject, ("resource", READER)],
            "invalid_request",
            "ID token",
        ),
        (&[GRANT, ID_TOKEN, ("resource", READER)], "invalid_request", "subject_token"),
        (&[GRANT, ID_TOKEN, subject], "invalid_request", "resource"),
        (&[GRANT, ID_TOKEN, subject, ("resource", "https://aws.amazon.com")], "invalid_target", "ARN"),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER), ("scope", ADMIN)], "invalid_request", "different roles"),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER), ("resource", ADMIN)], "invalid_request", "twice"),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER), ("actor_token", "x")], "invalid_request", "actor_token"),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER), ("actor_token_type", "x")], "invalid_request", "actor_token"),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER), ("audience", "https://elsewhere.example.org")], "invalid_target", "audience"),
        (
            &[GRANT, ID_TOKEN, subject, ("resource", READER), ("requested_token_type", "urn:ietf:params:oauth:token-type:jwt")],
            "invalid_request",
            "requested",
        ),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER), ("duration_seconds", "long")], "invalid_request", "duration"),
        (&[GRANT, ID_TOKEN, ("subject_token", foreign.as_str()), ("resource", READER)], "invalid_request", "audience"),
        (&[GRANT, ID_TOKEN, subject, ("resource", ADMIN)], "invalid_target", "No rule"),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER), ("duration_seconds", "7201")], "invalid_request", "15 minutes to 2h"),
        (&[GRANT, ID_TOKEN, subject, ("resource", READER)], "invalid_request", "as often as it may be"),
    ] {
        let description = error(&platform.exchange(fields).await, 400, code);
        assert!(description.contains(words), "{fields:?}: {description}");
    }
    assert_eq!(platform.world.issued(), issued);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/oauth2/token", platform.world.base);
    let json = client.post(&url).header("content-type", "application/json").body("{}");
    error(&platform.answer(json).await, 400, "invalid_request");
    let in_address = client.post(format!("{url}?grant_type=x")).header("content-type", "application/x-www-form-urlencoded").body("");
    assert!(error(&platform.answer(in_address).await, 400, "invalid_request").contains("never into the address"));
    assert_eq!(platform.answer(client.get(&url)).await.status, 405);
    // A browser has no business here: no page of any site, ours not excepted, can have one post.
    for (name, value) in [("origin", platform.world.base.as_str()), ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")] {
        let by_browser =
            client.post(&url).header("content-type", "application/x-www-form-urlencoded").header(name, value).body("grant_type=x");
        assert_eq!(platform.answer(by_browser).await.status, 403, "{name}: {value}");
    }
}

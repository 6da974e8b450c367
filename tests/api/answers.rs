//! What programs get.

use serde_json::json;

use crate::client::{Program, good, problem};
use crate::world::{ADMIN, Browser, FORWARDED, READER, World};

#[actix_web::test]
async fn somebody_learns_who_they_are() {
    let world = World::new().await;
    let mut ana = Program::of(&world, "ana").await;
    world.advance(600);
    let me = good(&ana.get("/api/v1/me").await);
    assert_eq!((me["username"].as_str(), me["provider"].as_str()), (Some("ana@example.com"), Some("sandbox")), "{me}");
    assert!(me["groups"].as_array().unwrap().iter().any(|group| group == "aws-platform-admins"), "{me}");
    let session = &me["session"];
    assert_eq!(session["began"], "2027-01-15T08:00:00Z");
    assert_eq!(session["idle_ends"], "2027-01-15T09:10:00Z", "each use counts from now: {session}");
    assert_eq!((session["kind"].as_str(), session["name"].as_str()), (Some("command_line"), Some("build-host")));
    assert!(session["ends"].as_str().unwrap() > session["idle_ends"].as_str().unwrap());
}

#[actix_web::test]
async fn the_roles_are_those_of_the_portal_and_what_each_needs() {
    let demands = "reason = { pattern = 'OPS-[0-9]+', hint = \"the ticket\" }\nmax_auth_age = \"5m\"";
    let emergency = |role: &str| {
        format!(
            "[[rule]]\nid = \"in-emergency-{role}\"\ngroups = [\"aws-platform-admins\"]\naccounts = [\"*\"]\nroles = [\"{role}\"]\n\
             break_glass = true\nmax_session = \"15m\"\n"
        )
    };
    let world = World::with(|config| {
        let ticketed = config.replace("id = \"admins\"\n", &format!("id = \"admins\"\n{demands}\n"));
        [ticketed, emergency("PlatformAdmin"), emergency("Root")].concat()
    })
    .await;
    let mut ana = Program::of(&world, "ana").await;
    let roles = good(&ana.get("/api/v1/roles").await);
    let named = |roles: &serde_json::Value, arn: &str| roles["roles"].as_array().unwrap().iter().find(|role| role["arn"] == arn).cloned();
    let admin = named(&roles, ADMIN).unwrap();
    assert_eq!(
        admin,
        json!({
            "arn": ADMIN,
            "kind": "role",
            "account": { "id": "111122223333", "name": "Production", "alias": null, "tags": { "env": "prod" }, "ou": null },
            "role": "PlatformAdmin",
            "purposes": ["console", "credentials"],
            "operation": "web_identity",
            "max_session_seconds": 7200,
            "needs": { "reason": { "kind": "text", "pattern": "OPS-[0-9]+", "hint": "the ticket" }, "fresh_sign_in": false, "mfa_code": false },
            "break_glass": false,
            "emergency": {
                "purposes": ["console", "credentials"],
                "max_session_seconds": 900,
                "needs": { "reason": { "kind": "text", "hint": "what you need it for" }, "fresh_sign_in": false, "mfa_code": false },
            },
        })
    );
    let alarm = named(&roles, "arn:aws:iam::111122223333:role/Root").unwrap();
    assert_eq!((&alarm["break_glass"], alarm.get("emergency")), (&json!(true), None));
    assert_eq!(named(&roles, FORWARDED).unwrap()["operation"], "forwarded_web_identity");
    world.advance(600);
    assert_eq!(named(&good(&ana.get("/api/v1/roles").await), ADMIN).unwrap()["needs"]["fresh_sign_in"], true);
    assert_eq!(good(&Program::of(&world, "nora").await.get("/api/v1/roles").await), json!({ "roles": [] }));
}

#[actix_web::test]
async fn credentials_are_handed_out_recorded_and_named() {
    let world = World::new().await;
    let mut ana = Program::of(&world, "ana").await;
    let answer = ana.post("/api/v1/credentials", &json!({ "role": ADMIN, "duration_seconds": 7200 })).await;
    let credentials = good(&answer);
    assert_eq!(credentials["role_arn"], ADMIN);
    assert_eq!(credentials["session_name"], "ana@example.com");
    assert_eq!(credentials["expiration"], "2027-01-15T10:00:00Z");
    for secret in ["access_key_id", "secret_access_key", "session_token"] {
        assert!(credentials[secret].as_str().unwrap().len() > 10, "{secret}");
    }
    let event = world.audit().last().unwrap().clone();
    assert_eq!(
        (event["kind"].as_str(), event["outcome"].as_str(), event["purpose"].as_str()),
        (Some("issue"), Some("ok"), Some("credentials"))
    );
    assert_eq!((&event["access_key_id"], &event["session_name"]), (&credentials["access_key_id"], &credentials["session_name"]));
    assert_eq!(world.issued(), 1);
}

#[actix_web::test]
async fn the_console_is_entered_by_an_address_or_over_the_page_with_the_form() {
    let world = World::new().await;
    let mut ana = Program::of(&world, "ana").await;
    let entry = good(&ana.post("/api/v1/console", &json!({ "role": ADMIN })).await);
    assert_eq!(entry["expires"], "2027-01-15T08:15:00Z");
    assert!(entry["url"].as_str().unwrap().contains("SigninToken="), "{entry}");
    assert_eq!(world.audit().last().unwrap()["purpose"], "console");
    problem(
        &ana.post("/api/v1/console", &json!({ "role": ADMIN, "destination": "https://evil.example/" })).await,
        422,
        "destination_not_allowed",
    );

    let saml = "operation = \"saml\"\nid = \"admins\"\n";
    let with_saml = |config: String| config.replace("id = \"admins\"\n", saml) + "[trust.saml]\nprovider_name = \"Rolegate\"\n";
    let world = World::with(with_saml).await;
    let mut ana = Program::of(&world, "ana").await;
    let events = world.audit().len();
    let entry = good(&ana.post("/api/v1/console", &json!({ "role": ADMIN })).await);
    assert_eq!(entry["url"], format!("{}/go?account=111122223333&role=PlatformAdmin", world.base));
    assert_eq!((world.issued(), world.audit().len()), (0, events), "nothing is issued before the form is sent");
    problem(&ana.post("/api/v1/console", &json!({ "role": "arn:aws:iam::111122223333:role/Other" })).await, 403, "not_granted");
    let mut browser = Browser::signed_in(&world, "ana").await;
    browser.get(entry["url"].as_str().unwrap()).await.assert_page(200, "PlatformAdmin");
}

#[actix_web::test]
async fn a11_somebody_learns_why_and_nothing_of_the_rules() {
    let more = "[[rule]]\nid = \"secret-name-of-a-rule\"\neveryone = true\nwhen = 'request.ip.within(\"10.9.8.0/24\")'\naccounts = [\"*\"]\n\
        roles = [\"FromInside\"]\n[[rule]]\nid = \"gives\"\ngroups = [\"developers\"]\naccounts = [\"*\"]\nroles = [\"Taken\"]\n\
        [[rule]]\nid = \"taken\"\neffect = \"deny\"\ngroups = [\"developers\"]\naccounts = [\"*\"]\nroles = [\"Taken\"]\n";
    let world = World::with(|config| config + more).await;
    let mut ana = Program::of(&world, "ana").await;
    let mut explain = async |role: &str| good(&ana.get(&format!("/api/v1/explain?role=arn:aws:iam::111122223333:role/{role}")).await);
    let granted = explain("PlatformAdmin").await;
    assert_eq!((&granted["granted"], &granted["by"]), (&json!(true), &json!(["Your group aws-platform-admins gives it."])), "{granted}");
    assert!(granted["limits"].as_array().unwrap().contains(&json!("A session lasts at most 2h.")), "{granted}");
    assert!(granted.get("missing").is_none());
    let inside = explain("FromInside").await;
    assert_eq!(
        inside["missing"],
        json!(["What is missing: a condition that does not hold now; it looks at the address that you come from."])
    );
    assert!(inside.get("by").is_none() && inside.get("limits").is_none(), "{inside}");
    let named = good(&ana.get("/api/v1/explain?role=Production/PlatformAdmin").await);
    assert_eq!((&named["role"], &named["by"]), (&json!(ADMIN), &granted["by"]));
    assert_ne!(named["incident"], granted["incident"], "each finds its own line in the log");
    let mut dev = Program::of(&world, "dev").await;
    let mut explain = async |role: &str| good(&dev.get(&format!("/api/v1/explain?role=arn:aws:iam::111122223333:role/{role}")).await);
    let (others, nobodys, taken) = (explain("PlatformAdmin").await, explain("NoSuchRole").await, explain("Taken").await);
    assert!(others["missing"][0].as_str().unwrap().starts_with("None of your groups gives you this role."), "{others}");
    assert_eq!(others["missing"], nobodys["missing"], "it cannot be told whether there is such a role");
    assert!(taken["missing"][0].as_str().unwrap().starts_with("A rule says no to this role for you"), "{taken}");
    for answer in [granted, inside, others, taken] {
        let text = answer.to_string();
        for of_rules in ["\"gives\"", "secret-name-of-a-rule", "10.9.8", "within", "admins\":", "own-token"] {
            assert!(!text.contains(of_rules), "{text}");
        }
    }
    problem(&ana.get("/api/v1/explain?role=nonsense").await, 400, "invalid_request");
    problem(&ana.get("/api/v1/explain").await, 400, "invalid_request");
    let silent = World::with(|config| config + "[portal]\nexplain = \"off\"\n").await;
    let mut ana = Program::of(&silent, "ana").await;
    problem(&ana.get(&format!("/api/v1/explain?role={ADMIN}")).await, 404, "not_found");
    let _ = READER;
}

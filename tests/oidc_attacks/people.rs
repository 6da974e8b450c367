//! From claims to a person: userinfo, addresses, tenants, groups, the way of signing in.

use super::*;

#[tokio::test]
async fn o11_userinfo_speaks_of_the_same_person_and_adds_only() {
    let scene = scene_with(&json!({ "userinfo": true }));
    let with = async |userinfo: Value, changes: Value| {
        scene.idp.set("/userinfo", Answer::json(&userinfo));
        scene.with(changes).await
    };
    let honest = json!({ "sub": "ana", "email": "ana@example.org", "email_verified": true, "groups": ["root"], "acr": "gold", "x": 1 });
    let identity = with(honest, json!({ "acr": null })).await.unwrap();
    assert_eq!(scene.idp.arrived("/userinfo")[0].authorization.as_deref(), Some("Bearer at-1"));
    assert_eq!(identity.username(), "ana@example.org");
    assert_eq!(identity.groups(), ["g1", "g2"], "the signed token has the last word");
    assert_eq!((identity.claims().find("acr"), identity.claims().find("x")), (None, Some(&json!(1))));
    for other in [json!({ "sub": "root" }), json!({}), json!({ "sub": 1 }), json!({ "sub": "ANA" })] {
        assert_eq!(with(other.clone(), json!({})).await.unwrap_err(), Rejected::UserinfoSubject, "{other}");
    }
    let twice = Answer { body: br#"{"sub":"ana","sub":"ana"}"#.to_vec(), ..Answer::json(&json!({})) };
    scene.idp.set("/userinfo", twice);
    assert!(matches!(scene.with(json!({})).await.unwrap_err(), Rejected::Unavailable(_)));
}

#[tokio::test]
async fn o12_only_a_verified_address_counts_and_never_as_the_key() {
    let scene = scene();
    let verified = scene.with(json!({ "email": "ana@example.org", "email_verified": true })).await.unwrap();
    assert_eq!((verified.subject(), verified.username()), ("ana", "ana@example.org"));
    assert_eq!(verified.person(), "forged+ana");
    let edov = scene.with(json!({ "email": "ana@example.org", "xms_edov": "1" })).await.unwrap();
    assert_eq!(edov.username(), "ana@example.org");
    let unverified = [
        json!({ "email": "root@example.org" }),
        json!({ "email": "root@example.org", "email_verified": false }),
        json!({ "email": "root@example.org", "email_verified": false, "xms_edov": true }),
        json!({ "email": "root@example.org", "preferred_username": "root" }),
    ];
    for changes in unverified {
        let identity = scene.with(changes.clone()).await.unwrap();
        assert_eq!((identity.username(), identity.claims().find("email")), ("ana", None), "{changes}");
    }
    let trusting = scene_with(&json!({ "trust_unverified_email": true }));
    assert_eq!(trusting.with(json!({ "email": "ana@example.org" })).await.unwrap().username(), "ana@example.org");
}

#[tokio::test]
async fn o12_userinfo_cannot_vouch_for_the_token_s_address_with_another() {
    let scene = scene_with(&json!({ "userinfo": true }));
    scene.idp.set("/userinfo", Answer::json(&json!({ "sub": "ana", "email": "ana@example.org", "email_verified": true })));
    let same = scene.with(json!({ "email": "ana@example.org" })).await.unwrap();
    assert_eq!(same.username(), "ana@example.org");
    let mixed = scene.with(json!({ "email": "root@example.org" })).await.unwrap();
    assert_eq!((mixed.username(), mixed.claims().find("email")), ("ana", None));
}

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const FOREIGN: &str = "22222222-2222-2222-2222-222222222222";

fn entra() -> Scene {
    let mut scene = scene();
    let template = format!("{}/{{tenantid}}/v2.0", scene.idp.base);
    let discovery = changed(scene.idp.discovery(), &json!({ "issuer": template }));
    scene.idp.set("/organizations/v2.0/.well-known/openid-configuration", Answer::json(&discovery));
    scene.provider = provider_of(&settings(&scene.idp, &json!({ "issuer": template, "tenants": [TENANT.to_uppercase()] })));
    scene
}

#[tokio::test]
async fn o13_only_listed_tenants_each_under_its_own_issuer() {
    let scene = entra();
    let of = |tenant: &str| format!("{}/{tenant}/v2.0", scene.idp.base);
    let identity = scene.with(json!({ "iss": of(TENANT), "tid": TENANT, "oid": "o-1" })).await.unwrap();
    assert_eq!(identity.subject(), format!("{TENANT}.o-1"));
    for (changes, reason) in [
        (json!({ "iss": of(FOREIGN), "tid": FOREIGN, "oid": "o-1" }), Rejected::Tenant),
        (json!({ "iss": of(FOREIGN), "tid": TENANT, "oid": "o-1" }), Rejected::Issuer),
        (json!({ "iss": of(TENANT), "tid": FOREIGN, "oid": "o-1" }), Rejected::Tenant),
        (json!({ "iss": of("{tenantid}"), "tid": "{tenantid}", "oid": "o-1" }), Rejected::Tenant),
        (json!({ "iss": of("{tenantid}"), "tid": TENANT, "oid": "o-1" }), Rejected::Issuer),
        (json!({ "iss": of(TENANT), "oid": "o-1" }), Rejected::MissingClaim("tid")),
        (json!({ "iss": of(TENANT), "tid": TENANT }), Rejected::MissingClaim("oid")),
    ] {
        assert_eq!(scene.with(changes.clone()).await.unwrap_err(), reason, "{changes}");
    }
}

#[tokio::test]
async fn o13_a_key_of_one_tenant_signs_for_no_other() {
    let confined_to = async |issuer: &str| {
        let scene = entra();
        let mut jwk = RSA.jwk();
        jwk["issuer"] = json!(issuer.replace("BASE", &scene.idp.base));
        scene.idp.set("/jwks", Answer::json(&json!({ "keys": [jwk] })));
        let issuer = format!("{}/{TENANT}/v2.0", scene.idp.base);
        scene.with(json!({ "iss": issuer, "tid": TENANT, "oid": "o-1" })).await.map(|_| ())
    };
    assert_eq!(confined_to("BASE/{tenantid}/v2.0").await, Ok(()));
    assert_eq!(confined_to(&format!("BASE/{TENANT}/v2.0")).await, Ok(()));
    assert_eq!(confined_to(&format!("BASE/{FOREIGN}/v2.0")).await, Err(Rejected::Issuer));
}

#[tokio::test]
async fn o14_groups_left_out_are_never_no_groups() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    assert!(scene.with(json!({ "groups": null })).await.unwrap().groups().is_empty());
    assert_eq!(scene.with(json!({ "groups": "one" })).await.unwrap().groups(), ["one"]);
    let other = json!({ "groups": null, "_claim_names": { "photos": "src1" }, "hasgroups": false });
    assert!(scene.with(other).await.is_ok(), "other claims may live elsewhere");
    for overage in [
        json!({ "groups": null, "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "https://graph.example/" } } }),
        json!({ "groups": [], "_claim_names": { "groups": "src1" } }),
        json!({ "groups": null, "_claim_names": "groups" }),
        json!({ "groups": null, "hasgroups": true }),
        json!({ "groups": null, "hasgroups": "true" }),
        json!({ "groups": null, "groups:src1": "https://graph.example/" }),
    ] {
        assert_eq!(scene.with(overage.clone()).await.unwrap_err(), Rejected::GroupsOverage, "{overage}");
    }
    let many: Vec<String> = (0..5_001).map(|n| n.to_string()).collect();
    assert_eq!(scene.with(json!({ "groups": many[1..] })).await.unwrap().groups().len(), 5_000);
    for malformed in [json!(1), json!({ "a": 1 }), json!([["g"]]), json!(["g", 1]), json!(["g", ""]), json!(["x".repeat(257)]), json!(many)]
    {
        assert_eq!(scene.with(json!({ "groups": malformed })).await.unwrap_err(), Rejected::GroupsMalformed);
    }
}

#[tokio::test]
async fn odd_standard_claims_keep_nobody_out() {
    let scene = scene();
    let odd = json!({ "updated_at": "2027-01-15T08:00:00Z", "address": "Main Street 1", "locale": 5, "birthdate": 1990, "amr": "pwd" });
    let identity = scene.with(odd).await.unwrap();
    assert_eq!(identity.claims().text("address"), Some("Main Street 1"));
    assert_eq!(identity.authentication().amr, ["pwd"]);
    assert!(!identity.authentication().mfa);
}

#[tokio::test]
async fn the_way_of_signing_in_is_checked_and_told() {
    let more = json!({ "max_age": "1h", "acr_values": ["gold", "silver"], "mfa": { "amr": ["otp"], "acr": ["gold"] } });
    let scene = scene_with(&more);
    let now = now().timestamp();
    let honest = scene.with(json!({ "auth_time": now - 3600, "acr": "silver", "amr": ["pwd"], "sid": "s-1" })).await.unwrap();
    assert_eq!(honest.authentication().time.map(|time| time.timestamp()), Some(now - 3600));
    assert_eq!((honest.authentication().mfa, honest.authentication().sid.as_deref()), (false, Some("s-1")));
    assert!(scene.with(json!({ "auth_time": now, "acr": "gold" })).await.unwrap().authentication().mfa);
    assert!(scene.with(json!({ "auth_time": now, "acr": "silver", "amr": ["pwd", "otp"] })).await.unwrap().authentication().mfa);
    for (changes, reason) in [
        (json!({ "acr": "gold" }), Rejected::MissingClaim("auth_time")),
        (json!({ "acr": "gold", "auth_time": now - 3661 }), Rejected::TooOld),
        (json!({ "acr": "gold", "auth_time": now + 61 }), Rejected::NotYetValid(61)),
        (json!({ "acr": "bronze", "auth_time": now }), Rejected::Acr),
        (json!({ "auth_time": now }), Rejected::Acr),
        (json!({ "auth_time": now, "acr": "gold", "sub": "" }), Rejected::MissingClaim("sub")),
    ] {
        assert_eq!(scene.with(changes.clone()).await.unwrap_err(), reason, "{changes}");
    }
}

//! The operations of STS that are signed, from a click to AWS: against the sandbox, which is as strict as AWS, and against moto, whose wire format
//! others wrote.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod support;

use std::time::Duration;

use rolegate::clock::{Clock, SystemClock};
use rolegate::sandbox::{SandboxMfa, SandboxRole, SandboxSettings, SandboxUser};
use serde_json::{Value, json};
use support::{Gateway, Moto, OidcOptions, OidcProvider, PRODUCTION, Page, Plan, STAGING, SandboxAws, Scratch, Visitor, aws_cli};

const OWN_KEY: &str = "AKIAROLEGATEOWNKEY00";
const OWN_SECRET: &str = "own-secret-of-the-test";
const EXTERNAL_ID: &str = "tenant-4711-of-the-test";

fn target() -> String {
    format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin")
}

fn hub() -> String {
    format!("arn:aws:iam::{STAGING}:role/Hub")
}

/// The gateway's own IAM user, in the account of the hub.
fn own_user() -> SandboxUser {
    SandboxUser {
        name: "rolegate".into(),
        partition: rolegate::arn::Partition::Aws,
        account: STAGING.parse().unwrap(),
        access_key_id: OWN_KEY.into(),
        secret_access_key: OWN_SECRET.to_owned().into(),
        mfa: None,
    }
}

/// An IAM where the target is let in by this principal alone, for twelve hours, with an external id.
fn iam(settings: &mut SandboxSettings, issuer: &str, principal: &str) {
    let user = own_user();
    let hub_role = SandboxRole::pinned(hub().parse().unwrap(), issuer).assumed_by(&user.arn());
    let saml = settings.roles[0].saml.clone().unwrap();
    settings.roles.push(hub_role.trusting_saml(saml));
    settings.users.push(user);
    for role in settings.roles.iter_mut().filter(|role| role.arn.as_str() == target()) {
        let closed = SandboxRole { issuers: Vec::new(), saml: None, ..role.clone() };
        *role =
            SandboxRole { external_id: Some(EXTERNAL_ID.into()), max_session: Duration::from_hours(12), ..closed.assumed_by(principal) };
    }
}

/// The plan's configuration, with these keys for `PlatformAdmin` in Production.
fn config(plan: &Plan, provider: &OidcProvider, aws: &str, keys: &str) -> String {
    let config = plan.config(provider, aws);
    let rule = "accounts = [\"*\"]\nroles = [\"PlatformAdmin\"]\n";
    assert!(config.contains(rule));
    config.replace(rule, &format!("accounts = [\"Production\"]\nroles = [\"PlatformAdmin\"]\noperation = \"assume_role\"\n{keys}\n"))
}

fn env<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    Plan::env().into_iter().chain([("AWS_EC2_METADATA_DISABLED", "true")]).chain(more.iter().copied()).collect()
}

async fn signed_in(gateway: &Gateway) -> (Visitor, Page) {
    let mut ana = Visitor::new();
    let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    (ana, portal)
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_a_role_is_had_by_the_gateways_own_user_with_the_external_id_and_not_without() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start_with(&plan.url(), |settings| iam(settings, &plan.url(), &own_user().arn())).await;
    let keys = format!(
        "external_id = \"{EXTERNAL_ID}\"\nmax_session = \"4h\"\ntags = {{ Mail = \"${{username}}\" }}\ntrusted_claims = [\"username\"]\ntransitive_tags = [\"Mail\"]"
    );
    let own = [("AWS_ACCESS_KEY_ID", OWN_KEY), ("AWS_SECRET_ACCESS_KEY", OWN_SECRET)];
    let mut gateway = Gateway::start(&config(&plan, &provider, aws.url(), &keys), &env(&own)).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    let role = target();
    let shown = ana.post(&portal, "/credentials", &[("role", &role), ("duration", "14400")]).await.or_fail();
    let ledger = aws.sandbox().ledger();
    assert!(shown.body.contains(&ledger[0].access_key_id));
    assert_eq!((ledger[0].operation, ledger[0].source_identity.as_deref()), ("AssumeRole", Some("main+ana")));
    assert_eq!((ledger[0].tags[0].key.as_str(), ledger[0].tags[0].transitive), ("Mail", true));
    assert_eq!((ledger[0].expires - ledger[0].at).num_hours(), 4, "a user's keys are no chaining");
    let entered = ana.post(&portal, "/console", &[("role", &role), ("duration", "7200")]).await.or_fail();
    assert!(entered.body.contains("Sandbox console"), "{}", entered.body);
    let events = gateway.events("issue");
    let event = &events[0];
    assert_eq!((&event["operation"], &event["external_id"], &event["outcome"]), (&"AssumeRole".into(), &true.into(), &"ok".into()));
    assert!(event.get("hub").is_none() && event.get("chained").is_none() && event.get("proof_id").is_none(), "{event}");
    for secret in [EXTERNAL_ID, OWN_SECRET] {
        let trail = std::fs::read_to_string(gateway.folder().join("audit.jsonl")).unwrap();
        assert!(!trail.contains(secret) && !gateway.output().contains(secret) && !shown.body.contains(secret), "{secret}");
    }
    gateway.stop().await;

    for other in ["", "external_id = \"another\""] {
        let mut gateway = Gateway::start(&config(&plan, &provider, aws.url(), other), &env(&own)).await;
        let (mut ana, portal) = signed_in(&gateway).await;
        let refused = ana.post(&portal, "/credentials", &[("role", &role)]).await;
        assert_eq!(refused.status, 502);
        assert!(refused.body.contains("AWS identity of this gateway") && refused.body.contains("external id"), "{}", refused.body);
        assert_eq!(gateway.events("issue").last().unwrap()["outcome"], "failed");
        gateway.stop().await;
    }
    assert_eq!(aws.sandbox().ledger().len(), 2, "nothing was issued for a refusal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_behind_a_hub_is_had_by_each_way_to_the_hub_for_an_hour() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start_with(&plan.url(), |settings| iam(settings, &plan.url(), &hub())).await;
    let own = [("AWS_ACCESS_KEY_ID", OWN_KEY), ("AWS_SECRET_ACCESS_KEY", OWN_SECRET)];
    let ways =
        [("web_identity", "AssumeRoleWithWebIdentity", &[][..]), ("saml", "AssumeRoleWithSAML", &[]), ("assume_role", "AssumeRole", &own)];
    for (number, (way, operation, own)) in ways.into_iter().enumerate() {
        let keys = format!(
            "via = \"{}\"\nvia_operation = \"{way}\"\nexternal_id = \"{EXTERNAL_ID}\"\ntags = {{ Team = \"blue\" }}\npolicy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]",
            hub()
        );
        let text = config(&plan, &provider, aws.url(), &keys).replace("[audit]", "[trust.saml]\n\n[audit]");
        let mut gateway = Gateway::start(&text, &env(own)).await;
        let (mut ana, portal) = signed_in(&gateway).await;
        assert!(portal.body.contains("By another role") && !portal.body.contains("<option value=7200"), "{}", portal.body);
        let role = target();
        let too_long = ana.post(&portal, "/credentials", &[("role", &role), ("duration", "7200")]).await;
        assert_eq!(too_long.status, 400, "{}", too_long.body);
        let shown = ana.post(&portal, "/credentials", &[("role", &role), ("duration", "1800")]).await.or_fail();
        let ledger = aws.sandbox().ledger();
        let [.., first, last] = &ledger[..] else { panic!("{ledger:?}") };
        assert_eq!((first.operation, last.operation), (operation, "AssumeRole"));
        assert_eq!((first.role.as_ref().unwrap().as_str(), last.role.as_ref().unwrap().as_str()), (hub().as_str(), role.as_str()));
        assert!(first.tags.is_empty() && last.tags.len() == 1, "tags are the last role's");
        assert_eq!((first.source_identity.as_deref(), last.source_identity.as_deref()), (Some("main+ana"), Some("main+ana")));
        assert_eq!((last.expires - last.at).num_seconds(), 1800);
        assert_eq!((first.expires - first.at).num_seconds(), 900, "the way there is short");
        assert!(shown.body.contains(&last.access_key_id) && !shown.body.contains(&first.access_key_id), "the hub's are handed to nobody");
        // Into the console: without a length of its own, which AWS refuses for a chained session.
        let entered = ana.post(&portal, "/console", &[("role", &role), ("duration", "3600")]).await.or_fail();
        assert!(entered.body.contains("Sandbox console") && entered.body.contains("blue"), "{}", entered.body);
        let events = gateway.events("issue");
        let event = events.iter().find(|event| event["outcome"] == "ok").unwrap();
        assert_eq!((&event["operation"], &event["hub_operation"]), (&"AssumeRole".into(), &operation.into()));
        assert_eq!(
            (event["hub"].as_str(), event["hub_access_key_id"].as_str()),
            (Some(hub().as_str()), Some(first.access_key_id.as_str()))
        );
        assert_eq!((&event["chained"], event.get("proof_id").is_some()), (&true.into(), way != "assume_role"));
        assert_eq!(event["proof_id"].as_str(), first.jti.as_deref(), "the proof joins with the first hop");
        assert_eq!(ledger.len(), number * 4 + 2);
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_runs_as_a_session_offers_no_more_than_the_hour_that_it_can_get() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start_with(&plan.url(), |settings| iam(settings, &plan.url(), &own_user().arn())).await;
    // A session of its own user, had by another client.
    let home = Scratch::new();
    let own = [("AWS_ACCESS_KEY_ID", OWN_KEY), ("AWS_SECRET_ACCESS_KEY", OWN_SECRET)];
    let args = ["sts", "get-session-token", "--output", "json", "--region", "us-east-1", "--endpoint-url", aws.url()];
    let session: Value = serde_json::from_str(&aws_cli(home.path(), &args, &own).await.or_fail()).unwrap();
    let text = |name: &str| session["Credentials"][name].as_str().unwrap();
    let profile = format!(
        "[default]\naws_access_key_id = AKIANOBODY\naws_secret_access_key = x\n[gateway]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("SessionToken")
    );
    let file = home.write("credentials", profile);
    let keys = format!("external_id = \"{EXTERNAL_ID}\"\nmax_session = \"4h\"");
    let config =
        config(&plan, &provider, aws.url(), &keys).replace("[aws]", "[aws]\nown_profile = \"gateway\"\nown_region = \"eu-central-1\"");
    let gateway = Gateway::start(&config, &env(&[("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())])).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    let role = target();
    ana.post(&portal, "/credentials", &[("role", &role), ("duration", "900")]).await.or_fail();
    let portal = ana.open(gateway.url()).await.or_fail();
    assert!(portal.body.contains("By another role") && !portal.body.contains("<option value=7200"), "{}", portal.body);
    let too_long = ana.post(&portal, "/credentials", &[("role", &role), ("duration", "14400")]).await;
    assert_eq!(too_long.status, 400, "{}", too_long.body);
    let entered = ana.post(&portal, "/console", &[("role", &role), ("duration", "3600")]).await.or_fail();
    assert!(entered.body.contains("Sandbox console"), "{}", entered.body);
    let events = gateway.events("issue");
    assert_eq!((&events[0]["chained"], &events[0]["outcome"], events[0].get("hub")), (&true.into(), &"ok".into(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_an_aws_identity_says_so_and_serves_the_other_rules() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start_with(&plan.url(), |settings| iam(settings, &plan.url(), &own_user().arn())).await;
    let gateway = Gateway::start(&config(&plan, &provider, aws.url(), ""), &env(&[])).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    let refused = ana.post(&portal, "/credentials", &[("role", &target())]).await;
    assert_eq!(refused.status, 502);
    assert!(refused.body.contains("has no AWS identity that AWS accepts"), "{}", refused.body);
    let other = format!("arn:aws:iam::{PRODUCTION}:role/Developer");
    ana.post(&portal, "/credentials", &[("role", &other)]).await.or_fail();
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_issues_by_assume_role_and_by_a_hub_and_the_aws_cli_uses_it() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let moto = Moto::start().await;
    // Moto takes any keys.
    let own = [("AWS_ACCESS_KEY_ID", OWN_KEY), ("AWS_SECRET_ACCESS_KEY", OWN_SECRET)];
    for via in [String::new(), format!("via = \"{}\"", hub())] {
        let keys = format!("external_id = \"{EXTERNAL_ID}\"\ntags = {{ Team = \"blue\" }}\n{via}");
        let mut gateway = Gateway::start(&config(&plan, &provider, moto.url(), &keys), &env(&own)).await;
        let (mut ana, portal) = signed_in(&gateway).await;
        let role = target();
        let fields = [("role", role.as_str()), ("duration", "900"), ("format", "profile")];
        let profile = ana.post(&portal, "/credentials/download", &fields).await.or_fail().body;
        let home = Scratch::new();
        let file = home.write("credentials", &profile);
        let name = profile.lines().find_map(|line| line.strip_prefix('[')?.strip_suffix(']')).unwrap();
        let env = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()), ("AWS_PROFILE", name)];
        let args = ["sts", "get-caller-identity", "--output", "json", "--region", "us-east-1", "--endpoint-url", moto.url()];
        let identity: Value = serde_json::from_str(&aws_cli(home.path(), &args, &env).await.or_fail()).unwrap();
        let arn = identity["Arn"].as_str().unwrap();
        assert!(arn.starts_with(&format!("arn:aws:sts::{PRODUCTION}:assumed-role/PlatformAdmin/ana")), "{arn}");
        gateway.stop().await;
    }
}

const ANA_KEY: &str = "AKIAANALEGACYKEY0000";
const ANA_SECRET: &str = "secret-of-ana-of-the-test";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ce:Get*","Resource":"*"}]}"#;

fn device() -> SandboxMfa {
    SandboxMfa { serial: format!("arn:aws:iam::{PRODUCTION}:mfa/ana"), seed: "seed-of-the-test".to_owned().into() }
}

fn ana_legacy() -> SandboxUser {
    SandboxUser {
        name: "ana".into(),
        account: PRODUCTION.parse().unwrap(),
        access_key_id: ANA_KEY.into(),
        secret_access_key: ANA_SECRET.to_owned().into(),
        mfa: Some(device()),
        ..own_user()
    }
}

/// The plan's configuration with two users whose keys are held, and what is granted with them.
fn with_users(plan: &Plan, provider: &OidcProvider, aws: &str) -> String {
    let serial = device().serial;
    let more = format!(
        r#"
[[iam_user]]
id = "broker"
account = "Staging"
access_key_id = "{OWN_KEY}"
secret_access_key = {{ env = "BROKER_SECRET" }}

[[iam_user]]
id = "ana-legacy"
account = "{PRODUCTION}"
access_key_id = "{ANA_KEY}"
secret_access_key = {{ env = "ANA_SECRET" }}
mfa_serial = "{serial}"

[[rule]]
id = "billing"
groups = ["aws-platform-admins"]
operation = "federation_token"
iam_user = "broker"
federated = "billing-reader"
session_policy = "billing.json"
max_session = "36h"
tags = {{ Team = "blue" }}

[[rule]]
id = "legacy"
groups = ["aws-platform-admins"]
operation = "session_token"
iam_user = "ana-legacy"

[[test]]
groups = ["aws-platform-admins"]
includes = ["Staging/federated:billing-reader", "Production/iam-user:ana-legacy"]
"#
    );
    plan.config(provider, aws) + &more
}

const USER_ENV: [(&str, &str); 2] = [("BROKER_SECRET", OWN_SECRET), ("ANA_SECRET", ANA_SECRET)];

async fn gateway_with_users(plan: &Plan, provider: &OidcProvider, aws: &str) -> Gateway {
    let folder = Scratch::new();
    folder.write("billing.json", POLICY);
    Gateway::start_in(folder, &with_users(plan, provider, aws), &env(&USER_ENV)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_session_is_had_for_credentials_and_the_console() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start_with(&plan.url(), |settings| settings.users.push(own_user())).await;
    let gateway = gateway_with_users(&plan, &provider, aws.url()).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    for words in ["billing-reader", "federated session", "role=federated%3Abilling-reader"] {
        assert!(portal.body.contains(words), "no `{words}` in\n{}", portal.body);
    }
    let target = format!("federated:aws:{STAGING}:billing-reader");
    let shown = ana.post(&portal, "/credentials", &[("role", &target), ("duration", "129600")]).await.or_fail();
    let ledger = aws.sandbox().ledger();
    assert!(shown.body.contains(&ledger[0].access_key_id) && shown.body.contains("federated session"));
    assert_eq!((ledger[0].operation, ledger[0].role.as_ref()), ("GetFederationToken", None));
    assert_eq!((ledger[0].tags[0].key.as_str(), (ledger[0].expires - ledger[0].at).num_hours()), ("Team", 36));
    assert!(ledger[0].arn.starts_with(&format!("arn:aws:sts::{STAGING}:federated-user/ana")), "{}", ledger[0].arn);
    let linked = ana.open(&format!("{}/go?account={STAGING}&role=federated%3Abilling-reader", gateway.url())).await.or_fail();
    let entered = ana.post(&linked, "/console", &[("role", &target), ("duration", "3600")]).await.or_fail();
    assert!(entered.body.contains("Sandbox console") && entered.body.contains("federated-user/ana"), "{}", entered.body);
    let events = gateway.events("issue");
    let event = &events[0];
    assert_eq!(
        (&event["operation"], &event["iam_user"], &event["account"]),
        (&"GetFederationToken".into(), &"broker".into(), &STAGING.into())
    );
    assert_eq!((event["role"].as_str(), event["assumed_role"].as_str()), (Some(target.as_str()), Some(ledger[0].arn.as_str())));
    assert!(event.get("session_policy").is_some() && event.get("source_identity").is_none(), "{event}");
    assert!(!gateway.output().contains(OWN_SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_own_session_is_had_with_the_code_that_the_device_shows() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start_with(&plan.url(), |settings| settings.users.push(ana_legacy())).await;
    let gateway = gateway_with_users(&plan, &provider, aws.url()).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    let target = format!("iam-user:aws:{PRODUCTION}:ana-legacy");
    let row = portal.body.split("<li>").find(|row| row.contains("ana-legacy")).unwrap();
    let row = row.split("</li>").next().unwrap();
    for words in ["IAM user", "Wants an MFA code", ">Continue</a>"] {
        assert!(row.contains(words), "no `{words}` in\n{row}");
    }
    assert!(!row.contains("<button"), "what has to be typed is asked on a page of its own: {row}");
    let link = row.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let page = ana.open(&format!("{}{link}", gateway.url())).await.or_fail();
    for words in [target.as_str(), "name=\"mfa_code\"", "autocomplete=\"one-time-code\"", "Credentials</button>"] {
        assert!(page.body.contains(words), "no `{words}` in\n{}", page.body);
    }
    assert!(!page.body.contains("Open the console"), "{}", page.body);
    let missing = ana.post(&portal, "/credentials", &[("role", &target)]).await;
    assert!(missing.status == 400 && missing.body.contains("The code of an MFA device is needed"), "{}", missing.body);
    let console = ana.post(&portal, "/console", &[("role", &target)]).await;
    assert_eq!(console.status, 403, "{}", console.body);
    let code = device().code(SystemClock.now());
    let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
    let refused = ana.post(&portal, "/credentials", &[("role", &target), ("mfa_code", &wrong)]).await;
    assert!(refused.status == 502 && refused.body.contains("next code"), "{}", refused.body);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let shown = ana.post(&portal, "/credentials", &[("role", &target), ("mfa_code", &spaced), ("duration", "3600")]).await.or_fail();
    let ledger = aws.sandbox().ledger();
    assert_eq!((ledger.len(), ledger[0].operation), (1, "GetSessionToken"));
    assert!(shown.body.contains(&ledger[0].access_key_id) && !shown.body.contains(&code));
    let again = ana.post(&portal, "/credentials", &[("role", &target), ("mfa_code", &code)]).await;
    assert!(again.status == 502 && again.body.contains("each is good once"), "{}", again.body);
    let events = gateway.events("issue");
    let event = events.iter().find(|event| event["outcome"] == "ok").unwrap();
    assert_eq!((&event["operation"], &event["iam_user"]), (&"GetSessionToken".into(), &"ana-legacy".into()));
    assert!(event.get("session_name").is_none() && event.get("assumed_role").is_none(), "{event}");
    let trail = std::fs::read_to_string(gateway.folder().join("audit.jsonl")).unwrap();
    for secret in [code.as_str(), ANA_SECRET] {
        assert!(!trail.contains(secret) && !gateway.output().contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_hands_out_what_is_no_role_and_takes_the_code_of_the_device() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start_with(&plan.url(), |settings| settings.users.extend([own_user(), ana_legacy()])).await;
    let gateway = gateway_with_users(&plan, &provider, aws.url()).await;
    let (ana, _) = signed_in(&gateway).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |method: &str, path: &str, body: Value| -> (u16, Value) {
        let url = format!("{}/api/v1/{path}", gateway.url());
        let request = http.request(method.parse().unwrap(), &url).header("cookie", ana.cookie_header(&url));
        let request = request.header("x-requested-with", "rolegate").header("sec-fetch-site", "same-origin");
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    };
    let (federated, own) = (format!("federated:aws:{STAGING}:billing-reader"), format!("iam-user:aws:{PRODUCTION}:ana-legacy"));
    let (_, listed) = ask("GET", "roles", Value::Null).await;
    for (target, kind, operation, purposes, mfa) in [
        (&federated, "federated_session", "federation_token", json!(["console", "credentials"]), false),
        (&own, "iam_user", "session_token", json!(["credentials"]), true),
    ] {
        let role = listed["roles"].as_array().unwrap().iter().find(|role| role["arn"] == *target).unwrap();
        assert_eq!((&role["kind"], &role["operation"], &role["purposes"]), (&kind.into(), &operation.into(), &purposes), "{role}");
        assert_eq!(role["needs"]["mfa_code"], mfa, "{role}");
    }
    let (status, credentials) = ask("POST", "credentials", json!({ "role": federated })).await;
    assert_eq!((status, &credentials["role_arn"]), (200, &json!(federated)), "{credentials}");
    for wish in [json!({ "role": own }), json!({ "role": own, "mfa_code": "12345" }), json!({ "role": own, "mfa_code": "abcdef" })] {
        let (status, refused) = ask("POST", "credentials", wish).await;
        assert_eq!((status, &refused["code"]), (422, &json!("mfa_code_needed")), "{refused}");
    }
    let code = device().code(SystemClock.now());
    let (status, credentials) = ask("POST", "credentials", json!({ "role": own, "mfa_code": code })).await;
    assert_eq!((status, &credentials["role_arn"]), (200, &json!(own)), "{credentials}");
    assert_eq!(aws.sandbox().ledger().iter().map(|entry| entry.operation).collect::<Vec<_>>(), ["GetFederationToken", "GetSessionToken"]);
    let (status, refused) = ask("POST", "credentials", json!({ "role": own, "mfa_code": code })).await;
    assert_eq!((status, &refused["code"]), (502, &json!("aws_refused")), "{refused}");
    assert_eq!(ask("POST", "console", json!({ "role": own })).await.1["code"], "not_granted");
    assert!(!gateway.output().contains(&code));
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_issues_to_users_and_the_aws_cli_uses_it() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let moto = Moto::start().await;
    let gateway = gateway_with_users(&plan, &provider, moto.url()).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    let (federated, own) = (format!("federated:aws:{STAGING}:billing-reader"), format!("iam-user:aws:{PRODUCTION}:ana-legacy"));
    for (target, operation) in [(&federated, "GetFederationToken"), (&own, "GetSessionToken")] {
        let fields = [("role", target.as_str()), ("duration", "900"), ("format", "profile"), ("mfa_code", "123456")];
        let profile = ana.post(&portal, "/credentials/download", &fields).await.or_fail().body;
        let home = Scratch::new();
        let file = home.write("credentials", &profile);
        let name = profile.lines().find_map(|line| line.strip_prefix('[')?.strip_suffix(']')).unwrap();
        let env = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()), ("AWS_PROFILE", name)];
        let args = ["sts", "get-caller-identity", "--output", "json", "--region", "us-east-1", "--endpoint-url", moto.url()];
        let identity: Value = serde_json::from_str(&aws_cli(home.path(), &args, &env).await.or_fail()).unwrap();
        assert!(identity["Account"].is_string(), "{identity}");
        let events = gateway.events("issue");
        assert_eq!((&events.last().unwrap()["operation"], &events.last().unwrap()["outcome"]), (&operation.into(), &"ok".into()));
    }
}

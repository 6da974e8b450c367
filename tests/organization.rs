//! Accounts that AWS Organizations knows, against moto's: found with their units and tags, kept on disk, and followed while the gateway runs.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use support::{Gateway, Moto, OidcOptions, OidcProvider, Plan, Scratch, Visitor, aws_cli};

/// An organization at moto, and the means to change it.
struct Organization {
    moto: Moto,
    home: Scratch,
    root: String,
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")];

impl Organization {
    async fn start() -> Self {
        let mut organization = Self { moto: Moto::start().await, home: Scratch::new(), root: String::new() };
        organization.ask(&["create-organization", "--feature-set", "ALL"]).await;
        organization.root = organization.ask(&["list-roots"]).await["Roots"][0]["Id"].as_str().unwrap().into();
        organization
    }

    async fn ask(&self, words: &[&str]) -> Value {
        let common = ["--output", "json", "--region", "us-east-1", "--endpoint-url", self.moto.url()];
        let answer = aws_cli(self.home.path(), &[&["organizations"], words, &common].concat(), &KEYS).await.or_fail();
        if answer.trim().is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
    }

    async fn unit(&self, parent: &str, name: &str) -> String {
        let made = self.ask(&["create-organizational-unit", "--parent-id", parent, "--name", name]).await;
        made["OrganizationalUnit"]["Id"].as_str().unwrap().to_owned()
    }

    async fn account(&self, unit: &str, name: &str) -> String {
        let email = format!("{name}@example.org");
        let made = self.ask(&["create-account", "--email", &email, "--account-name", name, "--tags", "Key=env,Value=dev"]).await;
        let id = made["CreateAccountStatus"]["AccountId"].as_str().unwrap().to_owned();
        self.ask(&["move-account", "--account-id", &id, "--source-parent-id", &self.root, "--destination-parent-id", unit]).await;
        id
    }
}

fn config(plan: &Plan, provider: &OidcProvider, organization: &str) -> String {
    let rules = "[[rule]]\nid = 'readers'\neveryone = true\naccounts = ['ou:/Workloads/**']\nroles = ['OrgReader']\n\
        when = 'account.ou.startsWith(\"/Workloads\") && account.tags.env == \"dev\"'\n\
        [[rule]]\nid = 'direct'\neveryone = true\naccounts = ['ou:/Workloads']\nroles = ['OnlyDirect']\n";
    let table = format!("[organization]\nenabled = true\nendpoint_url = '{organization}'\n");
    format!("{}\n{table}{rules}", plan.config(provider, "http://127.0.0.1:9"))
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_followed_and_known_when_aws_is_down() {
    let organization = Organization::start().await;
    let workloads = organization.unit(&organization.root, "Workloads").await;
    let prod = organization.unit(&workloads, "Prod").await;
    let first = organization.account(&prod, "shop").await;

    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let config_with = |endpoint: &str| config(&plan, &provider, endpoint);
    let env = [Plan::env().as_slice(), &KEYS].concat();
    let mut gateway = Gateway::start(&config_with(organization.moto.url()), &env).await;
    let followed = |count: usize| move |output: String| output.matches("another policy is in force").count() >= count;
    let process = gateway.process();
    process.until(async |running| followed(1)(running.output()).then_some(())).await;
    let mut ana = Visitor::new();
    let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    assert!(portal.body.contains(&format!("{first}:role/OrgReader")), "{}", portal.body);
    assert!(!portal.body.contains("OnlyDirect"), "the account lies in a unit below");

    // Another account, in the unit itself: the running gateway learns of it.
    let second = organization.account(&workloads, "lab").await;
    gateway.process().signal("HUP");
    gateway.process().until(async |running| followed(2)(running.output()).then_some(())).await;
    let portal = ana.open(&format!("{}/", gateway.url())).await.or_fail();
    for role in [format!("{first}:role/OrgReader"), format!("{second}:role/OrgReader"), format!("{second}:role/OnlyDirect")] {
        assert!(portal.body.contains(&role), "{role}\n{}", portal.body);
    }
    let cache = gateway.folder().join("organization.json");
    assert_eq!(cache.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let output = gateway.output();
    assert!(!output.contains("AWS4-HMAC-SHA256"), "no signed request is logged");

    // AWS is down at the next start: the copy is used, and its age is told.
    // The copy is written once its accounts are in force, so a moment after the log says that they are.
    let kept = || fs::read_to_string(&cache).ok().filter(|copy| copy.contains(second.as_str()));
    let copy = gateway.process().until(async |_| kept()).await;
    assert!(gateway.stop().await.success());
    drop(gateway);
    let folder = Scratch::new();
    folder.write("organization.json", copy);
    let mut gateway = Gateway::start_in(folder, &config_with("http://127.0.0.1:9"), &env).await;
    let portal = Visitor::new().open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    assert!(portal.body.contains(&format!("{second}:role/OnlyDirect")), "{}", portal.body);
    let process = gateway.process();
    process.until(async |running| running.output().contains("were not read; those known before stay").then_some(())).await;
    assert!(gateway.output().contains("age_of_copy"), "{}", gateway.output());
}

/// The rules say that nobody becomes a reader of an account that is called `vault`. One with that name comes, and makes the test fail.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_with_which_the_rules_do_not_hold_are_refused_and_do_not_stop_the_next_start() {
    let organization = Organization::start().await;
    let workloads = organization.unit(&organization.root, "Workloads").await;
    let first = organization.account(&workloads, "shop").await;

    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let text = config(&plan, &provider, organization.moto.url());
    let guarded = |more: &str| {
        format!(
            "{text}{more}\n[[test]]\nname = 'one account alone'\ngroups = ['nobody']\nexpect = ['{first}/OrgReader', '{first}/OnlyDirect']\n"
        )
    };
    let env = [Plan::env().as_slice(), &KEYS].concat();
    let kept = |folder: &std::path::Path| fs::read_to_string(folder.join("organization.json")).unwrap_or_default();

    // The test does not hold before AWS has named the account: it is there from the second start on.
    let mut gateway = Gateway::start(&text, &env).await;
    let path = gateway.folder().to_owned();
    gateway.process().until(async |_| kept(&path).contains(&first).then_some(())).await;
    gateway.configure(&guarded(""));
    gateway.process().until(async |running| running.output().contains("are those in force").then_some(())).await;
    assert_eq!(gateway.events("policy.refused").len(), 0);

    let second = organization.account(&workloads, "vault").await;
    gateway.process().signal("HUP");
    let refusals =
        |folder: &std::path::Path| fs::read_to_string(folder.join("audit.jsonl")).unwrap_or_default().matches("\"policy.refused\"").count();
    gateway.process().until(async |_| (refusals(&path) == 1).then_some(())).await;
    let is_refused = |gateway: &Gateway, count: usize| {
        let refused = gateway.events("policy.refused");
        assert_eq!(refused.len(), count, "{refused:?}");
        let reason = refused[count - 1]["reason"].as_str().unwrap();
        assert!(reason.starts_with("the accounts that AWS Organizations names now are refused"), "{reason}");
        assert!(reason.contains("one account alone") && reason.contains(&second), "{reason}");
    };
    is_refused(&gateway, 1);
    assert!(!kept(&path).contains(&second), "only what is in force is kept");

    // A change of the rules does not wait for the organization: it comes with the accounts that are accepted.
    gateway.configure(&guarded("[[rule]]\nid = 'urgent'\neffect = 'deny'\neveryone = true\nroles = ['Urgent']\n"));
    gateway.process().until(async |running| running.output().matches("another policy is in force").nth(1).map(drop)).await;
    gateway.process().until(async |_| (refusals(&path) == 2).then_some(())).await;
    is_refused(&gateway, 2);
    assert!(!kept(&path).contains(&second));
    assert!(gateway.stop().await.success());

    // The next start has the accepted ones, and hears the same of AWS.
    let (copy, configured) = (kept(&path), fs::read_to_string(path.join("rolegate.toml")).unwrap());
    drop(gateway);
    let folder = Scratch::new();
    folder.write("organization.json", copy);
    let mut gateway = Gateway::start_in(folder, &configured, &env).await;
    let path = gateway.folder().to_owned();
    let portal = Visitor::new().open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    assert!(portal.body.contains(&format!("{first}:role/OrgReader")) && !portal.body.contains(&second), "{}", portal.body);
    gateway.process().until(async |_| (refusals(&path) == 1).then_some(())).await;
    is_refused(&gateway, 1);

    // The rules are made to hold: the accounts that wait are taken, and kept.
    gateway.configure(&text);
    gateway.process().until(async |_| kept(&path).contains(&second).then_some(())).await;
    let portal = Visitor::new().open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    assert!(portal.body.contains(&format!("{second}:role/OrgReader")), "{}", portal.body);
}

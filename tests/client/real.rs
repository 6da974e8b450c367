//! The whole way: the real gateway, its identity provider and AWS (moto's, or the strict one of the sandbox), with Chromium at one end and the
//! AWS CLI and boto3 at the other.

use std::time::Duration;

use chrono::TimeDelta;

use super::hurried::HurriedAws;
use super::person::Person;
use super::support::{
    AwsCli, Finished, Gateway, Moto, OidcOptions, OidcProvider, PRODUCTION, Page, Plan, Running, SandboxAws, Visitor, chromium, node,
};

struct World {
    gateway: Gateway,
    _provider: OidcProvider,
    ana: Person,
    browser: Visitor,
}

impl World {
    async fn start(config: impl FnOnce(&Plan, &OidcProvider) -> String) -> Self {
        let plan = Plan::new();
        let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
        let gateway = Gateway::start(&config(&plan, &provider), &Plan::env()).await;
        let ana = Person::new(gateway.url());
        Self { gateway, _provider: provider, ana, browser: Visitor::new() }
    }

    /// Ana sees the tab that a command opened, signs in at her provider, and says yes to the command line.
    async fn agree(&mut self, tab: &str) -> Page {
        let tab = &self.ana.led(tab).await;
        let page = self.browser.open(tab).await;
        let page = if page.body.contains("/oauth2/authorize\"") {
            page
        } else {
            // Where one can choose how to sign in.
            self.browser.open(&format!("{}/login/main?next={}", self.gateway.url(), encoded(tab))).await
        };
        let page = page.or_fail();
        let at =
            page.body.find("<form method=\"post\" action=\"/oauth2/authorize\"").unwrap_or_else(|| panic!("no question:\n{}", page.body));
        let form = Page { url: page.url.clone(), status: page.status, body: page.body[at..].to_owned() };
        self.browser.submit(&form, &[("decision", "allow")]).await
    }

    async fn login(&mut self) -> Running {
        let (mut login, tab) = self.ana.until_tab(&["login"]).await;
        let page = self.agree(&tab).await;
        assert!(page.body.contains("Back to the command line"), "{}\n{}", page.body, self.gateway.output());
        assert!(login.finish().await.success(), "{}", login.output());
        login
    }
}

impl World {
    /// An agent, and the variables by which programs find it.
    async fn agent(&self, role: &str) -> (Running, Vec<(&'static str, String)>) {
        let mut agent = Running::spawn("agent", &mut self.ana.command(&["agent", role, "--shell", "bash"]));
        let mut found = Vec::new();
        for variable in ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"] {
            found.push((variable, agent.until_line(&format!("export {variable}=")).await.trim_matches('\'').to_owned()));
        }
        (agent, found)
    }
}

fn encoded(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    url::form_urlencoded::byte_serialize(url[url::Position::BeforePath..].as_bytes()).collect()
}

fn assert_is_ana(identity: Finished) {
    let identity = identity.or_fail();
    let identity: serde_json::Value = serde_json::from_str(&identity).unwrap();
    let arn = identity["Arn"].as_str().unwrap();
    assert!(arn.starts_with(&format!("arn:aws:sts::{PRODUCTION}:assumed-role/PlatformAdmin/")) && arn.contains("ana"), "{arn}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_browser_to_the_aws_cli_and_boto3_and_out_again() {
    let moto = Moto::start().await;
    let mut world = World::start(|plan, provider| plan.config(provider, moto.url())).await;
    let told = world.login().await.output();
    assert!(told.contains("ana") && told.contains("aws-platform-admins"), "{told}");
    let roles = world.ana.run(&["roles"]).await.or_fail();
    assert!(roles.contains("PlatformAdmin") && roles.contains("Developer") && roles.lines().count() == 5, "{roles}");

    world.ana.run(&["configure", "--yes", "--region", "us-east-1"]).await.or_fail();
    let env = world.ana.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let arguments = ["sts", "get-caller-identity", "--profile", "Production-PlatformAdmin", "--endpoint-url", moto.url()];
    for cli in AwsCli::BOTH {
        assert_is_ana(cli.run(world.ana.home(), &arguments, &env).await);
    }
    let found = world.ana.boto3(moto.url(), Some("Production-PlatformAdmin"), &[]).await;
    assert!(found["method"] == "custom-process" && found["arn"].as_str().unwrap().contains(":assumed-role/PlatformAdmin/"), "{found}");

    let name = "Production/PlatformAdmin";
    let (_agent, more) = world.agent(name).await;
    let found = world.ana.boto3(moto.url(), None, &more).await;
    assert!(found["method"] == "container-role" && found["arn"].as_str().unwrap().contains(":assumed-role/PlatformAdmin/"), "{found}");
    assert_eq!(world.gateway.events("issue").len(), 1, "one issuance serves both AWS CLIs, boto3 and the agent");

    world.ana.run(&["logout"]).await.or_fail();
    let (code, told) = world.ana.ended(&["whoami"]).await;
    assert!(code == 3 && told.stderr.contains("not signed in"), "{told:?}");
    let log = world.gateway.output();
    for secret in ["rgs_", found["secret"].as_str().unwrap(), found["token"].as_str().unwrap()] {
        assert!(!log.contains(secret) && !told.stderr.contains(secret), "a secret is in a log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_commands_after_the_night_open_one_tab() {
    let moto = Moto::start().await;
    let mut world = World::start(|plan, provider| plan.config(provider, moto.url())).await;
    world.login().await;
    // Her sessions end behind the command line's back.
    let token = world.ana.token();
    let body = format!("token={token}&client_id=rolegate-cli");
    let ended = reqwest::Client::new()
        .post(format!("{}/oauth2/revoke", world.gateway.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    assert!(ended.send().await.unwrap().status().is_success());
    let before = world.ana.tabs().len();
    let arn = format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin");
    let mut programs: Vec<Running> = (0..10).map(|_| Running::spawn("rolegate", &mut world.ana.command(&["credentials", &arn]))).collect();
    let tab = programs[0].until(async |_| world.ana.tabs().get(before).cloned()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.agree(&tab).await;
    for program in &mut programs {
        assert!(program.finish().await.success(), "{}", program.output());
        assert!(program.output().contains("\"AccessKeyId\""), "{}", program.output());
    }
    assert_eq!(world.ana.tabs().len(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_signs_in_by_the_way_back_and_by_a_code_and_opens_the_console() {
    let plan = Plan::new();
    let aws = SandboxAws::start(&plan.url()).await;
    let provider = OidcProvider::start(&plan.provider()).await;
    let gateway = Gateway::start(&plan.config(&provider, aws.url()), &Plan::env()).await;
    let ana = Person::new(gateway.url());
    let chromium = chromium();
    let walk = async |arguments: &[&str]| {
        let env = [("ROLEGATE_TEST_CHROMIUM", chromium.to_str().unwrap())];
        let arguments = [&[gateway.url()], arguments].concat();
        node("tests/browser/client.mjs", &arguments, &env).await.or_fail();
    };

    let (mut login, tab) = ana.until_tab(&["login"]).await;
    walk(&["login", &tab]).await;
    assert!(login.finish().await.success() && login.output().contains("\nana"), "{}", login.output());
    let first = ana.token();

    let mut login = Running::spawn("rolegate", &mut ana.command(&["login", "--device"]));
    let told = login.until_line("In a browser, open ").await;
    let (page, code) = told.split_once(" and enter the code ").unwrap();
    walk(&["device", page, code]).await;
    assert!(login.finish().await.success(), "{}", login.output());
    assert!(ana.token() != first && ana.tabs().len() == 1, "a session of its own, without a tab");

    let credentials: serde_json::Value =
        serde_json::from_str(&ana.run(&["credentials", "production/platformadmin"]).await.or_fail()).unwrap();
    assert!(credentials["SecretAccessKey"].is_string() && aws.sandbox().ledger().len() == 1, "{:?}", aws.sandbox().ledger());
    let (mut opening, tab) = ana.until_tab(&["console", "Production/PlatformAdmin", "--open"]).await;
    walk(&["console", &tab, aws.url()]).await;
    assert!(opening.finish().await.success(), "{}", opening.output());
    let outcomes: Vec<_> = gateway.events("command_line").iter().map(|event| event["outcome"].clone()).collect();
    assert_eq!(outcomes, ["ok", "ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_gives_a_program_that_runs_for_long_new_credentials_before_those_of_before_end() {
    let moto = Moto::start().await;
    let hurried = HurriedAws::start(moto.url(), TimeDelta::seconds(12));
    let mut world = World::start(|plan, provider| plan.config(provider, &hurried.url)).await;
    world.login().await;
    let (_agent, more) = world.agent("Production/PlatformAdmin").await;
    let printed = world.ana.python("boto3_renews.py", &[moto.url()], &more).await;
    let seen: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(seen.len(), 2, "{printed}");
    for one in &seen {
        assert!(one["method"] == "container-role" && one["arn"].as_str().unwrap().contains(":assumed-role/PlatformAdmin/"), "{printed}");
    }
    assert_ne!(seen[0]["key"], seen[1]["key"]);
    assert_eq!(world.gateway.events("issue").len(), 2, "one for each, and none for each question");
    assert_eq!(world.ana.tabs().len(), 1, "nobody was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_and_aws_refuse_is_told_with_its_mender() {
    let plan = Plan::new();
    let sandbox = SandboxAws::start(&plan.url()).await;
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let config = plan.config(&provider, sandbox.url()).replace("roles = [\"Developer\"]", "roles = [\"Developer\", \"Nobodys\"]");
    let gateway = Gateway::start(&config, &Plan::env()).await;
    let ana = Person::new(gateway.url());
    let mut world = World { gateway, _provider: provider, ana, browser: Visitor::new() };
    world.login().await;
    let (code, told) = world.ana.ended(&["credentials", &format!("arn:aws:iam::{PRODUCTION}:role/Root")]).await;
    assert!(code == 4 && told.stderr.contains("rolegate roles"), "{told:?}");
    let (code, told) = world.ana.ended(&["credentials", "Production/Nobodys"]).await;
    assert!(
        code == 4 && told.stderr.contains("To be mended by the administrator of the AWS account:") && told.stderr.contains("Incident "),
        "{told:?}"
    );
    let (code, told) = world.ana.ended(&["credentials", "Production/Developer", "--duration", "13h"]).await;
    assert!(code == 2 && told.stdout.is_empty(), "{told:?}");
    let url = world.ana.run(&["console", "Production/Developer", "--destination", "s3"]).await.or_fail();
    let page = world.browser.open(url.trim()).await;
    assert!(page.status.is_success() && page.url.as_str().starts_with(sandbox.url()), "{}", page.url);
}

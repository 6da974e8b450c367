//! The rules of a running gateway: they follow the file, or stay as they were and say why.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "reload/client_certificates.rs"]
mod client_certificates;
mod support;
#[path = "reload/tls.rs"]
mod tls;

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use serde_json::Value;
use support::{Gateway, Moto, OidcOptions, OidcProvider, PRODUCTION, Page, Plan, Scratch, Visitor};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// What the plan's administrators have, and a rule that gives them nothing else.
const RULE: &str = "roles = [\"PlatformAdmin\"]";

/// Ana, signed in, before a gateway that runs.
struct World {
    gateway: Gateway,
    config: String,
    ana: Visitor,
    _provider: OidcProvider,
}

impl World {
    async fn start(plan: &Plan, aws: &str, change: impl FnOnce(String) -> String) -> Self {
        Self::start_in(Scratch::new(), plan, aws, change).await
    }

    async fn start_in(folder: Scratch, plan: &Plan, aws: &str, change: impl FnOnce(String) -> String) -> Self {
        Self::start_as(Visitor::new(), folder, plan, aws, change).await
    }

    async fn start_as(ana: Visitor, folder: Scratch, plan: &Plan, aws: &str, change: impl FnOnce(String) -> String) -> Self {
        Self::start_with(&Plan::env(), ana, folder, plan, aws, change).await
    }

    async fn start_with(
        env: &[(&str, &str)],
        mut ana: Visitor,
        folder: Scratch,
        plan: &Plan,
        aws: &str,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
        let config = change(plan.config(&provider, aws));
        let gateway = Gateway::start_in(folder, &config, env).await;
        let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
        assert!(has(&portal, "PlatformAdmin") && !has(&portal, "Breakglass"), "{}", portal.body);
        Self { gateway, config, ana, _provider: provider }
    }

    async fn portal(&mut self) -> Page {
        self.ana.open(&format!("{}/", self.gateway.url())).await.or_fail()
    }

    /// Waits for so many events of a kind.
    async fn events(&mut self, kind: &str, count: usize) -> Vec<Value> {
        let folder = self.gateway.folder().to_owned();
        self.gateway
            .process()
            .until(async |_| {
                let trail = fs::read_to_string(folder.join("audit.jsonl")).ok()?;
                let events = trail.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let found: Vec<_> = events.filter(|event| event["kind"] == kind).collect();
                (found.len() >= count).then_some(found)
            })
            .await
    }

    /// Waits until so many policies have taken over, and gives their events. Each stands in the trail before its policy is in force.
    async fn in_force(&mut self, count: usize) -> Vec<Value> {
        let taken = |output: String| output.matches("another policy is in force").count() >= count;
        self.gateway.process().until(async |running| taken(running.output()).then_some(())).await;
        self.events("policy.reloaded", count).await
    }

    /// Waits until the log says something.
    async fn logged(&mut self, text: &str) {
        self.gateway.process().until(async |running| running.output().contains(text).then_some(())).await;
    }
}

fn has(page: &Page, role: &str) -> bool {
    page.body.contains(&format!("role/{role}\""))
}

fn with_breakglass(config: &str) -> String {
    let changed = config.replace(RULE, "roles = [\"PlatformAdmin\", \"Breakglass\"]");
    assert_ne!(changed, config);
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_changes_roles_without_a_restart_and_both_versions_are_named() {
    let plan = Plan::new();
    let mut world = World::start(&plan, "http://127.0.0.1:9", |config| config).await;
    let first = world.gateway.events("sign_in")[0]["policy"].as_str().unwrap().to_owned();
    world.gateway.configure(&with_breakglass(&world.config));
    let event = world.in_force(1).await.remove(0);
    assert!(has(&world.portal().await, "Breakglass"), "the session lives on, with the new role");
    let second = event["policy"].as_str().unwrap().to_owned();
    assert_eq!((event["outcome"].as_str(), event["previous_policy"].as_str()), (Some("ok"), Some(first.as_str())));
    assert!(second != first && second.len() == 64, "{second}");
    let output = world.gateway.output();
    let line = output.lines().find(|line| line.contains("another policy is in force")).unwrap();
    assert!(line.contains(&first) && line.contains(&second), "{line}");
    // A comment changes no rule, and what only a restart brings is named.
    let port = plan.url().rsplit(':').next().unwrap().to_owned();
    let moved = with_breakglass(&world.config).replace(&format!("listen = \"127.0.0.1:{port}\""), "listen = \"127.0.0.1:1\"");
    world.gateway.configure(&format!("# A comment.\n{moved}"));
    world.logged("a restart is needed to take over these keys").await;
    assert!(world.gateway.output().contains("\"keys\":\"server.listen\""), "{}", world.gateway.output());
    world.logged("are those in force").await;
    assert_eq!(world.gateway.events("policy.reloaded").len(), 1);
    // The next event names the policy by which it was decided.
    let role = format!("arn:aws:iam::{PRODUCTION}:role/NotHers");
    let portal = world.portal().await;
    world.ana.post(&portal, "/credentials", &[("role", &role)]).await;
    assert_eq!(world.events("issue", 1).await[0]["policy"], second.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_by_another_level_without_a_restart() {
    let quiet = |config: &str| format!("{config}\n[log]\nlevel = \"warn\"\n");
    // The tests' own variable goes before the file; what is no level does not.
    let env = Plan::env().map(|(name, value)| (name, if name == "ROLEGATE_LOG" { "rolegate=loud" } else { value }));
    let (ana, folder, plan) = (Visitor::new(), Scratch::new(), Plan::new());
    let mut world = World::start_with(&env, ana, folder, &plan, "http://127.0.0.1:9", |config| quiet(&config)).await;
    world.portal().await;
    let requests = |world: &mut World| world.gateway.output().matches("\"answered\"").count();
    world.logged("the variable is no level: the configuration's counts").await;
    assert_eq!(requests(&mut world), 0, "at `warn` no request is told of: {}", world.gateway.output());
    let config = world.config.clone();
    world.gateway.configure(&config.replace("level = \"warn\"", "level = \"info\""));
    world.logged("the log went over to this level").await;
    world.portal().await;
    assert!(requests(&mut world) > 0, "{}", world.gateway.output());
    assert!(!world.gateway.output().contains("a restart is needed"));
    // What is no level is refused as a whole, with its line.
    world.gateway.configure(&config.replace("level = \"warn\"", "level = \"loud\""));
    world.logged("\\\"loud\\\" is no level").await;
    world.gateway.configure(&config);
    world.logged("the log goes by another level\",\"level\":\"warn\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_wrong_or_fails_its_tests_leaves_the_old_rules_and_the_log_says_why() {
    let mut world = World::start(&Plan::new(), "http://127.0.0.1:9", |config| config).await;
    let in_force = world.gateway.events("sign_in")[0]["policy"].clone();
    let lines = world.config.lines().count();
    let unknown = with_breakglass(&world.config).replacen("accounts = [\"*\"]", "accounts = [\"Prodution\"]", 1);
    let fault = unknown.lines().position(|line| line.contains("Prodution")).unwrap() + 1;
    let failing = "[[test]]\nname = 'admins are kept small'\ngroups = ['aws-platform-admins']\nexcludes = ['Production/Breakglass']\n";
    let new_provider = "[[provider]]\nid = 'second'\nname = 'Second'\nissuer = 'https://second.example.org'\nclient_id = 'x'\nclient_auth = 'none'\n\
        [[rule]]\nid = 'theirs'\nproviders = ['second']\neveryone = true\naccounts = ['*']\nroles = ['ReadOnly']\n";
    for (count, (config, line, why)) in [
        (unknown, fault, "there is no account `Prodution`"),
        (format!("{}{failing}", with_breakglass(&world.config)), lines + 4, "admins are kept small"),
        (format!("{}\nroles = [", with_breakglass(&world.config)), lines + 2, "error"),
        (format!("{}{new_provider}", with_breakglass(&world.config)), lines + 9, "the rules need what only a restart brings: provider"),
    ]
    .into_iter()
    .enumerate()
    {
        world.gateway.configure(&config);
        let event = world.events("policy.refused", count + 1).await.remove(count);
        assert_eq!((&event["policy"], event["outcome"].as_str()), (&in_force, Some("refused")));
        let reason = event["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("rolegate.toml:{line}:")), "{line}: {reason}");
        let output = world.gateway.output();
        let incident = event["incident"].as_str().unwrap();
        let told = output.lines().filter(|line| line.contains(incident) && line.contains("\"ERROR\"")).collect::<Vec<_>>().join("\n");
        assert!(told.contains(&format!("rolegate.toml:{line}:")) && told.contains("the policy in force stays"), "{told}");
        assert!(told.contains(why) || reason.contains(why), "{why}: {told}");
        assert!(!has(&world.portal().await, "Breakglass"));
        assert_eq!(reqwest::get(format!("{}/readyz", world.gateway.url())).await.unwrap().status(), 200);
    }
    fs::remove_file(world.gateway.folder().join("rolegate.toml")).unwrap();
    assert!(world.events("policy.refused", 5).await[4]["reason"].as_str().unwrap().contains("cannot be read"));
    // Mended, it is taken.
    world.gateway.configure(&with_breakglass(&world.config));
    world.in_force(1).await;
    assert!(has(&world.portal().await, "Breakglass"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reloads_where_changes_are_not_watched_and_still_opens_the_trail_anew() {
    let unwatched = |config: String| config.replace("workers = 1", "workers = 1\nreload_on_change = false");
    let mut world = World::start(&Plan::new(), "http://127.0.0.1:9", unwatched).await;
    world.gateway.configure(&with_breakglass(&world.config));
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert!(!has(&world.portal().await, "Breakglass"), "nobody asked for it");
    fs::rename(world.gateway.folder().join("audit.jsonl"), world.gateway.folder().join("audit.1")).unwrap();
    world.gateway.process().signal("HUP");
    // It stands in the new file.
    world.in_force(1).await;
    assert!(has(&world.portal().await, "Breakglass"));
    assert!(!fs::read_to_string(world.gateway.folder().join("audit.1")).unwrap().contains("policy.reloaded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_that_is_swapped_by_its_link_is_noticed() {
    let plan = Plan::new();
    let folder = Scratch::new();
    for version in ["..v1", "..v2"] {
        fs::create_dir(folder.path().join(version)).unwrap();
    }
    symlink("..v1", folder.path().join("..data")).unwrap();
    symlink("..data/rolegate.toml", folder.path().join("rolegate.toml")).unwrap();
    let mut world = World::start_in(folder, &plan, "http://127.0.0.1:9", |config| config).await;
    let at = |name: &str| world.gateway.folder().join(name);
    fs::write(at("..v2/rolegate.toml"), with_breakglass(&world.config)).unwrap();
    symlink("..v2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    world.in_force(1).await;
    assert!(has(&world.portal().await, "Breakglass"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_policy_of_a_rule_is_watched_like_the_file_itself() {
    let folder = Scratch::new();
    let policy = |action: &str| {
        format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"*\"}}]}}")
    };
    folder.write("limit.json", policy("s3:GetObject"));
    let limited = |config: String| config.replacen(RULE, &format!("{RULE}\nsession_policy = \"limit.json\""), 1);
    let mut world = World::start_in(folder, &Plan::new(), "http://127.0.0.1:9", limited).await;
    let file = world.gateway.folder().join("limit.json");
    fs::write(&file, policy("s3:*")).unwrap();
    let first = world.in_force(1).await.remove(0);
    fs::write(&file, "no policy").unwrap();
    let refused = world.events("policy.refused", 1).await.remove(0);
    assert_eq!(refused["policy"], first["policy"]);
    // Mended as it was before.
    fs::write(&file, policy("s3:GetObject")).unwrap();
    assert_eq!(world.in_force(2).await[1]["policy"], first["previous_policy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_playground_goes_by_the_rules_that_were_taken_over_since_the_start() {
    let folder = Scratch::new();
    let policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}";
    folder.write("limit.json", policy);
    let admin = "\n[[rule]]\nid = \"gateway\"\ngroups = [\"aws-platform-admins\"]\ngateway = [\"administrator\"]\n";
    let mut world = World::start_in(folder, &Plan::new(), "http://127.0.0.1:9", |config| config + admin).await;
    let limited = world.config.replacen(RULE, &format!("{RULE}\nsession_policy = \"limit.json\""), 1);
    let playground = format!("{}/admin/playground", world.gateway.url());
    let page = world.ana.open(&playground).await.or_fail();
    let before = world.ana.post(&page, "/admin/playground/candidate", &[("rules", &limited)]).await;
    assert!(before.body.contains("no rule in force names this file"), "{}", before.body);
    world.gateway.configure(&limited);
    world.in_force(1).await;
    let after = world.ana.post(&page, "/admin/playground/candidate", &[("rules", &limited)]).await;
    assert!(after.body.contains("Nothing changes for these people"), "{}", after.body);
    // It follows each change.
    fs::copy(world.gateway.folder().join("limit.json"), world.gateway.folder().join("other.json")).unwrap();
    let renamed = limited.replace("limit.json", "other.json");
    world.gateway.configure(&renamed);
    world.in_force(2).await;
    let after = world.ana.post(&page, "/admin/playground/candidate", &[("rules", &renamed)]).await;
    assert!(after.body.contains("Nothing changes for these people"), "{}", after.body);
}

/// A way to STS on which every connection waits until the test opens it.
async fn gate(to: &str) -> (String, Arc<Semaphore>, Arc<Semaphore>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (arrived, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (seen, passes, to) = (Arc::clone(&arrived), Arc::clone(&open), to.trim_start_matches("http://").to_owned());
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let (seen, passes, to) = (Arc::clone(&seen), Arc::clone(&passes), to.clone());
            tokio::spawn(async move {
                seen.add_permits(1);
                passes.acquire().await.unwrap().forget();
                let mut sts = TcpStream::connect(to).await.unwrap();
                tokio::io::copy_bidirectional(&mut from, &mut sts).await.ok();
            });
        }
    });
    (url, arrived, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_finishes_on_the_rules_with_which_it_began() {
    let plan = Plan::new();
    let aws = Moto::start().await;
    let (sts, arrived, open) = gate(aws.url()).await;
    let World { mut gateway, config, mut ana, _provider } = World::start(&plan, &sts, |config| config).await;
    let portal = ana.open(&format!("{}/", gateway.url())).await.or_fail();
    let role = format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin");
    let asked = tokio::spawn(async move {
        let page = ana.post(&portal, "/credentials/download", &[("role", &role), ("format", "json")]).await;
        (ana, portal, role, page)
    });
    arrived.acquire().await.unwrap().forget();
    // The rules have allowed it and AWS has not answered. Now they do not allow it any more.
    gateway.configure(&config.replace("aws-platform-admins", "nobody"));
    let process = gateway.process();
    process.until(async |running| running.output().contains("another policy is in force").then_some(())).await;
    open.add_permits(100);
    let (mut ana, portal, role, page) = asked.await.unwrap();
    assert!(page.body.contains("AccessKeyId"), "{}", page.body);
    let refused = ana.post(&portal, "/credentials/download", &[("role", &role), ("format", "json")]).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let (reload, issues) = (gateway.events("policy.reloaded").remove(0), gateway.events("issue"));
    let decided: Vec<_> = issues.iter().map(|issue| (issue["outcome"].as_str().unwrap(), &issue["policy"])).collect();
    assert_eq!(decided, [("ok", &reload["previous_policy"]), ("refused", &reload["policy"])]);
}

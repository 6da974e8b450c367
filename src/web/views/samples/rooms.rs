//! Fillings of the rooms' pages.

use super::*;

fn hostile() -> Text<'static> {
    HOSTILE.into()
}

fn auditors() -> Shell<'static> {
    Shell { offices: Offices { administrator: false, auditor: true }, ..shell(true) }
}

fn administrators() -> Shell<'static> {
    Shell { offices: Offices { administrator: true, auditor: true }, ..shell(true) }
}

fn form(text: &'static str) -> SearchForm<'static> {
    let all = || Text::from(text);
    let problem = (!text.is_empty()).then(all);
    SearchForm {
        person: all(),
        account: all(),
        role: all(),
        rule: all(),
        id: all(),
        kind: all(),
        outcome: all(),
        since: all(),
        until: all(),
        problem,
    }
}

fn row(kind: &'static str, outcome: &'static str, what: &'static str) -> AuditRow<'static> {
    AuditRow {
        time: at(0),
        break_glass: kind == "issue" && what.contains("PlatformAdmin"),
        kind: kind_in_words(kind).into(),
        outcome: outcome.into(),
        who: "ana.duarte@example.org".into(),
        what: what.into(),
        incident: "ABCDEFGHIJ".into(),
        link: "/audit/event/ABCDEFGHIJ?place=17-4711".into(),
    }
}

fn hostile_row() -> AuditRow<'static> {
    AuditRow {
        time: at(0),
        break_glass: true,
        kind: hostile(),
        outcome: hostile(),
        who: hostile(),
        what: hostile(),
        incident: hostile(),
        link: "/audit/event/x".into(),
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/PlatformAdmin";

impl Audit<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let extent: Vec<Text<'static>> = vec![
            "32 MiB of this instance’s trail were read, back to 2 Mar 2026, 14:30 UTC. There is older, which was not looked at.".into(),
        ];
        let rows = vec![
            row("issue", "ok", ROLE),
            row("issue", "refused", ROLE),
            row("sign_in", "failed", "the store is unavailable: the connection was refused"),
            row("audit.read", "ok", "person=ana"),
        ];
        let older = Some("/audit?from=17-4711&person=ana".into());
        let page = |shell, form, rows, older| Self { shell, form, rows, extent: extent.clone(), older, query: "&person=ana".into() };
        vec![
            ("audit", page(auditors(), form(""), rows, older)),
            ("audit-nothing", page(auditors(), form(""), Vec::new(), None)),
            ("audit-hostile", Self { extent: vec![hostile()], ..page(hostile_shell(), form(HOSTILE), vec![hostile_row()], None) }),
        ]
    }
}

impl AuditEvent<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let link = || Text::from("/audit?id=x");
        let signed_in = Some(SignedInBy {
            time: at(-600),
            link: "/audit/event/KLMNOPQRST?place=17-11".into(),
            groups: vec!["aws-platform-admins".into(), "developers".into()],
            more: 3,
        });
        let issue = Self {
            shell: auditors(),
            row: row("issue", "ok", ROLE),
            cloudtrail: vec![
                ("userIdentity.accessKeyId", "ASIAEXAMPLE000000001".into(), link()),
                ("userIdentity.sessionContext.sourceIdentity", "okta+00u1".into(), link()),
            ],
            command: Some(
                "aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue=ASIAEXAMPLE000000001".into(),
            ),
            rules: vec![("platform-admins".into(), link()), ("on-call".into(), link())],
            policy: Some(("9f2c51d07be0a3c19d4ef0b76c2f1e8a5d3b4c6f7e8091a2b3c4d5e6f7081929".into(), true)),
            signed_in,
            chain: Chained {
                state: "whole",
                outcome: "ok",
                says: vec!["Nothing was changed, put in or taken out from the event 1 to the event 4711, the newest.".into()],
            },
            links: vec![("All of this person".into(), link())],
            fields: vec![("time".into(), "2026-03-02T14:30:00Z".into()), ("duration_seconds".into(), "3600".into())],
        };
        let hostile_page = Self {
            shell: hostile_shell(),
            row: hostile_row(),
            cloudtrail: vec![("userIdentity.arn", hostile(), link())],
            command: Some(hostile()),
            rules: vec![(hostile(), link())],
            policy: Some((hostile(), false)),
            signed_in: Some(SignedInBy { time: at(0), link: link(), groups: vec![hostile()], more: 0 }),
            chain: Chained { state: "broken", outcome: "failed", says: vec![hostile()] },
            links: vec![(hostile(), link())],
            fields: vec![(hostile(), hostile())],
        };
        let bare = Self {
            shell: auditors(),
            row: row("policy.reloaded", "ok", ""),
            cloudtrail: Vec::new(),
            command: None,
            rules: Vec::new(),
            policy: None,
            signed_in: None,
            chain: Chained {
                state: "not verified",
                outcome: "refused",
                says: vec!["An earlier version wrote this event, in no chain.".into()],
            },
            links: Vec::new(),
            fields: Vec::new(),
        };
        vec![("audit-event", issue), ("audit-event-bare", bare), ("audit-event-hostile", hostile_page)]
    }
}

impl AuditChart<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let bars = |first: usize| {
            let heights = [40.0, 60.0, 20.0, 80.0, 100.0, 30.0];
            let bar = move |(at, height): (usize, f64), series: usize, below: f64| Bar {
                series,
                x: 44.0 + 110.0 * f64::from(u8::try_from(at).unwrap()),
                y: 212.0 - below - height,
                width: 90.0,
                height,
            };
            heights
                .into_iter()
                .enumerate()
                .flat_map(move |step| [bar(step, first, 0.0), bar((step.0, step.1 / 2.0), first + 1, step.1)])
                .collect()
        };
        let plot = |key, title, first, names: [&'static str; 2]| Plot {
            key,
            title,
            bars: bars(first),
            lines: vec![(212.0, 0), (112.0, 50), (12.0, 100)],
            labels: vec![(72.0, "2026-03-01".into()), (380.0, "2026-03-04".into())],
            series: vec![(first, names[0].into(), 165), (first + 1, names[1].into(), 83)],
        };
        let full = Self {
            shell: auditors(),
            form: form(""),
            hourly: false,
            plots: vec![
                plot("accounts", "By account", 0, ["Production 111122223333", "Staging 444455556666"]),
                plot("outcomes", "By outcome", 6, ["ok", "refused"]),
            ],
            rows: vec![(at(0), "Production 111122223333".into(), [40, 2, 0]), (at(86_400), "Staging 444455556666".into(), [60, 0, 1])],
            left_out: 12,
            extent: vec!["1 MiB of this instance’s trail were read, back to 2 Mar 2026, 14:30 UTC.".into()],
            query: "&person=ana".into(),
        };
        let mut hostile_plot = plot("accounts", "By account", 0, ["x", "y"]);
        hostile_plot.series = vec![(0, hostile(), 1)];
        hostile_plot.labels = vec![(72.0, hostile())];
        let hostile_page = Self {
            shell: hostile_shell(),
            form: form(HOSTILE),
            hourly: true,
            plots: vec![hostile_plot],
            rows: vec![(at(0), hostile(), [1, 0, 0])],
            left_out: 0,
            extent: vec![hostile()],
            query: "".into(),
        };
        let empty = Self {
            shell: auditors(),
            form: form(""),
            hourly: false,
            plots: vec![],
            rows: vec![],
            left_out: 0,
            extent: vec![],
            query: "".into(),
        };
        vec![("audit-chart", full), ("audit-chart-empty", empty), ("audit-chart-hostile", hostile_page)]
    }
}

impl Admin<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let provider = |name: &'static str, failure: Option<Text<'static>>| ProviderRow {
            name: name.into(),
            id: "okta".into(),
            protocol: "OpenID Connect",
            answered: failure.is_none().then(|| at(-30)),
            failure: failure.map(|why| (at(-60), why)),
            documents: vec![("metadata", "12 minutes old".into()), ("key set", "12 minutes old".into())],
            warnings: vec!["the metadata is valid until 2026-03-04 only".into()],
        };
        let certificate = |days| CertificateRow {
            fingerprint: "5f:1c:aa:90:…:07".into(),
            towards: "AWS".into(),
            protocol: "SAML",
            age: "active",
            ends: at(days * 86_400),
            days,
        };
        let full = Self {
            shell: administrators(),
            troubles: vec![
                "Newer rules were refused: those before them stay in force.".into(),
                "Okta does not answer as it should.".into(),
            ],
            digest: "9f2c51d07be0a3c19d4ef0b76c2f1e8a5d3b4c6f7e8091a2b3c4d5e6f7081929".into(),
            since: at(-90_000),
            facts: vec![("Rules", "1204".into()), ("Tests of the rules", "12, all passed: rules whose tests fail are not taken".into())],
            findings: vec!["rolegate.toml:17: warning: the rule grants nothing".into()],
            waiting: vec!["server.listen".into()],
            refusal: Some((at(-300), vec!["rolegate.toml:40: error: there is no account `Prodction`".into()])),
            providers: vec![provider("Okta", Some("the connection was refused".into())), provider("Entra ID", None)],
            keys: vec![("n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg".into(), "ES256", "active")],
            certificates: vec![certificate(200), certificate(12), certificate(-3)],
            endpoints: vec![
                (
                    "aws".into(),
                    "eu-central-1".into(),
                    "https://sts.eu-central-1.amazonaws.com".into(),
                    "answers, or was not asked yet".into(),
                    true,
                ),
                (
                    "aws".into(),
                    "eu-west-1".into(),
                    "https://sts.eu-west-1.amazonaws.com".into(),
                    "rests for 4 s more after failures".into(),
                    false,
                ),
            ],
        };
        let hostile_page = Self {
            shell: hostile_shell(),
            troubles: vec![hostile()],
            digest: hostile(),
            since: at(0),
            facts: vec![("Rules", hostile())],
            findings: vec![hostile()],
            waiting: vec![hostile()],
            refusal: Some((at(0), vec![hostile()])),
            providers: vec![ProviderRow { id: hostile(), warnings: vec![hostile()], ..provider(HOSTILE, Some(hostile())) }],
            keys: vec![(hostile(), "ES256", "active")],
            certificates: vec![CertificateRow { fingerprint: hostile(), towards: hostile(), ..certificate(1) }],
            endpoints: vec![(hostile(), hostile(), hostile(), hostile(), true)],
        };
        let well = Self::samples_well(&full);
        vec![("admin", full), ("admin-well", well), ("admin-hostile", hostile_page)]
    }

    fn samples_well(full: &Self) -> Self {
        Self {
            shell: administrators(),
            troubles: vec![],
            digest: full.digest.clone(),
            since: full.since,
            facts: full.facts.clone(),
            findings: vec![],
            waiting: vec![],
            refusal: None,
            providers: vec![],
            keys: full.keys.clone(),
            certificates: vec![],
            endpoints: full.endpoints.clone(),
        }
    }
}

impl Sessions<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let session = |kind: Text<'static>| SessionRow {
            handle: "q3Zr_kE7aVb2".into(),
            kind,
            began: at(-7200),
            last_used: at(-40),
            ends: at(20_000),
        };
        let person = |name: &'static str| PersonSessions {
            key: "okta+00u1".into(),
            username: name.into(),
            provider: "Okta".into(),
            sessions: vec![session("Browser".into()), session("Command line on build-host.example.org".into())],
        };
        let hostile_person =
            PersonSessions { key: hostile(), username: hostile(), provider: hostile(), sessions: vec![session(hostile())] };
        let page = |shell, asked, people| Self { shell, asked, done: None, nobody: None, people, more: false };
        vec![
            ("sessions", page(administrators(), "".into(), vec![])),
            (
                "sessions-found",
                Self {
                    done: Some("One session was ended.".into()),
                    ..page(administrators(), "ana".into(), vec![person("ana.duarte@example.org"), person("anabel@example.org")])
                },
            ),
            (
                "sessions-none",
                Self {
                    nobody: Some("None was found among the sessions that were looked at, and not all were."),
                    more: true,
                    ..page(administrators(), "nobody".into(), vec![])
                },
            ),
            ("sessions-hostile", Self { done: Some(hostile()), ..page(hostile_shell(), hostile(), vec![hostile_person]) }),
        ]
    }
}

impl Playground<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let empty = |shell| Self {
            shell,
            providers: vec![("okta".into(), "Okta".into(), true), ("entra".into(), "Entra ID".into(), false)],
            claims: "{ \"groups\": [\"developers\"] }".into(),
            role: "Production/ReadOnly".into(),
            ip: "192.0.2.1".into(),
            problem: None,
            recent: None,
            tried: None,
            candidate: "[[rule]]\nid = \"developers\"".into(),
            candidate_problems: vec![],
            changes: None,
        };
        let tried = |text: fn(&'static str) -> Text<'static>| TriedRules {
            who: (text("ana@example.org"), text("Okta")),
            groups: vec![text("developers")],
            granted: vec![(text(ROLE), text("Production"), vec![text("the rule platform-admins, by aws-platform-admins")])],
            requestable: vec![(text(ROLE), text("Staging"), vec![text("by the rule admin-on-request, for up to 4h")])],
            more: 3,
            asked: Some((text("arn:aws:iam::111122223333:role/ReadOnly"), false)),
            denied_by: vec![text("contractors-never")],
            missed: vec![(text("readers"), vec![text("the group readers")])],
        };
        let changes = |text: fn(&'static str) -> Text<'static>| RuleChanges {
            title: "What would change",
            extent: vec![text("Tried with 14 people, as if each signed in now as at their latest sign-in.")],
            roles: vec![(
                text(ROLE),
                text("Production"),
                text("ben@example.org"),
                text("ana@example.org"),
                vec![text("for the console too: ana@example.org")],
            )],
            by_hand: vec![text("the rule nights is new, and its condition looks at the time: judge it by hand")],
        };
        let recent = Some(vec![("17-4711".into(), "ana.duarte@example.org".into(), at(-600))]);
        vec![
            ("playground", Self { recent, ..empty(administrators()) }),
            ("playground-tried", Self { tried: Some(tried(Text::from)), ..empty(administrators()) }),
            ("playground-changes", Self { changes: Some(changes(Text::from)), recent: Some(vec![]), ..empty(administrators()) }),
            (
                "playground-hostile",
                Self {
                    providers: vec![(hostile(), hostile(), true)],
                    claims: hostile(),
                    role: hostile(),
                    ip: hostile(),
                    problem: Some(hostile()),
                    recent: Some(vec![(hostile(), hostile(), at(0))]),
                    tried: Some(tried(|_| hostile())),
                    candidate: hostile(),
                    candidate_problems: vec![hostile()],
                    changes: Some(changes(|_| hostile())),
                    ..empty(hostile_shell())
                },
            ),
        ]
    }
}

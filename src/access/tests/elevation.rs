//! Roles that are had on request, and for emergencies.

use chrono::TimeDelta;

use super::*;

const DEV: &str = "arn:aws:iam::111122223333:role/Dev";

fn now() -> Moment {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn rule(id: &str, group: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ngroups = [\"{group}\"]\naccounts = [\"Production\"]\nroles = [\"Dev\"]\n{keys}\n")
}

fn on_request(id: &str, group: &str, keys: &str) -> String {
    rule(id, group, &format!("requestable = {{ approvers = [\"leads\"], max_duration = \"4h\" }}\n{keys}"))
}

/// A grant by a rule that ends so many minutes from now.
fn granted(rule: &str, minutes: i64) -> Elevation {
    Elevation {
        id: format!("g-{rule}-{minutes}"),
        rule: rule.into(),
        role: DEV.into(),
        reason: "OPS-1".into(),
        approver: ("okta+lea".into(), "lea@example.org".into()),
        until: now() + TimeDelta::minutes(minutes),
    }
}

fn entitled_with(rules: &str, groups: &[&str], elevations: &[Elevation]) -> Entitlements {
    let context = Context { now: now(), ip: None };
    compile(rules).unwrap().entitlements_with(&Identity::for_tests("u1", groups), elevations, &context)
}

fn taking(rules: &str, groups: &[&str], elevations: &[Elevation]) -> Result<AssumeRequest, Denied> {
    entitled_with(rules, groups, elevations).choose(&wish(DEV))
}

#[test]
fn a19_a_requestable_role_is_not_held_until_it_is_granted() {
    let rules = on_request("r", "devs", "");
    let entitled = entitled_with(&rules, &["devs"], &[]);
    assert!(entitled.roles().is_empty());
    assert_eq!(entitled.requestable().iter().map(|it| it.target.as_str()).collect::<Vec<_>>(), [DEV]);
    assert_eq!(taking(&rules, &["devs"], &[]).unwrap_err(), Denied::OnRequest);
    let living = [granted("r", 30)];
    let entitled = entitled_with(&rules, &["devs"], &living);
    assert!(entitled.requestable().is_empty());
    assert_eq!(entitled.roles()[0].until, Some(living[0].until));
    let request = entitled.choose(&wish(DEV)).unwrap();
    assert_eq!((request.elevations(), request.is_break_glass()), (&living[..], false));
}

#[test]
fn a19_a_grant_gives_nothing_beyond_its_time_its_rule_its_role_and_the_persons_groups() {
    let rules = [on_request("r", "devs", ""), on_request("other", "ops", "")].concat();
    assert!(taking(&rules, &["devs"], &[granted("r", 1)]).is_ok());
    let elsewhere = Elevation { role: "arn:aws:iam::444455556666:role/Dev".into(), ..granted("r", 30) };
    for (groups, elevation) in [
        (&["devs"][..], granted("r", 0)),
        (&["devs"], granted("r", -1)),
        (&["devs"], granted("other", 30)),
        (&["devs"], granted("gone", 30)),
        (&["devs"], elsewhere),
        (&["ops"], granted("r", 30)),
        (&[], granted("r", 30)),
    ] {
        assert!(taking(&rules, groups, std::slice::from_ref(&elevation)).is_err(), "{groups:?} {elevation:?}");
    }
    let ended = on_request("r", "devs", "until = \"2026-01-01T00:00:00Z\"");
    assert_eq!(taking(&ended, &["devs"], &[granted("r", 30)]).unwrap_err(), Denied::NotGranted);
    let plain = rule("s", "devs", "");
    assert!(taking(&plain, &[], &[granted("s", 30)]).is_err(), "a grant is none of a rule that gives without one");
}

#[test]
fn a19_a_deny_wins_over_a_grant_and_hides_what_cannot_be_had() {
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\ngroups = [\"contractors\"]\nroles = [\"Dev\"]\n";
    let rules = format!("{}{deny}", on_request("r", "devs", ""));
    assert_eq!(taking(&rules, &["devs", "contractors"], &[granted("r", 30)]).unwrap_err(), Denied::NotGranted);
    assert!(entitled_with(&rules, &["devs", "contractors"], &[]).requestable().is_empty());
    let credentials = format!("{}{deny}purposes = [\"credentials\"]\n", on_request("r", "devs", ""));
    let open = entitled_with(&credentials, &["devs", "contractors"], &[]);
    assert_eq!(open.requestable()[0].purposes.list(), [Purpose::Console]);
}

#[test]
fn a_session_ends_with_its_grant_or_is_as_short_as_aws_gives() {
    let length = |minutes, duration| {
        let wish = Wish { duration, ..wish(DEV) };
        let rules = on_request("r", "devs", "max_session = \"8h\"");
        entitled_with(&rules, &["devs"], &[granted("r", minutes)]).choose(&wish).unwrap().duration()
    };
    let minutes = Duration::from_mins;
    assert_eq!(length(30, None), minutes(30));
    assert_eq!(length(30, Some(minutes(480))), minutes(30), "the grant is a limit, and no reason to refuse");
    assert_eq!(length(30, Some(minutes(20))), minutes(20));
    assert_eq!(length(3, None), minutes(15), "AWS gives no shorter session");
    assert_eq!(length(600, Some(minutes(480))), minutes(480));
    let held = [on_request("r", "devs", ""), rule("s", "devs", "")].concat();
    let entitled = entitled_with(&held, &["devs"], &[granted("r", 30)]);
    assert_eq!(entitled.choose(&wish(DEV)).unwrap().duration(), USUAL_SESSION, "a rule gives it without the grant too");
    assert_eq!((entitled.roles()[0].until, entitled.roles()[0].granted_until()), (None, None));
}

#[test]
fn a19_a_grant_for_one_purpose_ends_though_another_rule_gives_the_role_for_another() {
    let rules = [
        rule("c", "devs", "purposes = [\"console\"]\nmax_session = \"12h\""),
        on_request("r", "devs", "purposes = [\"credentials\"]\nmax_session = \"12h\""),
    ]
    .concat();
    let grants = [granted("r", 30)];
    let entitled = entitled_with(&rules, &["devs"], &grants);
    let take = |purpose| {
        let wish = Wish { purpose, duration: Some(Duration::from_hours(12)), ..wish(DEV) };
        let request = entitled.choose(&wish).unwrap();
        (request.duration(), request.elevations().len())
    };
    assert_eq!(take(Purpose::Credentials), (Duration::from_mins(30), 1));
    assert_eq!(take(Purpose::Console), (Duration::from_hours(12), 0), "which is held without the grant");
    let both = [
        on_request("c", "devs", "purposes = [\"console\"]\nmax_session = \"12h\""),
        on_request("r", "devs", "purposes = [\"credentials\"]\nmax_session = \"12h\""),
    ]
    .concat();
    let entitled = entitled_with(&both, &["devs"], &[granted("c", 120), granted("r", 30)]);
    let wish = Wish { purpose: Purpose::Credentials, duration: Some(Duration::from_hours(12)), ..wish(DEV) };
    let request = entitled.choose(&wish).unwrap();
    assert_eq!((request.duration(), request.elevations()), (Duration::from_mins(30), &[granted("r", 30)][..]));
}

#[test]
fn a23_only_what_is_not_held_anyway_is_an_emergency() {
    let rules = [rule("c", "devs", "purposes = [\"console\"]"), rule("e", "devs", "break_glass = true")].concat();
    let entitled = entitled_with(&rules, &["devs"], &[]);
    let take = |purpose, break_glass| {
        let wish = Wish { purpose, reason: Some("it burns".into()), break_glass, ..wish(DEV) };
        entitled.choose(&wish).map(|request| (request.is_break_glass(), request.reason().map(str::to_owned)))
    };
    assert_eq!(take(Purpose::Credentials, true), Ok((true, Some("it burns".into()))));
    assert_eq!(take(Purpose::Credentials, false), Err(Denied::BreakGlass), "nobody breaks glass who does not say so");
    assert_eq!(take(Purpose::Console, true), Ok((false, None)), "nor for what is held: its terms are not those of the emergency");
    assert_eq!((entitled.roles()[0].purposes.list(), entitled.roles()[0].break_glass), (vec![Purpose::Console], false));
}

#[test]
fn a23_an_emergency_is_not_hidden_behind_a_way_that_cannot_be_used_at_once() {
    let take = |usual: &str, break_glass| {
        let rules = [rule("s", "devs", usual), rule("e", "devs", "break_glass = true")].concat();
        let wish = Wish { reason: Some("it burns".into()), break_glass, ..wish(DEV) };
        entitled_with(&rules, &["devs"], &[]).choose(&wish).map(|request| request.is_break_glass())
    };
    for (usual, why) in [
        ("max_auth_age = '1m'\nrequire_mfa = true", "step-up"),
        ("reason = { pattern = 'OPS-[0-9]+' }", "no ticket at hand"),
        ("tags = { Team = '${claims.team}' }\ncarry_tags = 'required'", "a claim that is missing"),
    ] {
        let refused = take(usual, false).unwrap_err();
        assert_ne!(refused, Denied::BreakGlass, "{why}: the usual way says what it lacks");
        assert_eq!(take(usual, true), Ok(true), "{why}");
    }
    for usual in ["", "reason = {}", "max_session = '15m'"] {
        assert_eq!(take(usual, true), Ok(false), "`{usual}`: what can be had at once is no emergency");
    }
    // What an emergency asks for as well is no reason for one.
    let both = "reason = { pattern = 'OPS-[0-9]+' }\nrequire_mfa = true";
    let rules = [rule("s", "devs", both), rule("e", "devs", &format!("break_glass = true\n{both}"))].concat();
    assert!(entitled_with(&rules, &["devs"], &[]).roles()[0].emergency.is_none());
    // What was said in a request need not be said again.
    let ticket = "reason = { pattern = 'OPS-[0-9]+' }";
    let rules = [on_request("r", "devs", ticket), rule("e", "devs", "break_glass = true")].concat();
    let entitled = entitled_with(&rules, &["devs"], &[granted("r", 30)]);
    assert!(entitled.roles()[0].emergency.is_none() && entitled.roles()[0].granted_until().is_some());
}

#[test]
fn a23_what_a_deny_takes_makes_no_alarm_of_the_rest() {
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\ngroups = [\"devs\"]\nroles = [\"Dev\"]\npurposes = [\"credentials\"]\n";
    let rules =
        [&rule("c", "devs", "purposes = [\"console\"]"), &rule("e", "devs", "break_glass = true"), deny].map(str::to_owned).concat();
    let entitled = entitled_with(&rules, &["devs"], &[]);
    let role = &entitled.roles()[0];
    assert!(!role.break_glass && role.emergency.is_none() && role.wanted_reason().is_none(), "{role:?}");
}

#[test]
fn what_is_held_for_one_purpose_may_be_asked_for_another() {
    let rules = [rule("c", "devs", "purposes = [\"console\"]"), on_request("r", "devs", "")].concat();
    let entitled = entitled_with(&rules, &["devs"], &[]);
    assert_eq!(entitled.requestable()[0].purposes.list(), [Purpose::Credentials]);
    let wish = Wish { purpose: Purpose::Credentials, ..wish(DEV) };
    assert_eq!(entitled.choose(&wish).unwrap_err(), Denied::OnRequest);
    let all = [rule("c", "devs", ""), on_request("r", "devs", "")].concat();
    assert!(entitled_with(&all, &["devs"], &[]).requestable().is_empty(), "nobody asks for what they hold");
}

#[test]
fn what_is_asked_for_must_be_requestable_within_the_rules_time_and_say_why() {
    let ticket = "reason = { pattern = 'OPS-[0-9]+', hint = \"the ticket\", tag = \"Ticket\" }";
    let rules = [on_request("r", "devs", ticket), rule("held", "admins", "")].concat();
    let ask = |groups: &[&str], role: &str, minutes: Option<u64>, reason: &str| {
        let asking = Asking { role: role.into(), duration: minutes.map(Duration::from_mins), reason: reason.into() };
        entitled_with(&rules, groups, &[]).ask(&asking)
    };
    let asked = ask(&["devs"], DEV, Some(60), " OPS-7 ").unwrap();
    assert_eq!((asked.target.as_str(), &*asked.rule, asked.duration, asked.reason.as_str()), (DEV, "r", Duration::from_hours(1), "OPS-7"));
    assert_eq!(ask(&["devs"], DEV, None, "OPS-7").unwrap().duration, Duration::from_hours(4));
    for (minutes, reason) in [(241, "OPS-7"), (14, "OPS-7"), (60, "because"), (60, ""), (60, "OPS-7\u{202e}")] {
        assert!(ask(&["devs"], DEV, Some(minutes), reason).is_err(), "{minutes} {reason}");
    }
    assert_eq!(ask(&["admins"], DEV, None, "OPS-7").unwrap_err(), Denied::NotGranted);
    assert_eq!(ask(&["devs"], "arn:aws:iam::444455556666:role/Dev", None, "OPS-7").unwrap_err(), Denied::NotGranted);
    // What was said then goes along, and nobody is asked twice.
    let entitled = entitled_with(&rules, &["devs"], &[granted("r", 30)]);
    assert_eq!(entitled.roles()[0].wanted_reason(), None);
    let request = entitled.choose(&wish(DEV)).unwrap();
    assert_eq!((request.reason(), request.tags()[0].value.as_str()), (Some("OPS-1"), "OPS-1"));
    let any = on_request("r", "devs", "");
    let entitled = entitled_with(&any, &["devs"], &[]);
    let asking = |reason: &str| entitled.ask(&Asking { role: DEV.into(), duration: None, reason: reason.into() });
    assert!(asking("a change").is_ok() && asking(" ").is_err(), "a request says something in any case");
}

#[test]
fn of_rules_that_make_one_role_requestable_the_longest_counts() {
    let short = rule("a", "devs", "requestable = { approvers = [\"leads\"] }");
    let rules = [short, on_request("c", "devs", ""), on_request("b", "devs", "")].concat();
    let entitled = entitled_with(&rules, &["devs"], &[]);
    assert_eq!(entitled.requestable().len(), 1);
    assert_eq!((&*entitled.requestable()[0].rule, entitled.requestable()[0].max_duration), ("b", Duration::from_hours(4)));
}

#[test]
fn a19_who_decides_is_in_a_group_of_the_rule_in_force_and_no_workload() {
    let rules = [on_request("r", "devs", "providers = [\"okta\"]"), rule("s", "devs", "")].concat();
    let policy = compile(&rules).unwrap();
    let (lead, dev) = (Identity::for_tests("u2", &["leads"]), Identity::for_tests("u3", &["devs"]));
    let approves = |who: &Identity, rule: &str| policy.approves(&Person::from(who), rule);
    assert!(approves(&lead, "r") && !approves(&dev, "r"));
    assert!(!approves(&lead, "s") && !approves(&lead, "gone"), "a rule that asks nobody has no approvers");
    assert!(policy.is_approver(&Person::from(&lead)) && !policy.is_approver(&Person::from(&dev)));
    let elsewhere = compile(&rules.replace("\"okta\"", "\"entra\"")).unwrap();
    assert!(!elsewhere.approves(&Person::from(&lead), "r"), "a group of the same name at another provider is another group");
    let workload = Person { workload: true, ..Person::from(&lead) };
    assert!(!policy.approves(&workload, "r"));
    assert!(policy.may_request(&Person::from(&dev)) && !policy.may_request(&Person::from(&lead)));
}

#[test]
fn breaking_glass_always_says_why_and_only_where_nothing_else_gives_the_role() {
    let rules = [rule("e", "oncall", "break_glass = true"), rule("s", "devs", ""), on_request("r", "askers", "")].concat();
    let entitled = entitled_with(&rules, &["oncall"], &[]);
    assert!(entitled.roles()[0].break_glass && entitled.roles()[0].wanted_reason().is_some());
    let silent = Wish { break_glass: true, ..wish(DEV) };
    assert!(matches!(entitled.choose(&silent), Err(Denied::Reason(_))));
    let why = Wish { reason: Some("the site is down".into()), ..silent };
    assert_eq!(entitled.choose(&Wish { break_glass: false, ..why.clone() }).unwrap_err(), Denied::BreakGlass);
    assert!(entitled.choose(&why).unwrap().is_break_glass());
    let held = entitled_with(&rules, &["oncall", "devs"], &[]);
    assert!(!held.roles()[0].break_glass && held.choose(&wish(DEV)).is_ok(), "nobody breaks glass for what they hold");
    let asking = entitled_with(&rules, &["oncall", "askers"], &[]);
    assert!(asking.roles()[0].break_glass && asking.requestable().len() == 1, "there is time to ask, or there is not");
    let granted = entitled_with(&rules, &["oncall", "askers"], &[granted("r", 30)]);
    assert!(!granted.roles()[0].break_glass && granted.requestable().is_empty());
}

#[test]
fn an_explanation_says_who_granted_and_who_could() {
    let rules = on_request("r", "devs", "");
    let policy = compile(&rules).unwrap();
    let (ana, context) = (Identity::for_tests("u1", &["devs"]), Context { now: now(), ip: None });
    let role: Target = DEV.parse().unwrap();
    let told = policy.explain(&Person::from(&ana), &context, &role);
    assert_eq!(told.missed[0].missing, [Missing::Grant { approvers: vec!["leads".into()] }]);
    let oneself = |elevations: &[Elevation]| {
        let who = Person::from(&ana).with_elevations(elevations);
        policy.explain_to_oneself(&who, &context, DEV, Disclosure::Reasons).unwrap()
    };
    let missing = oneself(&[]).missing(|id| id.as_str()).concat();
    assert!(missing.contains("had on request") && !missing.contains("leads"), "{missing}");
    let by = oneself(&[granted("r", 30)]).by().concat();
    assert!(by.contains("granted on your request by lea@example.org, until 2027-01-15 08:30 UTC"), "{by}");
    let stranger = policy.explain_to_oneself(&Person::from(&Identity::for_tests("u1", &[])), &context, DEV, Disclosure::Reasons).unwrap();
    assert!(matches!(stranger, OwnExplanation::Refused(Refusal::NoGroup)), "{stranger:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let of = |keys: &str| rule("r", "devs", keys);
    refused(&of("requestable = { approvers = [] }"), "rule[0].requestable.approvers", "nobody could grant");
    refused(&of("requestable = { approvers = ['a'], max_duration = '14m' }"), "rule[0].requestable.max_duration", "15 minutes to 7 days");
    refused(&of("requestable = { approvers = ['a'], max_duration = '8d' }"), "rule[0].requestable.max_duration", "15 minutes to 7 days");
    refused(&of("requestable = { approvers = ['a'] }\nbreak_glass = true"), "rule[0].break_glass", "one of the two");
    refused(&of("requestable = { approvers = ['a'] }\npurposes = ['workload']"), "rule[0].requestable", "asks nobody");
    refused(&of("break_glass = true\npurposes = ['console', 'workload']"), "rule[0].break_glass", "no emergencies");
    refused(&of("break_glass = true\nreuse_credentials = true"), "rule[0].reuse_credentials", "issued anew");
    refused(&of("effect = 'deny'\nbreak_glass = true"), "rule[0]", "grants no session");
    let gateway = "[[rule]]\nid = 'g'\ngroups = ['g']\ngateway = ['auditor']\nrequestable = { approvers = ['a'] }\n";
    refused(gateway, "rule[0].gateway", "no session in AWS");
}

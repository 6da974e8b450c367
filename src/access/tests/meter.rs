use super::*;

/// A rule for each number: every group builds a role of its own by each of them.
fn builders(rules: usize) -> Policy {
    let rule = |n: usize| {
        format!("[[rule]]\nid = \"r{n}\"\ngroup_pattern = '(?<g>group-.*)'\naccounts = [\"Production\"]\nroles = ['x{n}-${{g}}']\n")
    };
    compile(&(0..rules).map(rule).collect::<String>()).unwrap()
}

#[test]
fn w20_a_decision_that_is_metered_stops_at_so_many_roles_and_when_its_time_is_over() {
    let policy = builders(40);
    let groups: Vec<_> = (0..50).map(|n| format!("group-{n}")).collect();
    let groups: Vec<_> = groups.iter().map(String::as_str).collect();
    let (who, context) = (Identity::for_tests("u1", &groups), Context { now: DateTime::default(), ip: None });
    let who = Person::from(&who);
    let within = |most: usize, goes_on: &dyn Fn() -> bool| {
        policy.granted_within(&who, &context, &Meter::new(most, goes_on)).map(|given| given.roles.len())
    };
    // Each role takes a match and a grant.
    assert_eq!((within(4000, &|| true), policy.granted(&who, &context).len()), (Ok(2000), 2000));
    for less in [0, 1, 1999, 2000, 3999] {
        assert_eq!(within(less, &|| true), Err(Stopped::TooMuch), "{less}");
    }
    let asked = std::cell::Cell::new(0);
    let late = || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    };
    assert_eq!(within(usize::MAX, &late), Err(Stopped::Late));
    assert_eq!(asked.get(), 3, "who has stopped does not ask again");
}

#[test]
fn w20_tests_of_rules_that_nobody_vetted_are_metered() {
    let policy = builders(10);
    let groups = (0..10).map(|n| format!("group-{n}")).collect();
    let one = TestSettings { groups, includes: vec!["Production/none".into()], ..TestSettings::default() };
    let reading = crate::identity::Reading::from(
        &toml::from_str::<crate::identity::ProviderSettings>(
            "id = \"okta\"\nname = \"Okta\"\nissuer = \"https://x.example\"\nclient_id = \"c\"",
        )
        .unwrap(),
    );
    let (providers, tests) = ([("okta".parse().unwrap(), reading)], [one.clone(), one]);
    let messages = |most, goes_on: &dyn Fn() -> bool| -> Vec<String> {
        run_tests_within(&policy, &providers, &tests, most, goes_on).into_iter().map(|problem| problem.message).collect()
    };
    let all = messages(200, &|| true);
    assert!(all.len() == 2 && all.iter().all(|message| message.contains("is not granted")), "{all:?}");
    let none = messages(199, &|| true);
    assert!(none.len() == 2 && none.iter().all(|message| message.contains("more than 199 times")), "{none:?}");
    assert_eq!(messages(200, &|| false), ["there was no time left for this test, nor for those behind it"]);
}

//! Platforms of workloads against the rest of the file.

use super::ConfigFile;
use super::checks::{at, check_unique};
use super::places::Places;
use crate::access::{Effect, Purpose, RuleSettings};
use crate::identity::WorkloadProviderSettings;
use crate::settings::Problem;

/// Adds what is wrong.
pub(super) fn check(file: &ConfigFile, places: &Places, problems: &mut Vec<Problem>) {
    let issuers = at("workload_provider", file.workload_provider.iter().map(|provider| provider.issuer.as_str()));
    check_unique(("workload_provider", "issuer"), issuers, places, problems);
    for (index, provider) in file.workload_provider.iter().enumerate() {
        // The tokens of people's sign-ins are made for the client id: they would be a workload's, too.
        if let Some(people) = file.provider.iter().find(|people| people.client_id == provider.audience) {
            problems.push(Problem::new(
                format!("workload_provider[{index}].audience"),
                format!("it is the client id of the provider `{}`, so people's own tokens would pass for a workload's", people.id),
                "use an audience of its own, such as the public URL",
            ));
        }
    }
}

fn is_of_workloads(rule: &RuleSettings) -> bool {
    rule.purposes.contains(&Purpose::Workload)
}

/// The platforms whose workloads a rule is about.
fn about<'a>(file: &'a ConfigFile, rule: &'a RuleSettings) -> impl Iterator<Item = &'a WorkloadProviderSettings> {
    file.workload_provider.iter().filter(|provider| rule.providers.is_empty() || rule.providers.contains(&provider.id))
}

/// What is allowed, but deserves a second look.
pub(super) fn second_looks(file: &ConfigFile) -> Vec<Problem> {
    let mut looks = Vec::new();
    for (index, rule) in file.rule.iter().enumerate().filter(|(_, rule)| rule.effect == Effect::Allow) {
        let of_workloads = is_of_workloads(rule);
        let is_platform = |id: &String| file.workload_provider.iter().any(|provider| provider.id == *id);
        if !of_workloads && !rule.providers.is_empty() && rule.providers.iter().all(is_platform) {
            looks.push(Problem::new(
                format!("rule[{index}].providers"),
                "the rule is about workloads alone, and gives them nothing: what is not said to be for workloads is for people",
                "add purposes = [\"workload\"]",
            ));
        }
        if of_workloads && file.workload_provider.is_empty() {
            looks.push(Problem::new(
                format!("rule[{index}].purposes"),
                "the rule is for workloads, and there is no [[workload_provider]]",
                "add one: docs/workloads.md",
            ));
        }
        if of_workloads && rule.providers.is_empty() && file.workload_provider.len() > 1 {
            let platforms: Vec<_> = file.workload_provider.iter().map(|provider| format!("`{}`", provider.id)).collect();
            looks.push(Problem::new(
                format!("rule[{index}].purposes"),
                format!("each of the platforms {} can vouch for a workload that meets this rule", platforms.join(", ")),
                "say which one is meant, with `providers`",
            ));
        }
        let open = || about(file, rule).find(|provider| provider.required_claims.is_empty());
        if of_workloads
            && rule.everyone
            && rule.when.is_none()
            && let Some(provider) = open()
        {
            looks.push(Problem::new(
                format!("rule[{index}].everyone"),
                format!("every workload of `{}` gets these roles, whosever it is", provider.id),
                "say which: a condition on claims (`when`), groups, or required_claims of the [[workload_provider]]",
            ));
        }
    }
    looks
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;

    const FILE: &str = "public_url = 'https://roles.example.org'\n[[provider]]\nid = 'okta'\nname = 'Okta'\nissuer = 'https://example.okta.com'\n\
        client_id = 'abc'\nclient_auth = 'none'\n[[account]]\nid = '111122223333'\nname = 'Production'\n\
        [[workload_provider]]\nid = 'ci'\nissuer = 'https://ci.example'\naudience = 'https://roles.example.org'\n";

    /// Everything that is said of a file: errors, or else warnings.
    fn said(text: &str) -> String {
        match parse(text, "c.toml", Path::new(".")) {
            Ok(config) => config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(findings) => findings.to_string(),
        }
    }

    fn rule(keys: &str) -> String {
        format!("{FILE}[[rule]]\nid = 'r'\naccounts = ['*']\nroles = ['R']\n{keys}\n")
    }

    #[test]
    fn w11_an_audience_is_nobodys_client_id() {
        assert_eq!(said(FILE), "");
        let borrowed = said(&FILE.replace("audience = 'https://roles.example.org'", "audience = 'abc'"));
        assert!(borrowed.contains("c.toml:14: error: it is the client id of the provider `okta`"), "{borrowed}");
        let twin = "[[workload_provider]]\nid = 'b'\nissuer = 'https://ci.example'\naudience = 'b'\n";
        assert!(
            said(&format!("{FILE}{twin}")).contains("the workload_provider issuer `https://ci.example` is taken"),
            "{}",
            said(&format!("{FILE}{twin}"))
        );
        assert!(said(&FILE.replace("id = 'ci'", "id = 'okta'")).contains("the provider id `okta` is taken"));
    }

    #[test]
    fn rules_that_miss_or_overshoot_workloads_are_warned_of() {
        for (keys, words) in [
            ("everyone = true\npurposes = ['workload']", "every workload of `ci` gets these roles"),
            ("everyone = true\nproviders = ['ci']", "gives them nothing"),
            ("everyone = true\npurposes = ['workload']\nwhen = 'claims.project == \"a\"'", ""),
            ("groups = ['g']\npurposes = ['workload']\nproviders = ['ci']", ""),
            ("everyone = true\npurposes = ['credentials']", ""),
        ] {
            let said = said(&rule(keys));
            assert!(if words.is_empty() { said.is_empty() } else { said.contains(words) }, "{keys}: {said}");
        }
        let two = "[[workload_provider]]\nid = 'cd'\nissuer = 'https://cd.example'\naudience = 'x'\n";
        for (keys, warned) in [("", true), ("\nproviders = ['ci']", false), ("\neffect = 'deny'", false)] {
            let said = said(&format!("{}{two}", rule(&format!("groups = ['g']\npurposes = ['workload']{keys}"))));
            assert_eq!(said.contains("each of the platforms `ci`, `cd` can vouch"), warned, "{keys}: {said}");
        }
        let demanded = FILE.replace("audience =", "required_claims = { owner = 'example' }\naudience =");
        let open = "[[rule]]\nid = 'r'\naccounts = ['*']\nroles = ['R']\neveryone = true\npurposes = ['workload']\n";
        assert_eq!(said(&format!("{demanded}{open}")), "");
        let without = FILE.split("[[workload_provider]]").next().unwrap().to_owned() + open;
        assert!(said(&without).contains("there is no [[workload_provider]]"));
    }
}

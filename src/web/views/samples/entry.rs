//! The ways in and out.

use super::*;

impl SignIn<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let provider = |id: &'static str, name: &'static str, last_used, unavailable| Provider {
            id: id.into(),
            name: name.into(),
            last_used,
            unavailable,
        };
        let providers = vec![
            provider("okta", "Okta", true, false),
            provider("entra", "Microsoft Entra ID", false, false),
            provider("partners", "Partner access (Keycloak)", false, true),
        ];
        let page = |providers, email| Self { shell: shell(false), notice: None, providers, email, next: "/go?account=1&role=A".into() };
        let expired = Notice { warning: true, text: "Your session has expired. Sign in to go on where you were.".into() };
        let problem = EmailForm {
            value: "ana@example.net".into(),
            problem: Some("No provider here serves example.net. Check the spelling, or choose above.".into()),
        };
        let hostile = EmailForm { value: HOSTILE.into(), problem: Some(HOSTILE.into()) };
        vec![
            ("sign-in", page(providers.clone(), Some(EmailForm::default()))),
            ("sign-in-expired", Self { notice: Some(expired), ..page(providers, Some(problem)) }),
            ("sign-in-one", page(vec![provider("okta", "Okta", false, false)], None)),
            (
                "sign-in-hostile",
                Self {
                    shell: hostile_shell(),
                    notice: Some(Notice { warning: true, text: HOSTILE.into() }),
                    providers: vec![provider(HOSTILE, HOSTILE, true, true)],
                    email: Some(hostile),
                    next: HOSTILE.into(),
                },
            ),
        ]
    }
}

impl HandOn<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let fields = |value: &'static str| vec![("SAMLResponse", value.into()), ("RelayState", value.into())];
        let page = |shell, destination: &'static str, action: &'static str, value| Self {
            shell,
            destination: destination.into(),
            action: action.into(),
            fields: fields(value),
        };
        vec![
            ("hand-on-bounce", page(shell(false), "Rolegate", "/saml/okta/acs", "PHNhbWxwOlJlc3BvbnNlLz4=")),
            ("hand-on-away", page(shell(false), "Okta", "https://idp.example/sso?a=b&c=d", "PHNhbWxwOlJlc3BvbnNlLz4=")),
            ("hand-on-hostile", page(hostile_shell(), HOSTILE, "https://idp.example/\"><script>alert(1)</script>", HOSTILE)),
            ("hand-on-script", page(shell(false), "Okta", "javascript:alert(1)", "x")),
        ]
    }
}

impl Continue<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let url = "https://example.okta.com/oauth2/v1/authorize?client_id=abc&state=x%22y";
        vec![
            ("continue", Self { shell: shell(false), destination: "Okta".into(), url: url.into() }),
            ("continue-script", Self { shell: shell(false), destination: "Okta".into(), url: "javascript:alert(1)".into() }),
            ("continue-hostile", Self { shell: hostile_shell(), destination: HOSTILE.into(), url: HOSTILE.into() }),
        ]
    }
}

impl OtherPerson<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let waiting = "Zk3Yx0vC2mB8sJ1nLr7Tz5Kd9Wf3HgPaEuViOyXcMbN";
        let page = |shell, one: &'static str, other: &'static str| Self {
            shell,
            present: (one.into(), "Okta".into()),
            other: (other.into(), "Okta".into()),
            waiting: waiting.into(),
        };
        vec![
            ("other-person", page(shell(true), "ana.duarte@example.org", "bela.kovacs@example.org")),
            ("other-person-hostile", page(hostile_shell(), HOSTILE, HOSTILE)),
        ]
    }
}

impl SignedOut<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        vec![
            ("signed-out", Self { shell: shell(false), everywhere: true, still_at: Some("Okta".into()) }),
            ("signed-out-hostile", Self { shell: hostile_shell(), everywhere: false, still_at: Some(HOSTILE.into()) }),
        ]
    }
}

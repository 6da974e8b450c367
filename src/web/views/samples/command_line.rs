//! What lets command lines in.

use super::*;

impl Consent<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, text: &'static str| Self {
            shell,
            device: text.into(),
            ends: at(15_000),
            fields: vec![("redirect_uri", "http://127.0.0.1:49152/callback".into()), ("state", text.into())],
        };
        let long = "a-build-host-with-a-rather-long-name.eu-north-1.compute.internal";
        let samples = [("consent", page(shell(true), "ana-laptop")), ("consent-long", page(shell(true), long))];
        samples.into_iter().chain([("consent-hostile", page(hostile_shell(), HOSTILE))]).collect()
    }
}

impl DeviceEntry<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, value: &'static str| Self { shell, value: value.into(), wrong: !value.is_empty() };
        vec![
            ("device", page(shell(true), "")),
            ("device-wrong", page(shell(true), "BCDF-GHJK")),
            ("device-hostile", page(hostile_shell(), HOSTILE)),
        ]
    }
}

impl DeviceConsent<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, text: &'static str, elsewhere: bool| Self {
            shell,
            code: "WDJB-MJHT".into(),
            device: text.into(),
            address: elsewhere.then(|| "2001:db8:85a3:8d3:1319:8a2e:370:7348".into()),
            elsewhere,
            asked: at(-40),
            ends: at(15_000),
        };
        let hostile = Self { code: HOSTILE.into(), address: Some(HOSTILE.into()), ..page(hostile_shell(), HOSTILE, true) };
        vec![
            ("device-consent", page(shell(true), "build-host", false)),
            ("device-consent-elsewhere", page(shell(true), "build-host", true)),
            ("device-consent-hostile", hostile),
        ]
    }
}

impl DeviceAnswered<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, device: &'static str, allowed| Self { shell, device: device.into(), allowed };
        vec![
            ("device-allowed", page(shell(true), "build-host", true)),
            ("device-refused", page(shell(true), "build-host", false)),
            ("device-answered-hostile", page(hostile_shell(), HOSTILE, false)),
        ]
    }
}

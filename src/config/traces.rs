//! What an administrator says about traces.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::settings::{Problem, SecretRef, is_loopback};

/// Where traces go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TracesSettings {
    /// A collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`: `/v1/traces` is added. Plain http is for loopback hosts only.
    pub endpoint: String,
    /// Which share of the requests is traced: 1 for all, 0.01 for one of a hundred.
    #[serde(default = "all")]
    pub sample: f64,
    /// Headers that the collector wants to see, such as a key, by name. The values are secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretRef>,
}

const fn all() -> f64 {
    1.0
}

/// Where traces go, with its secrets.
pub struct TracesTarget {
    /// The collector's URL for traces.
    pub url: String,
    /// Which share of the requests is traced, from 0 to 1.
    pub sample: f64,
    /// Headers that it wants to see.
    pub headers: Vec<(String, SecretString)>,
}

impl TracesSettings {
    /// Adds what is wrong with the settings at `path`.
    pub fn check(&self, path: &str, base: &Path, problems: &mut Vec<Problem>) {
        if cfg!(not(feature = "otlp")) {
            let hint = "build Rolegate with `--features otlp`, or remove the table";
            problems.push(Problem::new(path, "this build sends no traces", hint));
        }
        if !(0.0..=1.0).contains(&self.sample) {
            let message = format!("{} is no share", self.sample);
            problems.push(Problem::new(format!("{path}.sample"), message, "write a number from 0 to 1"));
        }
        if let Err(problem) = self.target(path, base) {
            problems.push(problem);
        }
    }

    /// Where traces go, with its secrets read.
    ///
    /// # Errors
    /// The endpoint is none, or a secret cannot be read.
    pub fn target(&self, path: &str, base: &Path) -> Result<TracesTarget, Problem> {
        let at = format!("{path}.endpoint");
        let hint = "write its origin: http://127.0.0.1:4318 or https://collector.example.org:4318";
        let url = Url::parse(&self.endpoint).map_err(|error| Problem::new(&at, error.to_string(), hint))?;
        let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_origin || !url.username().is_empty() || url.password().is_some() {
            return Err(Problem::new(at, "more than the collector's origin", hint));
        }
        // Traces tell who asks AWS for what when, if not for whom.
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(Problem::new(at, "neither https nor a loopback address", hint));
        }
        let read = |(name, secret): (&String, &SecretRef)| {
            let at = format!("{path}.headers.{name}");
            let named = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if !named {
                return Err(Problem::new(at, "not the name of a header", "write it as in HTTP: x-api-key"));
            }
            secret.read(base, &at).map(|secret| (name.clone(), secret))
        };
        let headers = self.headers.iter().map(read).collect::<Result<_, _>>()?;
        Ok(TracesTarget { url: format!("{}v1/traces", url.as_str()), sample: self.sample, headers })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problems(settings: Value) -> Vec<String> {
        let settings: TracesSettings = serde_json::from_value(settings).unwrap();
        let mut problems = Vec::new();
        settings.check("traces", Path::new("."), &mut problems);
        let of_build = |problem: &Problem| problem.message == "this build sends no traces";
        assert_eq!(problems.iter().any(of_build), cfg!(not(feature = "otlp")));
        problems.into_iter().filter(|problem| !of_build(problem)).map(|problem| problem.path).collect()
    }

    #[test]
    fn a_collector_is_near_or_spoken_to_by_tls() {
        for endpoint in ["http://127.0.0.1:4318", "http://localhost:4318/", "https://collector.example.org"] {
            assert_eq!(problems(json!({ "endpoint": endpoint })), Vec::<String>::new(), "{endpoint}");
        }
        for endpoint in
            ["http://collector.example.org:4318", "https://c.example/v1/traces", "https://a:b@c.example", "grpc://127.0.0.1:4317", "4318"]
        {
            assert_eq!(problems(json!({ "endpoint": endpoint })), ["traces.endpoint"], "{endpoint}");
        }
    }

    #[test]
    fn shares_and_headers_are_checked() {
        let with = |more: Value| {
            let mut settings = json!({ "endpoint": "http://127.0.0.1:4318" });
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            problems(settings)
        };
        assert_eq!(with(json!({ "sample": 0.25 })), Vec::<String>::new());
        assert_eq!(with(json!({ "sample": 1.5 })), ["traces.sample"]);
        assert_eq!(with(json!({ "headers": { "x y": { "env": "PATH" } } })), ["traces.headers.x y"]);
        assert_eq!(with(json!({ "headers": { "x-key": { "file": "is/not/there" } } })), ["traces.headers.x-key"]);
        assert_eq!(with(json!({ "headers": { "x-key": { "env": "PATH" } } })), Vec::<String>::new());
    }
}

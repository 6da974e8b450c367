//! What an administrator says about the log.

use schemars::JsonSchema;
use serde::Deserialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::settings::Problem;

/// What is written to the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`, for all or for parts: `warn`, `info,rolegate=debug`. Changes take effect without a restart. The
    /// variable `ROLEGATE_LOG` goes before it.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into() }
    }
}

impl LogSettings {
    /// Adds what is wrong with the settings at `path`.
    pub fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        // A word alone would be taken for the name of a part, of which everything is told.
        let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
        let word = self.level.split(',').find(|part| !part.contains('=') && !is_level(part.trim()));
        let wrong = word.map(ToOwned::to_owned).or_else(|| EnvFilter::try_new(&self.level).err().map(|error| error.to_string()));
        if let Some(wrong) = wrong {
            let hint = "write error, warn, info, debug or trace, or parts with theirs: info,rolegate=debug";
            problems.push(Problem::new(format!("{path}.level"), format!("{:?} is no level: {wrong:?}", self.level), hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_that_tracing_knows() {
        for (level, wrong) in [
            ("info", false),
            ("warn,rolegate=debug", false),
            ("rolegate::web=trace,off", false),
            ("loud", true),
            ("info,loud", true),
            ("rolegate=loud", true),
            ("", true),
        ] {
            let mut problems = Vec::new();
            LogSettings { level: level.into() }.check("log", &mut problems);
            assert_eq!(problems.len(), usize::from(wrong), "{level:?}: {problems:?}");
            assert!(problems.iter().all(|problem| problem.path == "log.level"), "{problems:?}");
        }
        assert_eq!(LogSettings::default().level, "info");
    }
}

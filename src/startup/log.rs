//! The log of a long-lived command: JSON lines on stderr, by a level that may change while it runs. And where there are traces, what takes them.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, reload};

#[cfg(feature = "otlp")]
use super::traces::{self, Traces};
use crate::config::{Config, LogSettings};
use crate::request_id::RequestId;

/// The variable that goes before the configuration.
const VARIABLE: &str = "ROLEGATE_LOG";
/// What a usual line takes, in bytes.
const LINE: usize = 320;

/// What lets the log go by another level, and the level that it goes by.
struct Level {
    set: Box<dyn Fn(EnvFilter) -> bool + Send + Sync>,
    now: Mutex<String>,
}

/// The process's one log, where its level is the configuration's to say.
static LEVEL: OnceLock<Level> = OnceLock::new();

/// What ends with the log: dropping it sends the last traces.
#[must_use]
#[derive(Default)]
pub struct Log {
    #[cfg(feature = "otlp")]
    _traces: Option<Traces>,
}

/// Begins the log, and the traces if there are any. To be called once, as soon as the configuration is known.
pub fn begin(config: &Config) -> Log {
    let fixed = std::env::var(VARIABLE).ok().map(|text| EnvFilter::try_new(text).map_err(|error| error.to_string()));
    let (fixed, misread) = match fixed.transpose() {
        Ok(fixed) => (fixed, None),
        Err(reason) => (None, Some(reason)),
    };
    let is_fixed = fixed.is_some();
    let (filter, handle) = reload::Layer::new(fixed.unwrap_or_else(|| filter(&config.file.log)));
    // A line that cannot be written, on a full disk or after its reader went away, is lost: to say so on standard error would end what is being done.
    let lines =
        fmt::layer().json().map_event_format(WithRequest).with_writer(std::io::stderr).log_internal_errors(false).with_filter(filter);
    let log = begin_with(config, tracing_subscriber::registry().with(lines));
    if let Some(reason) = misread {
        tracing::warn!(variable = VARIABLE, reason, "the variable is no level: the configuration's counts");
    }
    if !is_fixed {
        let set = Box::new(move |filter| handle.reload(filter).is_ok());
        // Only the first log of a process is its log.
        let _ = LEVEL.set(Level { set, now: Mutex::new(config.file.log.level.clone()) });
    }
    log
}

#[cfg(feature = "otlp")]
fn begin_with<S>(config: &Config, subscriber: S) -> Log
where
    S: SubscriberExt + for<'a> LookupSpan<'a> + Send + Sync + 'static,
{
    let Some(settings) = &config.file.traces else {
        subscriber.init();
        return Log::default();
    };
    let target = settings.target("traces", &config.base).map_err(|problem| problem.to_string());
    match target.and_then(|target| traces::layer(&target)) {
        Ok((spans, traces)) => {
            subscriber.with(spans).init();
            Log { _traces: Some(traces) }
        }
        Err(reason) => {
            subscriber.init();
            tracing::error!(reason, "there are no traces");
            Log::default()
        }
    }
}

#[cfg(not(feature = "otlp"))]
fn begin_with(_: &Config, subscriber: impl SubscriberInitExt) -> Log {
    subscriber.init();
    Log::default()
}

/// Lines of JSON, with the id of the request that is being answered.
struct WithRequest<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        let Some(id) = RequestId::current() else { return self.0.format_event(context, writer, event) };
        let mut line = String::with_capacity(LINE);
        self.0.format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(fields) => write!(writer, "{{\"request\":\"{id}\",{fields}"),
            None => writer.write_str(&line),
        }
    }
}

/// The filter of settings that were checked.
fn filter(settings: &LogSettings) -> EnvFilter {
    EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Lets the log go by what the configuration says now, unless the environment said it.
pub(super) fn follow(settings: &LogSettings) {
    let Some(level) = LEVEL.get() else { return };
    let mut now = level.now.lock().unwrap_or_else(PoisonError::into_inner);
    if *now == settings.level {
        return;
    }
    // Said before and after, so that it stands in the log whichever of the two lets it through.
    tracing::info!(level = settings.level, previous = *now, "the log goes by another level");
    if (level.set)(filter(settings)) {
        tracing::info!(level = settings.level, previous = *now, "the log went over to this level");
        now.clone_from(&settings.level);
    }
}

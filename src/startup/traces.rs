//! Spans go to a collector by OTLP, in the background. Who waits for a page never waits for it.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use secrecy::ExposeSecret;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::config::TracesTarget;
use crate::spans::TARGET;

/// How long the collector may take for what it is sent at once.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is sent in the background. Dropping it sends what is left, for as long as the collector may take.
pub(super) struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(reason = %error, "the last traces were not sent");
        }
    }
}

/// A layer that takes the spans which are meant for traces, and what sends them.
///
/// # Errors
/// Why they cannot be sent, fit for the log.
pub(super) fn layer<S>(target: &TracesTarget) -> Result<(impl Layer<S> + Send + Sync + use<S>, Traces), String>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let headers: HashMap<String, String> =
        target.headers.iter().map(|(name, secret)| (name.clone(), secret.expose_secret().to_owned())).collect();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&target.url)
        .with_timeout(DEADLINE)
        .with_headers(headers)
        .build()
        .map_err(|error| error.to_string())?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        // Nobody outside is believed about which requests to trace.
        .with_sampler(Sampler::TraceIdRatioBased(target.sample))
        .with_resource(Resource::builder().with_service_name("rolegate").with_attribute(version).build())
        .build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("rolegate"))
        .with_location(false)
        .with_threads(false)
        .with_filter(Targets::new().with_target(TARGET, Level::TRACE));
    Ok((spans, Traces(provider)))
}

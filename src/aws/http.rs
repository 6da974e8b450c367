//! How the SDK reaches AWS: its own client, whose connections outlive the thread that opens them.

use std::sync::OnceLock;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::lasting::Lasting;

/// The way to AWS of one client of the SDK, which has the same time limits for all calls.
#[derive(Debug)]
pub(super) struct Http {
    lasting: Lasting,
    connector: OnceLock<SharedHttpConnector>,
}

impl Http {
    pub(super) const fn new(lasting: Lasting) -> Self {
        Self { lasting, connector: OnceLock::new() }
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.connector.get_or_init(|| {
            // What the SDK makes by itself, a proxy of the environment included.
            let mut builder = Connector::builder().connector_settings(settings.clone()).proxy_config(ProxyConfig::from_env());
            builder.set_sleep_impl(components.sleep_impl());
            let inner = SharedHttpConnector::new(builder.tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).build());
            SharedHttpConnector::new(Outliving { inner, lasting: self.lasting.clone() })
        });
        connector.clone()
    }
}

#[derive(Debug)]
struct Outliving {
    inner: SharedHttpConnector,
    lasting: Lasting,
}

impl HttpConnector for Outliving {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, lasting) = (self.inner.clone(), self.lasting.clone());
        HttpConnectorFuture::new(async move { lasting.run(async move { inner.call(request).await }).await })
    }
}

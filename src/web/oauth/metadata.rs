//! `/.well-known/oauth-authorization-server`: what a command line must know of the gateway (RFC 8414).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::exchange::TOKEN_EXCHANGE;
use super::token::{DEVICE_CODE, GRANTS};
use crate::web::site::Site;

/// `GET /.well-known/oauth-authorization-server`. Its issuer is the public URL, which answers carry as `iss`.
pub(in crate::web) async fn metadata(site: web::Data<Site>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(document(&site))
}

fn document(site: &Site) -> Value {
    let (at, settings) = (|path: &str| format!("{}{path}", site.origin), &site.gateway.command_line);
    let of_workloads = (!site.gateway.workload_providers.is_empty()).then_some(TOKEN_EXCHANGE);
    let device_codes = settings.enabled && settings.device_codes;
    let of_people = GRANTS.into_iter().filter(|grant| settings.enabled && (device_codes || *grant != DEVICE_CODE));
    let grants: Vec<_> = of_people.chain(of_workloads).collect();
    let mut document = json!({
        "issuer": site.origin,
        "token_endpoint": at("/oauth2/token"),
        "revocation_endpoint": at("/oauth2/revoke"),
        "response_types_supported": [],
        "grant_types_supported": grants,
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
    });
    if let Some(members) = document.as_object_mut() {
        let mut tell = |name: &str, value: Value| members.insert(name.to_owned(), value);
        if settings.enabled {
            tell("authorization_endpoint", at("/oauth2/authorize").into());
            tell("response_types_supported", json!(["code"]));
            tell("response_modes_supported", json!(["query"]));
            tell("code_challenge_methods_supported", json!(["S256"]));
            tell("authorization_response_iss_parameter_supported", json!(true));
            tell("prompt_values_supported", json!(["login", "consent"]));
        }
        if device_codes {
            tell("device_authorization_endpoint", at("/oauth2/device_authorization").into());
        }
    }
    document
}

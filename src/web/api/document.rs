//! The OpenAPI 3.1 document, made from the same list as the routes.
//!
//! Its schemas are JSON Schema of draft 2020-12 (OpenAPI 3.1.1 section 4.8.24), which is what `schemars` writes; around them stands what each
//! handler's types tell.

use actix_web::web;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::describe::Answer;
use super::{BASE, places};
use crate::web::cookies::Kind;
use crate::web::site::Site;
use crate::web::trouble::PageError;

/// An OpenAPI document.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::web) struct Document(Map<String, Value>);

/// `GET /api/v1/openapi.json`.
pub(super) async fn document(site: web::Data<Site>) -> Result<Answer<Document>, PageError> {
    Ok(Answer(of(&site)))
}

const ABOUT: &str = "All that the pages of Rolegate do, for programs. A program shows a session's token as `Authorization: Bearer rgs_…`; \
    a script of the gateway's own pages goes by the session's cookie, and adds `X-Requested-With: rolegate` to what changes something. \
    Every failure is a problem document (RFC 9457) whose `code` says what a program can act on.";

fn of(site: &Site) -> Document {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for place in places() {
        let operations = place.operations.iter().map(|operation| (operation.verb.as_str().to_owned(), operation.described(&mut generator)));
        paths.insert(format!("{BASE}{}", place.path), operations.collect::<Map<_, _>>().into());
    }
    let schemas = generator.take_definitions(true);
    let document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Rolegate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": site.origin }],
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": schemes(site) },
    });
    Document(if let Value::Object(document) = document { document } else { Map::new() })
}

fn schemes(site: &Site) -> Value {
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "The token of a command line's session." },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": site.cookies.name(Kind::Session),
            "description": "The session of a page of the gateway's own.",
        },
        "requested_with": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Requested-With",
            "description": "`rolegate`, beside a cookie, for what changes something.",
        },
    })
}

//! What an operation of the API reads and answers, taken from the types of its handler, so that its description is never another's.

use actix_web::body::BoxBody;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route, web};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::problem::{Code, Problem};
use crate::web::site::Site;
use crate::web::trouble::PageError;

/// What an operation says when all went well.
pub(in crate::web) trait Said: Responder {
    /// The status that it comes with.
    const STATUS: u16;

    /// The schema of its body, if it has one.
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema>;
}

/// An answer as JSON.
pub(in crate::web) struct Answer<T>(pub(super) T);

impl<T: Serialize + JsonSchema> Said for Answer<T> {
    const STATUS: u16 = 200;

    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<T>())
    }
}

impl<T: Serialize> Responder for Answer<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}

/// Nothing to say: it was done.
pub(in crate::web) struct Done;

impl Said for Done {
    const STATUS: u16 = 204;

    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
}

impl Responder for Done {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

/// An argument of a handler that tells what it reads of a request.
pub(in crate::web) trait Documented {
    /// Adds what it reads.
    fn describe(described: &mut Described<'_>);
}

/// The description of one operation, as it grows.
pub(in crate::web) struct Described<'g> {
    verb: Verb,
    generator: &'g mut SchemaGenerator,
    operation: Map<String, Value>,
    parameters: Vec<Value>,
    codes: Vec<Code>,
}

impl<'g> Described<'g> {
    fn new(verb: Verb, generator: &'g mut SchemaGenerator) -> Self {
        Self { verb, generator, operation: Map::new(), parameters: Vec::new(), codes: vec![Code::RequestTimeout, Code::InternalError] }
    }

    fn codes(&mut self, codes: &[Code]) {
        self.codes.extend_from_slice(codes);
    }

    /// It wants somebody signed in.
    pub(super) fn wants_session(&mut self) {
        let cookie = if self.verb == Verb::Get { json!({ "cookie": [] }) } else { json!({ "cookie": [], "requested_with": [] }) };
        self.operation.insert("security".into(), json!([{ "bearer": [] }, cookie]));
        self.codes(&[Code::InvalidRequest, Code::NotSignedIn, Code::SessionEnded, Code::Unavailable]);
        if self.verb != Verb::Get {
            self.codes(&[Code::CrossSiteRequest]);
        }
    }

    /// It reads parameters, which are the members of a type.
    fn reads_parameters<T: JsonSchema>(&mut self, place: &str) {
        let schema = self.generator.root_schema_for::<T>().to_value();
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| place == "path" || required.is_some_and(|names| names.iter().any(|one| one == name));
        for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut member = member.clone();
            let about = member.as_object_mut().and_then(|member| member.remove("description"));
            self.parameters
                .push(json!({ "name": name, "in": place, "required": is_required(name), "description": about, "schema": member }));
        }
        self.codes(&[if place == "path" { Code::NotFound } else { Code::InvalidRequest }]);
    }

    fn reads_body<T: JsonSchema>(&mut self) {
        let schema = self.generator.subschema_for::<T>();
        self.operation.insert("requestBody".into(), json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
        self.codes(&[Code::InvalidRequest, Code::RequestTooLarge, Code::UnsupportedMediaType]);
    }

    /// The answers: the good one, and each status of a problem with the words that come with it.
    fn answers<S: Said>(&mut self) {
        let mut responses = Map::new();
        let good = match S::schema(self.generator) {
            Some(schema) => json!({ "description": "As wanted.", "content": { "application/json": { "schema": schema } } }),
            None => json!({ "description": "It was done." }),
        };
        responses.insert(S::STATUS.to_string(), good);
        let problem = self.generator.subschema_for::<Problem>();
        self.codes.sort_by_key(|code| (code.status().as_u16(), code.as_str()));
        self.codes.dedup();
        for codes in self.codes.chunk_by(|one, other| one.status() == other.status()) {
            let Some(first) = codes.first() else { continue };
            let words = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
            let content = json!({ "application/problem+json": { "schema": problem } });
            responses.insert(first.status().as_str().to_owned(), json!({ "description": words, "content": content }));
        }
        self.operation.insert("responses".into(), responses.into());
    }
}

impl<T: JsonSchema> Documented for web::Json<T> {
    fn describe(described: &mut Described<'_>) {
        described.reads_body::<T>();
    }
}

impl<T: JsonSchema> Documented for web::Query<T> {
    fn describe(described: &mut Described<'_>) {
        described.reads_parameters::<T>("query");
    }
}

impl<T: JsonSchema> Documented for web::Path<T> {
    fn describe(described: &mut Described<'_>) {
        described.reads_parameters::<T>("path");
    }
}

/// What all handlers share tells nothing of a request.
impl Documented for web::Data<Site> {
    fn describe(_: &mut Described<'_>) {}
}

impl<A: Documented> Documented for (A,) {
    fn describe(described: &mut Described<'_>) {
        A::describe(described);
    }
}

impl<A: Documented, B: Documented> Documented for (A, B) {
    fn describe(described: &mut Described<'_>) {
        A::describe(described);
        B::describe(described);
    }
}

/// A method of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    /// As OpenAPI writes it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Delete => "delete",
        }
    }

    fn route(self) -> Route {
        match self {
            Self::Get => web::get(),
            Self::Post => web::post(),
            Self::Delete => web::delete(),
        }
    }
}

/// An operation: its route and its description, both from one handler.
pub(in crate::web) struct Operation {
    pub(super) verb: Verb,
    pub(super) route: Route,
    id: &'static str,
    summary: &'static str,
    codes: &'static [Code],
    describe: fn(&mut Described<'_>),
}

impl Operation {
    /// An operation that a handler does. `codes` are what may go wrong beside what its arguments tell.
    pub(super) fn new<F, Args, S>(verb: Verb, id: &'static str, summary: &'static str, codes: &'static [Code], handler: F) -> Self
    where
        F: Handler<Args, Output = Result<S, PageError>>,
        Args: FromRequest + Documented + 'static,
        S: Said + 'static,
    {
        let describe = |described: &mut Described<'_>| {
            Args::describe(described);
            described.answers::<S>();
        };
        Self { verb, route: verb.route().to(handler), id, summary, codes, describe }
    }

    /// Its description, as OpenAPI has it.
    pub(super) fn described(&self, generator: &mut SchemaGenerator) -> Value {
        let mut described = Described::new(self.verb, generator);
        described.operation.extend([("operationId".to_owned(), self.id.into()), ("summary".to_owned(), self.summary.into())]);
        described.codes(self.codes);
        (self.describe)(&mut described);
        if !described.parameters.is_empty() {
            described.operation.insert("parameters".into(), described.parameters.into());
        }
        described.operation.into()
    }
}

//! Reads a request for authentication (SAML core section 3.4.1).

use std::io::Read;

use data_encoding::BASE64;
use flate2::read::DeflateDecoder;

use crate::saml::write::Binding;
use crate::saml::xml::{Document, Limits};
use crate::saml::{SAML_NS, SAMLP_NS};

/// A request is short; a longer one is none.
const LONGEST: u64 = 64 * 1024;

/// What a service provider asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuthnRequest {
    pub(super) id: String,
    pub(super) issuer: String,
    pub(super) destination: Option<String>,
    pub(super) consumer: Option<String>,
    pub(super) force: bool,
    /// The authentication context classes that are asked for.
    pub(super) classes: Vec<String>,
}

impl AuthnRequest {
    /// Reads what came by a binding. The error is a sentence for the page.
    pub(super) fn read(message: &str, binding: Binding) -> Result<Self, &'static str> {
        let bytes = BASE64.decode(message.as_bytes()).map_err(|_| "The SAMLRequest is not base64.")?;
        let xml = if binding == Binding::Redirect { inflate(&bytes)? } else { bytes };
        let document = Document::parse(&xml, &Limits::RESPONSE).map_err(|_| "The SAMLRequest is not the XML that it should be.")?;
        let root = document.root;
        if !root.is(SAMLP_NS, "AuthnRequest") || root.attribute("Version") != Some("2.0") {
            return Err("The SAMLRequest is not a SAML 2.0 request for authentication.");
        }
        if root.attribute("IsPassive").is_some_and(|passive| matches!(passive, "true" | "1")) {
            return Err("The sandbox cannot sign anybody in unseen (IsPassive).");
        }
        let issuer = root.only_child(SAML_NS, "Issuer").and_then(|issuer| issuer.text().map(str::to_owned));
        let context = root.optional_child(SAMLP_NS, "RequestedAuthnContext").ok().flatten();
        let classes = context.map(|context| {
            let named = context.children(SAML_NS, "AuthnContextClassRef");
            named.filter_map(|class| class.text().ok()).map(|class| class.trim().to_owned()).collect()
        });
        let text = |name: &str| root.attribute(name).map(str::to_owned);
        Ok(Self {
            id: text("ID").ok_or("The request has no ID.")?,
            issuer: issuer.map_err(|_| "The request does not say who asks.")?.trim().to_owned(),
            destination: text("Destination"),
            consumer: text("AssertionConsumerServiceURL"),
            classes: classes.unwrap_or_default(),
            force: root.attribute("ForceAuthn").is_some_and(|force| matches!(force, "true" | "1")),
        })
    }
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut xml = Vec::new();
    let read = DeflateDecoder::new(bytes).take(LONGEST + 1).read_to_end(&mut xml);
    match read {
        Ok(length) if length as u64 <= LONGEST => Ok(xml),
        _ => Err("The SAMLRequest does not inflate to a request."),
    }
}

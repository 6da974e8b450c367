//! Documents with one signature, over the whole: logout messages and metadata.

use super::{Over, Screened, check_envelope, check_places, is_signature, parse, signature};
use crate::saml::xml::{Document, Element, Limits};
use crate::saml::{Refused, SAML_NS, SAMLP_NS};

const SOAP_NS: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const MD_NS: &str = "urn:oasis:names:tc:SAML:2.0:metadata";

/// Screens a logout message by the POST binding.
pub(in crate::saml) fn message(bytes: &[u8]) -> Result<Screened<'_>, Refused> {
    let (text, root) = parse(bytes, &Limits::RESPONSE)?;
    check_message(&root)?;
    check_places(&root, None, None)?;
    let signature = signature::of(&root, Over::Message)?.ok_or(Refused::Unsigned)?;
    Ok(Screened { text, root, signatures: vec![signature], encrypted: false, verified: Limits::RESPONSE.verified() })
}

/// Screens a logout request in a SOAP 1.1 envelope: nothing but the request may be in it.
pub(in crate::saml) fn in_soap(bytes: &[u8]) -> Result<Screened<'_>, Refused> {
    let (text, root) = parse(bytes, &Limits::RESPONSE)?;
    if !root.is(SOAP_NS, "Envelope") {
        return Err(Refused::Root);
    }
    // A header could demand something of us that we do not know.
    let empty = |header: &Element<'_>| header.is(SOAP_NS, "Header") && header.elements().next().is_none();
    let fits = |child: &Element<'_>| child.is(SOAP_NS, "Body") || empty(child);
    if !root.elements().all(fits) || !signature::only_blanks(&root) {
        return Err(Refused::Unexpected);
    }
    let body = root.only_child(SOAP_NS, "Body")?;
    let inside: Vec<_> = body.elements().collect();
    let ([request], true) = (inside.as_slice(), signature::only_blanks(body)) else { return Err(Refused::Unexpected) };
    if !request.is(SAMLP_NS, "LogoutRequest") {
        return Err(Refused::Root);
    }
    check_message(request)?;
    check_places(&root, None, Some(request))?;
    let signature = signature::of(request, Over::Message)?.ok_or(Refused::Unsigned)?;
    Ok(Screened { text, root, signatures: vec![signature], encrypted: false, verified: Limits::RESPONSE.verified() })
}

/// Screens a logout message whose signature is not in it but around it, in a query.
pub(in crate::saml) fn unsigned_message(bytes: &[u8]) -> Result<Document<'_>, Refused> {
    let root = parse(bytes, &Limits::RESPONSE)?.1;
    check_message(&root)?;
    check_places(&root, None, None)?;
    // Whoever signs the query takes the message's own signature out (SAML Bindings section 3.4.4.1).
    if root.elements().any(is_signature) { Err(Refused::MisplacedSignature) } else { Ok(Document { root }) }
}

/// Screens signed metadata: one entity or a group of them. Signatures of entities in a group are refused: who vouches for the group vouches
/// for all.
pub(in crate::saml) fn metadata(bytes: &[u8]) -> Result<Screened<'_>, Refused> {
    let (text, root) = parse(bytes, &Limits::METADATA)?;
    if !root.is(MD_NS, "EntityDescriptor") && !root.is(MD_NS, "EntitiesDescriptor") {
        return Err(Refused::Root);
    }
    check_places(&root, None, None)?;
    let signature = signature::of(&root, Over::Message)?.ok_or(Refused::Unsigned)?;
    Ok(Screened { text, root, signatures: vec![signature], encrypted: false, verified: Limits::METADATA.verified() })
}

fn check_message(message: &Element<'_>) -> Result<(), Refused> {
    let known: &[(&str, &str)] = match (message.name.ns, message.name.local) {
        (SAMLP_NS, "LogoutRequest") => &[
            (SAML_NS, "Issuer"),
            (SAMLP_NS, "Extensions"),
            (SAML_NS, "BaseID"),
            (SAML_NS, "NameID"),
            (SAML_NS, "EncryptedID"),
            (SAMLP_NS, "SessionIndex"),
        ],
        (SAMLP_NS, "LogoutResponse") => &[(SAML_NS, "Issuer"), (SAMLP_NS, "Extensions"), (SAMLP_NS, "Status")],
        _ => return Err(Refused::Root),
    };
    check_envelope(message, |child| known.contains(&(child.name.ns, child.name.local)))
}

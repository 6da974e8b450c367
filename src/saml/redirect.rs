//! The HTTP-Redirect binding (SAML bindings section 3.4): messages in a query, deflated, and signed as the query stands there.
//!
//! A signature covers the query's bytes, so they are verified as they came in, before anything is decoded: another spelling of the same
//! percent escape is another message.

use std::borrow::Cow;
use std::io::{Read, Write};

use data_encoding::BASE64;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use thiserror::Error;

use super::sign::{Certificate, SamlSigner, SignatureAlgorithm};
use super::write::Unwritable;

/// The longest `RelayState`, in bytes (bindings section 3.4.3).
pub const LONGEST_RELAY_STATE: usize = 80;
/// The longest query that is read, in bytes. No browser's or server's limit is as high.
pub const LONGEST_QUERY: usize = 64 * 1024;
/// The longest message that is inflated, in bytes.
pub const LONGEST_MESSAGE: usize = 256 * 1024;

/// Whether a message asks or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// `SAMLRequest`.
    Request,
    /// `SAMLResponse`.
    Response,
}

impl MessageKind {
    const fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// Why a query is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedirectRefused {
    /// More bytes than allowed.
    #[error("the query is too long")]
    QueryTooLong,
    /// Neither or both of `SAMLRequest` and `SAMLResponse`.
    #[error("the query has not exactly one of SAMLRequest and SAMLResponse")]
    NotOneMessage,
    /// A parameter of the binding stands there twice.
    #[error("the query repeats the parameter {0}")]
    Repeated(&'static str),
    /// A parameter's name is spelled with escapes, so that others might read it and we not.
    #[error("a parameter's name is percent-encoded")]
    HiddenName,
    /// `SAMLEncoding` names another encoding than DEFLATE.
    #[error("the message is encoded otherwise than by DEFLATE")]
    Encoding,
    /// No `Signature` or no `SigAlg`.
    #[error("the query is not signed")]
    Unsigned,
    /// `SigAlg` names no algorithm that is accepted.
    #[error("the query's signature algorithm is not accepted")]
    Algorithm,
    /// No key of the sender made the signature.
    #[error("the query's signature is wrong")]
    Signature,
    /// A percent escape, the base64 or the UTF-8 is broken.
    #[error("the query's parameter {0} is broken")]
    Broken(&'static str),
    /// The message does not inflate, or something stands behind it.
    #[error("the message does not inflate")]
    Inflate,
    /// The message inflates to more bytes than allowed.
    #[error("the message is too long")]
    MessageTooLong,
    /// `RelayState` is longer than the binding allows.
    #[error("RelayState is longer than 80 bytes")]
    RelayState,
}

/// A query as it came in, of which nothing is known to be true yet.
#[derive(Debug, Clone, Copy)]
pub struct Unverified<'q> {
    kind: MessageKind,
    message: &'q str,
    relay_state: Option<&'q str>,
    algorithm: Option<&'q str>,
    signature: Option<&'q str>,
}

/// A message whose signature was made by a key of its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whether it asks or answers.
    pub kind: MessageKind,
    /// The message.
    pub xml: Vec<u8>,
    /// The state that comes back, decoded.
    pub relay_state: Option<String>,
}

impl<'q> Unverified<'q> {
    /// Takes a raw query apart, without its `?`. Nothing is decoded. Parameters that the binding does not know are ignored.
    ///
    /// # Errors
    /// [`RedirectRefused`].
    pub fn parse(raw: &'q str) -> Result<Self, RedirectRefused> {
        const NAMES: [&str; 6] = ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];
        if raw.len() > LONGEST_QUERY {
            return Err(RedirectRefused::QueryTooLong);
        }
        let mut found = [None; NAMES.len()];
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name.contains(['%', '+']) {
                return Err(RedirectRefused::HiddenName);
            }
            for (slot, known) in found.iter_mut().zip(NAMES) {
                if name == known && slot.replace(value).is_some() {
                    return Err(RedirectRefused::Repeated(known));
                }
            }
        }
        let [request, response, relay_state, algorithm, signature, encoding] = found;
        let (kind, message) = match (request, response) {
            (Some(message), None) => (MessageKind::Request, message),
            (None, Some(message)) => (MessageKind::Response, message),
            _ => return Err(RedirectRefused::NotOneMessage),
        };
        if let Some(encoding) = encoding
            && unescape("SAMLEncoding", encoding)? != "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
        {
            return Err(RedirectRefused::Encoding);
        }
        Ok(Self { kind, message, relay_state, algorithm, signature })
    }

    /// Whether it asks or answers, as the query says.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Verifies the signature by one of the sender's certificates, then decodes.
    ///
    /// # Errors
    /// [`RedirectRefused`]; without a certificate, always.
    pub fn verify(&self, certificates: &[Certificate]) -> Result<Verified, RedirectRefused> {
        let (Some(algorithm), Some(signature)) = (self.algorithm, self.signature) else { return Err(RedirectRefused::Unsigned) };
        let uri = unescape("SigAlg", algorithm)?;
        let known = SignatureAlgorithm::of_uri(&uri).ok_or(RedirectRefused::Algorithm)?;
        let signature = base64("Signature", signature)?;
        // The order is the binding's, whatever the order in the query; the values are the raw ones (section 3.4.4.1).
        let relay_state = self.relay_state.map(|state| format!("&RelayState={state}")).unwrap_or_default();
        let signed = format!("{}={}{relay_state}&SigAlg={algorithm}", self.kind.parameter(), self.message);
        if !certificates.iter().any(|certificate| certificate.verifies(known, signed.as_bytes(), &signature)) {
            return Err(RedirectRefused::Signature);
        }
        let relay_state = self.relay_state.map(|state| unescape("RelayState", state)).transpose()?;
        if relay_state.as_ref().is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
            return Err(RedirectRefused::RelayState);
        }
        let xml = inflate(&base64(self.kind.parameter(), self.message)?)?;
        Ok(Verified { kind: self.kind, xml, relay_state: relay_state.map(Cow::into_owned) })
    }
}

/// Writes the URL that carries a message to its destination, signed if there is a signer. `destination` may have a query already.
///
/// # Errors
/// [`Unwritable::Value`] if `relay_state` is longer than [`LONGEST_RELAY_STATE`]; [`Unwritable::Key`].
pub fn write_url(
    destination: &str,
    kind: MessageKind,
    xml: &str,
    relay_state: Option<&str>,
    signer: Option<&SamlSigner>,
) -> Result<String, Unwritable> {
    if relay_state.is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
        return Err(Unwritable::Value { field: "RelayState", why: "at most 80 bytes" });
    }
    if destination.contains('#') {
        return Err(Unwritable::Value { field: "destination", why: "a URL with a fragment cannot carry a message" });
    }
    let mut query = format!("{}={}", kind.parameter(), escape(&BASE64.encode(&deflate(xml)?)));
    if let Some(state) = relay_state {
        query = format!("{query}&RelayState={}", escape(state));
    }
    if let Some(signer) = signer {
        query = format!("{query}&SigAlg={}", escape(signer.algorithm().uri()));
        let signature = signer.sign(query.as_bytes())?;
        query = format!("{query}&Signature={}", escape(&BASE64.encode(&signature)));
    }
    let joint = if destination.contains('?') { '&' } else { '?' };
    Ok(format!("{destination}{joint}{query}"))
}

fn deflate(text: &str) -> Result<Vec<u8>, Unwritable> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.map_err(|_| Unwritable::Value { field: "message", why: "it cannot be deflated" })
}

/// Inflates, and stops at the cap: a few bytes can stand for gigabytes.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, RedirectRefused> {
    let mut decoder = DeflateDecoder::new(bytes);
    let mut message = Vec::new();
    let mut capped = (&mut decoder).take(LONGEST_MESSAGE as u64 + 1);
    capped.read_to_end(&mut message).map_err(|_| RedirectRefused::Inflate)?;
    if message.len() > LONGEST_MESSAGE {
        return Err(RedirectRefused::MessageTooLong);
    }
    if message.is_empty() || decoder.total_in() != bytes.len() as u64 {
        return Err(RedirectRefused::Inflate);
    }
    Ok(message)
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn escape(text: &str) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |number: u8| HEX.get(usize::from(number)).copied().unwrap_or_default();
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// Decodes a value as form data is decoded, but refuses what is broken.
fn unescape<'q>(name: &'static str, raw: &'q str) -> Result<Cow<'q, str>, RedirectRefused> {
    if !raw.contains(['%', '+']) {
        return Ok(Cow::Borrowed(raw));
    }
    let broken = RedirectRefused::Broken(name);
    let mut bytes = raw.bytes();
    let mut out = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
                let (high, low) = digit().zip(digit()).ok_or(broken)?;
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| broken)
}

/// Decodes base64. A `+` that was not escaped arrives as itself, not as a space.
fn base64(name: &'static str, raw: &str) -> Result<Vec<u8>, RedirectRefused> {
    let raw = raw.replace('+', "%2B");
    super::base64::decode(&unescape(name, &raw)?).ok_or(RedirectRefused::Broken(name))
}

#[cfg(test)]
mod tests;

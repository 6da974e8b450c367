//! Base64 as SAML's messages and signatures hold it: RFC 4648 section 4, whole, in lines or not.

use data_encoding::BASE64;

use super::Refused;
use super::xml::{Limits, XmlRefused};

/// Decodes the form field `SAMLResponse` or `SAMLRequest` of the POST binding (SAML Bindings section 3.5.4): base64, in lines or not.
///
/// # Errors
/// [`Refused::Field`], or [`XmlRefused::TooLong`] before anything is decoded.
pub fn decode_posted(field: &str) -> Result<Vec<u8>, Refused> {
    // Four characters stand for three bytes; a line end follows at most every 60th.
    if field.len() > Limits::RESPONSE.bytes / 3 * 4 + Limits::RESPONSE.bytes / 16 {
        return Err(XmlRefused::TooLong.into());
    }
    decode(field).ok_or(Refused::Field)
}

/// Decodes base64 with blanks and line ends anywhere.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    // Most providers send one line.
    decode_line(text).or_else(|| decode_line(&text.split(['\r', '\n', ' ', '\t']).collect::<String>()))
}

/// One text only: some decoders stop at the first `=`, others go on behind it.
fn decode_line(line: &str) -> Option<Vec<u8>> {
    let padded = line.find('=').unwrap_or(line.len());
    if padded + 2 < line.len() { None } else { BASE64.decode(line.as_bytes()).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_a_field_is_base64_and_not_too_long() {
        assert_eq!(decode_posted("PHI\r\nvPg==\r\n").unwrap(), b"<r/>");
        for wrong in ["PHIvPg", "PHIvPg=", "PHIvPh==", "PHIv*Pg==", "PHIv_g==", "PHIvPg==PHIvPg=="] {
            assert_eq!(decode_posted(wrong), Err(Refused::Field), "{wrong}");
        }
        let longest = BASE64.encode(&vec![b' '; Limits::RESPONSE.bytes]);
        let lines: Vec<_> = longest.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(decode_posted(&lines.join("\r\n")).unwrap().len(), Limits::RESPONSE.bytes);
        assert_eq!(decode_posted(&"A".repeat(400_000)), Err(XmlRefused::TooLong.into()));
    }
}

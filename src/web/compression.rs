//! Which answers are compressed, and how.
//!
//! - The built-in files, once, as small as they get.
//! - Large pages that repeat nothing of the request: lists of many roles. Small ones stay as they are: they take a packet or two in any case, and
//!   compressing would double what they cost.
//! - Nothing else: above all no page with credentials, and none that shows what an address says. Compressing secrets together with what others
//!   can put beside them tells the secrets by the length (BREACH); the one secret on all pages, the token of their forms, is masked anew each time.

use std::io::Write;

use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap};
use askama::Template;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::trouble::html;

/// From how many bytes on a page is compressed.
const WORTH_IT: usize = 16 * 1024;

/// Whether a browser takes gzip (RFC 9110 section 12.5.3); a weight of nothing is a no.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|parameter| parameter.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0));
        is_gzip && !refused
    })
}

/// Bytes in gzip.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8 + 1024), level);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// A page, in gzip if it is large.
pub(super) fn page(page: &impl Template) -> HttpResponse {
    let mut body = String::with_capacity(WORTH_IT);
    if page.render_into(&mut body).is_err() {
        // It fails as it fails without.
        return html(page);
    }
    let mut response = HttpResponse::Ok();
    response.content_type("text/html; charset=utf-8");
    if body.len() < WORTH_IT {
        return response.body(body);
    }
    match gzip(body.as_bytes(), Compression::fast()) {
        Some(compressed) => response.insert_header((CONTENT_ENCODING, "gzip")).body(compressed),
        None => response.body(body),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(text));
            takes_gzip(&headers)
        };
        for yes in ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.5", "deflate,gzip ; q=1"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip", "identity", "*"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}

//! The pages' few static files, built into the binary.
//!
//! Each is served under a name that contains the digest of its bytes, so a browser may keep it for ever: a changed file has a new name.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use flate2::Compression;

use super::compression::gzip;

/// Where the files are served; `{name}` is what [`find`] understands.
pub const PREFIX: &str = "/static/";

/// The digest's bytes that go into a name: 64 bits tell the few versions of one file apart.
const DIGEST_BYTES: usize = 8;

/// A file as it is served.
struct Asset {
    /// Its name in the source tree.
    source: &'static str,
    bytes: &'static [u8],
    mime: &'static str,
    /// The same in gzip, made when it is first wanted.
    compressed: LazyLock<Vec<u8>, Box<dyn FnOnce() -> Vec<u8> + Send>>,
    /// Its full path with the digest: `/static/app.0123456789abcdef.css`.
    url: String,
}

static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        Asset::new("app.css", "text/css; charset=utf-8", include_bytes!("../../static/app.css")),
        Asset::new("rooms.css", "text/css; charset=utf-8", include_bytes!("../../static/rooms.css")),
        Asset::new("app.js", "text/javascript; charset=utf-8", include_bytes!("../../static/app.js")),
        Asset::new("roles.css", "text/css; charset=utf-8", include_bytes!("../../static/roles.css")),
        Asset::new("roles.js", "text/javascript; charset=utf-8", include_bytes!("../../static/roles.js")),
        Asset::new("logo.svg", "image/svg+xml", include_bytes!("../../static/logo.svg")),
    ]
});

impl Asset {
    fn new(source: &'static str, mime: &'static str, bytes: &'static [u8]) -> Self {
        let (stem, extension) = source.rsplit_once('.').unwrap_or((source, "bin"));
        let digest = digest::digest(&digest::SHA256, bytes);
        let short = digest.as_ref().get(..DIGEST_BYTES).unwrap_or_default();
        let url = format!("{PREFIX}{stem}.{}.{extension}", HEXLOWER.encode(short));
        let compressed = LazyLock::new(Box::new(move || gzip(bytes, Compression::best()).unwrap_or_default()) as Box<_>);
        Self { source, bytes, mime, compressed, url }
    }
}

/// The path of a file by its name in the source tree (`"app.css"`); the bare prefix, where nothing is served, for a name we do not have.
#[must_use]
pub fn url(source: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.source == source).map_or(PREFIX, |asset| asset.url.as_str())
}

/// A file as it goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The file.
    pub bytes: &'static [u8],
    /// The same in gzip.
    pub compressed: &'static [u8],
    /// Its media type.
    pub mime: &'static str,
}

/// The file that is served under a name (`app.0123456789abcdef.css`, without [`PREFIX`]).
///
/// An outdated digest finds nothing: an old page must not get the new file under a name that is cached for ever.
#[must_use]
pub fn find(name: &str) -> Option<Served> {
    let asset = ASSETS.iter().find(|asset| asset.url.strip_prefix(PREFIX) == Some(name))?;
    Some(Served { bytes: asset.bytes, compressed: &asset.compressed, mime: asset.mime })
}

/// The path of the style sheet.
#[must_use]
pub fn css() -> &'static str {
    url("app.css")
}

/// The path of the script.
#[must_use]
pub fn js() -> &'static str {
    url("app.js")
}

/// The path of the logo, which is the favicon too.
#[must_use]
pub fn logo() -> &'static str {
    url("logo.svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_under_its_digest_and_under_nothing_else() {
        for source in ["app.css", "rooms.css", "app.js", "roles.css", "roles.js", "logo.svg"] {
            let name = url(source).strip_prefix(PREFIX).unwrap();
            let served = find(name).unwrap();
            assert_eq!(served.bytes, std::fs::read(format!("static/{source}")).unwrap(), "{source}");
            assert!(!served.mime.is_empty());
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(served.compressed), &mut plain).unwrap();
            assert_eq!(plain, served.bytes, "{source}");
            assert!(find(source).is_none(), "the bare name is not cacheable for ever");
            assert!(find(&name.replace('.', ".0")).is_none());
        }
        assert!(find("").is_none() && find("../Cargo.toml").is_none());
        assert_eq!(url("unknown.css"), PREFIX);
    }

    #[test]
    fn another_content_has_another_name() {
        let (a, b) = (Asset::new("x.css", "text/css", b"a"), Asset::new("x.css", "text/css", b"b"));
        assert_ne!(a.url, b.url);
        // sha256("a") starts with ca978112ca1bbdca.
        assert_eq!(a.url, "/static/x.ca978112ca1bbdca.css");
    }

    #[test]
    fn the_files_are_small_and_call_nobody() {
        for (source, most) in
            [("app.css", 20_000), ("rooms.css", 6_000), ("app.js", 6_500), ("roles.css", 9_000), ("roles.js", 9_000), ("logo.svg", 1_000)]
        {
            let bytes = find(url(source).strip_prefix(PREFIX).unwrap()).unwrap().bytes;
            let text = std::str::from_utf8(bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(bytes.len() < most, "{source} has {} bytes", bytes.len());
            for needle in ["http:", "https:", "data:", "@import", "eval(", "innerHTML", "<style", "<script"] {
                assert!(!text.contains(needle), "{source} contains {needle}");
            }
        }
    }
}

//! What makes the pages an organisation's own: its name, its logo and its colours.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

use super::assets;

/// What an administrator gave.
#[derive(Debug, Clone, Default)]
pub struct BrandSettings {
    /// The name in the header.
    pub name: Option<String>,
    /// The logo: its bytes, and whether it is SVG or else PNG.
    pub logo: Option<(Vec<u8>, bool)>,
    /// The colour on light pages, `#rrggbb`.
    pub color: Option<String>,
    /// The colour on dark pages, `#rrggbb`.
    pub color_dark: Option<String>,
}

/// The brand as the pages have it.
#[derive(Debug)]
pub(super) struct Brand {
    pub(super) name: String,
    /// The path of the logo.
    pub(super) logo: String,
    /// The path of the style sheet with the colours, if there is one.
    pub(super) colours: Option<String>,
    files: Vec<File>,
}

/// A file of the brand, under a name with its digest as the built-in ones have.
#[derive(Debug)]
struct File {
    name: String,
    bytes: Vec<u8>,
    mime: &'static str,
}

impl Brand {
    pub(super) fn new(settings: &BrandSettings) -> Self {
        let mut files = Vec::new();
        let mut keep = |stem: &str, extension: &str, bytes: Vec<u8>, mime| {
            let hash = HEXLOWER.encode(digest(&SHA256, &bytes).as_ref().get(..8).unwrap_or_default());
            let name = format!("{stem}.{hash}.{extension}");
            let path = format!("{}{name}", assets::PREFIX);
            files.push(File { name, bytes, mime });
            path
        };
        let logo = settings.logo.clone().map(|(bytes, is_svg)| {
            let (extension, mime) = if is_svg { ("svg", "image/svg+xml") } else { ("png", "image/png") };
            keep("brand", extension, bytes, mime)
        });
        let colours = style(settings).map(|css| keep("brand", "css", css.into_bytes(), "text/css; charset=utf-8"));
        let name = settings.name.clone().unwrap_or_else(|| "Rolegate".to_owned());
        Self { name, logo: logo.unwrap_or_else(|| assets::logo().to_owned()), colours, files }
    }

    /// The bytes and the media type of a file by the name under which it is served.
    pub(super) fn find(&self, name: &str) -> Option<(Vec<u8>, &'static str)> {
        let file = self.files.iter().find(|file| file.name == name)?;
        Some((file.bytes.clone(), file.mime))
    }
}

/// The style sheet with the colours. They were checked to be colours when the configuration was read.
fn style(settings: &BrandSettings) -> Option<String> {
    let block = |colour: &str, towards: &str| {
        format!(
            ":root {{ --brand: {colour}; --brand-hover: color-mix(in srgb, {colour} 85%, {towards}); --tint: color-mix(in srgb, {colour} 10%, var(--card)); }}"
        )
    };
    let mut css = String::new();
    // Writing to a String cannot fail.
    if let Some(colour) = &settings.color {
        let _ = writeln!(css, "@media not (prefers-color-scheme: dark) {{ {} }}", block(colour, "black"));
    }
    if let Some(colour) = &settings.color_dark {
        let _ = writeln!(css, "@media (prefers-color-scheme: dark) {{ {} }}", block(colour, "white"));
    }
    (!css.is_empty()).then_some(css)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_has_its_own_files_and_without_one_the_pages_are_ours() {
        let ours = Brand::new(&BrandSettings::default());
        assert_eq!((ours.name.as_str(), ours.logo.as_str(), ours.colours.as_deref()), ("Rolegate", assets::logo(), None));
        let settings = BrandSettings {
            name: Some("Example Cloud".into()),
            logo: Some((b"<svg/>".to_vec(), true)),
            color: Some("#803000".into()),
            color_dark: None,
        };
        let brand = Brand::new(&settings);
        let served = |path: &str| brand.find(path.strip_prefix(assets::PREFIX).unwrap()).unwrap();
        assert_eq!(served(&brand.logo), (b"<svg/>".to_vec(), "image/svg+xml"));
        let (css, mime) = served(brand.colours.as_deref().unwrap());
        assert!(mime.starts_with("text/css") && String::from_utf8(css).unwrap().contains("--brand: #803000;"));
        assert!(brand.find("brand.svg").is_none());
    }
}

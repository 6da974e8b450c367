//! What strangers write, cut down to what a log or a page can bear.

/// The longest name, in bytes, that is shown for a person.
const MAX_NAME: usize = 256;

/// An OAuth error code, 64 characters at most; anything else is not repeated. RFC 6749 section 4.1.2.1 would allow more characters, markup
/// among them, but every registered code is of lower-case letters and underscores.
pub(super) fn oauth_error(code: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.');
    if !code.is_empty() && code.len() <= 64 && code.bytes().all(allowed) { code.to_owned() } else { "an unreadable error code".to_owned() }
}

/// A text that can stand for a person: not empty, of bearable length, without control characters.
pub(in crate::identity) fn presentable(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}

/// Text cut to a number of bytes, at a character's border.
pub(super) fn cut(mut text: String, length: usize) -> String {
    text.truncate(text.floor_char_boundary(length));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o17_an_error_code_is_repeated_only_if_it_is_one() {
        assert_eq!(oauth_error("access_denied"), "access_denied");
        for odd in ["", "a\nb", "a\"b", "<ä>", "<script>", "Access Denied", &"x".repeat(65)] {
            assert_eq!(oauth_error(odd), "an unreadable error code");
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("aäb".into(), 2), "a");
        assert_eq!(cut("ab".into(), 9), "ab");
    }
}

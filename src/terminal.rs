//! What may be written to a terminal: texts that came from elsewhere must not steer it.

/// A text with its control characters written out: what a claim or a rule's name holds must not steer the terminal. Line ends stay.
#[must_use]
pub fn harmless(text: &str) -> String {
    escaped(text, |character| character.escape_default().to_string())
}

/// The same without line ends: for a name in a table or a list, in which it must not begin a line that looks like another's.
#[must_use]
pub fn harmless_name(text: &str) -> String {
    harmless(text).replace('\n', "\\n")
}

/// JSON with the same characters written out in its own way, so that it stays JSON: it leaves some of them as they are.
#[must_use]
pub fn harmless_json(text: &str) -> String {
    escaped(text, |character| character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat())
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        if is_control(character) && character != '\n' {
            harmless.push_str(&escape(character));
        } else {
            harmless.push(character);
        }
    }
    harmless
}

/// Control characters (Cc), format characters (Cf), which turn the direction of a line around or are not seen, and separators of lines (Zl, Zp);
/// Unicode 16.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0001}'
                | '\u{e0020}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out_and_the_rest_stays() {
        assert_eq!(harmless("Zoë\n\u{1b}[2J\u{202e}x"), "Zoë\n\\u{1b}[2J\\u{202e}x");
        assert_eq!(harmless_name("Prod\n\u{7}x"), "Prod\\n\\u{7}x");
        for unseen in ['\u{2028}', '\u{2029}', '\u{61c}', '\u{2060}', '\u{200b}', '\u{feff}', '\u{e0041}'] {
            assert!(!harmless(&format!("a{unseen}b")).contains(unseen), "{unseen:?}");
            let text = format!("\"a{unseen}b\"");
            assert_eq!(serde_json::from_str::<String>(&harmless_json(&text)).unwrap(), format!("a{unseen}b"), "it stays JSON");
        }
        let json = harmless_json("\"a\u{9b}b\"");
        assert_eq!(json, "\"a\\u009bb\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\u{9b}b");
    }
}

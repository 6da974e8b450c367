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
    escaped(text, |character| format!("\\u{:04x}", u32::from(character)))
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

/// Control characters, and those that turn the direction of a line around.
fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out_and_the_rest_stays() {
        assert_eq!(harmless("Zoë\n\u{1b}[2J\u{202e}x"), "Zoë\n\\u{1b}[2J\\u{202e}x");
        assert_eq!(harmless_name("Prod\n\u{7}x"), "Prod\\n\\u{7}x");
        let json = harmless_json("\"a\u{9b}b\"");
        assert_eq!(json, "\"a\\u009bb\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\u{9b}b");
    }
}

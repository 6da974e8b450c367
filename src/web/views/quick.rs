//! Writing the small things that a page has hundreds of: without a format string, which is read anew each time, and without looking for what
//! must be escaped where it cannot stand.

use std::fmt;

/// For a type with a `write` that puts only what needs no escaping in HTML: how askama and `Display` write it.
macro_rules! written_quickly {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.write(f)
            }
        }

        impl askama::FastWritable for $type {
            fn write_into(&self, to: &mut dyn std::fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
                Ok(self.write(to)?)
            }
        }

        impl askama::filters::HtmlSafe for $type {}
    };
}

pub(super) use written_quickly;

/// A set of bytes, to look up each byte of a text.
pub(super) struct Bytes([bool; 256]);

impl Bytes {
    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling, where a place that is not there is an error")]
    const fn all_or_none(list: &[u8], has: bool) -> Self {
        let (mut set, mut place) = ([!has; 256], 0);
        while place < list.len() {
            set[list[place] as usize] = has;
            place += 1;
        }
        Self(set)
    }

    /// These bytes.
    pub(super) const fn of(list: &[u8]) -> Self {
        Self::all_or_none(list, true)
    }

    /// All bytes but these.
    pub(super) const fn but(list: &[u8]) -> Self {
        Self::all_or_none(list, false)
    }

    /// Whether a text has none of them. Every byte is looked at, for a text is short and nearly always has none: nothing is decided on the way.
    pub(super) fn has_none_of(&self, text: &str) -> bool {
        let has = |byte: u8| self.0.get(usize::from(byte)).copied().unwrap_or_default();
        !text.bytes().fold(false, |found, byte| found | has(byte))
    }
}

/// A number in decimal.
pub(super) fn write_number(to: &mut dyn fmt::Write, number: usize) -> fmt::Result {
    if number > 9 {
        write_number(to, number / 10)?;
    }
    write_digit(to, number % 10)
}

/// A number below 100 in two digits.
pub(super) fn write_two(to: &mut dyn fmt::Write, number: u32) -> fmt::Result {
    write_digit(to, number as usize / 10 % 10)?;
    write_digit(to, number as usize % 10)
}

fn write_digit(to: &mut dyn fmt::Write, digit: usize) -> fmt::Result {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    to.write_str(DIGITS.get(digit).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::{At, Query};
    use super::*;

    #[test]
    fn what_is_written_quickly_reads_as_what_is_formatted() {
        for number in [0, 7, 10, 99, 100, 4096, usize::MAX] {
            let mut text = String::new();
            write_number(&mut text, number).unwrap();
            assert_eq!(text, number.to_string());
        }
        for text in ["2026-01-02T03:04:05Z", "1999-12-31T23:59:59Z", "0007-10-10T00:00:00Z"] {
            let at = At(text.parse::<DateTime<Utc>>().unwrap());
            assert_eq!(at.iso().to_string(), text);
            assert_eq!(at.to_string(), at.0.format("%-d %b %-Y, %H:%M UTC").to_string());
        }
    }

    #[test]
    fn what_goes_unescaped_has_nothing_to_escape() {
        let everything: String = ('\0'..='\u{2ff}').collect();
        let written = Query(&everything).to_string();
        assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-._%+".contains(&byte)), "{written}");
    }
}

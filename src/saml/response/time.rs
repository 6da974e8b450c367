use chrono::{NaiveDate, NaiveTime, TimeDelta};

use crate::clock::Moment;

/// Reads an `xs:dateTime` as SAML Core section 1.3.3 wants it: in UTC, with a `Z`. Fractions of a second are kept to the nanosecond.
#[must_use]
pub fn moment(text: &str) -> Option<Moment> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, fraction)| (time, Some(fraction)));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok().filter(|year| *year > 0)?, month, day)?;
    let nanos = match fraction {
        None => 0,
        Some(fraction) if !fraction.is_empty() && fraction.len() <= 30 && fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{fraction:0<9.9}").parse().ok()?
        }
        Some(_) => return None,
    };
    // Midnight may be written as the end of the day before.
    if (hour, minute, second, nanos) == (24, 0, 0, 0) {
        return Some(date.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1));
    }
    Some(date.and_time(NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?).and_utc())
}

fn numbers(text: &str, separator: char, lengths: [usize; 3]) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let mut next = |length| {
        let part = parts.next().filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse().ok()
    };
    let [first, second, third] = lengths;
    let found = [next(first)?, next(second)?, next(third)?];
    parts.next().is_none().then_some(found)
}

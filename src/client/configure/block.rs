//! The part of `~/.aws/config` that is ours: from one marked line to another. Everything else is left as it is, to the byte.

use std::collections::BTreeSet;

/// Why the file is not touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damaged {
    #[error("the lines that mark the block of {0} are not one pair, the first before the second")]
    Marks(String),
}

/// The lines around the block of one gateway.
fn marks(gateway: &str) -> (String, String) {
    (format!("# >>> rolegate {gateway} >>>"), format!("# <<< rolegate {gateway} <<<"))
}

/// A file as what stands before the block, the block with its marks, and what stands after it.
fn split<'a>(text: &'a str, gateway: &str) -> Result<(&'a str, &'a str, &'a str), Damaged> {
    let (begin, end) = marks(gateway);
    let (mut begins, mut ends, mut at) = (Vec::new(), Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        if line.trim_end().starts_with(&begin) {
            begins.push(at);
        }
        at += line.len();
        if line.trim_end() == end {
            ends.push(at);
        }
    }
    match (begins.as_slice(), ends.as_slice()) {
        ([], []) => Ok((text, "", "")),
        ([begin], [end]) if begin < end => {
            let (before, rest) = text.split_at(*begin);
            let (block, after) = rest.split_at(end - begin);
            Ok((before, block, after))
        }
        _ => Err(Damaged::Marks(gateway.to_owned())),
    }
}

/// The file with another block, or without one.
pub(super) fn replace(text: &str, gateway: &str, content: Option<&str>) -> Result<String, Damaged> {
    let (before, old, after) = split(text, gateway)?;
    let Some(content) = content else {
        // The empty line before the block came with it.
        let before = if old.is_empty() || !before.ends_with("\n\n") { before } else { before.strip_suffix('\n').unwrap_or(before) };
        return Ok(format!("{before}{after}"));
    };
    let (begin, end) = marks(gateway);
    let gap = match before {
        _ if !old.is_empty() => "",
        "" => "",
        before if before.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    Ok(format!("{before}{gap}{begin} `rolegate configure` writes this block anew each time\n{content}{end}\n{after}"))
}

/// The names of the profiles that stand outside of the block.
pub(super) fn others(text: &str, gateway: &str) -> Result<BTreeSet<String>, Damaged> {
    let (before, _, after) = split(text, gateway)?;
    Ok(before.lines().chain(after.lines()).filter_map(section).map(profile_of).collect())
}

/// The names of all sections of a file of credentials, where each is a profile.
pub(super) fn sections(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(section).map(|name| unquoted(name).to_owned()).collect()
}

fn section(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.rsplit_once(']').map(|(name, _)| name.trim())
}

/// The profile of a section's title: `profile NAME`, or `default`. Other sections (`sso-session x`) are no profiles, and have a space.
fn profile_of(title: &str) -> String {
    match title.split_once(char::is_whitespace) {
        Some(("profile", name)) => unquoted(name.trim()).to_owned(),
        _ => title.to_owned(),
    }
}

fn unquoted(name: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: &str = "https://roles.example.org";
    const BLOCK: &str = "[profile a]\nregion = eu-central-1\n";

    #[test]
    fn the_block_comes_changes_and_goes_and_the_rest_stays() {
        for old in ["", "[default]\nregion = x\n", "[default]\nregion = x", "[default]\r\nregion = x\r\n\r\n# end", "\n\n"] {
            let with = replace(old, HERE, Some(BLOCK)).unwrap();
            assert!(with.starts_with(old) && with.contains(BLOCK), "{with}");
            assert_eq!(replace(&with, HERE, Some(BLOCK)).unwrap(), with, "once more changes nothing");
            let changed = replace(&with, HERE, Some("[profile b]\n")).unwrap();
            assert!(changed.starts_with(old) && changed.contains("[profile b]") && !changed.contains("[profile a]"));
            let without = replace(&changed, HERE, None).unwrap();
            let ended = if old.is_empty() || old.ends_with('\n') { old.to_owned() } else { format!("{old}\n") };
            assert_eq!(without, ended);
            assert_eq!(replace(old, HERE, None).unwrap(), old);
        }
        let around = replace("[default]\n", HERE, Some(BLOCK)).unwrap() + "\n[profile mine]\nrole_arn = x\n";
        let changed = replace(&around, HERE, Some("[profile b]\n")).unwrap();
        assert!(changed.starts_with("[default]\n") && changed.ends_with("\n[profile mine]\nrole_arn = x\n"), "{changed}");
        let two = replace(&around, "https://other.example", Some("[profile c]\n")).unwrap();
        assert!(two.contains(BLOCK) && two.contains("[profile c]"));
    }

    #[test]
    fn marks_that_are_not_one_pair_are_not_guessed_at() {
        let (begin, end) = marks(HERE);
        for text in [
            format!("{begin}\n[profile a]\n"),
            format!("[profile a]\n{end}\n"),
            format!("{end}\n{begin}\n"),
            format!("{begin}\n{end}\n{begin}\n{end}\n"),
            format!("{begin}\n{begin}\n{end}\n"),
        ] {
            assert_eq!(replace(&text, HERE, Some(BLOCK)), Err(Damaged::Marks(HERE.into())), "{text}");
            assert!(others(&text, HERE).is_err());
        }
    }

    #[test]
    fn profiles_outside_are_known_however_they_are_written() {
        let text = "[default]\n[profile one]\n  [profile \"two words\"] # mine\n[profile\tthree]\n[sso-session four]\n# [profile five]\n[ profile six ]\r\n";
        let text = replace(text, HERE, Some("[profile seven]\n")).unwrap();
        let names = others(&text, HERE).unwrap();
        assert_eq!(names, ["default", "one", "two words", "three", "sso-session four", "six"].map(str::to_owned).into());
        assert_eq!(sections("[default]\nx=[no]\n['a b']\n"), ["default", "a b"].map(str::to_owned).into());
    }

    proptest! {
        #[test]
        fn what_is_not_ours_is_never_changed(before in "([a-z\\[\\] =\r\n#>]{0,20}\n){0,6}", after in "([a-z\\[\\] =\r\n#>]{0,20}\n){0,6}") {
            let (begin, end) = marks(HERE);
            let text = format!("{before}{begin} x\nold\n{end}\n{after}");
            let changed = replace(&text, HERE, Some(BLOCK)).unwrap();
            prop_assert!(changed.starts_with(&before) && changed.ends_with(&after));
            prop_assert_eq!(replace(&changed, HERE, Some(BLOCK)).unwrap(), changed);
        }
    }
}

//! Names for people to read.

/// The first so many names, and how many more there are: nobody reads thousands of them.
#[must_use]
pub fn listed(names: impl IntoIterator<Item = impl AsRef<str>>, most: usize) -> String {
    let mut names = names.into_iter();
    let mut first = String::new();
    for (number, name) in names.by_ref().take(most).enumerate() {
        first.push_str(if number > 0 { ", " } else { "" });
        first.push_str(name.as_ref());
    }
    match names.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_would_read_to_its_end_is_cut() {
        let names = |count: usize| (1..=count).map(|n| n.to_string());
        assert_eq!(listed(names(0), 3), "");
        assert_eq!(listed(names(2), 3), "1, 2");
        assert_eq!(listed(names(3), 3), "1, 2, 3");
        assert_eq!(listed(names(5000), 3), "1, 2, 3 and 4997 more");
    }
}

//! The choice of a service and a region, as it stands in forms.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use super::quick::written_quickly;
use crate::arn::Partition;
use crate::aws::console;

/// `option` elements, written once: they are on every page with roles. They are made of tables of ours alone, so nothing in them is escaped.
#[derive(Debug)]
pub(super) struct Options(String);

impl Options {
    /// Of pairs of what is posted and what is read.
    fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        for (value, label) in pairs {
            // Writing to a String cannot fail.
            let _ = if value == label { write!(text, "<option>{label}") } else { write!(text, "<option value={value}>{label}") };
        }
        Self(text)
    }
}

impl Options {
    fn write(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        to.write_str(&self.0)
    }
}

written_quickly!(Options);

/// The services of the console.
static SERVICES: LazyLock<Options> = LazyLock::new(|| Options::of(console::SERVICES.iter().map(|service| (service.path, service.label))));

/// The services of the console.
#[must_use]
pub(super) fn services() -> &'static Options {
    &SERVICES
}

/// The regions of a partition.
#[must_use]
pub(super) fn regions(partition: Partition) -> &'static Options {
    static ALL: LazyLock<[Options; 4]> =
        LazyLock::new(|| Partition::ALL.map(|it| Options::of(console::regions(it).iter().map(|name| (*name, *name)))));
    let [aws, china, gov, europe] = &*ALL;
    match partition {
        Partition::Aws => aws,
        Partition::AwsCn => china,
        Partition::AwsUsGov => gov,
        Partition::AwsEusc => europe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_what_they_are_without_escaping() {
        assert!(SERVICES.0.contains("<option value=dynamodbv2>DynamoDB"));
        let all: String = Partition::ALL.iter().map(|partition| regions(*partition).to_string()).chain([SERVICES.to_string()]).collect();
        let values = all.split("<option").skip(1);
        for option in values {
            let (value, label) = option.split_once('>').unwrap();
            assert!(value.is_empty() || value[7..].bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{option}");
            assert!(label.bytes().all(|b| b.is_ascii_alphanumeric() || b" -,".contains(&b)), "{option}");
        }
        assert!(regions(Partition::AwsUsGov).0.contains("us-gov-east-1") && regions(Partition::AwsEusc).0.contains("eusc-de-east-1"));
    }
}

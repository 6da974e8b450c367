//! Where in the console somebody may be sent: an allow-list, because AWS forwards the browser to whatever it is told.

use url::Url;

use crate::arn::{Partition, Region};

/// The longest destination, in bytes.
const LONGEST: usize = 2048;

/// A checked address inside the console of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    url: Url,
    partition: Partition,
}

/// Why somebody is not sent where they want to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DestinationRefused {
    /// Neither an address nor a service's short name, or with characters that no address has.
    #[error("a destination is an https address of the AWS console or a service's name such as s3 or ec2@eu-central-1")]
    Malformed,
    /// An address without https, or with a user or a port in it.
    #[error("a destination starts with https:// and has neither a user nor a port")]
    NotPlainHttps,
    /// An address outside the console of the role's partition.
    #[error("the destination is not in the AWS console of the role's partition")]
    Elsewhere,
    /// A region that is none, or is in another partition than the role.
    #[error("the region does not belong to the role's partition")]
    Region,
}

impl Destination {
    /// The address, as the allow-list rebuilt it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The partition whose console it is.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    pub(super) fn parse(partition: Partition, console: Option<&Url>, wanted: Option<&str>) -> Result<Self, DestinationRefused> {
        let home = match console {
            Some(url) => url.clone(),
            None => url_of(&format!("https://{}/", partition.console_host()))?,
        };
        let wanted = wanted.unwrap_or_default();
        // Browsers drop or turn around some of these, so that what was checked is not where they go.
        if wanted.len() > LONGEST || wanted.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'\\') {
            return Err(DestinationRefused::Malformed);
        }
        let url = if wanted.is_empty() {
            home
        } else if wanted.contains([':', '/']) {
            address(partition, console, wanted)?
        } else {
            shorthand(partition, console, wanted)?
        };
        Ok(Self { url, partition })
    }
}

fn url_of(text: &str) -> Result<Url, DestinationRefused> {
    Url::parse(text).map_err(|_| DestinationRefused::Malformed)
}

/// A whole address. With a stand-in console, its origin; otherwise the partition's console host or any host below it: AWS puts regions,
/// and for several sessions in one browser the account, before it, and more than that is not read out of a host.
fn address(partition: Partition, console: Option<&Url>, wanted: &str) -> Result<Url, DestinationRefused> {
    let url = url_of(wanted)?;
    if let Some(console) = console {
        let same = url.origin() == console.origin() && url.username().is_empty() && url.password().is_none();
        return if same { Ok(url) } else { Err(DestinationRefused::Elsewhere) };
    }
    let authority = wanted.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    if authority.is_none_or(|authority| authority.is_empty() || authority.contains(['@', ':', '%'])) {
        return Err(DestinationRefused::NotPlainHttps);
    }
    let host = url.host_str().unwrap_or_default();
    let console_host = partition.console_host();
    let below = host.strip_suffix(console_host).is_some_and(|before| before.len() > 1 && before.ends_with('.'));
    if host == console_host || below { Ok(url) } else { Err(DestinationRefused::Elsewhere) }
}

/// `ec2`, or `ec2@eu-central-1`.
fn shorthand(partition: Partition, console: Option<&Url>, wanted: &str) -> Result<Url, DestinationRefused> {
    let (service, region) = wanted.split_once('@').map_or((wanted, None), |(service, region)| (service, Some(region)));
    let starts_well = service.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || service.len() > 40 || !service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(DestinationRefused::Malformed);
    }
    let region = region
        .map(|name| name.parse::<Region>().ok().filter(|region| partition.has_region(region)).ok_or(DestinationRefused::Region))
        .transpose()?;
    let base = match (console, &region) {
        (Some(url), _) => url.as_str().trim_end_matches('/').to_owned(),
        (None, Some(region)) => format!("https://{region}.{}", partition.console_host()),
        (None, None) => format!("https://{}", partition.console_host()),
    };
    let query = region.map(|region| format!("?region={region}")).unwrap_or_default();
    url_of(&format!("{base}/{service}/home{query}"))
}

//! The provider's metadata: fetched or read, verified, kept, and renewed.

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use url::Url;

use super::checked::{Checked, Source};
use crate::clock::Moment;
use crate::identity::cache::Pace;
use crate::identity::http::Http;
use crate::saml::Certificate;
use crate::saml::metadata::{IdpDescription, verify_signed};
use crate::saml::verify::Verifier;
use crate::saml::xml::Limits;
use crate::settings;

/// How long metadata serves that says nothing of it: a day; and how long an old copy serves while its server is down.
pub(super) const PACE: Pace = Pace {
    fresh: TimeDelta::days(1),
    keep: TimeDelta::days(30),
    after_failure: TimeDelta::seconds(10),
    between_renewals: TimeDelta::seconds(30),
};
/// Nobody's metadata is asked for more often than this, whatever it says.
const SHORTEST_SPAN: TimeDelta = TimeDelta::minutes(5);
/// Nor kept longer without a look: a key that the provider takes out of its metadata counts no longer than that.
const LONGEST_SPAN: TimeDelta = TimeDelta::days(1);
/// How long ahead the end of metadata is warned of: many providers publish it for a few days and renew it daily.
const METADATA_WARNED_AHEAD: TimeDelta = TimeDelta::days(2);
/// How long ahead the end of a certificate is warned of.
const CERTIFICATE_WARNED_AHEAD: TimeDelta = TimeDelta::days(30);

/// The largest metadata that is read, in bytes.
pub(super) const MOST_BYTES: usize = Limits::METADATA.bytes;

/// The provider as its metadata describes it, with its keys ready to verify.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) description: IdpDescription,
    pub(super) verifier: Verifier,
}

impl Loaded {
    /// How long it may be used without a look for a newer one.
    pub(super) fn own_span(&self, now: Moment) -> Option<TimeDelta> {
        let wanted = self.description.cache_duration.and_then(|span| TimeDelta::from_std(span).ok());
        let left = self.description.valid_until.map(|until| until - now);
        wanted.into_iter().chain(left).min().map(|span| span.clamp(SHORTEST_SPAN, LONGEST_SPAN))
    }

    /// What an administrator should know about it.
    pub(super) fn warnings(&self, now: Moment) -> Vec<String> {
        let mut list: Vec<String> = self.description.findings.iter().map(|finding| format!("{finding:?}")).collect();
        if let Some(until) = self.description.valid_until
            && until - now < METADATA_WARNED_AHEAD
        {
            list.push(format!("the metadata is valid until {until} only"));
        }
        for certificate in self.description.signing(now).unwrap_or_default() {
            if certificate.not_after() - now < CERTIFICATE_WARNED_AHEAD {
                list.push(format!("the signing certificate {} says that it ends {}", certificate.fingerprint(), certificate.not_after()));
            }
        }
        list
    }
}

/// Reads a document. With a pinned certificate it must be signed by that one.
///
/// # Errors
/// A sentence about what is wrong.
pub(super) fn read(bytes: &[u8], pinned: Option<&Certificate>, entity_id: Option<&str>) -> Result<Loaded, String> {
    let description = match pinned {
        Some(certificate) => {
            let signed = verify_signed(bytes, std::slice::from_ref(certificate)).map_err(|error| error.to_string())?;
            signed.describe(entity_id)
        }
        None => IdpDescription::parse(bytes, entity_id),
    };
    let description = description.map_err(|error| error.to_string())?;
    let certificates = description.signing(Moment::MIN_UTC).map_err(|error| error.to_string())?;
    let verifier = Verifier::new(certificates).map_err(|error| error.to_string())?;
    Ok(Loaded { description, verifier })
}

/// Metadata that takes the place of what was read before, if it is of the same provider. Who can change what stands at the address must not
/// become another provider by it, whose people would then bear the names of this one's.
///
/// # Errors
/// A sentence for the administrator.
pub(super) fn of_the_same(before: Option<&Loaded>, fetched: Loaded) -> Result<Loaded, String> {
    let (old, new) = (before.map(|before| &before.description.entity_id), &fetched.description.entity_id);
    match old {
        Some(old) if old != new => Err(format!(
            "the metadata is of `{new}` now, and was of `{old}`: if that is meant, set `entity_id` to the new one and restart Rolegate"
        )),
        _ => Ok(fetched),
    }
}

/// Reads a file that is not larger than metadata may be.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    settings::read_file(path, MOST_BYTES as u64).map_err(|error| format!("the file {} cannot be read: {error}", path.display()))
}

/// Fetches and reads the metadata as the settings say. Reading megabytes of XML takes its time, so it is done aside.
///
/// # Errors
/// A sentence about what is unreachable or wrong.
pub(super) async fn fetch(checked: &Arc<Checked>, http: &Http, now: Moment) -> Result<Loaded, String> {
    let (bytes, place) = match &checked.source {
        Source::Url(url) => (Some(get(http, url).await?), url.to_string()),
        Source::File(path) => (None, path.display().to_string()),
    };
    let settings = Arc::clone(checked);
    let work = move || {
        let bytes = match (bytes, &settings.source) {
            (Some(bytes), _) => bytes,
            (None, Source::File(path)) => read_file(path)?,
            (None, Source::Url(_)) => Vec::new(),
        };
        read(&bytes, settings.pinned.as_ref(), settings.entity_id.as_deref())
    };
    let read = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?;
    let loaded = read.map_err(|error| format!("{place}: {error}"))?;
    loaded.description.signing(now).map_err(|error| format!("{place}: {error}"))?;
    for endpoint in loaded.description.single_sign_on.iter().chain(&loaded.description.single_logout) {
        let locations = std::iter::once(&endpoint.location).chain(&endpoint.response_location);
        for location in locations {
            let url = Url::parse(location).map_err(|error| format!("{place}: {location} is not a URL: {error}"))?;
            checked.visits.check_scheme(&url).map_err(|error| format!("{place} names a URL that is refused: {error}"))?;
        }
    }
    Ok(loaded)
}

async fn get(http: &Http, url: &Url) -> Result<Vec<u8>, String> {
    http.get_as("application/samlmetadata+xml, application/xml, text/xml", url, None).await
}

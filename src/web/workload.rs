//! Credentials for a workload's token: its own limit, and the gateway. Both faces, the API and the token endpoint, come through here.

use secrecy::{ExposeSecret, SecretString};

use super::limit;
use super::site::Site;
use super::trouble::PageError;
use crate::access::Wish;
use crate::gateway::{Caller, Issued};

/// Issues credentials to the workload of a token, which is counted once it is known. Its address must have been counted before: verifying
/// costs.
pub(super) async fn issue(site: &Site, caller: &Caller, token: &SecretString, wish: &Wish) -> Result<Issued, PageError> {
    let workload = site.gateway.identify(token.expose_secret()).await?;
    limit::of_workload(site, &workload.identity).await?;
    Ok(site.gateway.assume_for(&workload, wish, caller).await?)
}

//! The accounts of an AWS organization, with their organizational units and tags, and a copy of them on disk.
//!
//! These calls are signed: the gateway needs credentials of its own for them (the SDK's usual chain: environment, profile, container,
//! instance), of the management account or of a delegated administrator.

mod copy;
mod settings;

use std::collections::VecDeque;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::config::retry::RetryConfig;
use aws_sdk_organizations::config::timeout::TimeoutConfig;
use aws_sdk_organizations::config::{AppName, Region};
use aws_sdk_organizations::error::{DisplayErrorContext, SdkError};
use aws_sdk_organizations::types::{Account, AccountState};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

pub use copy::Copy;
pub use settings::OrganizationSettings;

use crate::access::AccountSettings;
use crate::arn::Partition;

/// All tries of one call. Organizations throttles early, and nobody waits at a page for it.
const TRIES: u32 = 8;
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long one call may take, all tries together.
const DEADLINE: Duration = Duration::from_mins(2);
/// The most accounts that are taken: ten times AWS's usual limit, so that a wrong endpoint cannot fill the memory.
const MOST_ACCOUNTS: usize = 100_000;

/// Why the organization cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// AWS refused or did not answer; what it said.
    #[error("AWS Organizations did not answer {call}: {reason}")]
    Call {
        /// The operation.
        call: &'static str,
        /// The SDK's words for it.
        reason: String,
    },
    /// More accounts than are believed.
    #[error("the organization seems to have more than {MOST_ACCOUNTS} accounts")]
    TooMany,
}

fn unanswered<E, R>(call: &'static str) -> impl Fn(SdkError<E, R>) -> Unreadable
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    move |error| Unreadable::Call { call, reason: DisplayErrorContext(&error).to_string() }
}

/// Reads the organization: every active account, ordered by id.
///
/// It walks down from the roots, two calls for each organizational unit and one for each account's tags, page by page.
///
/// # Errors
/// [`Unreadable`], after the retries that each call deserves. Half an organization is none: rules would take roles away.
pub async fn discover(settings: &OrganizationSettings) -> Result<Vec<AccountSettings>, Unreadable> {
    // Credentials stand in what the SDK logs.
    walk(settings).with_subscriber(Dispatch::none()).await
}

async fn walk(settings: &OrganizationSettings) -> Result<Vec<AccountSettings>, Unreadable> {
    let client = client(settings).await;
    let mut units = VecDeque::new();
    let mut pages = client.list_roots().into_paginator().send();
    while let Some(page) = pages.next().await {
        let roots = page.map_err(unanswered("ListRoots"))?.roots.unwrap_or_default();
        units.extend(roots.into_iter().filter_map(|root| Some((root.id?, String::new()))));
    }
    let mut accounts = Vec::new();
    while let Some((unit, path)) = units.pop_front() {
        let place = if path.is_empty() { "/" } else { &path };
        let mut pages = client.list_accounts_for_parent().parent_id(&unit).into_paginator().send();
        while let Some(page) = pages.next().await {
            let found = page.map_err(unanswered("ListAccountsForParent"))?.accounts.unwrap_or_default();
            accounts.extend(found.into_iter().filter_map(|account| described(account, place)));
            if accounts.len() > MOST_ACCOUNTS {
                return Err(Unreadable::TooMany);
            }
        }
        let mut pages = client.list_organizational_units_for_parent().parent_id(&unit).into_paginator().send();
        while let Some(page) = pages.next().await {
            let below = page.map_err(unanswered("ListOrganizationalUnitsForParent"))?.organizational_units.unwrap_or_default();
            // A name with a slash in it must not look like a unit below another, nor like any other name.
            let named = |name: String| format!("{path}/{}", name.replace('%', "%25").replace('/', "%2F"));
            units.extend(below.into_iter().filter_map(|unit| Some((unit.id?, named(unit.name?)))));
        }
    }
    for account in &mut accounts {
        let mut tags = client.list_tags_for_resource().resource_id(&account.id).into_paginator().items().send();
        while let Some(tag) = tags.next().await {
            let tag = tag.map_err(unanswered("ListTagsForResource"))?;
            account.tags.insert(tag.key, tag.value);
        }
    }
    accounts.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(accounts)
}

/// An account as the file would list it; none for one that is closed or not ready.
fn described(account: Account, ou: &str) -> Option<AccountSettings> {
    // Older answers, and every stand-in for Organizations, have `status` only.
    let active = match account.state() {
        Some(state) => *state == AccountState::Active,
        None => account.status() == Some(&aws_sdk_organizations::types::AccountStatus::Active),
    };
    let id = account.id.filter(|_| active)?;
    let arn = account.arn.unwrap_or_default();
    let named = |partition: &Partition| arn.split(':').nth(1) == Some(partition.as_str());
    let partition = Partition::ALL.into_iter().find(named).unwrap_or_default();
    Some(AccountSettings { name: account.name.unwrap_or_default(), partition, ou: Some(ou.to_owned()), id, ..AccountSettings::default() })
}

async fn client(settings: &OrganizationSettings) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_timeout(DEADLINE).build();
    let retries = RetryConfig::standard().with_max_attempts(TRIES).with_max_backoff(LONGEST_PAUSE);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .timeout_config(timeouts)
        .retry_config(retries);
    if let Ok(name) = AppName::new("rolegate") {
        loader = loader.app_name(name);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    Client::new(&loader.load().await)
}

//! Credentials, and the way into the console.

use std::time::Duration;

use actix_web::web;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::describe::Answer;
use super::who::{Client, Me};
use crate::access::{Denied, Purpose, Target, Wish};
use crate::aws::console::ConsoleUrl;
use crate::clock::Moment;
use crate::gateway::{ConsoleEntry, Entrance, Failure, Issued, Trouble};
use crate::web::issue::to_the_end;
use crate::web::limit;
use crate::web::step_up::{Onward, role_link};
use crate::web::trouble::PageError;
use crate::web::workload;

/// A role's credentials that are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct CredentialsWish {
    /// The role's ARN, or the text of what is no role.
    role: Target,
    /// How long the AWS session is to last, in seconds: from 900 up to what the rules allow. Without it an hour, or less where less is allowed.
    #[schemars(range(min = 900, max = 43_200))]
    duration_seconds: Option<u64>,
    /// What the role is needed for, where the rules want to be told.
    reason: Option<String>,
    /// The six digits that an MFA device shows, where AWS wants them.
    mfa_code: Option<String>,
    /// Whether this is an emergency: without it, what is for emergencies is not handed out. To take it is an alarm.
    #[serde(default)]
    break_glass: bool,
}

/// Temporary AWS credentials. All but the first three members are secrets or belong to them.
#[derive(Serialize, JsonSchema)]
pub(in crate::web) struct Credentials {
    /// The role's ARN, or the text of what is no role.
    role_arn: String,
    /// The name of the AWS session, as CloudTrail has it.
    session_name: String,
    /// The access key id.
    access_key_id: String,
    /// The secret access key.
    secret_access_key: String,
    /// The session token.
    session_token: String,
    /// When AWS stops accepting them.
    expiration: Moment,
}

impl From<&Issued> for Credentials {
    fn from(issued: &Issued) -> Self {
        let Issued { credentials, request } = issued;
        Self {
            role_arn: credentials.target.to_string(),
            session_name: request.session_name().to_owned(),
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.expose_secret().to_owned(),
            session_token: credentials.session_token.expose_secret().to_owned(),
            expiration: credentials.expires,
        }
    }
}

/// `POST /api/v1/credentials`: for a person's session, or for a workload's token.
pub(super) async fn credentials(client: Client, wish: web::Json<CredentialsWish>) -> Result<Answer<Credentials>, PageError> {
    to_the_end(async move {
        let CredentialsWish { role, duration_seconds, reason, mfa_code, break_glass } = wish.into_inner();
        let (duration, mfa_code) = (duration_seconds.map(Duration::from_secs), mfa_code.map(SecretString::from));
        let wish = Wish { role: role.to_string(), duration, purpose: Purpose::Credentials, reason, mfa_code, break_glass };
        if let Some(token) = client.foreign_token() {
            limit::may_verify(&client.site, client.caller.ip, token.expose_secret().len()).await?;
            let issued = workload::issue(&client.site, &client.caller, token, &wish).await?;
            return Ok(Answer(Credentials::from(&issued)));
        }
        let me = client.signed_in().await?;
        limit::of_person(&me.client.site, &me.session.identity, 1).await?;
        let issued = me.client.site.gateway.assume(&me.id, &me.session, &wish, &me.client.caller).await;
        let issued = issued.map_err(|failure| me.refused(&role, Onward { destination: None, break_glass }, failure))?;
        Ok(Answer(Credentials::from(&issued)))
    })
    .await
}

/// A way into the console that is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct ConsoleWish {
    /// The role's ARN, or the text of what is no role.
    role: Target,
    /// A page of the AWS console; without it its front page.
    destination: Option<String>,
    /// How long the console session is to last, in seconds.
    #[schemars(range(min = 900, max = 43_200))]
    duration_seconds: Option<u64>,
    /// What the role is needed for, where the rules want to be told.
    reason: Option<String>,
    /// Whether this is an emergency: without it, what is for emergencies is not handed out. To take it is an alarm.
    #[serde(default)]
    break_glass: bool,
}

/// A way into the console.
#[derive(Serialize, JsonSchema)]
pub(in crate::web) struct ConsoleAddress {
    /// Opens the console in a browser. It is a secret: whoever opens it is in. Where the way leads over a form that only a browser can send,
    /// it is the gateway's own page with that form, and no secret.
    url: String,
    /// Until when it can be opened.
    expires: Moment,
}

/// `POST /api/v1/console`.
pub(super) async fn console(client: Client, wish: web::Json<ConsoleWish>) -> Result<Answer<ConsoleAddress>, PageError> {
    to_the_end(async move {
        let me = client.signed_in().await?;
        limit::of_person(&me.client.site, &me.session.identity, 1).await?;
        let ConsoleWish { role, destination, duration_seconds, reason, break_glass } = wish.into_inner();
        let duration = duration_seconds.map(Duration::from_secs);
        let wish = Wish { role: role.to_string(), duration, purpose: Purpose::Console, reason, mfa_code: None, break_glass };
        let destination = destination.as_deref();
        let onward = Onward { destination, break_glass };
        let entrance = Entrance { destination, by_program: true, ..Entrance::default() };
        let (gateway, caller) = (&me.client.site.gateway, &me.client.caller);
        let entry = gateway.enter_console(&me.session, &wish, entrance, caller).await;
        Ok(Answer(match entry.map_err(|failure| me.refused(&role, onward, failure))? {
            ConsoleEntry::Redirect { url, .. } => {
                ConsoleAddress { url: url.expose().to_owned(), expires: gateway.now() + ConsoleUrl::LIFE }
            }
            ConsoleEntry::ByBrowser | ConsoleEntry::Post(_) => {
                ConsoleAddress { url: me.page(&role_link(&role, onward)), expires: me.session.expires }
            }
        }))
    })
    .await
}

impl Me {
    /// The address of a page of ours.
    fn page(&self, path: &str) -> String {
        format!("{}{path}", self.client.site.origin)
    }

    /// A refusal; one that another sign-in can cure says where that begins: at the page that waits for a click on the role.
    fn refused(&self, role: &Target, onward: Onward<'_>, failure: Failure) -> PageError {
        match &failure.trouble {
            Trouble::Denied(Denied::StepUp(_)) => PageError::SignInElsewhere { failure, url: self.page(&role_link(role, onward)) },
            Trouble::Denied(Denied::OnRequest) => PageError::AskElsewhere { failure, url: self.page(&role_link(role, Onward::default())) },
            Trouble::SignInAgain => {
                let next = url::form_urlencoded::byte_serialize(role_link(role, onward).as_bytes()).collect::<String>();
                let url = self.page(&format!("/login/{}?next={next}", self.session.identity.provider()));
                PageError::SignInElsewhere { failure, url }
            }
            _ => failure.into(),
        }
    }
}

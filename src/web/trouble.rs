//! From a failure to a page: a short, fixed list of plain sentences.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use askama::Template;

pub(super) use super::refusal::denial;
use super::refusal::{busy, certificate_wanted, denied, moved_trail, refused, request, room, token, unreadable_trail, unrecorded};
use super::site::Site;
use super::unfit::Unfit;
use super::views::{ErrorPage, Link, Mender, Text};
use crate::access::Denied;
use crate::aws;
use crate::gateway::{Failure, LocalPath, RequestRefused, Trouble};
use crate::store;

/// Why a request has no page of its own.
#[derive(Debug)]
pub(super) enum PageError {
    /// The gateway failed, and logged why.
    Failure(Failure),
    /// Nobody is signed in: on to the sign-in page, and back here afterwards.
    SignInFirst { next: LocalPath, had_session: bool },
    /// The form does not come from a page of ours.
    Forged,
    /// There is no such page.
    NotFound,
    /// The request cannot be read: a field is missing, there twice, or not what it should be.
    Unreadable,
    /// A program's request cannot be read, and why.
    UnreadableBody(String),
    /// A program showed no session, or one that has ended: it is told so, and not sent to a page.
    NotSignedIn { had_session: bool },
    /// The gateway wants another sign-in first, which begins at this address.
    SignInElsewhere { failure: Failure, url: String },
    /// The role is had on request, and one asks for it at this address.
    AskElsewhere { failure: Failure, url: String },
    /// Too many requests of one kind; how many seconds to wait.
    TooMany(u64),
    /// A person or a workload asks for more credentials than it may; the seconds to wait.
    TooOften(u64),
    /// The address takes no such request.
    Unfit(Unfit),
    /// The request took longer than the configuration allows, to arrive or to be answered.
    TooSlow,
}

impl PageError {
    pub(super) fn bad_destination(reason: &dyn fmt::Display) -> Self {
        Self::Failure(Failure::logged(Trouble::BadDestination, reason))
    }

    pub(super) fn broken(reason: &dyn fmt::Display) -> Self {
        Self::Failure(Failure::logged(Trouble::Signing, reason))
    }
}

impl From<Failure> for PageError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failure(_) => "failure",
            Self::SignInFirst { .. } => "nobody is signed in",
            Self::Forged => "forged form",
            Self::NotFound => "not found",
            Self::Unreadable | Self::UnreadableBody(_) => "unreadable request",
            Self::NotSignedIn { .. } => "no session",
            Self::SignInElsewhere { .. } => "another sign-in is wanted",
            Self::AskElsewhere { .. } => "a request is wanted",
            Self::TooMany(_) | Self::TooOften(_) => "too many requests",
            Self::Unfit(_) => "unfit request",
            Self::TooSlow => "too slow",
        })
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignInFirst { .. } => StatusCode::SEE_OTHER,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unreadable | Self::UnreadableBody(_) => StatusCode::BAD_REQUEST,
            Self::NotSignedIn { .. } => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) | Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unfit(unfit) => unfit.status(),
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Failure(failure) | Self::SignInElsewhere { failure, .. } | Self::AskElsewhere { failure, .. } => match &failure.trouble {
                Trouble::Request(RequestRefused::Unfit(store::Unfit::NoSuch)) | Trouble::UnknownProvider | Trouble::TrailMoved => {
                    StatusCode::NOT_FOUND
                }
                Trouble::BadDestination
                | Trouble::SignOutRefused(_)
                | Trouble::Denied(Denied::Duration(_) | Denied::RequestLength(_) | Denied::Reason(_) | Denied::MfaCode) => {
                    StatusCode::BAD_REQUEST
                }
                Trouble::SignInRefused(..)
                | Trouble::SignInExpired
                | Trouble::Denied(_)
                | Trouble::SignInAgain
                | Trouble::NotForYou(_)
                | Trouble::CertificateWanted
                | Trouble::Request(RequestRefused::Own | RequestRefused::NotApprover) => StatusCode::FORBIDDEN,
                Trouble::Request(RequestRefused::Unfit(_)) => StatusCode::CONFLICT,
                Trouble::Aws(_) | Trouble::ProviderUnavailable(_) => StatusCode::BAD_GATEWAY,
                Trouble::TokenRefused(_) => StatusCode::UNAUTHORIZED,
                Trouble::Signing | Trouble::TrailUnreadable | Trouble::Broken => StatusCode::INTERNAL_SERVER_ERROR,
                Trouble::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
                Trouble::Request(RequestRefused::Full) | Trouble::Store | Trouble::Undelivered | Trouble::Audit | Trouble::Unrecorded => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
            },
        }
    }

    /// The bare answer. `guard` puts the page in it, because only there the site is at hand.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::SignInFirst { next, had_session } => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                query.append_pair("next", next.as_str());
                if *had_session {
                    query.append_pair("ended", "1");
                }
                response.insert_header((LOCATION, format!("/login?{}", query.finish())));
            }
            Self::Unfit(Unfit::Method(allowed)) => {
                response.insert_header((ALLOW, *allowed));
            }
            Self::Failure(failure)
                if matches!(failure.trouble, Trouble::Store | Trouble::Undelivered | Trouble::Audit | Trouble::Unrecorded) =>
            {
                response.insert_header((RETRY_AFTER, "5"));
            }
            Self::Failure(failure) if matches!(failure.trouble, Trouble::Busy(_)) => {
                response.insert_header((RETRY_AFTER, "30"));
            }
            Self::TooMany(seconds) | Self::TooOften(seconds) => {
                response.insert_header((RETRY_AFTER, *seconds));
            }
            _ => {}
        }
        response.finish()
    }
}

/// Room for most pages, so that a body is not moved again and again while it grows.
const USUAL_PAGE: usize = 16 * 1024;

/// A page.
pub(super) fn html(page: &impl Template) -> HttpResponse {
    let mut body = String::with_capacity(USUAL_PAGE);
    match page.render_into(&mut body) {
        Ok(()) => HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body),
        Err(error) => {
            tracing::error!(reason = %error, "a page was not rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// On to another page, by GET.
pub(super) fn redirect(to: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, to));
    response
}

/// A page's sentences.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) happened: Text<'static>,
    pub(super) mender: Mender<'static>,
    pub(super) next: &'static str,
    /// Label and local path of the way on.
    pub(super) action: (&'static str, &'static str),
}

pub(super) const HOME: (&str, &str) = ("Back to your roles", "/");
pub(super) const LOGIN: (&str, &str) = ("Sign in", "/login");

/// The page for an error.
pub(super) fn page<'a>(site: &'a Site, error: &PageError) -> ErrorPage<'a> {
    let words = words(error);
    let incident = match error {
        PageError::Failure(failure) | PageError::SignInElsewhere { failure, .. } | PageError::AskElsewhere { failure, .. } => {
            Some(failure.incident.clone().into())
        }
        _ => None,
    };
    let (label, href) = words.action;
    ErrorPage {
        shell: site.shell(String::new(), None),
        title: words.title.into(),
        happened: words.happened,
        mender: words.mender,
        next: words.next.into(),
        incident,
        action: Some(Link { label: label.into(), href: href.into() }),
    }
}

pub(super) fn words(error: &PageError) -> Words {
    match error {
        PageError::Failure(failure) | PageError::SignInElsewhere { failure, .. } | PageError::AskElsewhere { failure, .. } => {
            trouble(&failure.trouble)
        }
        PageError::SignInFirst { .. } | PageError::NotSignedIn { .. } => Words {
            title: "Sign in first",
            happened: "Nobody is signed in here.".into(),
            mender: Mender::You,
            next: "Sign in, and you come back to where you wanted to go.",
            action: LOGIN,
        },
        PageError::Forged => Words {
            title: "This form has expired",
            happened: "The form was sent from a page that is no longer valid, or from another site. Nothing was done.".into(),
            mender: Mender::You,
            next: "Open the page again and repeat what you did. If you did nothing, another site tried to act in your name: nothing came of it.",
            action: HOME,
        },
        PageError::NotFound => Words {
            title: "There is no such page",
            happened: "The address leads nowhere.".into(),
            mender: Mender::You,
            next: "Check the address, or start from your roles.",
            action: HOME,
        },
        PageError::Unreadable | PageError::UnreadableBody(_) => Words {
            title: "The request cannot be read",
            happened: "Something that the page needs is missing from the request, stands there twice, or makes no sense. Nothing was done."
                .into(),
            mender: Mender::You,
            next: "Go back to your roles and start again from there.",
            action: HOME,
        },
        PageError::Unfit(unfit) => unfit.words(),
        PageError::TooMany(_) => Words {
            title: "Too many sign-ins at once",
            happened: "Very many sign-ins were begun or finished from your network within a short time. This one was not.".into(),
            mender: Mender::You,
            next: "Wait a few seconds, then start again. If it stays, tell your administrator.",
            action: LOGIN,
        },
        PageError::TooOften(seconds) => Words {
            title: "Too many credentials at once",
            happened: format!(
                "Credentials were asked for in your name more often than this gateway allows, perhaps by a program of yours. This time nothing was \
                 issued; in {seconds} s there may be some again."
            )
            .into(),
            mender: Mender::You,
            next: "Wait, then try again. Programs should keep credentials until they end: `rolegate credentials` does.",
            action: HOME,
        },
        PageError::TooSlow => Words {
            title: "That took too long",
            happened: "The request did not arrive, or was not answered, within the time that the gateway allows. Nothing was handed over."
                .into(),
            mender: Mender::Administrator,
            next: "Try again. If it stays, tell your administrator when it happened.",
            action: HOME,
        },
    }
}

fn trouble(trouble: &Trouble) -> Words {
    match trouble {
        Trouble::UnknownProvider => unknown_provider(),
        Trouble::ProviderUnavailable(name) => Words {
            title: "The identity provider does not answer",
            happened: format!("{name} could not be reached, or its answer made no sense. You were not signed in.").into(),
            mender: Mender::Provider(name.clone().into()),
            next: "Try again in a minute, or choose another provider.",
            action: LOGIN,
        },
        Trouble::SignInRefused(name, rejected) => refused(name, rejected),
        Trouble::SignOutRefused(name) => Words {
            title: "The sign-out message was refused",
            happened: format!(
                "A sign-out message that should be from {name} could not be verified, or is too old. No session was ended by it."
            )
            .into(),
            mender: Mender::Administrator,
            next: "To end your session here, sign out on the start page.",
            action: HOME,
        },
        Trouble::TokenRefused(rejected) => Words {
            title: "The workload's token is refused",
            happened: token(rejected).into(),
            mender: Mender::You,
            next: "Get a new token from the platform, made for this gateway alone.",
            action: HOME,
        },
        Trouble::SignInExpired => Words {
            title: "This sign-in is no longer valid",
            happened: "It took longer than ten minutes, was finished before, or was begun in another browser.".into(),
            mender: Mender::You,
            next: "Start again.",
            action: LOGIN,
        },
        Trouble::Denied(why) => denied(why),
        Trouble::Request(refused) => request(*refused),
        Trouble::BadDestination => Words {
            title: "The console page is not allowed",
            happened: "The link leads to a page that is not in the AWS console of the role's partition. Nothing was issued.".into(),
            mender: Mender::You,
            next: "Check the link's destination, or open the console's start page instead.",
            action: HOME,
        },
        Trouble::Aws(explanation) => from_aws(explanation),
        Trouble::SignInAgain => Words {
            title: "Sign in again for this role",
            happened: "The role needs a fresh token of your identity provider, and yours has expired.".into(),
            mender: Mender::You,
            next: "Sign out, sign in again, and take the role right away.",
            action: HOME,
        },
        Trouble::Signing => Words {
            title: "The gateway could not do it",
            happened: "The proof for AWS could not be made. Nothing was issued.".into(),
            mender: Mender::Administrator,
            next: "Try again. If it stays, give your administrator the incident id.",
            action: HOME,
        },
        Trouble::Broken => Words {
            title: "The gateway could not do it",
            happened: "Something in Rolegate itself went wrong. Nothing was changed and nothing was handed out.".into(),
            mender: Mender::Administrator,
            next: "Tell your administrator, with the incident id: it is an error of Rolegate's own, and should be reported.",
            action: HOME,
        },
        Trouble::Store => Words {
            title: "The gateway's memory does not answer",
            happened: "Sessions cannot be looked up right now. Nothing was lost and nothing was issued.".into(),
            mender: Mender::Administrator,
            next: "Try again in a few seconds.",
            action: HOME,
        },
        Trouble::Undelivered => Words {
            title: "The credentials could not be handed over",
            happened:
                "AWS issued them, but the gateway's memory did not take them for the page that shows them. Nobody has them, and they run \
                       out by themselves. Both are in the audit trail."
                    .into(),
            mender: Mender::Administrator,
            next: "Try again in a few seconds.",
            action: HOME,
        },
        Trouble::Audit => Words {
            title: "The audit trail cannot be written",
            happened: "Rolegate hands out nothing that it cannot record, so nothing was handed out.".into(),
            mender: Mender::Administrator,
            next: "Tell your administrator, with the incident id.",
            action: HOME,
        },
        Trouble::Unrecorded => unrecorded(),
        Trouble::NotForYou(role) => room(*role),
        Trouble::CertificateWanted => certificate_wanted(),
        Trouble::Busy(engaged) => busy(*engaged),
        Trouble::TrailUnreadable => unreadable_trail(),
        Trouble::TrailMoved => moved_trail(),
    }
}

fn unknown_provider() -> Words {
    Words {
        title: "There is no such identity provider",
        happened: "The address names an identity provider that is not configured here.".into(),
        mender: Mender::You,
        next: "Choose one on the sign-in page.",
        action: LOGIN,
    }
}

fn from_aws(explanation: &aws::Explanation) -> Words {
    let mender = match explanation.mender {
        aws::Mender::Person => Mender::You,
        aws::Mender::GatewayAdministrator | aws::Mender::AccountAdministrator => Mender::Administrator,
        aws::Mender::Aws => Mender::Aws,
    };
    Words { title: "AWS did not do it", happened: explanation.happened.into(), mender, next: explanation.advice, action: HOME }
}

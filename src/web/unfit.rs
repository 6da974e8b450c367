//! Requests that no page takes, whoever sends them and whatever they say.

use actix_web::error::{PayloadError, UrlencodedError};
use actix_web::http::StatusCode;

use super::trouble::{HOME, PageError, Words};
use super::views::Mender;

/// How a request differs from what the address takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unfit {
    /// In its method; those that the address takes, as the header `Allow` lists them (RFC 9110 section 10.2.1).
    Method(&'static str),
    /// In its size: the body is larger than the configuration allows.
    Size,
    /// In its content type: the body is no form.
    Format,
    /// In whom it would let in: not our command line, or not one that waits on this machine.
    CommandLine,
}

impl Unfit {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Size => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Format => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::CommandLine => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn words(self) -> Words {
        let (title, happened, next) = match self {
            Self::Method(_) => (
                "This address does not work that way",
                "The request came with an HTTP method that this address does not answer to. Nothing was done.",
                "Use the links and buttons of the pages. A program finds the methods that work in the answer's header Allow.",
            ),
            Self::Size => (
                "The request is too large",
                "More was sent than the gateway reads of a form. Nothing was done.",
                "Go back to your roles and start again from there: the forms of these pages are small.",
            ),
            Self::Format => (
                "The form came in a format that is not read here",
                "Forms are read as browsers send them, as application/x-www-form-urlencoded. This one was something else. Nothing was done.",
                "Use the buttons of the pages. A program has to send that content type.",
            ),
            Self::CommandLine => (
                "This is not a command line that can be let in",
                "A link asked to let a program act for you, and the program is not Rolegate's command line, or does not wait for the answer on \
                 this computer. Nothing was done, and nothing was sent to it.",
                "If you followed a link that somebody gave you, tell your administrator. If you ran “rolegate login”, run it again.",
            ),
        };
        Words { title, happened: happened.into(), mender: Mender::You, next, action: HOME }
    }
}

/// Why a form was not read.
pub(super) fn unread(error: &UrlencodedError) -> PageError {
    match error {
        UrlencodedError::Overflow { .. } | UrlencodedError::Payload(PayloadError::Overflow) => PageError::Unfit(Unfit::Size),
        UrlencodedError::ContentType => PageError::Unfit(Unfit::Format),
        _ => PageError::Unreadable,
    }
}

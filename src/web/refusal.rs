//! What rules, providers and platforms say no to, in plain sentences.

use std::time::Duration;

use super::trouble::{HOME, LOGIN, Words};
use super::views::Mender;
use crate::access::{self, Denied, GatewayRole};
use crate::gateway::{Engaged, RequestRefused};
use crate::identity::Rejected;
use crate::saml::Refused;
use crate::store::Unfit;

/// What the rules say no to: mostly something that the person can mend.
pub(super) fn denied(why: &Denied) -> Words {
    let (title, next) = match why {
        Denied::Duration(_) => ("This session length cannot be had", "Choose one of the lengths that the start page offers for the role."),
        Denied::Reason(_) => {
            ("This role wants a reason", "Open the role\u{2019}s page and write it into the field there, in the form that is asked for.")
        }
        Denied::OnRequest => (
            "This role is had on request",
            "Open the role\u{2019}s page and ask for it there: somebody else must grant it before you can take it.",
        ),
        Denied::BreakGlass => (
            "This role is for emergencies",
            "If this is one, open the role\u{2019}s page under Break-glass: to take it is an alarm, and you say why.",
        ),
        Denied::RequestLength(_) => {
            ("It cannot be granted for so long", "Open the role\u{2019}s page and ask for one of the times that are offered there.")
        }
        Denied::MfaCode => {
            ("The code of an MFA device is needed", "Open its page and write the six digits that the device shows into the field there.")
        }
        Denied::StepUp(_) => {
            ("This role wants another sign-in", "Choose the role on the start page: it leads you to your identity provider and back.")
        }
        _ => {
            return Words {
                title: "This role is not yours to take",
                happened: denial(why).into(),
                mender: Mender::Administrator,
                next: "Your roles are on the start page. If one is missing, ask your administrator.",
                action: HOME,
            };
        }
    };
    Words { title, happened: format!("{} Nothing was issued.", denial(why)).into(), mender: Mender::You, next, action: HOME }
}

/// An administrator's act that leaves no trace is none.
pub(super) fn unrecorded() -> Words {
    Words {
        title: "Nothing was ended",
        happened:
            "The audit trail cannot be written, and neither sessions nor grants of another person are ended without a record. They live on."
                .into(),
        mender: Mender::Administrator,
        next: "Mend the audit trail: the log says, with the incident id, what is wrong with it. Then end them again.",
        action: ("To the gateway\u{2019}s rooms", "/admin"),
    }
}

/// The trail is there and cannot be read.
pub(super) fn unreadable_trail() -> Words {
    Words {
        title: "The audit trail cannot be read",
        happened: "The file could not be read to where it was asked for. What it records is not affected.".into(),
        mender: Mender::Administrator,
        next: "Tell your administrator, with the incident id: the log says what is wrong with the file.",
        action: HOME,
    }
}

/// The trail is not where a search came to.
pub(super) fn moved_trail() -> Words {
    Words {
        title: "The audit trail was rotated meanwhile",
        happened: "The file that the search had come to is not beside the audit trail any more.".into(),
        mender: Mender::You,
        next: "Start the search again. What was taken away must be searched where it is kept.",
        action: ("Back to the audit trail", "/audit"),
    }
}

/// An export more than there may be.
pub(super) fn busy(engaged: Engaged) -> Words {
    let (happened, next) = match engaged {
        Engaged::Yourself => (
            "An export of yours goes on already, and nobody has two at a time. This one was not begun.",
            "Wait until the other one is finished, or break it off, then try again.",
        ),
        Engaged::Others => (
            "Others export the audit trail just now, as many as may at a time. This export was not begun.",
            "Try again in a minute. A search reads meanwhile.",
        ),
    };
    Words {
        title: "Too many exports at once",
        happened: happened.into(),
        mender: Mender::You,
        next,
        action: ("Back to the audit trail", "/audit"),
    }
}

/// Why something about a request is not done.
pub(super) fn request(refused: RequestRefused) -> Words {
    let (title, happened, mender, next) = match refused {
        RequestRefused::Unfit(Unfit::Twice) => (
            "You have asked for this role already",
            "Your request for it waits, or was granted. Nothing was changed.",
            Mender::You,
            "The page of requests shows what became of it.",
        ),
        RequestRefused::Unfit(Unfit::TooMany) => (
            "Too many of your requests wait",
            "As many of your requests wait or are granted as one person may have. Nothing was asked for.",
            Mender::You,
            "Take one back on the page of requests, or wait until somebody has decided.",
        ),
        RequestRefused::Unfit(Unfit::NoSuch) => (
            "This request is not there any more",
            "Somebody else decided before you, who asked took it back, or its time is over. Nothing was changed by you.",
            Mender::You,
            "The page of requests shows what there is now.",
        ),
        RequestRefused::Full => (
            "Too many people wait for a decision",
            "As many people have requests as the gateway keeps. Yours was not made.",
            Mender::Administrator,
            "Ask those who approve to decide about what waits, and try again.",
        ),
        RequestRefused::Own => (
            "Nobody decides about themselves",
            "The request is your own, under this or another sign-in of yours. That you tried is recorded.",
            Mender::You,
            "Ask another approver.",
        ),
        RequestRefused::NotApprover => (
            "This is not yours to decide",
            "No rule in force makes you an approver of this request. That you tried is recorded.",
            Mender::Administrator,
            "If you should be one, ask whoever keeps the rules: `approvers` names the groups.",
        ),
    };
    Words { title, happened: happened.into(), mender, next, action: ("To the requests", "/requests") }
}

/// A page for others: whose it is to change that.
pub(super) fn room(role: GatewayRole) -> Words {
    let (title, happened) = match role {
        GatewayRole::Administrator => (
            "This page is for administrators of the gateway",
            "No rule makes you an administrator of this gateway. That you tried is recorded. A role in AWS, whatever its name, is not one here.",
        ),
        GatewayRole::Auditor => (
            "This page is for auditors",
            "No rule makes you an auditor of this gateway. That you tried is recorded. Administrators of the gateway are not auditors by that.",
        ),
    };
    Words {
        title,
        happened: happened.into(),
        mender: Mender::Administrator,
        next: "If you need it, ask whoever keeps the rules of the gateway: one with `gateway` gives it.",
        action: HOME,
    }
}

/// Why an administrator is not let into their rooms.
pub(super) fn certificate_wanted() -> Words {
    Words {
        title: "Administrators show a certificate here",
        happened: "You are an administrator of this gateway, but this connection came without a client certificate, and here administrators need one \
                   beside their sign-in. That you tried is recorded."
            .into(),
        mender: Mender::You,
        next: "Install the certificate that you were given for this, close all windows of the browser, and open the page again. If you were given none, \
               ask whoever runs the gateway.",
        action: HOME,
    }
}

/// Why nobody was signed in.
pub(super) fn refused(name: &str, rejected: &Rejected) -> Words {
    let overage = matches!(rejected, Rejected::GroupsOverage);
    let happened = match rejected {
        Rejected::ProviderError(error) if error == "access_denied" => {
            format!("{name} did not sign you in: the request was cancelled or denied there.")
        }
        Rejected::GroupsOverage => {
            format!(
                "You are in more groups than {name} puts into a sign-in, and it left all of them out. That is not the same as having none."
            )
        }
        Rejected::ProviderError(error) if error == "AuthnFailed" || error == "RequestDenied" => {
            format!("{name} did not sign you in: the request was cancelled or denied there.")
        }
        Rejected::NotYetValid(by) | Rejected::Saml(Refused::NotYetValid(by)) => {
            format!("The answer from {name} is valid in {by} seconds, and not before: one of the two clocks is off.")
        }
        Rejected::Expired(by) | Rejected::Saml(Refused::Expired(by)) => {
            format!(
                "The answer from {name} was good until {by} seconds ago: it was on its way for too long, or one of the two clocks is off."
            )
        }
        Rejected::Saml(Refused::TooOld) => {
            format!("The answer from {name} was given too long ago, or one of the two clocks is off.")
        }
        Rejected::TooOld | Rejected::Acr => format!("The sign-in at {name} is not fresh or not strong enough for this gateway."),
        _ => format!("The answer from {name} was refused because it could not be verified."),
    };
    let next = if overage {
        "Your administrator can limit the groups in the token to those assigned to the application."
    } else {
        "Try again. If it stays, give your administrator the incident id."
    };
    let mender = match rejected {
        Rejected::ProviderError(_) | Rejected::TooOld | Rejected::Acr => Mender::You,
        _ => Mender::Administrator,
    };
    Words { title: "You were not signed in", happened: happened.into(), mender, next, action: LOGIN }
}

/// Why a workload's token is refused, for those who run it.
pub(super) fn token(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::Issuer | Rejected::MissingClaim("iss") => "No workload provider of this gateway has the token's issuer.",
        Rejected::Audience | Rejected::MissingClaim("aud" | "azp") => {
            "The token is not made for this gateway: its one audience must be that of the issuer's [[workload_provider]]."
        }
        Rejected::Expired(_) | Rejected::TooOld => "The token is too old. Get a new one from the platform.",
        Rejected::NotYetValid(_) => "The token is not valid yet: one of the two clocks is off.",
        Rejected::TokenUsedUp(_) => "The token was used as often as it may be. Get a new one from the platform.",
        Rejected::UnmetClaim(_) => "The token lacks a claim that the gateway's settings demand of every token of its issuer.",
        Rejected::Algorithm | Rejected::UnknownKey | Rejected::Signature => {
            "The token is not signed by a key of its issuer with an algorithm that is accepted here."
        }
        _ => "The token is not the ID token of a workload.",
    }
}

/// Why the rules do not hand out a role, for people.
pub(super) fn denial(denied: &Denied) -> String {
    match denied {
        Denied::NotGranted => "No rule gives you this role.".into(),
        Denied::Purpose(access::Purpose::Console) => "You may take this role's credentials, and not enter the console with it.".into(),
        Denied::Purpose(access::Purpose::Credentials) => "You may enter the console with this role, and not take its credentials.".into(),
        Denied::Purpose(access::Purpose::Workload) => "The rules give this role to people, and not to workloads.".into(),
        Denied::Duration(longest) => format!("A session for this role may last from 15 minutes to {}.", spoken(*longest)),
        Denied::StepUp(step_up) => format!("The role wants {}. Yours is {}.", step_up.wanted, step_up.came()),
        Denied::OnRequest => "You do not hold this role: you may ask for it, and none of your requests for it is granted now.".into(),
        Denied::BreakGlass => "You may take this role in an emergency: that is an alarm, and it was not said that this is one.".into(),
        Denied::RequestLength(longest) => format!("This role may be asked for from 15 minutes to {}.", spoken(*longest)),
        Denied::Reason(hint) => format!("Before this role is handed out you must say: {hint}."),
        Denied::MfaCode => "AWS wants the code of the MFA device, and no six digits came.".into(),
        Denied::Contradiction(_) => "The rules that give you this role contradict each other. Your administrator must settle that.".into(),
        Denied::MissingClaim(_) | Denied::TagValue(_) | Denied::ExternalId => {
            "Your sign-in did not bring something that this role needs. Your administrator can see what.".into()
        }
    }
}

fn spoken(span: Duration) -> String {
    humantime::format_duration(span).to_string()
}

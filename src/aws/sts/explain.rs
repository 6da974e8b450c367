//! What people are told when STS says no: plain sentences, nothing from the wire.

use std::time::Duration;

use super::StsError;
use crate::access::{AssumeRequest, Operation};
use crate::aws::{Explanation, Mender};

/// Which call on the way to a role failed: whose it is to mend depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The only call.
    Direct(Operation),
    /// The call for the role on the way.
    ToHub(Operation),
    /// The call for the role, with the credentials of the role on the way.
    FromHub,
}

impl Hop {
    /// The only call of a request that has no role on the way, or else the last one.
    #[must_use]
    pub fn of(request: &AssumeRequest) -> Self {
        if request.hub().is_some() { Self::FromHub } else { Self::Direct(request.operation()) }
    }
}

impl StsError {
    /// The failure in plain words. Whose it is to mend depends on who asked AWS, and with whose token.
    #[must_use]
    pub const fn explain(&self, hop: Hop) -> Explanation {
        match (self, hop) {
            (Self::WrongMfaCode(_), _) => WRONG_MFA_CODE,
            (Self::UnknownMfaDevice(_), _) => UNKNOWN_MFA_DEVICE,
            (
                Self::UnknownKeys(_) | Self::ExpiredToken(_) | Self::NoIdentity(_),
                Hop::Direct(Operation::FederationToken | Operation::SessionToken),
            ) => USER_KEYS_UNKNOWN,
            (Self::AccessDenied(_), Hop::Direct(Operation::FederationToken | Operation::SessionToken)) => USER_DENIED,
            (Self::AccessDenied(_), Hop::ToHub(_)) => HUB_ACCESS_DENIED,
            (Self::AccessDenied(_), Hop::FromHub) => ACCESS_DENIED_FROM_HUB,
            (Self::AccessDenied(_), Hop::Direct(Operation::AssumeRole)) => OWN_ACCESS_DENIED,
            (Self::ExpiredToken(_), Hop::FromHub | Hop::Direct(Operation::AssumeRole) | Hop::ToHub(Operation::AssumeRole))
            | (Self::UnknownKeys(_) | Self::NoIdentity(_), _) => NO_IDENTITY,
            (_, Hop::Direct(operation) | Hop::ToHub(operation)) => self.explain_proof(operation),
            (_, Hop::FromHub) => self.explain_proof(Operation::AssumeRole),
        }
    }

    const fn explain_proof(&self, operation: Operation) -> Explanation {
        let minted = operation.carries_attributes();
        let saml = matches!(operation, Operation::Saml | Operation::ForwardedSaml);
        match self {
            Self::NoIdentityProvider(_) if saml => NO_SAML_PROVIDER,
            Self::InvalidToken(_) if saml => INVALID_RESPONSE,
            Self::AccessDenied(_) if saml => SAML_ACCESS_DENIED,
            Self::ExpiredToken(_) if minted => EXPIRED_MINTED,
            Self::ExpiredToken(_) | Self::RejectedClaim(_) => SIGN_IN_AGAIN,
            Self::NoIdentityProvider(_) => NO_IDENTITY_PROVIDER,
            Self::WrongAudience(_) => WRONG_AUDIENCE,
            Self::InvalidToken(_) => INVALID_TOKEN,
            Self::KeysUnreachable(_) if minted => KEYS_UNREACHABLE,
            Self::KeysUnreachable(_) => PROVIDER_KEYS_UNREACHABLE,
            Self::UnknownKeys(_) | Self::NoIdentity(_) => NO_IDENTITY,
            Self::WrongMfaCode(_) => WRONG_MFA_CODE,
            Self::UnknownMfaDevice(_) => UNKNOWN_MFA_DEVICE,
            Self::AccessDenied(_) => ACCESS_DENIED,
            Self::SessionTooLong(_) => SESSION_TOO_LONG,
            Self::InvalidRequest(_) | Self::MalformedPolicy(_) => INVALID_REQUEST,
            Self::PackedPolicyTooLarge(_) => TAGS_TOO_LARGE,
            Self::RegionDisabled(_) => REGION_DISABLED,
            Self::Throttled(_) => THROTTLED,
            Self::Unavailable(_) => UNAVAILABLE,
            Self::Other(_) | Self::Garbled(_) => UNKNOWN,
            Self::TimedOut | Self::Unreachable(_) => UNREACHABLE,
        }
    }
}

const WRONG_MFA_CODE: Explanation = Explanation::new(
    "AWS did not accept the code of your MFA device.",
    Mender::Person,
    "wait until the device shows the next code, and use that one: each is good once. If no code is accepted, the device's clock is off.",
);
const UNKNOWN_MFA_DEVICE: Explanation = Explanation::new(
    "AWS does not know the MFA device of the IAM user that this gateway holds.",
    Mender::GatewayAdministrator,
    "compare mfa_serial of the [[iam_user]] with the device that IAM shows for the user.",
);
const USER_KEYS_UNKNOWN: Explanation = Explanation::new(
    "AWS does not accept the access key of the IAM user that this gateway holds.",
    Mender::GatewayAdministrator,
    "check in IAM that the key of the [[iam_user]] is active, and that the gateway has its present secret.",
);
const USER_DENIED: Explanation = Explanation::new(
    "The IAM user that this gateway holds may not do this.",
    Mender::AccountAdministrator,
    "check that the user's own policies allow sts:GetFederationToken (and sts:TagSession if the rules send tags), and that no policy of the \
     organization denies it.",
);
const HUB_ACCESS_DENIED: Explanation = Explanation::new(
    "The role on the way to this one does not accept this gateway, or does not exist.",
    Mender::AccountAdministrator,
    "check the trust policy of the role that the rule names as via: its principal and conditions, and that it allows sts:SetSourceIdentity if \
     the rules send a source identity. A change takes AWS a minute to spread.",
);
const ACCESS_DENIED_FROM_HUB: Explanation = Explanation::new(
    "The role on the way was taken, but may not take this role from there.",
    Mender::AccountAdministrator,
    "check three things: that the policies of the role on the way allow sts:AssumeRole for this role (and sts:TagSession and \
     sts:SetSourceIdentity if the rules send them); that this role's trust policy names the role on the way and allows the same; and, if it \
     demands an external id, that the rule has the same one.",
);
const OWN_ACCESS_DENIED: Explanation = Explanation::new(
    "The role's trust policy does not accept the AWS identity of this gateway, or the role does not exist.",
    Mender::AccountAdministrator,
    "check that the role's trust policy names the gateway's own AWS identity and allows sts:AssumeRole (and sts:TagSession and \
     sts:SetSourceIdentity if the rules send them); that the identity's own policies allow the same; and, if the role demands an external id, \
     that the rule has the same one. A change takes AWS a minute to spread.",
);
const NO_IDENTITY: Explanation = Explanation::new(
    "This gateway has no AWS identity that AWS accepts, and the role needs one.",
    Mender::GatewayAdministrator,
    "give the gateway's process AWS credentials (instance or task role, web identity, profile or environment), or check that those it has \
     are still valid; the log has the reason.",
);
const EXPIRED_MINTED: Explanation = Explanation::new(
    "AWS found the gateway's token too old, although it was made just now.",
    Mender::GatewayAdministrator,
    "the gateway's clock is wrong, or its requests to AWS take minutes: check time synchronisation and the network path to STS.",
);
const NO_SAML_PROVIDER: Explanation = Explanation::new(
    "The AWS account has no SAML provider for this gateway.",
    Mender::AccountAdministrator,
    "create an IAM SAML provider of the configured name in the account, from the metadata that this gateway publishes at /saml/idp/metadata.",
);
const INVALID_RESPONSE: Explanation = Explanation::new(
    "AWS did not accept the gateway's SAML response.",
    Mender::GatewayAdministrator,
    "compare the certificates in the gateway's metadata with those of the account's IAM SAML provider: after a change of keys IAM must be \
     given the metadata again. AWS's answer is in the log.",
);
const SAML_ACCESS_DENIED: Explanation = Explanation::new(
    "The role's trust policy does not accept this gateway, or the role does not exist.",
    Mender::AccountAdministrator,
    "check in the role's trust policy: the SAML provider as principal, the conditions saml:aud and saml:iss, and that it allows \
     sts:AssumeRoleWithSAML, and sts:TagSession and sts:SetSourceIdentity if the rules send tags or a source identity. A change to a \
     policy takes AWS a minute to spread.",
);
/// What AWS would say to a response over its limit, said before it is asked.
pub(super) const RESPONSE_TOO_LARGE: Explanation = Explanation::new(
    "The SAML response for this role is longer than AWS takes.",
    Mender::GatewayAdministrator,
    "let the rules that grant this role set fewer or shorter session tags.",
);
/// What AWS would say to a forwarded response that does not name the role, said before it is asked.
pub(super) const NOT_OFFERED: Explanation = Explanation::new(
    "Your identity provider's answer does not offer this role to AWS.",
    Mender::GatewayAdministrator,
    "the provider must name the role and its SAML provider in the attribute https://aws.amazon.com/SAML/Attributes/Role, or the rule must use \
     operation = \"saml\", which needs no such attribute.",
);
const SIGN_IN_AGAIN: Explanation = Explanation::new(
    "AWS no longer accepts your sign-in.",
    Mender::Person,
    "sign out and sign in again; if that does not help, the administrator of this gateway finds AWS's answer in the log.",
);
const NO_IDENTITY_PROVIDER: Explanation = Explanation::new(
    "The AWS account does not know the issuer of the token.",
    Mender::AccountAdministrator,
    "create an IAM OpenID Connect identity provider in the account whose URL is exactly the token's issuer.",
);
const WRONG_AUDIENCE: Explanation = Explanation::new(
    "The AWS account's identity provider does not accept the token's audience.",
    Mender::AccountAdministrator,
    "add the token's audience to the client IDs (audiences) of the IAM identity provider.",
);
const INVALID_TOKEN: Explanation = Explanation::new(
    "AWS did not accept the token.",
    Mender::GatewayAdministrator,
    "compare the issuer's published keys, as AWS sees them from the internet, with the key that signs, and see AWS's answer in the log.",
);
const KEYS_UNREACHABLE: Explanation = Explanation::new(
    "AWS could not fetch this gateway's keys to check the token, also after more tries.",
    Mender::GatewayAdministrator,
    "the issuer's /.well-known/openid-configuration and its key set must answer quickly on the public internet; then try again.",
)
.passing();
const PROVIDER_KEYS_UNREACHABLE: Explanation = Explanation::new(
    "AWS could not fetch your identity provider's keys to check the token, also after more tries.",
    Mender::GatewayAdministrator,
    "try again in a minute; if it stays so, the identity provider's discovery document or key set does not answer on the public internet.",
)
.passing();
const ACCESS_DENIED: Explanation = Explanation::new(
    "The role's trust policy does not accept this gateway, or the role does not exist.",
    Mender::AccountAdministrator,
    "check in the role's trust policy: the identity provider as principal, the audience and subject conditions, and that it allows \
     sts:AssumeRoleWithWebIdentity, sts:TagSession and sts:SetSourceIdentity. A change takes AWS a minute to spread.",
);
const SESSION_TOO_LONG: Explanation = Explanation::new(
    "The role allows shorter sessions than the one asked for.",
    Mender::Person,
    "choose a shorter session; or have the administrator of the AWS account raise the role's maximum session duration.",
);

/// The same, with the length that is offered now.
#[must_use]
pub const fn session_too_long(offered: Duration) -> Explanation {
    let advice = match offered.as_secs() {
        28_800 => {
            "choose 8 hours or less, which is what is offered for the role now; or have the administrator of the AWS account raise the role's \
             maximum session duration."
        }
        14_400 => {
            "choose 4 hours or less, which is what is offered for the role now; or have the administrator of the AWS account raise the role's \
             maximum session duration."
        }
        7200 => {
            "choose 2 hours or less, which is what is offered for the role now; or have the administrator of the AWS account raise the role's \
             maximum session duration."
        }
        3600 => {
            "choose 1 hour or less, which every role allows; or have the administrator of the AWS account raise the role's maximum session \
             duration."
        }
        _ => SESSION_TOO_LONG.advice,
    };
    Explanation { advice, ..SESSION_TOO_LONG }
}
const INVALID_REQUEST: Explanation = Explanation::new(
    "AWS did not accept a part of the gateway's request.",
    Mender::GatewayAdministrator,
    "AWS's answer in the log names the part: check the rule's session tags and session policy, and the naming settings.",
);
const TAGS_TOO_LARGE: Explanation = Explanation::new(
    "The session tags and the session policy of this role are together too large for AWS.",
    Mender::GatewayAdministrator,
    "send fewer or shorter session tags, or a shorter session policy, in the rules that grant this role.",
);
const REGION_DISABLED: Explanation = Explanation::new(
    "AWS's token service is switched off for this account in the region that the gateway asks.",
    Mender::AccountAdministrator,
    "activate STS for the region in the account's IAM settings; or have the gateway's administrator configure another region first.",
);
const THROTTLED: Explanation = Explanation::new(
    "AWS asks to slow down.",
    Mender::Aws,
    "wait a minute and try again; if it happens often, tell the gateway's administrator.",
);
const UNAVAILABLE: Explanation = Explanation::new(
    "AWS's token service is out of order at the moment.",
    Mender::Aws,
    "try again in a minute; the AWS Health Dashboard shows known disturbances.",
);
const UNREACHABLE: Explanation = Explanation::new(
    "AWS's token service did not answer in time.",
    Mender::GatewayAdministrator,
    "try again; if it stays so, check the gateway's way to the STS endpoint (DNS, proxy, firewall, VPC endpoint).",
)
.passing();
const UNKNOWN: Explanation = Explanation::new(
    "AWS answered in a way that this gateway does not know.",
    Mender::GatewayAdministrator,
    "AWS's answer is in the log; if an own STS endpoint is configured, check that it really is one.",
);

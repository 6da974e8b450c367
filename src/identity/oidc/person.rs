//! From a provider's claims to an [`Identity`].

use chrono::TimeDelta;
use serde_json::Value;

use super::checked::Checked;
use crate::clock::Moment;
use crate::identity::check;
use crate::identity::claims::{ClaimShape, Claims};
use crate::identity::jwt::{LEEWAY, date, same_secret};
use crate::identity::words::presentable;
use crate::identity::{Authentication, Identity, Rejected, Upstream, UpstreamToken};

/// The longest `sub` (OpenID Connect Core section 2).
const LONGEST_SUBJECT: usize = 255;

/// Checks the nonce, and how and when the person signed in; reads the latter. Only the ID token's own claims count.
///
/// # Errors
/// [`Rejected::Nonce`], [`Rejected::TooOld`], [`Rejected::Acr`], [`Rejected::NotYetValid`], or [`Rejected::MissingClaim`] for
/// `nonce` or `auth_time`.
pub(super) fn authentication(checked: &Checked, claims: &Claims, nonce: &str, now: Moment) -> Result<Authentication, Rejected> {
    let found = claims.text("nonce").ok_or(Rejected::MissingClaim("nonce"))?;
    if nonce.is_empty() || !same_secret(found, nonce) {
        return Err(Rejected::Nonce);
    }
    let time = date(claims, "auth_time")?;
    if let Some(time) = time.filter(|time| *time > now.timestamp() + LEEWAY) {
        return Err(Rejected::NotYetValid(time.saturating_sub(now.timestamp())));
    }
    if let Some(age) = checked.max_age {
        let oldest = TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age)).map_or(0, |moment| moment.timestamp());
        if time.ok_or(Rejected::MissingClaim("auth_time"))? < oldest - LEEWAY {
            return Err(Rejected::TooOld);
        }
    }
    let acr = claims.text("acr").map(str::to_owned);
    let is = |list: &[String], value: &String| list.contains(value);
    if !checked.acr_values.is_empty() && !acr.as_ref().is_some_and(|acr| is(&checked.acr_values, acr)) {
        return Err(Rejected::Acr);
    }
    // What is not a list of words names no method, so it proves no second factor.
    let amr = claims.strings("amr").unwrap_or_default();
    let mfa = amr.iter().any(|method| is(&checked.mfa.amr, method)) || acr.as_ref().is_some_and(|acr| is(&checked.mfa.acr, acr));
    let time = time.and_then(|time| Moment::from_timestamp(time, 0));
    Ok(Authentication { time, mfa, acr, amr, sid: claims.text("sid").map(str::to_owned) })
}

/// Puts the identity together.
///
/// # Errors
/// [`Rejected::MissingClaim`] for a subject that is none, [`Rejected::GroupsOverage`] or [`Rejected::GroupsMalformed`].
pub(super) fn identity(
    checked: &Checked,
    mut claims: Claims,
    authentication: Authentication,
    token: UpstreamToken,
) -> Result<Identity, Rejected> {
    let subject = subject(checked, &claims)?;
    let groups = groups(&checked.groups_claim, &claims)?;
    if !checked.trust_unverified_email && !email_is_verified(&claims) {
        claims.remove("email");
    }
    let username = claims.text(&checked.username_claim).filter(|name| presentable(name)).unwrap_or(&subject).to_owned();
    let upstream = Upstream::IdToken(token);
    Ok(Identity { provider: checked.id.clone(), subject, username, groups, claims, authentication, upstream, forwardable: None })
}

/// `sub`, or for tenants of Entra ID the tenant and object id: there `sub` differs from client to client.
fn subject(checked: &Checked, claims: &Claims) -> Result<String, Rejected> {
    let read = |name: &'static str| {
        let is_subject = |text: &&str| presentable(text) && text.len() <= LONGEST_SUBJECT;
        claims.text(name).filter(is_subject).ok_or(Rejected::MissingClaim(name))
    };
    let subject = read("sub")?;
    if checked.issuer.has_tenants() { Ok(format!("{}.{}", read("tid")?, read("oid")?)) } else { Ok(subject.to_owned()) }
}

/// Whether the provider vouches for the address: `email_verified`, or Entra ID's `xms_edov`.
pub(in crate::identity) fn email_is_verified(claims: &Claims) -> bool {
    let is_true = |value: &Value| matches!(value, Value::Bool(true)) || value == "true" || value == "1" || *value == 1;
    match claims.find("email_verified") {
        Some(verified) => is_true(verified),
        None => claims.find("xms_edov").is_some_and(is_true),
    }
}

/// The groups in a claim.
///
/// # Errors
/// [`Rejected::GroupsOverage`] or [`Rejected::GroupsMalformed`].
pub(in crate::identity) fn groups(claim: &str, claims: &Claims) -> Result<Vec<String>, Rejected> {
    if has_overage(claim, claims) {
        return Err(Rejected::GroupsOverage);
    }
    let groups = match claims.strings(claim) {
        Ok(groups) => groups,
        Err(ClaimShape::Absent) => Vec::new(),
        Err(ClaimShape::OtherType) => return Err(Rejected::GroupsMalformed),
    };
    if check::sound_groups(&groups) { Ok(groups) } else { Err(Rejected::GroupsMalformed) }
}

/// Whether the provider left the claim out and points elsewhere: `_claim_names` (OpenID Connect Core 5.6.2, used by Entra ID beyond
/// 200 groups), or Entra ID's `hasgroups` and `groups:src1`.
fn has_overage(claim: &str, claims: &Claims) -> bool {
    let elsewhere = claims.find("_claim_names").is_some_and(|names| match names {
        Value::Object(names) => names.contains_key(claim) || names.contains_key(claim.trim_start_matches('/')),
        // Of an unknown form, and it may speak of the groups.
        _ => true,
    });
    let entra = || {
        let says_so = claims.find("hasgroups").is_some_and(|value| *value != false && value != "false");
        says_so || claims.iter().any(|(name, _)| name.starts_with("groups:src"))
    };
    elsewhere || (claim.trim_start_matches('/') == "groups" && entra())
}

/// Claims that only the ID token's signature can vouch for, whatever userinfo says.
const PROTOCOL: [&str; 20] = [
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "cnf",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "oid",
    "scope",
    "sid",
    "sub",
    "tid",
    "typ",
];

/// Adds what userinfo says beyond the ID token, which keeps the last word.
pub(super) fn add_userinfo(claims: &mut Claims, userinfo: serde_json::Map<String, Value>) {
    // A verification speaks of the address beside it: never of one that another document brought.
    let same_email = claims.find("email").is_none_or(|email| userinfo.get("email") == Some(email));
    let verdicts = ["email_verified", "xms_edov"];
    let has_verdict = verdicts.iter().any(|name| claims.find(name).is_some());
    for (name, value) in userinfo {
        let is_verdict = verdicts.contains(&name.as_str());
        let is_foreign = if is_verdict { has_verdict || !same_email } else { name == "email" && has_verdict };
        if !is_foreign && !PROTOCOL.contains(&name.as_str()) {
            claims.add(name, value);
        }
    }
}

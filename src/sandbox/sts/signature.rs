//! Signature Version 4 of a request (AWS General Reference, "Signing AWS API requests"): what was signed is signed once more, and compared.

use std::time::SystemTime;

use actix_web::HttpRequest;
use aws_credential_types::Credentials;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chrono::{NaiveDateTime, TimeDelta};
use secrecy::{ExposeSecret, SecretString};

use super::error::StsError;
use crate::clock::Moment;

/// How far the time of a signature may be from STS's own.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What a request says of its signature. Nothing of it is verified yet.
pub(super) struct Unverified<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) session_token: Option<&'a str>,
    region: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
    at: Moment,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(request: &'a HttpRequest) -> Result<Self, StsError> {
        let authorization = header(request, "authorization").ok_or_else(StsError::unsigned)?;
        let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(StsError::unsigned)?;
        let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        let incomplete = || StsError::incomplete_signature("Credential, SignedHeaders, Signature and X-Amz-Date are needed.");
        let scope: Vec<&str> = field("Credential").ok_or_else(incomplete)?.split('/').collect();
        let [access_key_id, day, region, "sts", "aws4_request"] = scope[..] else {
            return Err(StsError::bad_signature("Credential should be scoped to correct service: 'sts'."));
        };
        let date = header(request, "x-amz-date").ok_or_else(incomplete)?;
        let at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").map_err(|_| incomplete())?.and_utc();
        if !date.starts_with(day) {
            return Err(StsError::bad_signature(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
            ));
        }
        let signed_headers: Vec<&str> = field("SignedHeaders").ok_or_else(incomplete)?.split(';').collect();
        let session_token = header(request, "x-amz-security-token");
        let must = ["host", "x-amz-date"].into_iter().chain(session_token.map(|_| "x-amz-security-token"));
        if must.into_iter().any(|name| !signed_headers.contains(&name)) {
            return Err(StsError::bad_signature("'Host', 'X-Amz-Date' and 'X-Amz-Security-Token' must be signed headers."));
        }
        let signature = field("Signature").ok_or_else(incomplete)?;
        Ok(Self { access_key_id, session_token, region, signed_headers, signature, at })
    }

    /// Compares the signature with the one that the secret makes.
    pub(super) fn verify(&self, request: &HttpRequest, body: &[u8], secret: &SecretString, now: Moment) -> Result<(), StsError> {
        if (now - self.at).abs() > TOLERANCE {
            return Err(StsError::bad_signature("Signature expired, or not yet current."));
        }
        let ours = self.signed_again(request, body, secret);
        let is_same = ours.is_some_and(|ours| verify_slices_are_equal(ours.as_bytes(), self.signature.as_bytes()).is_ok());
        if is_same {
            Ok(())
        } else {
            Err(StsError::bad_signature("The request signature we calculated does not match the signature you provided."))
        }
    }

    fn signed_again(&self, request: &HttpRequest, body: &[u8], secret: &SecretString) -> Option<String> {
        let token = self.session_token.map(str::to_owned);
        let identity = Credentials::new(self.access_key_id, secret.expose_secret(), token, None, "sandbox").into();
        let mut settings = SigningSettings::default();
        // What was signed is what the request says, no more and no less.
        settings.excluded_headers = None;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("sts")
            .time(SystemTime::from(self.at))
            .settings(settings)
            .build()
            .ok()?
            .into();
        let uri = format!("http://{}{}", header(request, "host")?, request.uri());
        let headers: Vec<_> = self.signed_headers.iter().map(|name| Some((*name, header(request, name)?))).collect::<Option<_>>()?;
        let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), SignableBody::Bytes(body)).ok()?;
        Some(sign(signable, &params).ok()?.signature().to_owned())
    }
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

//! Single logout (SAML Profiles section 4.4), both ways round.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use super::aside::by_length;
use super::source::Loaded;
use super::{CLOCKS_APART, Departure, Provider, leave, new_id};
use crate::clock::Moment;
use crate::identity::{Identity, Rejected, SamlName, Upstream};
use crate::saml::logout::{self, Expected, LogoutMessage, LogoutRefused, LogoutRequest, LogoutResponse};
use crate::saml::metadata::Endpoint;
use crate::saml::redirect::{MessageKind, Unverified};
use crate::saml::sign::SamlSigner;
use crate::saml::write::Binding;
use crate::saml::write::messages::{self, Envelope, LogoutStatus, NameId};
use crate::saml::{Refused, decode_posted};

/// How long a request of ours means something.
const REQUEST_LIFE: TimeDelta = TimeDelta::minutes(5);
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// How the request's ID follows from the `RelayState` that comes back with the answer: nothing must be remembered in between.
const ID_PURPOSE: &[u8] = b"rolegate saml logout 1\0";

/// A logout message on its way to us, by whichever binding. Nothing in it is believed yet.
#[derive(Clone, Copy)]
pub enum Travelled<'a> {
    /// The raw query of a GET.
    Query(&'a str),
    /// A form, with the field that was there.
    Form {
        /// Whether it was `SAMLRequest` or `SAMLResponse`.
        kind: MessageKind,
        /// The field.
        message: &'a str,
        /// `RelayState`.
        relay_state: Option<&'a str>,
    },
    /// A SOAP envelope, posted by the provider itself.
    Envelope(&'a [u8]),
}

impl fmt::Debug for Travelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Travelled(…)")
    }
}

/// The sessions that a provider wants ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutDemand {
    /// Whose.
    pub name: SamlName,
    /// Which of them; with none, all.
    pub session_indexes: Vec<String>,
    /// What tells the request from all others.
    pub mark: Vec<u8>,
    /// How long it must be remembered that it was used.
    pub remember: Duration,
    /// The provider's entity ID, which names without a qualifier are of.
    idp: String,
    /// Ours, which they are made for.
    sp: String,
    /// The request, for the answer.
    request: String,
    relay_state: Option<String>,
    binding: Binding,
}

impl LogoutDemand {
    /// Whether a session is one of those: the person's, and of a `SessionIndex` that is named. A session whose assertion had no
    /// `SessionIndex` is the person's at this provider, whichever is named (SAML Core section 3.7.3): it ends too.
    #[must_use]
    pub fn means(&self, identity: &Identity) -> bool {
        let Upstream::Saml(kept) = identity.upstream() else { return false };
        let index = identity.authentication().sid.as_ref();
        let named = self.session_indexes.is_empty() || index.is_none_or(|index| self.session_indexes.contains(index));
        named && self.name.means(kept, &self.idp, &self.sp)
    }
}

/// What a logout message is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutAnswer {
    /// The provider wants sessions ended.
    Demand(Box<LogoutDemand>),
    /// The provider answers our request: whether every session is over, elsewhere too.
    Done {
        /// Whether it is.
        everywhere: bool,
    },
}

impl Provider {
    /// Whether the provider can be asked to sign people out; not known before its metadata was read once.
    #[must_use]
    pub fn offers_logout(&self) -> bool {
        self.0.metadata.peek().is_some_and(|loaded| self.logout_endpoint(&loaded.description.single_logout).is_some())
    }

    /// How the browser leaves to sign out at the provider; none if the provider takes no logout requests, or did not vouch for this person.
    pub async fn logout(&self, identity: &Identity, now: Moment) -> Option<Departure> {
        let checked = &self.0.checked;
        let Upstream::Saml(name) = identity.upstream() else { return None };
        if identity.provider() != self.id() {
            return None;
        }
        let loaded = self.loaded(now).await.ok()?;
        let endpoint = self.logout_endpoint(&loaded.description.single_logout)?;
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).ok()?;
        let relay_state = BASE64URL_NOPAD.encode(&random);
        let id = request_id(&relay_state);
        let indexes: Vec<&str> = identity.authentication().sid.as_deref().into_iter().collect();
        let request = messages::LogoutRequest {
            envelope: Envelope { id: &id, issuer: &checked.addresses.entity_id, destination: &endpoint.location, issued: now },
            expires: now + REQUEST_LIFE,
            name_id: NameId {
                value: &name.value,
                format: name.format.as_deref(),
                name_qualifier: name.name_qualifier.as_deref(),
                sp_name_qualifier: name.sp_name_qualifier.as_deref(),
            },
            session_indexes: &indexes,
        };
        let write = |signer: Option<&SamlSigner>| request.write(signer);
        let signer = checked.signer.as_ref();
        leave(endpoint.binding, &endpoint.location, MessageKind::Request, write, Some(&relay_state), signer).ok()
    }

    /// Where logout requests go. They must be signed (SAML Profiles section 4.4.4.1), so without a key there is nowhere.
    fn logout_endpoint<'e>(&self, offered: &'e [Endpoint]) -> Option<&'e Endpoint> {
        let by = |binding| offered.iter().find(|endpoint| endpoint.binding == binding);
        let speaks = self.0.checked.single_logout && self.0.checked.signer.is_some();
        by(Binding::Redirect).or_else(|| by(Binding::Post)).filter(|_| speaks)
    }

    /// Reads a logout message that the provider signed. A signature by a key that is not known yet is worth one look for newer metadata.
    ///
    /// # Errors
    /// The [`Rejected`] that says why it is not believed: nothing may be ended.
    pub async fn read_logout(&self, travelled: Travelled<'_>, now: Moment) -> Result<LogoutAnswer, Rejected> {
        if !self.0.checked.single_logout {
            return Err(Rejected::LogoutOff);
        }
        let loaded = self.loaded(now).await?;
        let read = match Self::read_by(&loaded, travelled, now).await {
            Err(Rejected::Saml(Refused::Signature) | Rejected::Query(crate::saml::redirect::RedirectRefused::Signature)) => {
                let newer = self.0.metadata.newer(&loaded, now, self.fetch(now)).await;
                Self::read_by(newer.as_ref().unwrap_or(&loaded), travelled, now).await
            }
            read => read,
        };
        let (message, relay_state, binding) = read?;
        let checked = &self.0.checked;
        let expected = Expected {
            issuer: &loaded.description.entity_id,
            sp_entity_id: &checked.addresses.entity_id,
            destination: &checked.addresses.slo,
            now,
            skew: checked.skew,
        };
        match message {
            LogoutMessage::Request(request) => {
                request.check(&expected)?;
                let remember = (request.replayable_until(checked.skew) + CLOCKS_APART - now).to_std().unwrap_or_default();
                let LogoutRequest { id: request, name_id, session_indexes, issuer: idp, .. } = request;
                let mark = format!("saml logout\0{idp}\0{request}").into_bytes();
                let (name, sp) = (name_id.into(), checked.addresses.entity_id.clone());
                let demand = LogoutDemand { name, session_indexes, mark, remember, idp, sp, request, relay_state, binding };
                Ok(LogoutAnswer::Demand(Box::new(demand)))
            }
            LogoutMessage::Response(response) => {
                response.check(&expected, &request_id(&relay_state.unwrap_or_default()))?;
                let LogoutResponse { success, .. } = response;
                Ok(LogoutAnswer::Done { everywhere: success })
            }
        }
    }

    async fn read_by(
        loaded: &Arc<Loaded>,
        travelled: Travelled<'_>,
        now: Moment,
    ) -> Result<(LogoutMessage, Option<String>, Binding), Rejected> {
        let certificates = loaded.description.signing(now).map_err(|error| Rejected::Unavailable(error.to_string()))?;
        match travelled {
            // Its signature is over the query itself: nothing is parsed before it was found good.
            Travelled::Query(raw) => {
                let query = Unverified::parse(raw).map_err(Rejected::Query)?;
                let (message, relay_state) = logout::redirected(&query, certificates).map_err(|refused| match refused {
                    LogoutRefused::Message(refused) => Rejected::Saml(refused),
                    LogoutRefused::Query(refused) => Rejected::Query(refused),
                })?;
                Ok((message, relay_state, Binding::Redirect))
            }
            Travelled::Form { kind, message, relay_state } => {
                let (bytes, loaded) = (decode_posted(message)?, Arc::clone(loaded));
                let message = by_length(bytes.len(), move || logout::posted(kind, &bytes, &loaded.verifier)).await??;
                Ok((message, relay_state.map(str::to_owned), Binding::Post))
            }
            Travelled::Envelope(bytes) => {
                let (bytes, loaded) = (bytes.to_vec(), Arc::clone(loaded));
                let request = by_length(bytes.len(), move || logout::enveloped(&bytes, &loaded.verifier)).await??;
                Ok((LogoutMessage::Request(request), None, Binding::Soap))
            }
        }
    }

    /// The answer to a demand that came through a browser: how the browser carries it back. None if the provider takes no answers.
    pub async fn answer_logout(&self, demand: &LogoutDemand, ended: bool, now: Moment) -> Option<Departure> {
        let checked = &self.0.checked;
        let loaded = self.loaded(now).await.ok()?;
        let endpoint = loaded.description.logout_by(demand.binding).or_else(|| self.logout_endpoint(&loaded.description.single_logout))?;
        let location = endpoint.response_location.as_deref().unwrap_or(&endpoint.location);
        let id = new_id().ok()?;
        let response = self.response(&id, location, demand, ended, now);
        let write = |signer: Option<&SamlSigner>| response.write(signer);
        // The state is the provider's own, and goes back as it came.
        let relay_state = demand.relay_state.as_deref().filter(|state| state.len() <= crate::saml::redirect::LONGEST_RELAY_STATE);
        leave(endpoint.binding, location, MessageKind::Response, write, relay_state, checked.signer.as_ref()).ok()
    }

    /// The answer to a demand that came in an envelope, in one of its own.
    pub async fn answer_envelope(&self, demand: &LogoutDemand, ended: bool, now: Moment) -> Option<String> {
        let id = new_id().ok()?;
        // It goes back on the connection that the request came on, whatever address it names.
        let loaded = self.loaded(now).await.ok()?;
        let endpoint = loaded.description.logout_by(demand.binding);
        let destination = endpoint.map_or(loaded.description.entity_id.as_str(), |endpoint| endpoint.location.as_str());
        let response = self.response(&id, destination, demand, ended, now).write(self.0.checked.signer.as_ref()).ok()?;
        Some(format!("<soap:Envelope xmlns:soap=\"{SOAP}\"><soap:Body>{response}</soap:Body></soap:Envelope>"))
    }

    fn response<'a>(
        &'a self,
        id: &'a str,
        destination: &'a str,
        demand: &'a LogoutDemand,
        ended: bool,
        now: Moment,
    ) -> messages::LogoutResponse<'a> {
        messages::LogoutResponse {
            envelope: Envelope { id, issuer: &self.0.checked.addresses.entity_id, destination, issued: now },
            in_response_to: &demand.request,
            status: if ended { LogoutStatus::Success } else { LogoutStatus::Responder },
        }
    }
}

fn request_id(relay_state: &str) -> String {
    let bytes = [ID_PURPOSE, relay_state.as_bytes()].concat();
    format!("_{}", HEXLOWER.encode(digest(&SHA256, &bytes).as_ref()))
}

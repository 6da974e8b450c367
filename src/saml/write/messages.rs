//! The messages that we send as service provider: request for authentication, logout request and logout response. The order of children is
//! the schema's.

use super::canonical::{Element, Ns, Unwritable};
use super::{Binding, check_id, instant};
use crate::clock::Moment;
use crate::saml::sign::{self, Position, SamlSigner};

/// What every message has (SAML core sections 3.2.1 and 3.2.2).
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Its ID: at least 128 random bits.
    pub id: &'a str,
    /// Our entity ID.
    pub issuer: &'a str,
    /// The URL that it is sent to.
    pub destination: &'a str,
    /// When it is made.
    pub issued: Moment,
}

impl<'a> Envelope<'a> {
    fn element(&self, local: &'static str) -> Element<'a> {
        Element::new(Ns::Samlp, local)
            .attribute("ID", self.id)
            .attribute("Version", "2.0")
            .attribute("IssueInstant", instant(self.issued))
            .attribute("Destination", self.destination)
            .child(Element::new(Ns::Saml, "Issuer").text(self.issuer))
    }

    fn write(&self, element: Element<'_>, signer: Option<&SamlSigner>) -> Result<String, Unwritable> {
        check_id("ID", self.id)?;
        sign::write(element, self.id, signer, Position::AfterIssuer)
    }
}

/// How strong the authentication must be (SAML core section 3.3.2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// One of the named classes.
    Exact,
    /// At least as strong as one of them.
    Minimum,
}

/// A request for authentication (SAML core section 3.4). The answer comes by HTTP-POST.
#[derive(Debug, Clone, Copy)]
pub struct AuthnRequest<'a> {
    /// What every message has.
    pub envelope: Envelope<'a>,
    /// Where the answer goes.
    pub assertion_consumer_service: &'a str,
    /// Whether the person must prove themselves anew.
    pub force_authn: bool,
    /// The `NameID` format that is wanted, if it matters.
    pub name_id_format: Option<&'a str>,
    /// The authentication context classes that will do, and how they compare; with none, any will.
    pub authn_context: Option<(Comparison, &'a [&'a str])>,
}

impl AuthnRequest<'_> {
    /// Writes it; with a signer for HTTP-POST, without for HTTP-Redirect, where the query is signed instead.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn write(&self, signer: Option<&SamlSigner>) -> Result<String, Unwritable> {
        let mut policy = Element::new(Ns::Samlp, "NameIDPolicy").attribute("AllowCreate", "true");
        policy = policy.optional("Format", self.name_id_format);
        let mut request = self
            .envelope
            .element("AuthnRequest")
            .attribute("AssertionConsumerServiceURL", self.assertion_consumer_service)
            .attribute("ProtocolBinding", Binding::Post.uri())
            .optional("ForceAuthn", self.force_authn.then_some("true"))
            .child(policy);
        if let Some((comparison, classes)) = self.authn_context
            && !classes.is_empty()
        {
            let comparison = match comparison {
                Comparison::Exact => "exact",
                Comparison::Minimum => "minimum",
            };
            let class = |class: &&str| Element::new(Ns::Saml, "AuthnContextClassRef").text((*class).to_owned());
            let context = Element::new(Ns::Samlp, "RequestedAuthnContext").attribute("Comparison", comparison);
            request = request.child(context.children(classes.iter().map(class)));
        }
        self.envelope.write(request, signer)
    }
}

/// A person as an identity provider named them (SAML core section 2.2.3).
#[derive(Debug, Clone, Copy)]
pub struct NameId<'a> {
    /// The name.
    pub value: &'a str,
    /// Its format, as it was received.
    pub format: Option<&'a str>,
    /// The realm of the name, as it was received.
    pub name_qualifier: Option<&'a str>,
    /// Whom the name was made for, as it was received.
    pub sp_name_qualifier: Option<&'a str>,
}

impl<'a> NameId<'a> {
    fn element(&self) -> Element<'a> {
        Element::new(Ns::Saml, "NameID")
            .optional("Format", self.format)
            .optional("NameQualifier", self.name_qualifier)
            .optional("SPNameQualifier", self.sp_name_qualifier)
            .text(self.value)
    }
}

/// A request to end sessions (SAML core section 3.7.1).
#[derive(Debug, Clone, Copy)]
pub struct LogoutRequest<'a> {
    /// What every message has.
    pub envelope: Envelope<'a>,
    /// After this it means nothing.
    pub expires: Moment,
    /// Whose sessions: the name exactly as it was received.
    pub name_id: NameId<'a>,
    /// Which of them; with none, all.
    pub session_indexes: &'a [&'a str],
}

impl LogoutRequest<'_> {
    /// Writes it; with a signer for HTTP-POST and SOAP, without for HTTP-Redirect, where the query is signed instead.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn write(&self, signer: Option<&SamlSigner>) -> Result<String, Unwritable> {
        let index = |index: &&str| Element::new(Ns::Samlp, "SessionIndex").text((*index).to_owned());
        let request = self
            .envelope
            .element("LogoutRequest")
            .attribute("NotOnOrAfter", instant(self.expires))
            .attribute("Reason", "urn:oasis:names:tc:SAML:2.0:logout:user")
            .child(self.name_id.element())
            .children(self.session_indexes.iter().map(index));
        self.envelope.write(request, signer)
    }
}

/// How a logout went (SAML core section 3.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutStatus {
    /// All sessions ended.
    Success,
    /// Ours ended; somewhere else one may live on.
    Partial,
    /// The request was wrong.
    Requester,
    /// We failed.
    Responder,
}

/// The answer to a request to end sessions (SAML core section 3.7.2).
#[derive(Debug, Clone, Copy)]
pub struct LogoutResponse<'a> {
    /// What every message has.
    pub envelope: Envelope<'a>,
    /// The ID of the request.
    pub in_response_to: &'a str,
    /// How it went.
    pub status: LogoutStatus,
}

impl LogoutResponse<'_> {
    /// Writes it; with a signer for HTTP-POST and SOAP, without for HTTP-Redirect, where the query is signed instead.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn write(&self, signer: Option<&SamlSigner>) -> Result<String, Unwritable> {
        let code = |name| Element::new(Ns::Samlp, "StatusCode").attribute("Value", format!("urn:oasis:names:tc:SAML:2.0:status:{name}"));
        let code = match self.status {
            LogoutStatus::Success => code("Success"),
            LogoutStatus::Partial => code("Success").child(code("PartialLogout")),
            LogoutStatus::Requester => code("Requester"),
            LogoutStatus::Responder => code("Responder"),
        };
        let response = self
            .envelope
            .element("LogoutResponse")
            .attribute("InResponseTo", self.in_response_to)
            .child(Element::new(Ns::Samlp, "Status").child(code));
        self.envelope.write(response, signer)
    }
}

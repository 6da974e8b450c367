//! An identity provider that signs whatever a test wants signed.

use std::path::Path;
use std::process::Command;

use data_encoding::BASE64;
use rolegate::clock::Moment;
use rolegate::saml::sign::{Position, SamlSigner};
use rolegate::saml::write::{Element, Ns};
use secrecy::SecretString;

pub(crate) const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
pub(crate) const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";

/// A provider with a key.
pub(crate) struct Idp {
    pub(crate) entity_id: String,
    signer: SamlSigner,
}

/// What a response says; a test changes what it wants to be wrong.
#[derive(Clone)]
pub(crate) struct Says {
    pub(crate) issuer: String,
    pub(crate) id: String,
    pub(crate) now: Moment,
    pub(crate) audience: String,
    pub(crate) recipient: String,
    pub(crate) destination: String,
    pub(crate) in_response_to: Option<String>,
    pub(crate) name: String,
    pub(crate) format: &'static str,
    pub(crate) status: &'static str,
    pub(crate) sp_name_qualifier: Option<String>,
    pub(crate) context: &'static str,
    pub(crate) authenticated: Moment,
    pub(crate) session_index: Option<String>,
    pub(crate) name_qualifier: Option<String>,
    pub(crate) session_end: Option<Moment>,
    pub(crate) attributes: Vec<(&'static str, Vec<&'static str>)>,
}

fn instant(moment: Moment) -> String {
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Idp {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let [key, certificate] = ["key", "crt"].map(|kind| folder.join(format!("{name}.{kind}")));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=idp", "-keyout"]);
        assert!(command.arg(&key).arg("-out").arg(&certificate).output().unwrap().status.success());
        let [key, certificate] = [key, certificate].map(|path| std::fs::read_to_string(path).unwrap());
        let signer = SamlSigner::from_pem(&SecretString::from(key), &certificate).unwrap();
        Self { entity_id: format!("https://{name}.example/saml"), signer }
    }

    pub(crate) const fn signer(&self) -> &SamlSigner {
        &self.signer
    }

    pub(crate) fn metadata(&self) -> String {
        let (id, certificate) = (&self.entity_id, BASE64.encode(self.signer.certificate().der()));
        let at = |service: &str, binding: &str, path: &str| {
            format!("<{service} Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" Location=\"{id}/{path}\"/>")
        };
        format!(
            "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{id}\">\
             <IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><KeyDescriptor use=\"signing\">\
             <KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo>\
             </KeyDescriptor>{}{}{}</IDPSSODescriptor></EntityDescriptor>",
            at("SingleLogoutService", "HTTP-Redirect", "slo"),
            at("SingleSignOnService", "HTTP-Redirect", "sso"),
            at("SingleSignOnService", "HTTP-POST", "sso"),
        )
    }

    /// The response in base64, its assertion signed.
    pub(crate) fn respond(&self, says: &Says) -> String {
        let saml = |local| Element::new(Ns::Saml, local);
        let name = saml("NameID").attribute("Format", says.format).optional("NameQualifier", says.name_qualifier.clone());
        let name = name.optional("SPNameQualifier", says.sp_name_qualifier.clone());
        let data = saml("SubjectConfirmationData")
            .optional("InResponseTo", says.in_response_to.clone())
            .attribute("NotOnOrAfter", instant(says.now + chrono::TimeDelta::minutes(5)))
            .attribute("Recipient", says.recipient.clone());
        let confirmation = saml("SubjectConfirmation").attribute("Method", BEARER).child(data);
        let audience = saml("AudienceRestriction").child(saml("Audience").text(says.audience.clone()));
        let conditions = saml("Conditions")
            .attribute("NotBefore", instant(says.now))
            .attribute("NotOnOrAfter", instant(says.now + chrono::TimeDelta::minutes(5)))
            .child(audience);
        let authn = saml("AuthnStatement")
            .attribute("AuthnInstant", instant(says.authenticated))
            .optional("SessionIndex", says.session_index.clone())
            .optional("SessionNotOnOrAfter", says.session_end.map(instant))
            .child(saml("AuthnContext").child(saml("AuthnContextClassRef").text(says.context)));
        let attribute = |(name, values): &(&'static str, Vec<&'static str>)| {
            let values: Vec<_> = values.iter().map(|value| saml("AttributeValue").text(*value)).collect();
            saml("Attribute").attribute("Name", *name).children(values)
        };
        let assertion = saml("Assertion")
            .attribute("ID", says.id.clone())
            .attribute("IssueInstant", instant(says.now))
            .attribute("Version", "2.0")
            .child(saml("Issuer").text(says.issuer.clone()))
            .child(saml("Subject").child(name.text(says.name.clone())).child(confirmation))
            .child(conditions)
            .child(authn)
            .child(saml("AttributeStatement").children(says.attributes.iter().map(attribute)));
        let assertion = self.signer.write_signed(assertion, &says.id, Position::AfterIssuer).unwrap();
        let in_response_to = says.in_response_to.as_ref().map(|id| format!(" InResponseTo=\"{id}\"")).unwrap_or_default();
        let response = format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" Destination=\"{}\" ID=\"_r{}\"{in_response_to} \
             IssueInstant=\"{}\" Version=\"2.0\"><saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{}</saml:Issuer>\
             <samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{}\"/></samlp:Status>{assertion}</samlp:Response>",
            says.destination,
            says.id,
            instant(says.now),
            says.issuer,
            says.status,
        );
        BASE64.encode(response.as_bytes())
    }
}

"""A SAML identity provider that mints responses as fast as a script can, signed by RSA-2048 with SHA-256 and exclusive canonicalisation."""

import base64
import datetime
import hashlib
import secrets
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

SAML, SAMLP, DS = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol", "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


def instant(offset=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def group(number):
    return f"g{number:05}"


class Idp:
    """One provider with one key. All that it signs is written in canonical form, so that a digest can be taken over what is sent."""

    entity = "https://idp.example.org/metadata"

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "measured")])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=2))
        self.certificate = base64.b64encode(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)).decode()
        self.key_info = f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{self.certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"

    def metadata(self):
        return (
            f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{self.entity}"><md:IDPSSODescriptor '
            f'protocolSupportEnumeration="{SAMLP}"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>'
            f"{self.certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService "
            f'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.org/sso"/></md:IDPSSODescriptor>'
            f"</md:EntityDescriptor>"
        )

    def signature(self, name, signed, key_info):
        """Of the element with this ID, which reads like this without its signature."""
        digest = base64.b64encode(hashlib.sha256(signed.encode()).digest()).decode()
        inner = (
            f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod><ds:SignatureMethod '
            f'Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod><ds:Reference URI="#{name}"><ds:Transforms>'
            f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform><ds:Transform Algorithm="{EXCLUSIVE}">'
            f'</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
            f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        )
        value = self.key.sign(f'<ds:SignedInfo xmlns:ds="{DS}">{inner}'.encode(), padding.PKCS1v15(), hashes.SHA256())
        return (
            f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>{inner}<ds:SignatureValue>{base64.b64encode(value).decode()}</ds:SignatureValue>'
            f'{self.key_info if key_info else ""}</ds:Signature>'
        )

    def response(self, entity, acs, groups, both=False, key_info=False):
        """A new response that nobody asked for, to this service provider, for somebody new in so many groups. `both`: the response is signed beside
        the assertion; `key_info`: signatures carry the certificate."""
        name, now, later = "_" + secrets.token_hex(16), instant(), instant(290)
        values = "".join(f"<saml:AttributeValue>{group(n)}</saml:AttributeValue>" for n in range(groups))
        head = f'<saml:Assertion xmlns:saml="{SAML}" ID="{name}" IssueInstant="{now}" Version="2.0"><saml:Issuer>{self.entity}</saml:Issuer>'
        body = (
            f'<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">p{secrets.token_hex(4)}</saml:NameID>'
            f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{later}" '
            f'Recipient="{acs}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{instant(-60)}" '
            f'NotOnOrAfter="{later}"><saml:AudienceRestriction><saml:Audience>{entity}</saml:Audience></saml:AudienceRestriction></saml:Conditions>'
            f'<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="_{secrets.token_hex(8)}"><saml:AuthnContext><saml:AuthnContextClassRef>'
            f"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f'<saml:AttributeStatement><saml:Attribute Name="groups">{values}</saml:Attribute></saml:AttributeStatement></saml:Assertion>'
        )
        assertion = f"{head}{self.signature(name, head + body, key_info)}{body}"
        name = "_" + secrets.token_hex(16)
        head = (
            f'<samlp:Response xmlns:samlp="{SAMLP}" Destination="{acs}" ID="{name}" IssueInstant="{now}" Version="2.0">'
            f'<saml:Issuer xmlns:saml="{SAML}">{self.entity}</saml:Issuer>'
        )
        body = (
            f'<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>'
            f"{assertion}</samlp:Response>"
        )
        return f"{head}{self.signature(name, head + body, key_info) if both else ''}{body}".encode()


def form(response, relay_state):
    """As a browser posts it."""
    return urllib.parse.urlencode({"SAMLResponse": base64.b64encode(response).decode(), "RelayState": relay_state}).encode()

#!/usr/bin/env python3
"""What a sign-in by SAML costs the server: a response is posted, a session stands in Redis, the browser is sent on.

scripts/measure_saml.py [BINARY]     run by target/counterparts' Python, which has the cryptography library (`make bench` does that)

Each response is new, and signed before the clock runs: the assertion by RSA-2048, exclusive canonicalisation, SHA-256. The provider may start
sign-ins, so no request has to be made first. CPU is user and system time of the gateway's process alone, with one worker and Redis.
"""
import base64
import datetime
import hashlib
import http.client
import pathlib
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from measuring import cpu_seconds, machine, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/rolegate")
GATEWAY, REDIS = 8791, 8798
ORIGIN = f"http://127.0.0.1:{GATEWAY}"
IDP = "https://idp.example.org/metadata"
ENTITY, ACS = f"{ORIGIN}/saml/idp1", f"{ORIGIN}/saml/idp1/acs"
SAML, SAMLP, DS = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol", "http://www.w3.org/2000/09/xmldsig#"
RUNS = 5

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "measured")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=2))
    return base64.b64encode(builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)).decode()


CERTIFICATE = certificate()


def instant(offset=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def response(groups):
    """Written in canonical form, so that the digest can be taken over what is sent."""
    name, now, later = "_" + secrets.token_hex(16), instant(), instant(290)
    values = "".join(f"<saml:AttributeValue>g{n:05}</saml:AttributeValue>" for n in range(groups))
    head = f'<saml:Assertion xmlns:saml="{SAML}" ID="{name}" IssueInstant="{now}" Version="2.0"><saml:Issuer>{IDP}</saml:Issuer>'
    body = (
        f'<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">p{secrets.token_hex(4)}</saml:NameID>'
        f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{later}" '
        f'Recipient="{ACS}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{instant(-60)}" '
        f'NotOnOrAfter="{later}"><saml:AudienceRestriction><saml:Audience>{ENTITY}</saml:Audience></saml:AudienceRestriction></saml:Conditions>'
        f'<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="_{secrets.token_hex(8)}"><saml:AuthnContext><saml:AuthnContextClassRef>'
        f"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        f'<saml:AttributeStatement><saml:Attribute Name="groups">{values}</saml:Attribute></saml:AttributeStatement></saml:Assertion>'
    )
    digest = base64.b64encode(hashlib.sha256((head + body).encode()).digest()).decode()
    inner = (
        f'<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod '
        f'Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod><ds:Reference URI="#{name}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">'
        f'</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    value = base64.b64encode(KEY.sign(f'<ds:SignedInfo xmlns:ds="{DS}">{inner}'.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    signature = f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>{inner}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>'
    outer = (
        f'<samlp:Response xmlns:samlp="{SAMLP}" Destination="{ACS}" ID="_{secrets.token_hex(16)}" IssueInstant="{now}" Version="2.0">'
        f'<saml:Issuer xmlns:saml="{SAML}">{IDP}</saml:Issuer><samlp:Status><samlp:StatusCode '
        f'Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>{head}{signature}{body}</samlp:Response>'
    )
    return urllib.parse.urlencode({"SAMLResponse": base64.b64encode(outer.encode()).decode(), "RelayState": "/"}).encode()


def metadata():
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{IDP}"><md:IDPSSODescriptor '
        f'protocolSupportEnumeration="{SAMLP}"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>'
        f"{CERTIFICATE}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService "
        f'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.org/sso"/></md:IDPSSODescriptor>'
        f"</md:EntityDescriptor>"
    )


CONFIG = f"""
public_url = "{ORIGIN}"
[server]
listen = "127.0.0.1:{GATEWAY}"
workers = 1
sign_in_rate = 10000
sign_in_burst = 100000
[store]
url = "redis://127.0.0.1:{REDIS}"
seal_keys = [{{ file = "seal" }}]
[aws]
sts_endpoint = "http://127.0.0.1:9"
[[saml_provider]]
id = "idp1"
name = "Measured"
metadata = {{ file = "idp.xml" }}
idp_initiated = true
"""


class Connection:
    """One that is kept. A request is sent before the answer to the one before it on another connection is read."""

    def __init__(self, browser):
        self.socket = socket.create_connection(("127.0.0.1", GATEWAY))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.browser = browser

    def post(self, body):
        head = (
            f"POST /saml/idp1/acs HTTP/1.1\r\nHost: 127.0.0.1:{GATEWAY}\r\nOrigin: https://idp.example.org\r\nCookie: {self.browser}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def landed(self):
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.socket.recv(65536)
        if b" 303 " not in received.split(b"\r\n")[0] or b"rolegate-session" not in received:
            sys.exit(f"no sign-in: {received[:2000]}")


def sign_in_all(connections, bodies):
    """Each body once, by as many connections as there are, all at the same time."""
    for start in range(0, len(bodies), len(connections)):
        pairs = list(zip(connections, bodies[start : start + len(connections)]))
        for connection, body in pairs:
            connection.post(body)
        for connection, _ in pairs:
            connection.landed()


def main():
    redis = subprocess.Popen(["redis-server", "--port", str(REDIS), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "idp.xml").write_text(metadata())
        (folder / "seal").write_text("ab" * 32)
        (folder / "seal").chmod(0o600)
        (folder / "rolegate.toml").write_text(CONFIG)
        wait_for(REDIS)
        gateway = subprocess.Popen([str(BINARY), "serve", "--config", str(folder / "rolegate.toml")], stdout=subprocess.PIPE, stderr=open(folder / "log", "wb"))
        try:
            wait_for(GATEWAY)
            connection = http.client.HTTPConnection("127.0.0.1", GATEWAY, timeout=20)
            connection.request("GET", "/login")
            answer = connection.getresponse()
            answer.read()
            browser = re.search(r"rolegate-browser=[^;]+", answer.getheader("Set-Cookie")).group(0)
            print(machine(), flush=True)
            for groups, count in ((20, 400), (200, 400), (1000, 96), (5000, 40)):
                for width in (1, 8):
                    connections = [Connection(browser) for _ in range(width)]
                    sign_in_all(connections, [response(groups) for _ in range(24)])
                    runs = []
                    for _ in range(RUNS):
                        bodies = [response(groups) for _ in range(count)]
                        before = cpu_seconds(gateway)
                        sign_in_all(connections, bodies)
                        runs.append((cpu_seconds(gateway) - before) / count * 1e6)
                    spread = f"{statistics.median(runs):.0f} us CPU (from {min(runs):.0f} to {max(runs):.0f})"
                    print(f"{groups} groups, a form of {len(bodies[0]):,} bytes, {width} connection(s): {spread}", flush=True)
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(timeout=30)
            redis.terminate()


main()

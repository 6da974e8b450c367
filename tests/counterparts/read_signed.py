"""Verifies many SAML responses with signxml and reads whom each one names, from the signed element alone.

usage: read_signed.py CERTIFICATE_PEM < DOCUMENTS

A document is a line of base64. For each one a line of JSON is printed: null where signxml refuses, else the NameID and the attributes
(name and values, in order).
"""

import base64
import json
import pathlib
import sys

from lxml import etree
from signxml import XMLVerifier

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"


def text(element: etree._Element) -> str:
    """The whole text: comments and instructions are no part of it."""
    return "".join(element.xpath("text()"))


def read(document: bytes, certificate: str) -> dict | None:
    try:
        signed = XMLVerifier().verify(document, x509_cert=certificate, id_attribute="ID").signed_xml
    except Exception:  # whatever a verifier says no with
        return None
    assertion = signed if signed.tag == SAML + "Assertion" else signed.find(SAML + "Assertion")
    if assertion is None:
        return None
    attributes = assertion.findall(f"{SAML}AttributeStatement/{SAML}Attribute")
    return {
        "name": text(assertion.find(f"{SAML}Subject/{SAML}NameID")),
        "attributes": [[one.get("Name"), [text(value) for value in one.findall(SAML + "AttributeValue")]] for one in attributes],
    }


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    certificate = pathlib.Path(sys.argv[1]).read_text(encoding="ascii")
    for line in sys.stdin:
        print(json.dumps(read(base64.b64decode(line), certificate)))


main()

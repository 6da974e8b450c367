"""Verifies a SAML signature with signxml, and the document's shape by the OASIS schemas that pysaml2 carries.

usage: verify_signxml.py XML_FILE CERTIFICATE_PEM|-

With `-` only the schema is checked. Prints what the signature covers. Exits with 1, and says why, when either refuses. pysaml2 opens no
network connection for this: the schemas are files of its own.
"""

import pathlib
import sys

from lxml import etree
from saml2.xml.schema import validate
from signxml import XMLVerifier


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    text = pathlib.Path(sys.argv[1]).read_bytes()
    try:
        validate(text.decode())
        root = etree.fromstring(text)
        if etree.tostring(root, method="c14n", exclusive=True) != text:
            sys.exit("the document is not in canonical form")
        if sys.argv[2] != "-":
            certificate = pathlib.Path(sys.argv[2]).read_text(encoding="ascii")
            print(XMLVerifier().verify(root, x509_cert=certificate, id_attribute="ID").signed_xml.tag)
    except Exception as error:  # whatever a verifier says no with
        sys.exit(f"refused: {type(error).__name__}: {error}")


main()

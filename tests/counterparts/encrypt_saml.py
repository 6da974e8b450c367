"""Encrypts as xmlsec1 1.2 cannot: RSA-OAEP of XML Encryption 1.1 with SHA-256 throughout, by Python's cryptography.

usage: encrypt_saml.py PLAINTEXT_FILE CERTIFICATE_PEM

Prints an EncryptedAssertion.
"""

import base64
import os
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

XENC, XENC11, DS = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#", "http://www.w3.org/2000/09/xmldsig#"


def main() -> None:
    plaintext = pathlib.Path(sys.argv[1]).read_bytes()
    public = x509.load_pem_x509_certificate(pathlib.Path(sys.argv[2]).read_bytes()).public_key()
    key, nonce = os.urandom(16), os.urandom(12)
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    wrapped = base64.encodebytes(public.encrypt(key, oaep)).decode()
    sealed = base64.encodebytes(nonce + AESGCM(key).encrypt(nonce, plaintext, None)).decode()
    print(
        f'<a:EncryptedAssertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"><EncryptedData xmlns="{XENC}" Type="{XENC}Element">'
        f'<EncryptionMethod Algorithm="{XENC11}aes128-gcm"/><ds:KeyInfo xmlns:ds="{DS}"><EncryptedKey>'
        f'<EncryptionMethod Algorithm="{XENC11}rsa-oaep"><ds:DigestMethod Algorithm="{XENC}sha256"/>'
        f'<x:MGF xmlns:x="{XENC11}" Algorithm="{XENC11}mgf1sha256"/></EncryptionMethod>'
        f"<CipherData><CipherValue>{wrapped}</CipherValue></CipherData></EncryptedKey></ds:KeyInfo>"
        f"<CipherData><CipherValue>{sealed}</CipherValue></CipherData></EncryptedData></a:EncryptedAssertion>"
    )


main()

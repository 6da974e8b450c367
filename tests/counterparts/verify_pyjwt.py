"""Two verifiers of other people's making for a token: PyJWT and jwcrypto.

usage: verify_pyjwt.py ISSUER|JWKS_FILE TOKEN_FILE AUDIENCE

ISSUER is a URL whose discovery document names the key set; the token's `iss` must be that issuer. Prints the claims as JSON. Exits
with 1, and says why, when either refuses.
"""

import json
import pathlib
import sys
import urllib.request

import jwt
from jwcrypto import jwk as crypto_jwk
from jwcrypto import jwt as crypto_jwt

ALGORITHMS = ["ES256", "RS256"]


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (the test's own loopback URL)
        return answer.read().decode()


def key_set(source: str) -> tuple[str, str | None]:
    """The key set as JSON, and the issuer that it belongs to, if that is known."""
    if not source.startswith("http"):
        return pathlib.Path(source).read_text(encoding="utf-8"), None
    document = json.loads(fetch(source.rstrip("/") + "/.well-known/openid-configuration"))
    if document["issuer"] != source:
        sys.exit(f"the discovery document is of another issuer: {document['issuer']}")
    return fetch(document["jwks_uri"]), source


def by_pyjwt(keys: str, token: str, issuer: str | None, audience: str) -> dict:
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWKSet.from_json(keys)[kid]
    required = ["exp", "iat", "iss", "sub", "aud"]
    return jwt.decode(token, key, algorithms=ALGORITHMS, audience=audience, issuer=issuer, options={"require": required})


def by_jwcrypto(keys: str, token: str, issuer: str | None, audience: str) -> dict:
    checks = {"aud": audience, "exp": None, "iat": None, "sub": None}
    if issuer:
        checks["iss"] = issuer
    verified = crypto_jwt.JWT(jwt=token, key=crypto_jwk.JWKSet.from_json(keys), algs=ALGORITHMS, check_claims=checks, expected_type="JWS")
    return json.loads(verified.claims)


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    keys, issuer = key_set(sys.argv[1])
    token = pathlib.Path(sys.argv[2]).read_text(encoding="utf-8").strip()
    results = []
    for verifier in (by_pyjwt, by_jwcrypto):
        try:
            results.append(verifier(keys, token, issuer, sys.argv[3]))
        except Exception as error:  # whatever a verifier says no with
            sys.exit(f"{verifier.__name__[3:]} refuses: {type(error).__name__}: {error}")
    if results[0] != results[1]:
        sys.exit("PyJWT and jwcrypto read different claims")
    print(json.dumps(results[0]))


main()

#!/usr/bin/env python3
"""The keys that seal sessions and cookies, and those that sign for AWS, are replaced while people use two gateways behind HAProxy.

usage: scripts/faults/keys_rotated.py [BINARY]        default: target/release/rolegate

100 requests a second, as in rolling_restart.py. In three steps, as docs/operations.md has them, each gateway is stopped, gets the configuration of the
step, and starts again: new keys are known, then they seal and sign, then the old ones are gone. No request may be lost. What AWS would be shown must be
signed by a key that both gateways publish. At the end what the old key sealed is not believed any more.
"""
import asyncio
import base64
import itertools
import json
import pathlib
import re
import subprocess
import time
import urllib.parse

from faulting import BINARY, PROXY, Place, Visitor, ask, at_rate, is_signed_in, quantiles, run, say, spawn, state, sts_double, tally
from measuring import wait_for
from rolling_restart import PAUSE, RATE, by

BY_SAML = "arn:aws:iam::444455556666:role/Operator"
SEAL, SIGN = 'seal_keys = [{ file = "seal" }]', 'signing_key = { file = "signing.pem" }'
SAML = 'signing_key = { file = "saml.pem" }\ncertificate = { file = "saml.crt" }'
NEW_SAML = 'signing_key = { file = "saml-new.pem" }\ncertificate = { file = "saml-new.crt" }'
STEPS = {
    "the new keys are known": (
        'seal_keys = [{ file = "seal" }, { file = "seal-new" }]',
        'signing_key = { file = "signing.pem" }\nnext_key = { file = "signing-new.pem" }',
        SAML + '\nnext_certificates = [{ file = "saml-new.crt" }]',
    ),
    "the new keys seal and sign": (
        'seal_keys = [{ file = "seal-new" }, { file = "seal" }]',
        'signing_key = { file = "signing-new.pem" }\nretiring_keys = [{ file = "signing.pem" }]',
        NEW_SAML + '\nretiring_certificates = [{ file = "saml.crt" }]',
    ),
    "the old keys are gone": ('seal_keys = [{ file = "seal-new" }]', 'signing_key = { file = "signing-new.pem" }', NEW_SAML),
}


class Published:
    """Which keys each gateway publishes, as seen last, and which have signed: tokens by the id of the key, responses by its certificate."""

    def __init__(self, gateways):
        self.gateways, self.of, self.signed, self.unknown = gateways, {}, [], []

    async def look(self):
        for gateway in self.gateways:
            try:
                keys = json.loads((await ask(gateway.port, "GET", "/.well-known/jwks.json")).body)["keys"]
                metadata = (await ask(gateway.port, "GET", "/saml/idp/metadata")).body
                self.of[gateway.port] = {key["kid"] for key in keys} | set(certificates(metadata))
            except OSError:
                pass  # It is being restarted.

    def shown(self, body):
        fields = urllib.parse.parse_qs(body.decode())
        if "SAMLAssertion" in fields:
            (key,) = set(certificates(base64.b64decode(fields["SAMLAssertion"][0])))
        else:
            header = fields["WebIdentityToken"][0].split(".")[0]
            key = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
        self.signed.append(key)
        if not all(key in keys for keys in self.of.values()):
            self.unknown.append(key)


def certificates(xml):
    return [re.sub(r"\s", "", found) for found in re.findall(r"<(?:\w+:)?X509Certificate>([^<]+)<", xml.decode())]


async def replace_keys(place, published):
    texts = {gateway: gateway.config.read_text() for gateway in place.gateways}
    for step, (seal, sign, saml) in STEPS.items():
        say(f"    {step}")
        for gateway in place.gateways:
            code = await asyncio.to_thread(gateway.stop)
            if code != 0:
                state(False, f"{gateway.name} ends in order, with code {code}")
            gateway.config.write_text(texts[gateway].replace(SEAL, seal).replace(SIGN, sign).replace(SAML, saml))
            await asyncio.to_thread(gateway.start)
            await published.look()
            await asyncio.sleep(PAUSE)
        await asyncio.sleep(PAUSE)


async def main():
    with Place(gateways=2) as place:
        made = subprocess.run([BINARY, "keys", "new"], capture_output=True, check=True)
        for name, secret in (("signing-new.pem", made.stdout), ("seal-new", b"5e" * 32)):
            (place.folder / name).write_bytes(secret)
            (place.folder / name).chmod(0o600)
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=faults-new"]
        subprocess.run([*request, "-keyout", place.folder / "saml-new.pem", "-out", place.folder / "saml-new.crt"], check=True, capture_output=True)
        (place.folder / "saml-new.pem").chmod(0o600)
        published = Published(place.gateways)
        await published.look()
        double = await sts_double(published.shown)
        place.others.append(spawn("haproxy", "-db", "-f", pathlib.Path(__file__).parent / "haproxy.cfg", log=open(place.folder / "haproxy.log", "wb")))
        wait_for(PROXY)
        await asyncio.sleep(1)
        early = [Visitor(PROXY) for _ in range(20)]
        state(all([is_signed_in(await person.sign_in()) for person in early]), "20 people sign in before")
        people, turn, seen = list(early), itertools.count(), []

        async def one():
            n = next(turn)
            kind, begun = ("page", "page", "credentials", "credentials by SAML", "sign-in")[n % 5], time.monotonic()
            person = Visitor(PROXY, "new") if kind == "sign-in" else people[n % len(people)]
            try:
                asked = {"page": lambda: person.ask("/"), "sign-in": person.sign_in, "credentials": person.credentials}
                answer = await asked.get(kind, lambda: person.credentials(BY_SAML))()
                good = is_signed_in(answer) if kind == "sign-in" else answer.status == 200
                what = "good" if good else by(answer)
                if kind == "sign-in" and good:
                    # So that the old key's sessions are used less and less, as people sign in anew day by day.
                    people.append(person)
                    people.pop(0)
            except OSError as error:
                what = type(error).__name__
            seen.append((kind, what, time.monotonic() - begun))

        rotation = asyncio.create_task(replace_keys(place, published))
        while not rotation.done():
            await at_rate(RATE / 1.2, 1, one)
        await rotation
        for kind in ("page", "credentials", "credentials by SAML", "sign-in"):
            mine = [(what, seconds) for of, what, seconds in seen if of == kind]
            say(f"    {kind}: {tally(what for what, _ in mine)}; {quantiles([seconds for _, seconds in mine])}")
        lost = tally(f"{kind}: {what}" for kind, what, _ in seen if what != "good") or "none"
        state(lost == "none", f"no request is lost, of {len(seen)} ({lost})")
        say(f"    signed for AWS: {tally(key[-8:] for key in published.signed)}")
        state(len(set(published.signed)) == 4, "old and new keys have signed, for tokens and for SAML")
        state(not published.unknown, f"each by a key that both gateways published ({len(published.unknown)} were not)")
        new = set.intersection(*published.of.values())
        state(len(new) == 2 and new < set(published.signed), "the old keys are published no more")
        here = [(await person.who()).status for person in early]
        state(set(here) == {401}, f"what the old key sealed is not believed any more: {tally(here)}")
        here = [(await person.who()).status for person in people]
        state(set(here) == {200}, f"who has signed in since is signed in: {tally(here)}")
        place.no_panic()
        double.close()


if __name__ == "__main__":
    run(main)

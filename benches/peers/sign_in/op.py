"""The OpenID provider that all relying parties sign in with: npm's oidc-provider, as the tests have it, with two people who are signed in there."""

import json
import os
import pathlib
import urllib.parse

from client import Connection, local
from measuring import wait_for
from saml_idp import group
from server import DRIVER, end, spawn

ROOT = pathlib.Path(__file__).resolve().parents[3]
NODE, SCRIPT = ROOT / "target/counterparts/bin/node", ROOT / "tests/counterparts/oidc-provider.mjs"
CLIENT, SECRET = "measured", "for-loopback-tests-only"


class Op:
    def __init__(self, folder, port, callbacks, sizes):
        self.port, self.issuer = port, f"http://127.0.0.1:{port}"
        people = {f"p{size}": {"name": "Somebody", "groups": [group(n) for n in range(size)]} for size in sizes}
        settings = {"PORT": port, "REDIRECT_URIS": " ".join(callbacks), "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, "AUTO": 1, "EXIT_WITH_STDIN": 1}
        environment = {name: str(value) for name, value in settings.items()} | {"PEOPLE": json.dumps(people)}
        self.process = spawn([NODE, SCRIPT], folder / "op.log", DRIVER, env=os.environ | environment)
        wait_for(port)
        self.jars = {size: {} for size in sizes}

    def authorize(self, url, size):
        """What the provider sends the browser back with, when the person with so many groups comes with this request. Nobody is asked anything:
        the first time they are signed in by their name, from then on they are known."""
        cookies, connection = self.jars[size], Connection(self.port)
        path = local(url, self.issuer) + "&" + urllib.parse.urlencode({"login_hint": f"p{size}"})
        while True:
            answer = connection.get(path, cookies)
            cookies |= answer.cookies()
            place = answer.wanted(303).location()
            if not place.startswith((self.issuer, "/")):
                return place
            path = local(place, self.issuer)

    def stop(self):
        end(self.process)

"""Rolegate: one process with one worker, its log in a file, its audit trail flushed to disk before anybody is in."""

import os
import pathlib
import sys

from client import Connection
from server import Server, configured

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/rolegate").resolve()


class Rolegate(Server):
    key, name, store = "rolegate", "Rolegate", 'url = "memory"'
    # The name of an account that a rule gives roles in: the start page shows it to who is let in, and not otherwise.
    marker = "Measured account"
    page = "/"
    checks = {"who am I": "/api/v1/me", "the start page": "/"}

    def __init__(self, folder, port):
        super().__init__(folder, port)
        self.entity, self.acs = f"{self.origin}/saml/idp1", f"{self.origin}/saml/idp1/acs"
        self.callback, self.begin = f"{self.origin}/callback/op1", "/login/op1?next=/"

    def start(self, **values):
        (self.folder / "secret").write_text(values["secret"])
        (self.folder / "seal").write_text("ab" * 32)
        for name in ("secret", "seal"):
            (self.folder / name).chmod(0o600)
        values |= {"origin": self.origin, "port": self.port, "store": self.store}
        config = self.folder / "rolegate.toml"
        config.write_text(configured("rolegate.toml", values))
        self.serve(BINARY, "serve", "--config", config, env=os.environ | {"TMPDIR": str(self.folder)})
        self.ready()
        # A browser that was here before is known by a cookie.
        self.known = Connection(self.port).get("/login").cookies()


class RolegateRedis(Rolegate):
    key, name = "rolegate-redis", "Rolegate, Redis"

    def start(self, **values):
        self.store = f'url = "redis://127.0.0.1:{values["redis"]}"\nseal_keys = [{{ file = "seal" }}]'
        super().start(**values)

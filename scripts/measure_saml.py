#!/usr/bin/env python3
"""What a sign-in by SAML costs the server: a response is posted, a session stands in Redis, the browser is sent on.

scripts/measure_saml.py [BINARY]     run by target/counterparts' Python, which has the cryptography library (`make bench` does that)

Each response is new, and signed before the clock runs: the assertion by RSA-2048, exclusive canonicalisation, SHA-256. The provider may start
sign-ins, so no request has to be made first. CPU is user and system time of the gateway's process alone, with one worker and Redis.
"""
import http.client
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

from measuring import cpu_seconds, machine, wait_for
from saml_idp import Idp, form

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/rolegate")
GATEWAY, REDIS = 8791, 8798
ORIGIN = f"http://127.0.0.1:{GATEWAY}"
ENTITY, ACS = f"{ORIGIN}/saml/idp1", f"{ORIGIN}/saml/idp1/acs"
RUNS = 5

IDP = Idp()


def response(groups):
    return form(IDP.response(ENTITY, ACS, groups), "/")


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
        (folder / "idp.xml").write_text(IDP.metadata())
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

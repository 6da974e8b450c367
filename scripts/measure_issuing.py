#!/usr/bin/env python3
"""Measures what handing out credentials costs the server, as people run it: a release build of `rolegate serve`, sessions in memory.

usage: scripts/measure_issuing.py [BINARY]        default: target/release/rolegate

Somebody who is signed in asks `POST /api/v1/credentials` again and again, over one connection, for a role by web identity and for one by SAML.
CPU is user and system time of the gateway's process alone, the median of five runs: the decision, the proof and its signature, asking STS by HTTP,
and the audit trail with its `fsync`. STS is a double of this script's own, which believes everything: the demonstration's believes its own
gateway's key alone. A portal page is measured beside it, for what every request costs. Loopback only.
"""

import http.server
import json
import socketserver
import statistics
import threading
import time
import urllib.parse

from measuring import cpu_seconds
from served import Browser, Connection, beside_the_demonstration, configuration, running

ASKED, RUNS, STS = 400, 5, 8792
ROLES = {"web identity": "arn:aws:iam::111122223333:role/PlatformAdmin", "SAML": "arn:aws:iam::444455556666:role/Operator"}
RULE = """
[[rule]]
id = "measured-by-saml"
everyone = true
accounts = ["444455556666"]
roles = ["Operator"]
operation = "saml"
"""


class Double(http.server.BaseHTTPRequestHandler):
    """Answers as STS does, with credentials that are worth nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        action = form["Action"][0]
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        body = (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><AssumedRoleUser>'
            f"<Arn>{form['RoleArn'][0].replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/somebody</Arn><AssumedRoleId>AROADOUBLE:somebody</AssumedRoleId>"
            "</AssumedRoleUser><Credentials><AccessKeyId>ASIADOUBLE0000000000</AccessKeyId><SecretAccessKey>worth-nothing</SecretAccessKey>"
            f"<SessionToken>{'worth-nothing-' * 60}</SessionToken><Expiration>{until}</Expiration></Credentials></{action}Result>"
            f"<ResponseMetadata><RequestId>a-double</RequestId></ResponseMetadata></{action}Response>"
        ).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Asking(Connection):
    def __init__(self, browser, role):
        super().__init__(browser)
        body = json.dumps({"role": role})
        headers = f"X-Requested-With: rolegate\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = self.request.decode().replace("GET / ", "POST /api/v1/credentials ").removesuffix("\r\n")
        self.request = f"{head}{headers}\r\n{body}".encode()


def cost(process, connection):
    runs = []
    for _ in range(RUNS + 1):
        before = cpu_seconds(process)
        for _ in range(ASKED):
            connection.ask()
            connection.page()
        runs.append((cpu_seconds(process) - before) / ASKED * 1e6)
    # The first run opens connections.
    runs = runs[1:]
    return f"{statistics.median(runs):.0f} us CPU (from {min(runs):.0f} to {max(runs):.0f})"


def main():
    threading.Thread(target=Server(("127.0.0.1", STS), Double).serve_forever, daemon=True).start()
    limits = ("workers = 1", "workers = 1\nperson_rate = 10000\nperson_burst = 100000")
    sts = ('sts_endpoint = "http://127.0.0.1:8702"', f'sts_endpoint = "http://127.0.0.1:{STS}"')
    with beside_the_demonstration() as folder:
        config = folder / "rolegate.toml"
        config.write_text(configuration(folder, limits, sts, tests=False) + RULE)
        with running(config) as process:
            browser = Browser()
            browser.sign_in()
            print(f"a portal page: {cost(process, Connection(browser))}", flush=True)
            for name, role in ROLES.items():
                print(f"credentials by {name}: {cost(process, Asking(browser, role))}", flush=True)


if __name__ == "__main__":
    main()

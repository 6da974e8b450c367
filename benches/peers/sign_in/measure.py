#!/usr/bin/env python3
"""Measures Rolegate beside the service providers that Debian has for Apache: mod_auth_mellon, mod_shib, mod_auth_openidc.

usage: target/counterparts/venv/bin/python3 benches/peers/sign_in/measure.py [BINARY]     default: target/release/rolegate (make bench-peers builds it)

All run on one core of the same machine at the same time and are asked by turns, round by round, because the speed of a shared machine changes
by the minute. Asked are: sign-ins by SAML, with responses of one generator that differ in their addresses alone; sign-ins by OpenID Connect with
one provider; and pages for people who are signed in. What is counted is user and system time of all of a server's processes, in all requests that
a visit takes, the page at its end among them; the identity provider, Redis and this script run on another core, and are not counted. A visit that
does not end with the page stops everything. Loopback only.
"""

import contextlib
import os
import pathlib

import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "scripts")]

import visits  # noqa: E402
from gateway import Rolegate, RolegateRedis  # noqa: E402
from measuring import machine, wait_for  # noqa: E402
from mellon import Mellon, MellonAsInstalled  # noqa: E402
from op import CLIENT, SECRET, Op  # noqa: E402
from openidc import OpenIdc, OpenIdcRedis  # noqa: E402
from saml_idp import Idp  # noqa: E402
from server import DRIVER, end, spawn  # noqa: E402
from shibboleth import Shibboleth  # noqa: E402
from table import Table  # noqa: E402
from visits import cost  # noqa: E402

FIRST_PORT = 8800
ROUNDS, WIDTH, SIZES = 7, 4, (20, 200)
SAML = (Mellon, Shibboleth, MellonAsInstalled, Rolegate, RolegateRedis)
OIDC = (OpenIdc, OpenIdcRedis, Rolegate, RolegateRedis)
# How many sign-ins are counted at once; those of people who come back; how often they do.
LOGINS, SLOW_LOGINS, OIDC_LOGINS, VISITORS, CHECKS = 320, 24, 160, 48, 2400


def packages():
    names = ["apache2-bin", "libapache2-mod-auth-mellon", "libapache2-mod-shib", "libapache2-mod-auth-openidc", "redis-server"]
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", *names], capture_output=True, text=True).stdout
    return shown.strip(", ")


def start_all(folder, running):
    """The servers, each with a Redis of its own if it wants one, and what they sign in with."""
    servers = {kind: kind(folder, FIRST_PORT + number) for number, kind in enumerate(dict.fromkeys(SAML + OIDC))}
    idp, pair = Idp(), folder / "pair"
    (folder / "idp.xml").write_text(idp.metadata())
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=measured", "-keyout", f"{pair}.key", "-out", f"{pair}.crt"],
        check=True,
        capture_output=True,
    )
    os.chmod(f"{pair}.key", 0o644)
    op = Op(folder, FIRST_PORT + 50, [servers[kind].callback for kind in OIDC], SIZES)
    values = {"idp": folder / "idp.xml", "idp_entity": idp.entity, "pair": pair, "issuer": op.issuer, "client": CLIENT, "secret": SECRET}
    running.callback(op.stop)
    for number, server in enumerate(servers.values()):
        port = FIRST_PORT + 60 + number
        if server.key.endswith("-redis"):
            running.callback(end, spawn(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""], folder / "redis.log", DRIVER))
            wait_for(port)
        running.callback(server.stop)
        server.start(redis=port, **values)
    return servers, idp, op


def one_round(servers, idp, op, table):
    for size in SIZES:
        for kind in SAML:
            server, count = servers[kind], SLOW_LOGINS if kind is MellonAsInstalled else LOGINS
            forms = visits.responses(server, idp, size, count)
            spent, visitors = cost(server, WIDTH, count, lambda connections: visits.by_saml(server, connections, forms))
            table.add(("sign-in by SAML", server.name, size), spent)
            if kind is not MellonAsInstalled:
                come_back(server, "a visit after it, by SAML", size, visitors, table)
        for kind in OIDC:
            server = servers[kind]
            spent, visitors = cost(server, WIDTH, OIDC_LOGINS, lambda connections: visits.by_oidc(server, connections, op, size, OIDC_LOGINS))
            table.add(("sign-in by OpenID Connect", server.name, size), spent)
            come_back(server, "a visit after it, by OpenID Connect", size, visitors, table)


def come_back(server, what, size, visitors, table):
    for label, path in server.checks.items():
        run = lambda connections: visits.again(server, connections, path, visitors[-VISITORS:], CHECKS)  # noqa: B023, E731
        table.add((what, f"{server.name}: {label}" if label else server.name, size), cost(server, WIDTH, CHECKS, run)[0])


def main():
    os.sched_setaffinity(0, DRIVER)
    table = Table()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        servers, idp, op = start_all(folder, running)
        print(packages(), flush=True)
        for number in range(ROUNDS + 1):
            print(f"round {number} of {ROUNDS}: {machine()}", flush=True)
            # The first round opens connections and fills caches.
            one_round(servers, idp, op, table if number else Table())
        table.print()
        for server in servers.values():
            print(f"resident, {server.name}: {server.idle:.0f} MiB idle, {server.resident():.0f} MiB after {server.cpu():.0f} s of CPU")


if __name__ == "__main__":
    main()

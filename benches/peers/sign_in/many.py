#!/usr/bin/env python3
"""Measures what many sessions cost Rolegate: memory where it keeps them itself, CPU of a check where Redis keeps them.

usage: target/counterparts/venv/bin/python3 benches/peers/sign_in/many.py [BINARY]     default: target/release/rolegate

In memory, people with 20 groups sign in by SAML until 100,000 sessions live. With Redis there are three gateways, each with a Redis of its own that
holds 1,000, 100,000 and 1,000,000 sessions. They are asked by turns, so that the hour's speed is the same for all: first by the same 1,000
people, whose sessions the gateway remembers as it opened them lately, then by any of 20,000, most of which it must open anew.

Those 20,000 sessions are of real sign-ins, and so are the 1,000. The others are one of them under other names, with as many index entries: a million
sign-ins would take half an hour. Redis cannot tell them apart, and nobody asks for them.
"""

import contextlib
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "scripts")]

import tree  # noqa: E402
import visits  # noqa: E402
from client import Connection, Unwanted  # noqa: E402
from gateway import Rolegate, RolegateRedis  # noqa: E402
from measuring import machine, wait_for  # noqa: E402
from op import CLIENT, SECRET  # noqa: E402
from saml_idp import Idp  # noqa: E402
from server import DRIVER, end, spawn  # noqa: E402
from visits import cost  # noqa: E402

PORT, REDIS = 8880, 8890
GROUPS, BATCH, WIDTH = 20, 1000, 4
IN_MEMORY, IN_REDIS, SIGNED_IN = (1000, 10_000, 50_000, 100_000), (1000, 100_000, 1_000_000), 20_000
ROUNDS, CHECKS = 7, 2400


class Many(RolegateRedis):
    """A gateway whose Redis holds so many sessions."""

    def __init__(self, folder, number, size):
        self.key, self.size, self.redis_port = f"rolegate-{size}", size, REDIS + number
        super().__init__(folder, PORT + 1 + number)

    def fill(self, idp):
        try:
            self.visitors = sign_in(self, idp, min(self.size, SIGNED_IN))
        except Unwanted as reason:
            sys.exit(f"{reason}\n{self.said()}")
        one = self.redis_cli("--scan", "--pattern", "rolegate:session:*").split()[0]
        for first in range(len(self.visitors), self.size, 10_000):
            self.redis_cli("--eval", HERE / "copies.lua", one, ",", first, min(first + 10_000, self.size) - 1)
        keys = self.redis_cli("dbsize").strip()
        used = self.redis_cli("info", "memory").split("used_memory_human:")[1].split()[0]
        print(f"{self.size:,} sessions are {keys} keys in Redis, {used}", flush=True)

    def redis_cli(self, *words):
        command = ["redis-cli", "-p", self.redis_port, *words]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def sign_in(server, idp, count):
    visitors = []
    for _ in range(0, count, BATCH):
        connections = [Connection(server.port) for _ in range(WIDTH)]
        visitors += visits.by_saml(server, connections, visits.responses(server, idp, GROUPS, min(BATCH, count)))
    return visitors


def in_memory(server, idp):
    print(f"in memory: {server.idle:.0f} MiB idle", flush=True)
    there = 0
    for target in IN_MEMORY:
        while there < target:
            try:
                sign_in(server, idp, BATCH)
            except Unwanted:
                why = re.findall(r'"reason":"([^"]*)"', server.said())
                print(f"in memory: nobody is let in any more after {there:,} to {there + BATCH:,} sessions, with {server.resident():.0f} MiB: {why[-1:]}")
                return
            there += BATCH
        print(f"in memory: {there:,} live sessions of people with {GROUPS} groups: {server.resident():.0f} MiB", flush=True)


def in_redis(servers):
    runs = {}
    for number in range(ROUNDS + 1):
        print(f"round {number} of {ROUNDS}: {machine()}", flush=True)
        for whom in ("the same 1,000", f"any of {SIGNED_IN:,}"):
            for server in servers:
                if whom.startswith("the"):
                    visitors = server.visitors[:1000]
                elif len(server.visitors) < SIGNED_IN:
                    continue
                else:
                    visitors = random.sample(server.visitors, CHECKS)
                before = tree.cpu_seconds([server.redis.pid])
                spent, _ = cost(server, WIDTH, CHECKS, lambda connections: visits.again(server, connections, "/api/v1/me", visitors, CHECKS))  # noqa: B023
                of_redis = (tree.cpu_seconds([server.redis.pid]) - before) / CHECKS * 1e6
                # The first round fills caches.
                runs.setdefault((whom, server.size), []).append((spent, of_redis)) if number else None
    for (whom, size), both in runs.items():
        (own, least, most), (of_redis, _, _) = (spread(list(run)) for run in zip(*both))
        print(f"a check, {size:,} sessions in Redis, {whom} people: {own:.0f} us CPU (from {least:.0f} to {most:.0f}), and Redis {of_redis:.0f} us")


def spread(runs):
    return statistics.median(runs), min(runs), max(runs)


def main():
    os.sched_setaffinity(0, DRIVER)
    idp = Idp()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "idp.xml").write_text(idp.metadata())
        # Nobody signs in by OpenID Connect here.
        values = {"idp": folder / "idp.xml", "issuer": "http://127.0.0.1:9", "client": CLIENT, "secret": SECRET}
        with contextlib.ExitStack() as running:
            server = Rolegate(folder, PORT)
            running.callback(server.stop)
            server.start(**values)
            in_memory(server, idp)
        with contextlib.ExitStack() as running:
            servers = [Many(folder, number, size) for number, size in enumerate(IN_REDIS)]
            for server in servers:
                port = server.redis_port
                server.redis = spawn(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""], folder / "redis.log", DRIVER)
                running.callback(end, server.redis)
                wait_for(port)
                running.callback(server.stop)
                server.start(redis=port, **values)
                server.fill(idp)
            in_redis(servers)


if __name__ == "__main__":
    main()

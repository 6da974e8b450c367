#!/usr/bin/env python3
"""Measures the start page of somebody with 5,000 roles, as people run the server: a release build of `rolegate serve`, sessions in memory.

usage: scripts/measure_many_roles.py [BINARY]        default: target/release/rolegate

The demonstration's configuration with 1,000 accounts more and one rule that gives ana five roles in each. Prints the CPU (user and system, of the
gateway's process alone) for one page over one keep-alive connection, and its size: as it is written, and as browsers take it, compressed.
Median of five runs. The sandbox runs in another process, by `rolegate demo`. Loopback only.
"""

import pathlib
import statistics
import tempfile

from measure import BINARY, GATEWAY, ROOT, Browser, Connection, spawn, start, stop
from measuring import cpu_seconds, machine, wait_for

ACCOUNTS, ROLES, PAGES, RUNS = 1000, ["Admin", "Billing", "Developer", "Operator", "ReadOnly"], 100, 5
STAGES = ["prod", "staging", "dev", "sandbox"]


def organisation():
    accounts = []
    for n in range(ACCOUNTS):
        stage = STAGES[n % len(STAGES)]
        tags = f'{{ env = "{stage}", team = "team-{n // len(STAGES)}" }}'
        accounts.append(f'[[account]]\nid = "{500_000_000_000 + n * 7_310_123:012}"\nname = "Team {n // len(STAGES)} {stage}"\nou = "/Workloads/{stage}"\ntags = {tags}\n')
    rule = f'[[rule]]\nid = "many"\neveryone = true\naccounts = ["ou:/Workloads/**"]\nroles = {ROLES}\n'.replace("'", '"')
    return "\n".join([*accounts, rule])


def measure(folder):
    text = (ROOT / "demo/rolegate.toml").read_text().replace('listen = "127.0.0.1:8700"', f'listen = "127.0.0.1:{GATEWAY}"\nworkers = 1')
    config = folder / "rolegate.toml"
    # The demonstration's own tests come last: they say that nobody has more.
    config.write_text(f"{text.partition('[[test]]')[0]}\n{organisation()}")
    process, _ = start(config)
    try:
        browser = Browser()
        browser.sign_in()
        for name, more in (("as it is written", ""), ("compressed with gzip", "Accept-Encoding: gzip\r\n")):
            connection = Connection(browser, more)
            runs = []
            for _ in range(RUNS + 1):
                before = cpu_seconds(process)
                for _ in range(PAGES):
                    connection.ask()
                    size = connection.page()
                runs.append((cpu_seconds(process) - before) / PAGES * 1e3)
            # The first run fills what the process keeps.
            runs = runs[1:]
            print(f"{ACCOUNTS * len(ROLES)} roles, {name}: {size} bytes, {statistics.median(runs):.1f} ms CPU (from {min(runs):.1f} to {max(runs):.1f})", flush=True)
    finally:
        stop(process)


def main():
    demo = spawn(BINARY, "demo")
    try:
        for port in (8700, 8701, 8702):
            wait_for(port)
        print(machine(), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            measure(pathlib.Path(folder))
    finally:
        demo.terminate()


if __name__ == "__main__":
    main()

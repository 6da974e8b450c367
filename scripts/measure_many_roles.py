#!/usr/bin/env python3
"""Measures the start page of somebody with 5,000 roles, as people run the server: a release build of `rolegate serve`, sessions in memory.

usage: scripts/measure_many_roles.py [BINARY]        default: target/release/rolegate

The demonstration's configuration with 1,000 accounts more and one rule that gives ana five roles in each. Prints the CPU (user and system, of the
gateway's process alone) for one page over one keep-alive connection, and its size: as it is written, and as browsers take it, compressed.
Median of five runs. The sandbox runs in another process, by `rolegate demo`. Loopback only.
"""

import statistics

from measuring import cpu_seconds
from served import Browser, Connection, beside_the_demonstration, configuration, running

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


def measure(process, what, connection):
    runs = []
    for _ in range(RUNS + 1):
        before = cpu_seconds(process)
        for _ in range(PAGES):
            connection.ask()
            size = connection.page()
        runs.append((cpu_seconds(process) - before) / PAGES * 1e3)
    # The first run fills what the process keeps.
    runs = runs[1:]
    print(f"{ACCOUNTS * len(ROLES)} roles, {what}: {size} bytes, {statistics.median(runs):.1f} ms CPU (from {min(runs):.1f} to {max(runs):.1f})", flush=True)


def main():
    with beside_the_demonstration() as folder:
        config = folder / "rolegate.toml"
        config.write_text(f"{configuration(folder, tests=False)}\n{organisation()}")
        with running(config) as process:
            browser = Browser()
            browser.sign_in()
            measure(process, "as it is written", Connection(browser))
            measure(process, "compressed with gzip", Connection(browser, "Accept-Encoding: gzip\r\n"))


if __name__ == "__main__":
    main()

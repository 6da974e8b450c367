#!/usr/bin/env python3
"""Measures the server as people run it: a release build of `rolegate serve` in a process of its own.

usage: scripts/measure.py [BINARY]        default: target/release/rolegate (make bench builds it)

Prints, for the store in memory and in Redis: CPU (user and system, of the gateway's process alone) for one signed-in portal page with nine
roles, over one keep-alive connection and over eight at once, median of five runs; Redis commands for one page; the time from spawn to ready, median of twenty; and
resident memory. The sandbox runs in another process, by `rolegate demo`. Loopback only; needs redis-server for the second half.
"""

import pathlib
import re
import statistics
import subprocess
import time

from measuring import cpu_seconds, wait_for
from served import BINARY, GATEWAY, Browser, Connection, beside_the_demonstration, configuration, running, spawn, start, stop

REDIS = 8799
PAGES, RUNS = 8000, 5


def round_of(connections):
    """One page for each connection, all asked for before the first is read: a server that is never idle sleeps and wakes less often."""
    for connection in connections:
        connection.ask()
    return [connection.page() for connection in connections][-1]


def resident_mib(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text()).group(1)) / 1024


def redis_commands():
    text = subprocess.run(["redis-cli", "-p", str(REDIS), "info", "commandstats"], capture_output=True, text=True, check=True).stdout
    calls = {name: int(count) for name, count in re.findall(r"cmdstat_([a-z|]+):calls=(\d+)", text)}
    return sum(count for name, count in calls.items() if name not in ("info", "ping", "client|setinfo", "hello", "command|docs"))


def measure(store, folder):
    changes = []
    if store == "Redis":
        (folder / "seal").write_text("ab" * 32)
        changes = [('url = "memory"', f'url = "redis://127.0.0.1:{REDIS}"\nseal_keys = [{{ file = "seal" }}]')]
    config = folder / "rolegate.toml"
    config.write_text(configuration(folder, *changes))
    starts = []
    for _ in range(20):
        process, milliseconds = start(config)
        starts.append(milliseconds)
        stop(process)
    print(f"{store}: ready after {statistics.median(starts):.0f} ms (from {min(starts):.0f} to {max(starts):.0f})")
    with running(config) as process:
        use(store, process)


def use(store, process):
    time.sleep(5)
    idle = resident_mib(process)
    browser = Browser()
    browser.sign_in()
    # From the first page on a browser knows what lets the gateway read the person's choices with the session.
    browser.ask(f"http://127.0.0.1:{GATEWAY}/")
    for count in (1, 8):
        connections = [Connection(browser) for _ in range(count)]
        for _ in range(500 // count):
            size = round_of(connections)
        runs = []
        commands = redis_commands() if store == "Redis" else None
        for _ in range(RUNS):
            before = cpu_seconds(process)
            for _ in range(PAGES // count):
                round_of(connections)
            runs.append((cpu_seconds(process) - before) / PAGES * 1e6)
        spread = f"{statistics.median(runs):.0f} us CPU (from {min(runs):.0f} to {max(runs):.0f})"
        print(f"{store}: portal page of {size} bytes, {count} connection(s): {spread}")
        if commands is not None:
            print(f"{store}: {(redis_commands() - commands) / (PAGES * RUNS):.3f} Redis commands for a page")
    print(f"{store}: resident {idle:.0f} MiB idle, {resident_mib(process):.0f} MiB after {2 * PAGES * RUNS} pages", flush=True)


def main():
    redis = spawn("redis-server", "--port", REDIS, "--bind", "127.0.0.1", "--save", "")
    try:
        wait_for(REDIS)
        for store in ("memory", "Redis"):
            with beside_the_demonstration() as folder:
                measure(store, folder)
    finally:
        redis.terminate()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures what large files cost the commands that read them: `rolegate check` and `rolegate diff`.

usage: scripts/measure_rules.py [BINARY]        default: target/release/rolegate

The organisation is that of `benches/rules`: 1,000 accounts; of each hundred rules two have a pattern, two select accounts by tag, two have a
condition, one is a deny, and the others name a group, an account and two roles. `check` reads 100,000 rules: good ones, ones with a warning
each, ones of which two thousand are shadowed by as many denies, and ones with an error each. `diff` compares two files of 10,000 rules, of
which every hundredth differs, for 100,000 people with 50 groups each. Prints the median of three runs: seconds on the clock, and of CPU
(user and system) on all cores.
"""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/rolegate")
ACCOUNTS, RUNS = 1000, 3
HEAD = """public_url = "https://roles.example.org"
[[provider]]
id = "okta"
name = "Example"
issuer = "https://idp.example.org"
client_id = "rolegate"
client_auth = "none"
"""


def account(n):
    tags = f'{{ env = "{["prod", "staging", "dev"][n % 3]}", team = "t{n // 5}" }}'
    return f'[[account]]\nid = "{n + 1:012}"\nname = "Account {n:04}"\ntags = {tags}\n'


def group(n):
    return f"department-{n:06}-engineering"


def rule(n, person="subject"):
    keys = {"id": f"rule-{n}", "groups": [group(n)], "accounts": [f"Account {n % ACCOUNTS:04}"]}
    keys["roles"] = [f"Engineer{n // ACCOUNTS:03}", "ReadOnly"]
    tags = f'tags = {{ Person = "${{{person}}}", CostCenter = "${{claims.cost_center}}" }}\n'
    match n % 100:
        case 99:
            keys["effect"], tags = "deny", ""
        case 10 | 60:
            del keys["groups"]
            keys["group_pattern"] = f"team-{n}-(?<kind>[a-z]+)"
        case 20 | 70:
            keys["accounts"] = [f"tag:team=t{n % (ACCOUNTS // 5)}"]
        case 30:
            keys["when"] = "auth.mfa"
        case 80:
            keys["when"] = 'claims.cost_center.startsWith("47")'
    return "[[rule]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) + tags


def deny(n):
    """Takes the roles of a rule away from everybody."""
    return (
        f'[[rule]]\nid = "deny-{n}"\neffect = "deny"\neveryone = true\naccounts = ["Account {n % ACCOUNTS:04}"]\n'
        f'roles = ["Engineer{n // ACCOUNTS:03}", "ReadOnly"]\n'
    )


def config(rules):
    return HEAD + "".join(map(account, range(ACCOUNTS))) + "".join(rules)


def person(n):
    mine = [group((n * 7 + i * 13) % 10_000) for i in range(20)]
    others = [f"mailing-list-{i * 31 + n:05}" for i in range(30)]
    return json.dumps({"sub": f"00u{n}", "preferred_username": f"ana{n}@example.org", "cost_center": "4711", "groups": mine + others})


def measure(name, *arguments, status=0):
    clock, cpu = [], []
    for _ in range(RUNS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run([BINARY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        clock.append(time.monotonic() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        assert done.returncode == status, f"{name}: {done.returncode}\n{done.stderr[-2000:]}"
    last = (done.stdout + done.stderr).strip().splitlines()[-1]
    print(f"{name}: {statistics.median(clock):.2f} s, {statistics.median(cpu):.2f} s of CPU; {last}", flush=True)


def main():
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        os.chdir(folder)
        many = range(100_000)
        files = {
            "good": map(rule, many),
            "a warning each": (rule(n, "username") for n in many),
            "shadowed": (deny(n - 50_000) if 50_000 <= n < 52_000 else rule(n) for n in many),
            "an error each": (rule(n).replace("roles = ", "rols = ") for n in many),
            "an unknown account each": (rule(n).replace('"Account ', '"Acount ').replace('"tag:team=', '"tag:tam=') for n in many),
        }
        for name, rules in files.items():
            pathlib.Path("rolegate.toml").write_text(config(rules))
            size = pathlib.Path("rolegate.toml").stat().st_size / 1e6
            measure(f"check, 100,000 rules ({size:.0f} MB), {name}", "check", "--config", "rolegate.toml", status=2 if "each" in name and "warning" not in name else 0)
        few = range(10_000)
        pathlib.Path("old.toml").write_text(config(map(rule, few)))
        pathlib.Path("new.toml").write_text(config(rule(n).replace('"ReadOnly"', '"Viewer"') if n % 100 == 50 else rule(n) for n in few))
        pathlib.Path("people.jsonl").write_text("\n".join(map(person, range(100_000))))
        measure("diff, 10,000 rules and 100,000 people", "diff", "old.toml", "new.toml", "--people", "people.jsonl")


if __name__ == "__main__":
    main()

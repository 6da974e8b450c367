#!/usr/bin/env python3
"""The audit trail is held against what STS has issued by its own account.

usage: scripts/faults/recorded.py [BINARY] [ISSUANCES] [SECONDS]        default: target/release/rolegate, 100000, 180

People ask the demonstration's gateway for credentials, 24 at once, until there are so many issuances or so many seconds are over. Its sandbox plays
STS, and keeps a ledger (`/sandbox/ledger`, which no AWS has): access key ids in the order in which they were issued. Every one must be in the trail, once,
and the trail must have no other. The trail's chain is followed at the end.
"""
import asyncio
import collections
import json
import subprocess
import sys
import time

from faulting import BINARY, Place, Visitor, ask, is_signed_in, quantiles, run, say, state, tally

ISSUANCES = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 180
WIDTH = 24
GATEWAY, STS = 8700, 8702


async def main():
    with Place(gateways=0, demo=["--without-limits"]) as place:
        begun = time.monotonic()
        people = [Visitor(GATEWAY) for _ in range(WIDTH)]
        state(all([is_signed_in(await visitor.sign_in()) for visitor in people]), "everybody is signed in")
        handed, answers, took, left, going = [], [], [], ISSUANCES, True

        async def person(visitor):
            nonlocal left
            while left > 0 and time.monotonic() - begun < SECONDS:
                left -= 1
                asked = time.monotonic()
                answer = await visitor.credentials()
                took.append(answer.at - asked)
                answers.append(answer.status)
                if answer.status == 200:
                    handed.append(json.loads(answer.body)["access_key_id"])

        ledger = []

        async def read_ledger():
            answer = json.loads((await ask(STS, "GET", f"/sandbox/ledger?after={len(ledger)}")).body)
            if answer["first"] != len(ledger) + 1 and answer["access_key_ids"]:
                sys.exit("the ledger forgot some before they were read")
            ledger.extend(answer["access_key_ids"])
            return answer["issued"]

        async def follow():
            while going:
                await read_ledger()
                await asyncio.sleep(0.5)

        following = asyncio.create_task(follow())
        await asyncio.gather(*(person(visitor) for visitor in people))
        lasted = time.monotonic() - begun
        going = False
        await following
        issued = await read_ledger()
        trail = next(place.folder.glob("*/audit.jsonl"))
        events = [json.loads(line) for line in trail.read_bytes().splitlines()]
        recorded = [event["access_key_id"] for event in events if event["kind"] == "issue" and event["outcome"] == "ok"]
        say(f"{len(answers)} were asked for in {lasted:.0f} s, {len(answers) / lasted:.0f} a second: {tally(answers)}; {quantiles(took)}")
        say(f"STS issued {issued}, the trail has {len(recorded)}, handed over were {len(handed)}")
        state(issued == len(ledger) == len(set(ledger)) and issued > 0, "the ledger was read as a whole")
        twice = [key for key, count in collections.Counter(recorded).items() if count > 1]
        state(not twice, f"nothing is recorded twice ({len(twice)})")
        missing, foreign = set(ledger) - set(recorded), set(recorded) - set(ledger)
        state(not missing and not foreign, f"the difference between STS and the trail is {len(missing) + len(foreign)}")
        state(set(handed) <= set(recorded) and len(handed) == len(set(handed)), "what was handed over is recorded")
        verified = await asyncio.to_thread(subprocess.run, [BINARY, "audit", "verify", trail], capture_output=True, text=True)
        say(verified.stdout.strip().splitlines()[-1])
        state(verified.returncode == 0, "the trail's chain is whole")


if __name__ == "__main__":
    run(main)

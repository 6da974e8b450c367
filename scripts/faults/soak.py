#!/usr/bin/env python3
"""A gateway is used for a long time: what grows?

usage: scripts/faults/soak.py [BINARY] [MINUTES]        default: target/release/rolegate, 5

40 things a second: pages, credentials by the JSON API from a double of STS, sign-ins, sign-outs, and answers that are refused. Sessions idle out
after a minute, so that what is left over shows.
"""
import asyncio
import collections
import itertools
import sys
import time

from faulting import FIRST, Place, Visitor, at_rate, inputs, is_signed_in, quantiles, run, say, state, sts_double, tally

MINUTES = float(sys.argv[2]) if len(sys.argv) > 2 else 5
RATE = 40
WITHOUT_END = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*')) do if redis.call('PTTL', key) == -1 then n = n + 1 end end return n"


def measure(place, begun):
    gateway = place.gateways[0]
    purposes = collections.Counter(key.split(":")[1] for key in place.redis.keys())
    keys = ", ".join(f"{count} {purpose}" for purpose, count in sorted(purposes.items()))
    say(f"{time.monotonic() - begun:5.0f} s: {gateway.resident_mib():.1f} MiB, {gateway.descriptors()} descriptors, {sum(purposes.values())} keys ({keys})")
    return gateway.descriptors()


async def main():
    # Twenty visitors are one person to the provider, who asks for more than one person may.
    limits = ("sign_in_rate = 10000", "sign_in_rate = 10000\nperson_rate = 10000")
    with Place(changes=[('idle = "1h"', 'idle = "1m"'), limits]) as place:
        double = await sts_double()
        people = [Visitor(FIRST) for _ in range(20)]
        for person in people:
            await person.sign_in()
        begun, turn, seen = time.monotonic(), itertools.count(), []
        descriptors = measure(place, begun)

        async def once(n):
            person, what = people[n // 8 % len(people)], n % 8
            if what < 4:
                return "page", (await person.ask("/")).status == 200
            if what == 4:
                return "credentials", (await person.credentials()).status == 200
            if what == 5:
                return "a callback that nobody asked for", (await Visitor(FIRST, "stranger").ask("/callback/sandbox?code=a&state=b")).status == 403
            new = Visitor(FIRST, "new")
            signed_in = is_signed_in(await new.sign_in())
            if what == 6:
                return "sign-in", signed_in
            page = await new.ask("/")
            out = await new.ask("/logout", {"csrf": inputs(page.body)["csrf"], "scope": "here"})
            return "sign-in and out", signed_in and out.status == 303 and (await new.who()).status == 401

        async def one():
            started = time.monotonic()
            try:
                kind, good = await once(next(turn))
            except OSError as error:
                kind, good = type(error).__name__, False
            seen.append((kind, good, time.monotonic() - started))

        while time.monotonic() - begun < MINUTES * 60:
            await at_rate(RATE, min(30, MINUTES * 60), one)
            measure(place, begun)
        for kind in sorted({kind for kind, _, _ in seen}):
            mine = [(good, seconds) for of, good, seconds in seen if of == kind]
            say(f"{kind}: {len(mine)}; {quantiles([seconds for _, seconds in mine])}")
        bad = tally(kind for kind, good, _ in seen if not good)
        state(not bad, f"everything is answered as it should be, of {len(seen)} ({bad or 'all'})")
        without = place.redis.ask("eval", WITHOUT_END, "0")
        state(without == "0", f"every key in Redis has an end ({without} without)")
        # What is kept alive ends after five idle seconds.
        await asyncio.sleep(8)
        last = measure(place, begun)
        state(last <= descriptors + 20, f"descriptors do not grow ({descriptors} and {last})")
        place.no_panic()
        double.close()


if __name__ == "__main__":
    run(main)

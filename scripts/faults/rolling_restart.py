#!/usr/bin/env python3
"""Two gateways behind HAProxy are restarted one after the other, while people use them.

usage: scripts/faults/rolling_restart.py [BINARY] [ROUNDS]        default: target/release/rolegate, 10

HAProxy runs by scripts/faults/haproxy.cfg. 100 requests a second: portal pages, sign-ins (two requests each) and credentials by the JSON API,
from a double of STS. In each round both gateways get SIGTERM, end, and start again, first one and then the other: for the first half of the
rounds HAProxy is told before (it drains the gateway), for the second half it has to find out from /readyz. No request may be lost in either.
"""
import asyncio
import itertools
import pathlib
import sys
import time

from faulting import FIRST, PROXY, SECOND, Place, Visitor, at_rate, is_signed_in, quantiles, run, say, spawn, state, sts_double, tally
from measuring import wait_for

RATE = 100
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 10
ADMIN = 8775
PAUSE = 2


async def tell_haproxy(gateway, what):
    name = {FIRST: "first", SECOND: "second"}[gateway.port]
    reader, writer = await asyncio.open_connection("127.0.0.1", ADMIN)
    writer.write(f"set server gateways/{name} state {what}\n".encode())
    said = (await reader.read()).decode().strip()
    writer.close()
    if said:
        sys.exit(f"HAProxy says: {said}")


async def restart_all(place, drain):
    took = []
    for _ in range(ROUNDS // 2):
        for gateway in place.gateways:
            if drain:
                await tell_haproxy(gateway, "drain")
                # What HAProxy has chosen this one for is on its way.
                await asyncio.sleep(0.5)
            begun = time.monotonic()
            code = await asyncio.to_thread(gateway.stop)
            stopped = time.monotonic()
            if code != 0:
                state(False, f"{gateway.name} ends in order, with code {code}")
            await asyncio.to_thread(gateway.start)
            took.append((stopped - begun, time.monotonic() - stopped))
            if drain:
                await tell_haproxy(gateway, "ready")
            # Until the other may go: HAProxy has to find this one well again.
            await asyncio.sleep(PAUSE)
    return took


def by(answer):
    """A failure, and whose it is."""
    return f"{answer.status} by {'a gateway' if answer.header('server') == 'rolegate' else 'HAProxy'}"


async def main():
    with Place(gateways=2) as place:
        double = await sts_double()
        place.others.append(spawn("haproxy", "-db", "-f", pathlib.Path(__file__).parent / "haproxy.cfg", log=open(place.folder / "haproxy.log", "wb")))
        wait_for(PROXY)
        await asyncio.sleep(1)
        people = [Visitor(PROXY) for _ in range(20)]
        for person in people:
            state(is_signed_in(await person.sign_in()), "somebody signs in before") if person is people[0] else await person.sign_in()
        turn = itertools.count()

        async def one(seen):
            n = next(turn)
            person, begun = people[n % len(people)], time.monotonic()
            kind = ("page", "page", "page", "credentials", "sign-in")[n % 5]
            try:
                if kind == "page":
                    answer = await person.ask("/")
                    what = answer.status if answer.status == 200 else by(answer)
                elif kind == "credentials":
                    answer = await person.credentials()
                    what = answer.status if answer.status == 200 else by(answer)
                else:
                    answer = await Visitor(PROXY, "new").sign_in()
                    what = 200 if is_signed_in(answer) else by(answer)
            except OSError as error:
                what = type(error).__name__
            seen.append((kind, what, time.monotonic() - begun))

        for drain in (True, False):
            say("HAProxy is told before:" if drain else "HAProxy has to find out:")
            seen, restarts = [], asyncio.create_task(restart_all(place, drain))
            while not restarts.done():
                # A sign-in is two requests.
                await at_rate(RATE / 1.2, 1, lambda: one(seen))
            took = await restarts
            for kind in ("page", "credentials", "sign-in"):
                mine = [(what, seconds) for of, what, seconds in seen if of == kind]
                say(f"    {kind}: {tally(what for what, _ in mine)}; {quantiles([seconds for _, seconds in mine])}")
            ended, started = (max(part) for part in zip(*took))
            say(f"    {len(took)} restarts; the slowest took {ended:.2f} s to end and {started:.2f} s to start")
            say(f"    the gateways' logs say: {tally(why for gateway in place.gateways for why in gateway.failures()) or 'no failure'}")
            lost = tally(f"{kind}: {what}" for kind, what, _ in seen if what != 200) or "none"
            state(lost == "none", f"no request is lost, of {len(seen)} ({lost})")
        place.no_panic()
        double.close()


if __name__ == "__main__":
    run(main)

#!/usr/bin/env python3
"""A Redis is killed for good and a replica takes over, or slots of a cluster move, while people sign in.

usage: scripts/faults/taken_over.py [BINARY]        default: target/release/rolegate

50 sign-ins begin each second for 25 seconds. After ten, a primary gets SIGKILL: once the one that Sentinels watch, once one of a cluster. Then once
more, and 2,000 slots of a cluster move with their keys instead. At the end everything that was accepted is sent again.
"""
import asyncio
import time

from faulting import Place, at_rate, is_signed_in, quantiles, run, say, state, tally
from redis_killed import RATE, SECONDS, Login, in_turn
from redis_sets import Cluster, Watched

BROKEN_AFTER = 10


async def sign_in_while(place, what_breaks):
    """People sign in all the while; gives the sign-ins, and what `what_breaks` gave."""
    gateway = place.gateways[0]
    early = [await Login(gateway.port).go() for _ in range(30)]
    state(all(login.what == "signed in" for login in early), "30 people sign in while all is well")
    load = asyncio.create_task(at_rate(RATE, SECONDS, lambda: Login(gateway.port).go()))
    await asyncio.sleep(BROKEN_AFTER)
    moment = await asyncio.to_thread(what_breaks)
    return early, await load, moment


async def judge(place, early, logins):
    gateway = place.gateways[0]
    good = [login for login in logins if login.what == "signed in"]
    say(f"{len(logins)} sign-ins: {tally(login.what for login in logins)}; a good one: {quantiles([login.ended - login.begun for login in good])}")
    known = [login.answer for login in logins if login.answer]
    state(not any(answer.unasked_for for answer in known), f"no 5xx without Retry-After, of {len(known)} answers")
    state(not any("without an answer" in login.what for login in logins), "every request is answered")
    here = [answer.status for answer in await in_turn(early, lambda login: login.visitor.who())]
    state(set(here) == {200}, f"sessions from before are alive: {tally(here)}")
    here = [answer.status for answer in await in_turn(good, lambda login: login.visitor.who())]
    say(f"sessions that were opened: {tally(here)}")
    back = [login for login in logins if login.back]
    second = await in_turn(back, lambda login: login.again())
    twice = sum(is_signed_in(answer) for answer, login in zip(second, back) if login in good)
    state(twice == 0, f"no callback that was accepted is accepted again ({len(good)} tried)")
    marked = gateway.failures().count("the login was finished before")
    state(marked >= len(good), f"it is Redis's own mark that each is refused by, and not the provider's word ({marked})")
    told = {event["user_agent"] for event in gateway.events(kind="sign_in", outcome="ok")}
    state(all(login.visitor.agent in told for login in early + good), "every session has its event in the trail")
    place.no_panic()


async def take_over(kind):
    say(f"\n{kind.name}: a primary is killed")
    with Place(redis=kind) as place:
        killed = []

        def break_it():
            killed.append(time.monotonic())
            place.redis.kill_a_primary()
            return place.redis.promoted()

        early, logins, promoted = await sign_in_while(place, break_it)
        failed = [login for login in logins if login.what != "signed in"]
        good = [login for login in logins if login.what == "signed in" and login.answer.at > promoted]
        say(f"another one was there {promoted - killed[0]:.2f} s after it was killed")
        first = min((login.answer.at for login in good), default=float("inf"))
        last = max((login.ended for login in failed), default=promoted)
        say(f"first sign-in {first - promoted:.2f} s after that, last failure {last - promoted:+.2f} s")
        await judge(place, early, logins)


async def slots_move():
    say("\nCluster: 2,000 slots move")
    with Place(redis=Cluster) as place:
        begun = []

        def move():
            begun.append(time.monotonic())
            place.redis.move_slots()
            return time.monotonic()

        early, logins, ended = await sign_in_while(place, move)
        say(f"it took {ended - begun[0]:.1f} s")
        state(all(login.what == "signed in" for login in logins), "nobody notices")
        await judge(place, early, logins)


async def main():
    for kind in (Watched, Cluster):
        await take_over(kind)
    await slots_move()


if __name__ == "__main__":
    run(main)

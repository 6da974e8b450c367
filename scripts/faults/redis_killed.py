#!/usr/bin/env python3
"""Redis is killed and comes back, while people sign in.

usage: scripts/faults/redis_killed.py [BINARY]        default: target/release/rolegate

50 sign-ins begin each second for 25 seconds. After ten, Redis (with an append-only file) gets SIGKILL; three seconds later it is started again.
Once with appendfsync always, once with everysec. Then everything that was accepted is sent again.
"""
import asyncio
import time

from faulting import Place, Visitor, at_rate, is_signed_in, quantiles, run, say, state, tally

RATE, SECONDS, KILLED_AFTER, GONE = 50, 25, 10, 3


class Login:
    """One sign-in, and all that is needed to send its callback again."""

    def __init__(self, port):
        self.visitor, self.back, self.answer, self.what, self.before = Visitor(port), None, None, None, None

    async def go(self):
        self.begun = time.monotonic()
        try:
            back = await self.visitor.begin()
            if isinstance(back, str):
                self.back, self.before = back, dict(self.visitor.cookies)
                self.asked = time.monotonic()
                self.answer = await self.visitor.ask(back)
            else:
                self.answer = back
            self.what = "signed in" if is_signed_in(self.answer) else f"answered {self.answer.status}"
        except OSError as error:
            self.what = f"without an answer ({type(error).__name__})"
        self.ended = time.monotonic()
        return self

    async def again(self):
        thief = Visitor(self.visitor.port, "thief")
        thief.cookies = dict(self.before)
        return await thief.ask(self.back)


async def in_turn(things, one, width=16):
    gate = asyncio.Semaphore(width)

    async def held(thing):
        async with gate:
            return await one(thing)

    return await asyncio.gather(*(held(thing) for thing in things))


async def look_around(visitors, until):
    """Those who are signed in look at their page all the while."""
    answers = []
    while time.monotonic() < until:
        for visitor in visitors:
            try:
                answers.append(await visitor.ask("/"))
            except OSError:
                answers.append(None)
            await asyncio.sleep(0.1)
    return answers


async def break_it(fsync):
    say(f"\nappendfsync {fsync}")
    with Place(fsync=fsync) as place:
        gateway, redis = place.gateways[0], place.redis
        early = [await Login(gateway.port).go() for _ in range(30)]
        state(all(login.what == "signed in" for login in early), "30 people sign in while all is well")
        load = asyncio.create_task(at_rate(RATE, SECONDS, lambda: Login(gateway.port).go()))
        pages = asyncio.create_task(look_around([login.visitor for login in early[:10]], time.monotonic() + SECONDS))
        await asyncio.sleep(KILLED_AFTER)
        killed = time.monotonic()
        redis.kill()
        await asyncio.sleep(GONE)
        answers = await asyncio.to_thread(redis.start)
        logins, looked = await load, await pages
        good = [login for login in logins if login.what == "signed in"]
        say(f"{len(logins)} sign-ins: {tally(login.what for login in logins)}")
        say(f"a sign-in while Redis is there: {quantiles([login.ended - login.begun for login in good])}")
        failed = [login for login in logins if login.what != "signed in"]
        say(f"the answer that it failed: {quantiles([login.ended - login.asked for login in failed if login.back])}")
        callbacks = [login for login in good if login.answer.at > answers]
        first = min((login.answer.at for login in callbacks), default=float("inf"))
        last = max((login.ended for login in failed if login.back), default=killed)
        say(f"Redis was away {answers - killed:.2f} s; first sign-in {first - answers:.2f} s after it answered, last failure {last - answers:+.2f} s")
        known = [login.answer for login in logins if login.answer] + [answer for answer in looked if answer]
        state(not any(answer.unasked_for for answer in known), f"no 5xx without Retry-After, of {len(known)} answers")
        state(not any("without an answer" in login.what for login in logins) and None not in looked, "every request is answered")
        say(f"pages of those who are signed in: {tally(answer.status for answer in looked if answer)}")
        state({answer.status for answer in looked if answer} <= {200, 503}, "nobody is sent to sign in because Redis is away")
        here = [answer.status for answer in await in_turn(early, lambda login: login.visitor.who())]
        state(set(here) == {200}, f"sessions from before the load are alive: {tally(here)}")
        here = [answer.status for answer in await in_turn(good, lambda login: login.visitor.who())]
        # What Redis took and had not yet handed to the kernel is lost with it; only `always` promises that there is none.
        if fsync == "always":
            state(set(here) == {200}, f"every session that was opened is alive: {tally(here)}")
        else:
            say(f"sessions that were opened: {tally(here)}")
        second = await in_turn([login for login in logins if login.back], lambda login: login.again())
        twice = sum(is_signed_in(answer) for answer, login in zip(second, (login for login in logins if login.back)) if login in good)
        state(twice == 0, f"no callback that was accepted is accepted again ({len(good)} tried)")
        late = sum(is_signed_in(answer) for answer, login in zip(second, (login for login in logins if login.back)) if login not in good)
        say(f"callbacks that failed, sent again once Redis is back: {late} of {sum(1 for login in failed if login.back)} signed in")
        marked = gateway.failures().count("the login was finished before")
        if fsync == "always":
            # A mark may be there for one that failed: Redis was killed between it and its answer.
            state(marked >= len(good), f"it is Redis's own mark that each is refused by, and not the provider's word ({marked})")
        else:
            say(f"refused by Redis's own mark: {marked}")
        told = {event["user_agent"] for event in gateway.events(kind="sign_in", outcome="ok")}
        state(all(login.visitor.agent in told for login in early + good), "every session has its event in the trail")
        place.no_panic()


async def main():
    for fsync in ("always", "everysec"):
        await break_it(fsync)


if __name__ == "__main__":
    run(main)

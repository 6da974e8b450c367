#!/usr/bin/env python3
"""A gateway is killed at random moments, while people sign in.

usage: scripts/faults/gateway_killed.py [BINARY] [KILLS]        default: target/release/rolegate, 30

Two gateways share Redis. 24 people at once sign in at the first one, one sign-in after the other; it gets SIGKILL after a random part of half
a second and is started again. Whoever got no answer sends the same request once more, to the other gateway, as a proxy or a reload does; whoever
is told to begin anew does so.
"""
import asyncio
import random
import sys

from faulting import FIRST, SECOND, Place, Visitor, is_signed_in, path_of, past_the_provider, run, say, state, tally

KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 30
WIDTH = 24


class Login:
    """One person's way in. `retried`: at which step there was no answer, and what the same request got at the other gateway."""

    def __init__(self):
        self.visitor, self.retried, self.told, self.in_the_end = Visitor(FIRST), [], [], None

    async def twice(self, path, step):
        try:
            return await self.visitor.ask(path)
        except OSError:
            answer = await self.visitor.ask(path, port=SECOND)
            self.retried.append((step, answer))
            return answer

    async def once(self):
        answer = await self.twice("/login/sandbox?next=/", "begin")
        if answer.status != 303:
            return answer
        return await self.twice(path_of(await past_the_provider(answer.header("location"))), "callback")

    async def go(self):
        """Begins anew as long as it is told to, which a kill may make it more than once."""
        for _ in range(5):
            self.in_the_end = await self.once()
            if is_signed_in(self.in_the_end):
                break
            self.told.append(self.in_the_end)
        return self


async def main():
    random.seed()
    with Place(gateways=2) as place:
        first, second = place.gateways
        await Visitor(SECOND, "before").sign_in()
        logins, going = [], True

        async def person():
            while going:
                # Nobody comes to a gateway that is not there: what is looked for are those whom it leaves half way.
                if up.is_set():
                    logins.append(await Login().go())
                else:
                    await asyncio.sleep(0.005)

        up = asyncio.Event()
        up.set()
        people = [asyncio.create_task(person()) for _ in range(WIDTH)]
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.2, 0.7))
            first.kill()
            up.clear()
            await asyncio.to_thread(first.start)
            up.set()
        going = False
        await asyncio.gather(*people)
        retried = [pair for login in logins for pair in login.retried]
        say(f"{len(logins)} sign-ins, {KILLS} kills; requests without an answer: {tally(step for step, _ in retried)}")
        for step in ("begin", "callback"):
            say(f"{step}, sent again: {tally('signed in' if is_signed_in(answer) else answer.status for at, answer in retried if at == step)}")
        state(all(answer.status < 500 for _, answer in retried), "no failure of the server's for who sends it again")
        told = [answer for login in logins for answer in login.told]
        clear = [answer for answer in told if answer.status == 403 and b"<h1" in answer.body and b'href="/' in answer.body]
        state(len(clear) == len(told), f"who has to begin anew is told so on a page that leads there ({len(told)})")
        say(f"the logs say: {tally(why for gateway in place.gateways for why in gateway.failures())}")
        anew = max(len(login.told) for login in logins)
        state(all(is_signed_in(login.in_the_end) for login in logins), f"everybody is signed in in the end ({anew} new beginnings at most)")
        ok = [event["user_agent"] for event in place.events(kind="sign_in", outcome="ok")]
        names = set(ok)
        state(all(login.visitor.agent in names for login in logins), "every sign-in that was answered has its event in a trail")
        sessions = len(place.redis.keys("session"))
        state(sessions <= len(ok), f"no session in Redis without its event ({sessions} sessions, {len(ok)} events)")
        known = len(logins) + 1
        say(f"sessions that nobody holds: {sessions - known}; events whose session was not opened any more: {len(ok) - sessions}")
        say(f"lines of the trails that were cut off by a kill: {first.torn + second.torn}")
        state(first.torn <= KILLS and second.torn == 0, "every other line of the trails is whole")
        place.no_panic()


if __name__ == "__main__":
    run(main)

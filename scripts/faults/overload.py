#!/usr/bin/env python3
"""One address does to a gateway what it can, while others use it.

usage: scripts/faults/overload.py [BINARY] [SOCKETS]        default: target/release/rolegate, 10000 as far as the limit on open files goes

One after the other: sockets that send a byte of a header every few seconds; headers of 64 KiB; bodies of 100 MiB; SAML messages that inflate to
32 MiB. People look at their pages and sign in all the while, and a monitor asks /healthz ten times a second. No proxy is before the gateway.
"""
import asyncio
import base64
import itertools
import resource
import socket
import sys
import time
import urllib.parse
import zlib

from faulting import FIRST, ORIGIN, Place, Visitor, ask, is_signed_in, quantiles, run, say, state, tally

PHASE = 10
MIB = 1 << 20


class Watch:
    """What honest people see in one phase, and what the gateway takes."""

    def __init__(self, gateway, people):
        self.gateway, self.people, self.on = gateway, people, True
        self.seen, self.health, self.resident, self.descriptors = [], [], [], []
        self.tasks = [asyncio.create_task(task()) for task in (self.look, self.enter, self.ask_health, self.measure)]

    async def timed(self, kind, one):
        begun = time.monotonic()
        try:
            answer = await one
            what = "signed in" if is_signed_in(answer) else answer.status
        except OSError as error:
            what = type(error).__name__
        self.seen.append((kind, what, time.monotonic() - begun))

    async def look(self):
        n = 0
        while self.on:
            await self.timed("page", self.people[n % len(self.people)].ask("/"))
            n += 1
            await asyncio.sleep(0.05)

    async def enter(self):
        while self.on:
            await self.timed("sign-in", Visitor(self.gateway.port, "honest").sign_in())
            await asyncio.sleep(0.2)

    async def ask_health(self):
        while self.on:
            await self.timed("health", ask(self.gateway.port, "GET", "/healthz"))
            await asyncio.sleep(0.1)

    async def measure(self):
        while self.on:
            self.resident.append(self.gateway.resident_mib())
            self.descriptors.append(self.gateway.descriptors())
            await asyncio.sleep(0.2)

    async def end(self, name):
        self.on = False
        await asyncio.gather(*self.tasks)
        say(f"{name}: resident up to {max(self.resident):.0f} MiB, {max(self.descriptors)} descriptors")
        for kind in ("health", "page", "sign-in"):
            mine = [seconds for of, _, seconds in self.seen if of == kind]
            say(f"    {kind}: {tally(what for of, what, _ in self.seen if of == kind)}; {quantiles(mine)}")
        bad = [what for _, what, _ in self.seen if what not in (200, "signed in")]
        state(not bad, f"honest people are served: {name} ({tally(bad) or 'all'})")


async def slow_sockets(wanted):
    sockets = []
    for n in range(wanted):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", FIRST))
        sockets.append(one)
        if n % 50 == 49:
            await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    begun, alive = time.monotonic(), []
    for one in sockets:
        try:
            one.send(b"GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
            alive.append(one)
        except OSError:
            one.close()
    most = len(alive)
    # A byte now and then until the gateway has had enough of all of them.
    while alive and time.monotonic() - begun < 60:
        still = []
        for n, one in enumerate(alive):
            try:
                one.send(b"x")
                if one.recv(4096) == b"":
                    raise OSError
            except BlockingIOError:
                still.append(one)
            except OSError:
                one.close()
            else:
                still.append(one)
            if n % 200 == 199:
                await asyncio.sleep(0)
        alive = still
        await asyncio.sleep(2)
    say(f"    {most} of {wanted} slow sockets were open; the last one was closed after {time.monotonic() - begun:.0f} s, {len(alive)} never")
    state(not alive, "no slow socket is kept for ever")


async def for_a_while(width, one):
    """`one()` again and again, so many at once, for a phase; gives what all answered."""
    end, answers = time.monotonic() + PHASE, []

    async def again():
        while time.monotonic() < end:
            try:
                answers.append(await one())
            except OSError as error:
                answers.append(type(error).__name__)

    await asyncio.gather(*(again() for _ in range(width)))
    return answers


async def large_header(size):
    try:
        return (await ask(FIRST, "GET", "/", {"X-Large": "a" * size})).status
    except ConnectionResetError:
        return "closed"


async def large_body():
    """Sends as much of 100 MiB as is taken. Gives what was answered, and how much was sent by then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", FIRST)
    path = next(FORMS)
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nOrigin: {ORIGIN}\r\nSec-Fetch-Site: same-origin\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode())
    answered, piece = asyncio.create_task(reader.readline()), b"a" * 65536
    sent = 0
    try:
        while sent < 100 * MIB and not answered.done():
            writer.write(b"10000\r\n" + piece + b"\r\n")
            await writer.drain()
            sent += len(piece)
            await asyncio.sleep(0)
        line = await asyncio.wait_for(answered, 40)
    except (OSError, asyncio.TimeoutError):
        line = b""
    writer.close()
    answered.cancel()
    large_body.most = max(large_body.most, sent)
    return int(line.split()[1]) if line else "closed"


large_body.most = 0
FORMS = itertools.cycle(["/login", "/saml/sandbox-saml/acs"])


def bomb():
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = b'<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">'
    packed = deflate.compress(start + b" " * (32 * MIB)) + deflate.flush()
    signed = {"SigAlg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "Signature": base64.b64encode(bytes(256)).decode()}
    return "/saml/sandbox-saml/slo?" + urllib.parse.urlencode({"SAMLRequest": base64.b64encode(packed).decode(), **signed})


async def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # The gateway takes two descriptors for each connection.
    sockets = min(int(sys.argv[2]) if len(sys.argv) > 2 else 10000, (limit - 1000) // 2)
    with Place(changes=[("single_logout = false", "single_logout = true")]) as place:
        gateway = place.gateways[0]
        people = [Visitor(FIRST) for _ in range(10)]
        for person in people:
            await person.sign_in()
        quiet = Watch(gateway, people)
        await asyncio.sleep(PHASE)
        await quiet.end("at rest")
        before = (gateway.resident_mib(), gateway.descriptors())

        watch = Watch(gateway, people)
        await slow_sockets(sockets)
        await watch.end(f"{sockets} slow sockets (limit on open files: {limit})")

        watch = Watch(gateway, people)
        answers = await for_a_while(20, lambda: large_header(65536))
        await watch.end(f"headers of 64 KiB, 20 at once: {tally(answers)}")
        state(set(answers) <= {303, 400, 431}, "a header of 64 KiB is passed over or refused")

        watch = Watch(gateway, people)
        answers = await for_a_while(20, lambda: large_header(MIB))
        await watch.end(f"headers of 1 MiB, 20 at once: {tally(answers)}")
        state(set(answers) <= {400, 431, "closed"}, "a header of 1 MiB is refused")

        watch = Watch(gateway, people)
        answers = await for_a_while(8, large_body)
        await watch.end(f"bodies of 100 MiB, 8 at once: {tally(answers)}; at most {large_body.most / MIB:.1f} MiB of one were taken off the sender")
        state(set(answers) <= {413, 408, "closed"}, "a body of 100 MiB is refused")

        path = bomb()
        watch = Watch(gateway, people)
        answers = await for_a_while(8, lambda: bombed(path))
        await watch.end(f"SAML messages of {len(path):,} bytes that inflate to 32 MiB, 8 at once: {tally(answers)}")
        say(f"    the log says: {tally(gateway.failures()[-100:])}")
        state(set(answers) <= {400, 403}, "a deflate bomb is refused")

        begun = time.monotonic()
        while gateway.descriptors() > before[1] + 5 and time.monotonic() - begun < 60:
            await asyncio.sleep(0.2)
        now = (gateway.resident_mib(), gateway.descriptors())
        say(f"before: {before[0]:.0f} MiB and {before[1]} descriptors; {time.monotonic() - begun:.1f} s afterwards: {now[0]:.0f} MiB and {now[1]}")
        state(gateway.descriptors() <= before[1] + 5, "every descriptor comes back")
        state({(await person.who()).status for person in people} == {200}, "everybody is still signed in")
        place.no_panic()


async def bombed(path):
    return (await ask(FIRST, "GET", path)).status


if __name__ == "__main__":
    run(main)

#!/usr/bin/env python3
"""Sinks of the audit trail are killed and come back, while people sign in.

usage: scripts/faults/sinks.py [BINARY]        default: target/release/rolegate

A gateway has its trail in a file, at an HTTP receiver and at rsyslogd over TCP; any one of them is enough. 20 sign-ins begin each second for 40
seconds. After 5 s the receiver gets SIGKILL, after 15 s rsyslogd does; each is started again 5 s later. After 25 s both are killed, at 28 s the
gateway too, which is started at once; the others are started at 32 s. Then what each has is held against the file.
"""
import asyncio
import json
import socket
import subprocess
import time

from faulting import BINARY, FIRST, ROOT, Gateway, Place, Visitor, at_rate, is_signed_in, quantiles, run, say, state, tally

RATE, SECONDS = 20, 40
RECEIVER, COLLECTOR = 8775, 8776
SINKS = f"""
[[audit.sink]]
webhook = "http://127.0.0.1:{RECEIVER}/lines"
token = {{ file = "token" }}

[[audit.sink]]
syslog = "tcp://127.0.0.1:{COLLECTOR}"

[trust]
"""
RSYSLOG = """
global(workDirectory="{folder}" maxMessageSize="1m")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="lines" type="string" string="%msg%\\n")
action(type="omfile" file="{folder}/collected" template="lines")
"""


def until_listening(port):
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.005)


class Other:
    """A receiver or collector: how it is started, and the file with what it has."""

    def __init__(self, place, name, port, arguments, file):
        self.place, self.name, self.port, self.arguments, self.file = place, name, port, arguments, file
        self.log = open(place.folder / f"{name}.log", "ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.arguments, stdout=self.log, stderr=self.log)
        self.place.others.append(self.process)
        until_listening(self.port)
        return time.monotonic()

    def kill(self):
        self.process.kill()
        self.process.wait()
        return time.monotonic()

    def lines(self):
        text = self.file.read_text() if self.file.exists() else ""
        return [line.strip() for line in text.splitlines()]


async def sign_in(port):
    begun = time.monotonic()
    try:
        answer = await Visitor(port).sign_in()
        what = "signed in" if is_signed_in(answer) else f"answered {answer.status}"
    except OSError as error:
        what = f"without an answer ({type(error).__name__})"
    return what, time.monotonic() - begun


async def told(gateway, count, since):
    """How long it takes until the trail says so many times that a sink does not take events."""
    while len(gateway.events(kind="audit.degraded")) < count:
        if time.monotonic() - since > 20:
            return None
        await asyncio.sleep(0.02)
    return time.monotonic() - since


async def caught_up(gateway, other, since):
    """How long it takes until one has the line that was the file's last when this was asked for."""
    last = gateway.trail.read_text().splitlines()[-1]
    while last not in other.lines():
        if time.monotonic() - since > 60:
            return None
        await asyncio.sleep(0.05)
    return time.monotonic() - since


def seconds(took):
    return "never" if took is None else f"{took:.2f} s"


async def away(gateway, other, degraded):
    """Kills one, and starts it again five seconds later."""
    killed = other.kill()
    took = await told(gateway, degraded, killed)
    state(took is not None, f"that {other.name} takes no events is told, after {seconds(took)}")
    await asyncio.sleep(max(0, killed + 5 - time.monotonic()))
    took = await caught_up(gateway, other, await asyncio.to_thread(other.start))
    state(took is not None, f"{other.name} has what it missed, after {seconds(took)}")


def judge(gateway, other):
    """What one has is the file's lines in order; some of them may be there a second time."""
    wanted, had = gateway.trail.read_text().splitlines(), other.lines()
    once = list(dict.fromkeys(had))
    numbers = [json.loads(line)["seq"] for line in once]
    state(once == wanted, f"{other.name} has all {len(wanted)} lines of the file, in order ({len(set(wanted) - set(once))} missing)")
    state(len(set(numbers)) == len(numbers), f"no two of its lines that differ have one number; {len(had) - len(once)} came twice")


async def main():
    changes = (("\n[audit]\n", '\n[audit]\nrequire = "any"\n'), ("\n[trust]\n", SINKS))
    with Place(gateways=0) as place:
        (place.folder / "token").write_text("the-token\n")
        (place.folder / "token").chmod(0o600)
        config = place.folder / "rsyslog.conf"
        config.write_text(RSYSLOG.format(folder=place.folder, port=COLLECTOR))
        script = ROOT / "tests/counterparts/receive_lines.py"
        received = place.folder / "received"
        receiver = Other(place, "the receiver", RECEIVER, ["python3", script, str(RECEIVER), "the-token", received], received)
        collect = ["/usr/sbin/rsyslogd", "-n", "-f", config, "-i", place.folder / "rsyslog.pid"]
        collector = Other(place, "rsyslogd", COLLECTOR, collect, place.folder / "collected")
        gateway = Gateway(place.folder, FIRST, place.redis.setting, changes)
        place.gateways.append(gateway)
        begun = time.monotonic()
        load = asyncio.create_task(at_rate(RATE, SECONDS, lambda: sign_in(gateway.port)))
        at = lambda moment: asyncio.sleep(max(0, begun + moment - time.monotonic()))  # noqa: E731
        await at(5)
        await away(gateway, receiver, 1)
        await at(15)
        await away(gateway, collector, 2)
        await at(25)
        receiver.kill()
        collector.kill()
        await at(28)
        gateway.kill()
        down = time.monotonic()
        await asyncio.to_thread(gateway.start)
        say(f"the gateway was killed while both were away, and served again after {time.monotonic() - down:.2f} s")
        await at(32)
        started = [await asyncio.to_thread(other.start) for other in (receiver, collector)]
        for other, since in zip((receiver, collector), started):
            took = await caught_up(gateway, other, since)
            state(took is not None, f"{other.name} has what it missed before and after that, after {seconds(took)}")
        done = await load
        good = [took for what, took in done if what == "signed in"]
        say(f"{len(done)} sign-ins: {tally(what for what, _ in done)}; {quantiles(good)}")
        # Those whom the end of the gateway cut off sign in anew.
        state(len(done) - len(good) < RATE * 3, "only the gateway's own end kept anybody out")
        for other in (receiver, collector):
            await caught_up(gateway, other, time.monotonic())
            judge(gateway, other)
        verified = await asyncio.to_thread(subprocess.run, [BINARY, "audit", "verify", gateway.trail], capture_output=True, text=True)
        state(verified.returncode == 0, f"the file's chain is whole: {verified.stdout.strip().splitlines()[-1]}")
        place.no_panic()


if __name__ == "__main__":
    run(main)

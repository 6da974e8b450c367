#!/usr/bin/env python3
"""What is good once is sent 200 times at the same moment, to two gateways by turns.

usage: scripts/faults/replayed.py [BINARY] [SECONDS]        default: target/release/rolegate, 120

By turns: the callback of a sign-in by OpenID Connect, a signed SAML response that was asked for, one that was not, and an authorization code of
a command line. Each of the 200 says another user agent, so that the trails name who was let in.
"""
import asyncio
import base64
import collections
import hashlib
import os
import sys
import time
import urllib.parse

from faulting import FIRST, PROVIDER, Place, Visitor, ask, inputs, is_signed_in, path_of, provider, run, say, state, tally

SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 120
WIDTH = 200
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FROM_PROVIDER = {**FORM, "Origin": f"http://127.0.0.1:{PROVIDER}", "Sec-Fetch-Site": "cross-site"}
REDIRECT = "http://127.0.0.1:49152/callback"


async def callback():
    visitor = Visitor(FIRST)
    return "GET", await visitor.begin(), {"Cookie": visitor.cookie()}, b""


async def response_asked_for():
    visitor = Visitor(FIRST)
    begun = await visitor.ask("/login/sandbox-saml?next=/")
    page = await provider("GET", path_of(begun.header("location")))
    return "POST", "/saml/sandbox-saml/acs", {"Cookie": visitor.cookie(), **FROM_PROVIDER}, urllib.parse.urlencode(inputs(page.body)).encode()


async def response_unasked():
    visitor = Visitor(FIRST)
    await visitor.ask("/login")
    own = {**FORM, "Origin": f"http://127.0.0.1:{PROVIDER}", "Sec-Fetch-Site": "same-origin"}
    page = await provider("POST", "/apps", own, b"tile=0")
    return "POST", "/saml/sandbox-saml/acs", {"Cookie": visitor.cookie(), **FROM_PROVIDER}, urllib.parse.urlencode(inputs(page.body)).encode()


def code_of(approver):
    async def code():
        verifier = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        wanted = {"client_id": "rolegate-cli", "response_type": "code", "redirect_uri": REDIRECT, "code_challenge": challenge}
        wanted |= {"code_challenge_method": "S256", "state": "s", "device_name": "replayed"}
        page = await approver.ask(f"/oauth2/authorize?{urllib.parse.urlencode(wanted)}")
        yes = await approver.ask("/oauth2/authorize", inputs(page.body) | {"decision": "allow"})
        given = urllib.parse.parse_qs(urllib.parse.urlsplit(yes.header("location")).query)["code"][0]
        fields = {"grant_type": "authorization_code", "code": given, "redirect_uri": REDIRECT, "client_id": "rolegate-cli"}
        return "POST", "/oauth2/token", FORM, urllib.parse.urlencode(fields | {"code_verifier": verifier}).encode()

    return code


def let_in(answer):
    return is_signed_in(answer) or (answer.status == 200 and b'"access_token"' in answer.body)


async def main():
    with Place(gateways=2) as place:
        ports = [gateway.port for gateway in place.gateways]
        approver = Visitor(FIRST, "approver")
        state(is_signed_in(await approver.sign_in()), "somebody signs in, who lets command lines in")
        kinds = {"callback": callback, "SAML response": response_asked_for, "SAML response, unasked": response_unasked, "code": code_of(approver)}
        rounds, winners, by_port, wrong = collections.Counter(), {kind: [] for kind in kinds}, collections.Counter(), []
        answers_seen = {kind: collections.Counter() for kind in kinds}
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for kind, make in kinds.items():
                method, path, headers, body = await make()
                agents = [f"racer-{kind}-{rounds[kind]}-{n}".replace(" ", "-").replace(",", "") for n in range(WIDTH)]
                race = (ask(ports[n % 2], method, path, {**headers, "User-Agent": agent}, body) for n, agent in enumerate(agents))
                answers = await asyncio.gather(*race, return_exceptions=True)
                good = [n for n, answer in enumerate(answers) if not isinstance(answer, Exception) and let_in(answer)]
                rounds[kind] += 1
                winners[kind] += [agents[n] for n in good]
                by_port.update(ports[n % 2] for n in good)
                answers_seen[kind].update("none" if isinstance(answer, Exception) else answer.status for answer in answers)
                if len(good) != 1:
                    wrong.append(f"{kind}: {len(good)}")
        say(f"won by {', '.join(f'gateway-{port}: {count}' for port, count in sorted(by_port.items()))}")
        for kind in kinds:
            say(f"{kind}: {rounds[kind]} rounds, answered {', '.join(f'{status}: {count}' for status, count in answers_seen[kind].items())}")
        state(not wrong, f"exactly one of {WIDTH} is let in, in each of {sum(rounds.values())} rounds ({tally(wrong) or 'always'})")
        state(not any(status == "none" or status >= 500 for seen in answers_seen.values() for status in seen), "every request is answered, none by 5xx")
        told = [event["user_agent"] for event in place.events(kind="sign_in", outcome="ok")]
        # Each redemption of a code opens a session before it finds that another was first, and ends it then: all of them have events.
        state(set(winners["code"]) <= set(told), f"the session of each command line has its event ({len(winners['code'])})")
        told = [agent for agent in told if agent.startswith("racer") and not agent.startswith("racer-code")]
        let = [agent for kind in kinds if kind != "code" for agent in winners[kind]]
        state(sorted(told) == sorted(let), f"the sign-ins in both trails are those that were let in ({len(told)} and {len(let)})")
        yes = place.events(kind="command_line", outcome="ok")
        state(len(yes) >= len(winners["code"]), f"each command line has the event of its consent ({len(yes)} and {len(winners['code'])})")
        # A code that is used again ends what its first use opened.
        sessions, expected = len(place.redis.keys("session")), len(let) + 1
        state(sessions == expected, f"the sessions in Redis are those of the sign-ins and no others ({sessions} and {expected})")
        ended = [event for event in place.events(kind="sign_out") if "authorization code" in event.get("reason", "")]
        say(f"sessions of replayed codes were ended: {len(ended)} events, for {len(winners['code'])} codes")
        place.no_panic()


if __name__ == "__main__":
    run(main)

"""What people do at a server: they sign in, and they come back. Each returns the cookies that they have then."""

import sys
import time

from client import Connection, Unwanted, all_at_once, local
from saml_idp import form


def by_saml(server, connections, forms):
    """Posts each response and follows to the page. Nobody who was not let in passes for a sign-in."""
    visitors = []
    for posted in batches(forms, len(connections)):
        answers = all_at_once(connections, [(local(server.acs, server.origin), server.known, form) for form in posted])
        visitors += follow(server, connections, [(server.known, answer) for answer in answers])
    return visitors


def by_oidc(server, connections, op, size, count):
    """Asks for the page, goes to the provider and back, and follows to the page."""
    visitors = []
    for batch in batches(range(count), len(connections)):
        begun = all_at_once(connections, [(server.begin, server.known, None) for _ in batch])
        jars = [server.known | answer.cookies() for answer in begun]
        places = [op.authorize(answer.location(), size) for answer in begun]
        answers = all_at_once(connections, [(local(place, server.origin), jar, None) for place, jar in zip(places, jars)])
        visitors += follow(server, connections, zip(jars, answers))
    return visitors


def again(server, connections, path, visitors, count):
    """The same people, who come by turns, ask for something that is for them alone."""
    for batch in batches(range(count), len(connections)):
        for answer in all_at_once(connections, [(path, visitors[n % len(visitors)], None) for n in batch]):
            answer.wanted(200, server.marker if path == server.page else "")


def cost(server, width, count, visit):
    """Of one of so many visits over so many connections, in microseconds of CPU; and what the visits give."""
    # New ones: servers close those that were silent for long.
    connections = [Connection(server.port) for _ in range(width)]
    time.sleep(0.05)
    before = server.cpu()
    try:
        visitors = visit(connections)
    except Unwanted as reason:
        sys.exit(f"{server.name}: {reason}\n{server.said()}")
    return (server.cpu() - before) / count * 1e6, visitors


def follow(server, connections, arrived):
    jars, places = [], []
    for jar, answer in arrived:
        if answer.status not in (302, 303):
            answer.wanted(303)
        jars.append(jar | answer.cookies())
        places.append(local(answer.location(), server.origin))
    for answer in all_at_once(connections, [(place, jar, None) for place, jar in zip(places, jars)]):
        answer.wanted(200, server.marker)
    return jars


def responses(server, idp, groups, count):
    """As many forms: both the response and the assertion are signed, and each signature has the certificate with it, as with most providers."""
    new = (idp.response(server.entity, server.acs, groups, both=True, key_info=True) for _ in range(count))
    return [form(response, server.origin + server.page) for response in new]


def batches(things, size):
    return (things[start : start + size] for start in range(0, len(things), size))

"""What the scripts share that measure the server as people run it: a gateway of a release build, the demonstration beside it, and somebody who signs in."""

import contextlib
import html
import http.client
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

from measuring import machine, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/rolegate")
GATEWAY = 8790


def spawn(*arguments, log=subprocess.DEVNULL):
    return subprocess.Popen([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=log)


class Browser:
    """Cookies by name; follows nothing."""

    def __init__(self):
        self.cookies = {}

    def ask(self, url, fields=None):
        where = urllib.parse.urlsplit(url)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        body = None
        if fields is not None:
            body = urllib.parse.urlencode(fields)
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{where.netloc}", "Sec-Fetch-Site": "same-origin"}
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
        connection.request("GET" if body is None else "POST", f"{where.path}?{where.query}", body, headers)
        answer = connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, cookie = value.split(";")[0].split("=", 1)
                self.cookies[key] = cookie
        return answer, answer.read().decode()

    def sign_in(self):
        answer, _ = self.ask(f"http://127.0.0.1:{GATEWAY}/login/sandbox?next=/")
        provider = answer.getheader("Location")
        _, page = self.ask(provider)
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)" value="([^"]*)"', page))
        fields = {k: html.unescape(v) for k, v in fields.items()} | {"person": "ana"}
        origin = urllib.parse.urlsplit(provider)
        answer, _ = self.ask(f"http://{origin.netloc}/sign-in", fields)
        # The redirect URI is the demonstration's; its path and query are the same here.
        back = urllib.parse.urlsplit(answer.getheader("Location"))
        answer, text = self.ask(f"http://127.0.0.1:{GATEWAY}{back.path}?{back.query}")
        if answer.status != 303:
            sys.exit(f"the sign-in failed: {answer.status}\n{text}")


class Connection:
    def __init__(self, browser, more=""):
        self.socket = socket.create_connection(("127.0.0.1", GATEWAY))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cookie = "; ".join(f"{k}={v}" for k, v in browser.cookies.items() if k.startswith("rolegate"))
        self.request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{GATEWAY}\r\nCookie: {cookie}\r\n{more}\r\n".encode()

    def ask(self):
        self.socket.sendall(self.request)

    def page(self):
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.socket.recv(65536)
        head, body = received.split(b"\r\n\r\n", 1)
        if b" 200 " not in head.split(b"\r\n")[0]:
            sys.exit(f"no page: {head[:200]}")
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        while len(body) < length:
            body += self.socket.recv(65536)
        return length


def start(config):
    begun = time.monotonic()
    process = spawn(BINARY, "serve", "--config", config, log=open(config.parent / "log", "ab"))
    process.stdout.readline()
    connection = http.client.HTTPConnection("127.0.0.1", GATEWAY, timeout=20)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"the gateway is not ready: {answer.read().decode()}")
    return process, (time.monotonic() - begun) * 1000


def stop(process):
    # What an operator types: it waits for no proxy to notice.
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)


@contextlib.contextmanager
def running(config):
    """A gateway, until the `with` ends."""
    process, _ = start(config)
    try:
        yield process
    finally:
        stop(process)


@contextlib.contextmanager
def beside_the_demonstration():
    """A folder for a gateway's files, while `rolegate demo` plays the identity provider and AWS. Prints how fast the machine is."""
    demo = spawn(BINARY, "demo")
    try:
        for port in (8700, 8701, 8702):
            wait_for(port)
        print(machine(), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            yield pathlib.Path(folder)
    finally:
        # The next one needs its ports.
        stop(demo)


def configuration(folder, *changes, tests=True):
    """The demonstration's configuration with one worker on a port of its own, a SAML key that is not made at each start, which would be most of a
    start, and these changes: pairs of what stands there and what is to stand there. Its own tests, which come last, say that nobody has more."""
    pair = ("saml-key.pem", "saml-certificate.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=measured", "-keyout", folder / pair[0], "-out", folder / pair[1]],
        check=True,
        capture_output=True,
    )
    listen = ('listen = "127.0.0.1:8700"', f'listen = "127.0.0.1:{GATEWAY}"\nworkers = 1')
    name = 'provider_name = "Rolegate"'
    saml = (name, f'{name}\nsigning_key = {{ file = "{pair[0]}" }}\ncertificate = {{ file = "{pair[1]}" }}')
    text = (ROOT / "demo/rolegate.toml").read_text()
    for before, after in (listen, saml, *changes):
        if before not in text:
            sys.exit(f"the demonstration's configuration has no {before!r}")
        text = text.replace(before, after, 1)
    return text if tests else text.partition("[[test]]")[0]

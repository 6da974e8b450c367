#!/usr/bin/env python3
"""Measures the server as people run it: a release build of `rolegate serve` in a process of its own.

usage: scripts/measure.py [BINARY]        default: target/release/rolegate (make bench builds it)

Prints, for the store in memory and in Redis: CPU (user and system, of the gateway's process alone) for one signed-in portal page with nine
roles, over one keep-alive connection and over eight at once, median of five runs; Redis commands for one page; the time from spawn to ready, median of twenty; and
resident memory. The sandbox runs in another process, by `rolegate demo`. Loopback only; needs redis-server for the second half.
"""

import html
import http.client
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

from measuring import cpu_seconds, machine, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/rolegate")
GATEWAY, REDIS = 8790, 8799
PAGES, RUNS = 8000, 5


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


def round_of(connections):
    """One page for each connection, all asked for before the first is read: a server that is never idle sleeps and wakes less often."""
    for connection in connections:
        connection.ask()
    return [connection.page() for connection in connections][-1]


def resident_mib(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text()).group(1)) / 1024


def redis_commands():
    text = subprocess.run(["redis-cli", "-p", str(REDIS), "info", "commandstats"], capture_output=True, text=True, check=True).stdout
    calls = {name: int(count) for name, count in re.findall(r"cmdstat_([a-z|]+):calls=(\d+)", text)}
    return sum(count for name, count in calls.items() if name not in ("info", "ping", "client|setinfo", "hello", "command|docs"))


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


def measure(store, folder):
    text = (ROOT / "demo/rolegate.toml").read_text().replace('listen = "127.0.0.1:8700"', f'listen = "127.0.0.1:{GATEWAY}"\nworkers = 1')
    # A key that is made at each start would be most of the start.
    pair = ("saml-key.pem", "saml-certificate.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=measured", "-keyout", folder / pair[0], "-out", folder / pair[1]],
        check=True,
        capture_output=True,
    )
    text = text.replace('provider_name = "Rolegate"', f'provider_name = "Rolegate"\nsigning_key = {{ file = "{pair[0]}" }}\ncertificate = {{ file = "{pair[1]}" }}')
    if store == "Redis":
        (folder / "seal").write_text("ab" * 32)
        text = text.replace('url = "memory"', f'url = "redis://127.0.0.1:{REDIS}"\nseal_keys = [{{ file = "seal" }}]')
    config = folder / "rolegate.toml"
    config.write_text(text)
    starts = []
    for _ in range(20):
        process, milliseconds = start(config)
        starts.append(milliseconds)
        stop(process)
    process, _ = start(config)
    time.sleep(5)
    idle = resident_mib(process)
    browser = Browser()
    browser.sign_in()
    # From the first page on a browser knows what lets the gateway read the person's choices with the session.
    browser.ask(f"http://127.0.0.1:{GATEWAY}/")
    for count in (1, 8):
        connections = [Connection(browser) for _ in range(count)]
        for _ in range(500 // count):
            size = round_of(connections)
        runs = []
        commands = redis_commands() if store == "Redis" else None
        for _ in range(RUNS):
            before = cpu_seconds(process)
            for _ in range(PAGES // count):
                round_of(connections)
            runs.append((cpu_seconds(process) - before) / PAGES * 1e6)
        spread = f"{statistics.median(runs):.0f} us CPU (from {min(runs):.0f} to {max(runs):.0f})"
        print(f"{store}: portal page of {size} bytes, {count} connection(s): {spread}")
        if commands is not None:
            print(f"{store}: {(redis_commands() - commands) / (PAGES * RUNS):.3f} Redis commands for a page")
    print(f"{store}: ready after {statistics.median(starts):.0f} ms (from {min(starts):.0f} to {max(starts):.0f})")
    print(f"{store}: resident {idle:.0f} MiB idle, {resident_mib(process):.0f} MiB after {2 * PAGES * RUNS} pages", flush=True)
    stop(process)


def main():
    demo = spawn(BINARY, "demo")
    redis = spawn("redis-server", "--port", REDIS, "--bind", "127.0.0.1", "--save", "")
    try:
        for port in (8700, 8701, 8702, REDIS):
            wait_for(port)
        print(machine(), flush=True)
        for store in ("memory", "Redis"):
            with tempfile.TemporaryDirectory() as folder:
                measure(store, pathlib.Path(folder))
    finally:
        demo.terminate()
        redis.terminate()


if __name__ == "__main__":
    main()

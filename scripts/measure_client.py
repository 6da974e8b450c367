#!/usr/bin/env python3
"""Measures the client as people run it: a release build without the gateway.

usage: scripts/measure_client.py [BINARY]        default: target/client/client/rolegate (make bench builds it)

Prints the size of the binary and the libraries that it needs; and, as whole processes from start to end, the wall time (median, and the
slowest of the fastest nine tenths) of `credentials` with a warm cache, the session in a file; the same with the session in GNOME's keyring,
where gnome-keyring-daemon and dbus-run-session are there; and of `--version`, which is what starting a process costs. A double plays the
gateway, once: what is measured asks nobody.
"""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/client/client/rolegate").resolve()
ROLE = "arn:aws:iam::111122223333:role/ReadOnly"
RUNS = 200
TOKEN = "rgs_" + base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")


class Double(http.server.BaseHTTPRequestHandler):
    """Answers as much of the gateway's interface as one sign-in by code and one issuance need. No gateway."""

    asked = 0

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = f"http://127.0.0.1:{self.server.server_port}"
        if self.path.startswith("/api/v1/me"):
            return self.answer({"username": "ana", "session": {"ends": "2099-01-01T00:00:00Z"}})
        names = ("authorization", "token", "device_authorization", "revocation")
        self.answer({"issuer": url} | {f"{name}_endpoint": f"{url}/{name}" for name in names})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            return self.answer({"access_token": TOKEN, "token_type": "Bearer"})
        if self.path == "/device_authorization":
            url = f"http://127.0.0.1:{self.server.server_port}/device"
            return self.answer({"device_code": "c", "user_code": "C", "verification_uri": url, "expires_in": 60, "interval": 1})
        Double.asked += 1
        answer = {"role_arn": ROLE, "session_name": "ana", "access_key_id": "ASIAMEASURED", "secret_access_key": "s" * 40}
        self.answer(answer | {"session_token": "t" * 1000, "expiration": "2099-01-01T00:00:00Z"})

    def log_message(self, *_):
        pass


def timed(arguments, environment):
    begun = time.perf_counter()
    done = subprocess.run([BINARY, *arguments], env=environment, capture_output=True)
    spent = (time.perf_counter() - begun) * 1000
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    return spent


def report(what, arguments, environment):
    for _ in range(5):
        timed(arguments, environment)
    times = sorted(timed(arguments, environment) for _ in range(RUNS))
    print(f"{what}: {statistics.median(times):.1f} ms (nine tenths within {times[int(RUNS * 0.9)]:.1f} ms)", flush=True)


def main():
    if len(sys.argv) > 2 and sys.argv[2] == "--inside-keyring":
        return report("credentials, warm, session in GNOME's keyring", ["credentials", ROLE], dict(os.environ))
    print(f"load before: {pathlib.Path('/proc/loadavg').read_text().strip()}")
    print(f"size: {BINARY.stat().st_size / 1024 / 1024:.2f} MiB")
    needs = subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout
    print("needs: " + ", ".join(line.split()[0] for line in needs.splitlines()))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Double)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "ROLEGATE_GATEWAY": url, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
        report("--version", ["--version"], environment)
        state = home / ".local/state/rolegate"
        state.mkdir(parents=True)
        session = state / f"session-{hashlib.sha256(url.encode()).hexdigest()[:32]}"
        session.write_text(TOKEN)
        session.chmod(0o600)
        report("credentials, warm, session in a file", ["credentials", ROLE], environment)
        session.unlink()
        if shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session"):
            del environment["DBUS_SESSION_BUS_ADDRESS"]
            environment["XDG_RUNTIME_DIR"] = str(home)
            script = 'printf x | gnome-keyring-daemon --unlock --components=secrets > "$HOME/daemon" 2>&1 && "$1" login --device --quiet > "$HOME/login" && shift && exec "$@"'
            inside = ["dbus-run-session", "--", "sh", "-c", script, "sh", BINARY, sys.executable, __file__, BINARY, "--inside-keyring"]
            subprocess.run([str(word) for word in inside], env=environment, check=True)
        if Double.asked > 2:
            sys.exit(f"the gateway was asked {Double.asked} times: the cache was not warm")


main()

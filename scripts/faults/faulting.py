"""What the scripts that break things share: the processes that they start and kill, people who sign in, and how statements are judged.

Everything is on loopback. `rolegate demo` plays the identity provider and AWS; the gateways under test are processes of their own with the
demonstration's configuration, on other ports and with Redis. All say the demonstration's public URL, because the provider sends people there:
the address, the Host header and what a proxy does play no part in what a gateway believes.
"""
import asyncio
import collections
import dataclasses
import datetime
import html
import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from measuring import machine, wait_for  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/rolegate").resolve()
ORIGIN = "http://127.0.0.1:8700"
PROVIDER = 8701
REDIS, FIRST, SECOND, PROXY, STS = 8770, 8771, 8772, 8773, 8774
ROLE = "arn:aws:iam::444455556666:role/Developer"
PATIENCE = 40  # seconds for any answer: more than the gateway's own request_timeout

broken = []


def say(text):
    print(text, flush=True)


def state(holds, text):
    """A statement about correctness: said as it is judged, and the end of the script is by it."""
    say(f"{'holds ' if holds else 'BROKEN'}  {text}")
    if not holds:
        broken.append(text)


def spawn(*arguments, log=subprocess.DEVNULL, **more):
    return subprocess.Popen([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=log, **more)


# ---------------------------------------------------------------- processes


class Redis:
    """One server."""

    setting = f'url = "redis://127.0.0.1:{REDIS}"'

    def __init__(self, folder, fsync):
        self.arguments = ["--port", REDIS, "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--maxmemory-policy", "noeviction"]
        self.arguments += ["--appendonly", "yes", "--appendfsync", fsync] if fsync else []
        self.start()

    def start(self):
        """Until it answers; gives the moment at which it did."""
        self.process = spawn("redis-server", *self.arguments)
        while self.ask("ping") != "PONG" and self.process.poll() is None:
            time.sleep(0.005)
        if self.process.poll() is not None:
            sys.exit(f"redis-server cannot have port {REDIS}: is something else there?")
        return time.monotonic()

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(REDIS), *words], capture_output=True, text=True).stdout.strip()

    def keys(self, purpose="*"):
        return self.ask("--scan", "--pattern", f"rolegate:{purpose}:*").split()

    def kill(self):
        self.process.kill()
        self.process.wait()

    stop = kill


class Gateway:
    """A `rolegate serve` with a trail and a log of its own."""

    def __init__(self, folder, port, store, changes=()):
        self.port, self.name = port, f"gateway-{port}"
        self.trail, self.log = folder / f"{self.name}.jsonl", folder / f"{self.name}.log"
        text = (ROOT / "demo/rolegate.toml").read_text()
        first = f'listen = "127.0.0.1:{port}"\nsign_in_rate = 10000\nsign_in_burst = 100000\nreload_on_change = false'
        key = ('#signing_key = { file = "secrets/signing-key.pem" }', 'signing_key = { file = "signing.pem" }')
        name = 'provider_name = "Rolegate"'
        pair = (name, f'{name}\nsigning_key = {{ file = "saml.pem" }}\ncertificate = {{ file = "saml.crt" }}')
        kept = ('url = "memory"', f'{store}\nseal_keys = [{{ file = "seal" }}]')
        sts = ('sts_endpoint = "http://127.0.0.1:8702"', f'sts_endpoint = "http://127.0.0.1:{STS}"')
        trail = ('\nfile = "audit.jsonl"', f'\nfile = "{self.trail.name}"')
        for before, after in (('listen = "127.0.0.1:8700"', first), trail, key, pair, kept, sts, *changes):
            if before not in text:
                sys.exit(f"the demonstration's configuration has no {before!r}")
            text = text.replace(before, after, 1)
        self.config = folder / f"{self.name}.toml"
        self.config.write_text(text)
        self.start()

    def start(self):
        self.process = spawn(BINARY, "serve", "--config", self.config, log=open(self.log, "ab"))
        if not self.process.stdout.readline():
            sys.exit(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")

    def stop(self):
        """As an administrator does; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def events(self, **wanted):
        """Those of the trail that have these values. Lines that are none are counted in `torn`."""
        events, self.torn = [], 0
        for line in self.trail.read_bytes().splitlines() if self.trail.exists() else []:
            try:
                events.append(json.loads(line))
            except ValueError:
                self.torn += bool(line)
        return [event for event in events if all(event.get(field) == value for field, value in wanted.items())]

    def failures(self):
        """What the log says was refused or failed, and why."""
        lines = [line for line in self.log.read_text().splitlines() if '"refused or failed"' in line]
        return [json.loads(line)["fields"]["reason"] for line in lines]

    def logged(self, text):
        return self.log.read_text().count(text)

    def resident_mib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


async def sts_double(shown=lambda body: None):
    """Answers AssumeRoleWithWebIdentity and AssumeRoleWithSAML with credentials that are worth nothing. The demonstration's STS believes its own gateway's key alone.
    `shown` gets the body of each request."""
    numbers = itertools.count()

    async def answer(reader, writer):
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
                asked = await reader.readexactly(int(re.search(r"content-length: (\d+)", head).group(1)))
                shown(asked)
                text = STS_ANSWER.replace("WebIdentity", "SAML") if b"Action=AssumeRoleWithSAML&" in asked else STS_ANSWER
                body = text.format(n=next(numbers), until=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", STS, backlog=512)


STS_ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<SubjectFromWebIdentityToken>somebody</SubjectFromWebIdentityToken><Audience>sts.amazonaws.com</Audience><Provider>a double</Provider>
<AssumedRoleUser><Arn>arn:aws:sts::444455556666:assumed-role/Developer/somebody</Arn><AssumedRoleId>AROADOUBLE:somebody</AssumedRoleId>
</AssumedRoleUser><Credentials><AccessKeyId>ASIADOUBLE{n:010}</AccessKeyId><SecretAccessKey>worth-nothing</SecretAccessKey>
<SessionToken>worth-nothing</SessionToken><Expiration>{until}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
<ResponseMetadata><RequestId>a-double</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"""


class Place:
    """The folder, the demonstration, Redis and as many gateways as wanted; all of it ends with the `with`."""

    def __init__(self, gateways=1, fsync=None, changes=(), demo=(), redis=Redis):
        self.wanted, self.fsync, self.changes, self.demo_options, self.kind = gateways, fsync, changes, demo, redis
        self.gateways, self.others, self.redis, self.demo = [], [], None, None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rolegate-faults-"))
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        self.demo = spawn(BINARY, "demo", *self.demo_options, log=open(self.folder / "demo.log", "wb"), env={**os.environ, "ROLEGATE_LOG": "warn", "TMPDIR": str(self.folder)})
        self.redis = self.kind(self.folder, self.fsync)
        for port in (8700, PROVIDER, 8702):
            wait_for(port)
        if self.demo.poll() is not None:
            sys.exit("rolegate demo does not start: is another one running?")
        made = subprocess.run([BINARY, "keys", "new"], capture_output=True, check=True)
        (self.folder / "signing.pem").write_bytes(made.stdout)
        (self.folder / "seal").write_text(os.urandom(32).hex())
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=faults"]
        subprocess.run([*request, "-keyout", self.folder / "saml.pem", "-out", self.folder / "saml.crt"], check=True, capture_output=True)
        for secret in ("signing.pem", "seal", "saml.pem"):
            (self.folder / secret).chmod(0o600)
        for port in (FIRST, SECOND)[: self.wanted]:
            self.gateways.append(Gateway(self.folder, port, self.redis.setting, self.changes))

    def __exit__(self, *_):
        for process in [*self.others, *(gateway.process for gateway in self.gateways)]:
            process.kill()
            process.wait()
        if self.redis:
            self.redis.stop()
        if self.demo:
            # In order: it removes the folder that it made.
            self.demo.terminate()
            self.demo.wait(timeout=60)
        if os.environ.get("ROLEGATE_KEEP"):
            say(f"logs and trails are in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def events(self, **wanted):
        return [event for gateway in self.gateways for event in gateway.events(**wanted)]

    def no_panic(self):
        panics = sum(gateway.logged("panicked") for gateway in self.gateways)
        state(panics == 0, f"no panic in the logs ({panics})")


# ---------------------------------------------------------------- people


@dataclasses.dataclass
class Answer:
    status: int
    headers: list
    body: bytes
    at: float

    def header(self, name):
        return next((value for key, value in self.headers if key == name), None)

    @property
    def unasked_for(self):
        """A failure of the server's that does not say when to try again."""
        return self.status >= 500 and self.header("retry-after") is None


async def ask(port, method, path, headers=None, body=b""):
    """One request on a connection of its own. Raises OSError when there is no whole answer."""

    async def exchange():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
            lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
            lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            try:
                received = await reader.readuntil(b"\r\n\r\n")
                head = received.decode("latin-1").split("\r\n")
                pairs = [line.split(": ", 1) for line in head[1:] if ": " in line]
                fields = [(key.lower(), value) for key, value in pairs]
                length = next((int(value) for key, value in fields if key == "content-length"), None)
                if any(key == "transfer-encoding" for key, _ in fields):
                    text = b""
                    while size := int((await reader.readline()).split(b";")[0], 16):
                        text += (await reader.readexactly(size + 2))[:-2]
                else:
                    text = await reader.read() if length is None else await reader.readexactly(length)
            except (asyncio.IncompleteReadError, ValueError) as error:
                raise ConnectionResetError("no whole answer") from error
            return Answer(int(head[0].split()[1]), fields, text, time.monotonic())
        finally:
            writer.close()

    try:
        return await asyncio.wait_for(exchange(), PATIENCE)
    except asyncio.TimeoutError as error:
        raise OSError("no answer in time") from error


class Visitor:
    """Somebody with a browser of their own. Its user agent stands in the trail, so that each answer can be held against its event."""

    at_provider = {}
    count = 0

    def __init__(self, port, name=None):
        Visitor.count += 1
        self.port, self.cookies = port, {}
        self.agent = f"{name or 'visitor'}-{Visitor.count}"

    def cookie(self):
        return "; ".join(f"{key}={value}" for key, value in self.cookies.items())

    async def ask(self, path, fields=None, port=None, json_body=None, **more):
        headers = {"User-Agent": self.agent, "Cookie": self.cookie(), **more}
        body = b""
        if fields is not None:
            body = urllib.parse.urlencode(fields).encode()
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"} | more
        if json_body is not None:
            body = json.dumps(json_body).encode()
            headers |= {"Content-Type": "application/json", "X-Requested-With": "rolegate", "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        answer = await ask(port or self.port, "GET" if not body else "POST", path, headers, body)
        for key, value in answer.headers:
            if key == "set-cookie":
                name, kept = value.split(";")[0].split("=", 1)
                self.cookies.pop(name, None)
                if kept:
                    self.cookies[name] = kept
        return answer

    async def begin(self):
        """Goes to the provider and comes back: the path and query of the callback, or the answer that was no way there."""
        answer = await self.ask("/login/sandbox?next=/")
        if answer.status != 303:
            return answer
        return path_of(await past_the_provider(answer.header("location")))

    async def sign_in(self):
        back = await self.begin()
        return await self.ask(back) if isinstance(back, str) else back

    async def credentials(self, role=ROLE):
        return await self.ask("/api/v1/credentials", json_body={"role": role, "duration_seconds": 3600})

    async def who(self):
        return await self.ask("/api/v1/me", **{"X-Requested-With": "rolegate", "Sec-Fetch-Site": "same-origin"})


def path_of(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.path}?{parts.query}"


def inputs(page):
    return {key: html.unescape(value) for key, value in re.findall(r'<input[^>]*name="([^"]+)" value="([^"]*)"', page.decode())}


async def past_the_provider(url, person="ana"):
    """Through the demonstration's sign-in: by its page once, and then by the session that it keeps. Gives where it sends the browser."""
    answer = await provider("GET", path_of(url))
    if answer.status == 200:
        fields = inputs(answer.body) | {"person": person}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{PROVIDER}", "Sec-Fetch-Site": "same-origin"}
        answer = await provider("POST", "/sign-in", headers, urllib.parse.urlencode(fields).encode())
    if answer.header("location") is None:
        raise OSError(f"the provider answered {answer.status}")
    return answer.header("location")


async def provider(method, path, headers=None, body=b""):
    cookie = "; ".join(f"{key}={value}" for key, value in Visitor.at_provider.items())
    answer = await ask(PROVIDER, method, path, {"Cookie": cookie, **(headers or {})}, body)
    for key, value in answer.headers:
        if key == "set-cookie":
            name, kept = value.split(";")[0].split("=", 1)
            Visitor.at_provider[name] = kept
    return answer


def is_signed_in(answer):
    """A callback's answer that opened a session."""
    cookies = [value for key, value in answer.headers if key == "set-cookie"]
    return answer.status == 303 and any(re.match(r"rolegate-session=[^;]", cookie) for cookie in cookies)


async def at_rate(per_second, seconds, one):
    """Starts `one()` so often whatever becomes of those before, and gives what all of them gave."""
    begun, tasks = time.monotonic(), []
    for n in range(int(per_second * seconds)):
        await asyncio.sleep(max(0, begun + n / per_second - time.monotonic()))
        tasks.append(asyncio.create_task(one()))
    return await asyncio.gather(*tasks)


def tally(things):
    return ", ".join(f"{count} {thing}" for thing, count in sorted(collections.Counter(things).items(), key=lambda pair: str(pair[0])))


def quantiles(seconds):
    ordered = sorted(seconds)
    at = lambda part: ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000  # noqa: E731
    return f"median {at(0.5):.0f} ms, 99 % {at(0.99):.0f} ms, slowest {ordered[-1] * 1000:.0f} ms" if ordered else "none"


def run(main):
    """Prints when and on what, runs, and exits 1 if a statement was broken."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    say(f"{datetime.date.today()}; {os.cpu_count()} cores; {machine()}")
    begun = time.monotonic()
    asyncio.run(main())
    say(f"{'all holds' if not broken else f'{len(broken)} broken'}, after {time.monotonic() - begun:.0f} s")
    sys.exit(1 if broken else 0)

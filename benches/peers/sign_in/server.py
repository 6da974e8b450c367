"""What every server under test has: its processes, on a core of their own, and what they cost."""

import os
import pathlib
import signal
import string
import subprocess
import sys
import time

import tree
from measuring import wait_for

CONF = pathlib.Path(__file__).resolve().parent / "conf"
# The servers have the last core to themselves; the driver, and all that it plays, the first.
SERVERS, DRIVER = {os.cpu_count() - 1}, {0}


def configured(name, values):
    return string.Template((CONF / name).read_text()).substitute(values)


def spawn(arguments, log, core, **more):
    """A process on this core, which writes what it has to say to this file."""
    arguments = [str(argument) for argument in arguments]
    pinned = lambda: os.sched_setaffinity(0, core)  # noqa: E731
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=open(log, "ab"), stderr=subprocess.STDOUT, preexec_fn=pinned, **more)


def end(process):
    # Rolegate does not wait for a proxy to notice, as it does for SIGTERM; Apache and the others take both.
    process.send_signal(signal.SIGINT if process.args[0].endswith("rolegate") else signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_file(path):
    for _ in range(1000):
        if path.exists():
            return path
        time.sleep(0.01)
    sys.exit(f"{path} does not come")


class Server:
    """A service provider or relying party. Those who inherit from it say how it is started, and what its addresses are."""

    # `marker` stands on `page` for who is let in, and nowhere else. `checks`: what is asked for to measure what knowing a session costs.
    key = name = marker = page = checks = None
    # Cookies of a browser that was here before.
    known = {}

    def __init__(self, folder, port):
        self.folder, self.port, self.processes = folder / self.key, port, []
        self.origin = f"http://127.0.0.1:{port}"
        self.begin = self.page
        self.folder.mkdir()

    def serve(self, *arguments, **more):
        self.processes.append(spawn(arguments, self.folder / "output", SERVERS, **more))

    def ready(self):
        """Waits until it listens, and remembers what it holds before anybody came."""
        try:
            wait_for(self.port)
            time.sleep(2)
            started = all(process.poll() is None for process in self.processes)
        except SystemExit:
            started = False
        if not started:
            sys.exit(f"{self.name} did not start:\n{self.said()}")
        self.idle = self.resident()

    def said(self):
        """The ends of its logs."""
        return "".join(file.read_text()[-2000:] for name in ("output", "error.log") if (file := self.folder / name).exists())

    def family(self):
        return [member for process in self.processes for member in tree.family(process.pid)]

    def cpu(self):
        return tree.cpu_seconds(self.family())

    def resident(self):
        return sum(tree.memory_mib(process.pid) for process in self.processes)

    def stop(self):
        for process in reversed(self.processes):
            end(process)

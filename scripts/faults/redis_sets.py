"""Several Redis servers: a primary with replicas that Sentinels watch, and a cluster. Each says how a gateway is told of it."""
import pathlib
import subprocess
import time

from faulting import spawn

# Where the first server listens; the others follow. A cluster's nodes speak to each other 10,000 above.
FIRST, SENTINELS = 8780, 8790


class Server:
    def __init__(self, folder, port, *more):
        own = pathlib.Path(folder) / f"redis-{port}"
        own.mkdir()
        self.port = port
        # A replica gets its first copy at once: one that never had it would take over with nothing.
        self.process = spawn("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", own, "--repl-diskless-sync-delay", 0, *more)
        until(lambda: self.ask("ping") == "PONG", f"Redis on port {port} answers")

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *map(str, words)], capture_output=True, text=True).stdout.strip()

    @property
    def is_primary(self):
        return self.ask("role").startswith("master")

    def has_replicas(self, count):
        """So many have their copy and are known to: what is written is confirmed from then on."""
        return self.ask("info", "replication").count("state=online") == count

    def kill(self):
        self.process.kill()
        self.process.wait()


def until(holds, what, patience=30):
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"not within {patience} s: {what}")
        time.sleep(0.02)


def or_none(servers, set_up, folder):
    """Leaves no server behind that was started before something went wrong."""
    try:
        set_up(folder)
    except BaseException:
        servers.stop()
        raise


class Watched:
    """A primary and two replicas; three Sentinels, of which two must agree, take a server for down after a second."""

    name = "Sentinels"
    setting = "sentinels = [" + ", ".join(f'"redis://127.0.0.1:{SENTINELS + n}"' for n in range(3)) + ']\nprimary = "gate"'

    def __init__(self, folder, _fsync=None):
        self.servers, self.sentinels = [], []
        or_none(self, self.set_up, pathlib.Path(folder))

    def set_up(self, folder):
        self.servers = [Server(folder, FIRST)]
        self.servers += [Server(folder, FIRST + n, "--replicaof", "127.0.0.1", FIRST) for n in (1, 2)]
        until(lambda: self.servers[0].has_replicas(2), "the replicas have their copy")
        self.sentinels = [self.sentinel(folder, SENTINELS + n) for n in range(3)]
        until(lambda: "OK 3 usable" in self.asked("sentinel", "ckquorum", "gate"), "the Sentinels know each other")

    def sentinel(self, folder, port):
        file = folder / f"sentinel-{port}.conf"
        monitor = f"sentinel monitor gate 127.0.0.1 {FIRST} 2\nsentinel down-after-milliseconds gate 1000\nsentinel failover-timeout gate 5000\n"
        file.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n{monitor}")
        return spawn("redis-server", file, "--sentinel")

    def asked(self, *words):
        return subprocess.run(["redis-cli", "-p", str(SENTINELS), *words], capture_output=True, text=True).stdout.strip()

    def kill_a_primary(self):
        self.servers[0].kill()

    def promoted(self):
        """Waits for another primary, and gives the moment at which there was one."""
        until(lambda: any(server.is_primary for server in self.servers[1:]), "a replica takes over")
        return time.monotonic()

    def stop(self):
        for process in [*(server.process for server in self.servers), *self.sentinels]:
            process.kill()
            process.wait()


class Cluster:
    """Three primaries with a replica each, and one replica more for the first; a node counts as down after two seconds."""

    name = "Cluster"
    setting = f'cluster = ["redis://127.0.0.1:{FIRST}", "redis://127.0.0.1:{FIRST + 1}"]'

    def __init__(self, folder, _fsync=None):
        self.servers = []
        or_none(self, self.set_up, folder)

    def set_up(self, folder):
        more = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", 2000)
        self.servers.extend(Server(folder, FIRST + n, *more) for n in range(7))
        nodes = [f"127.0.0.1:{server.port}" for server in self.servers]
        made = subprocess.run(["redis-cli", "--cluster", "create", *nodes[:6], "--cluster-replicas", "1", "--cluster-yes"], capture_output=True, text=True)
        if made.returncode:
            raise SystemExit(f"the cluster cannot be made:\n{made.stdout}{made.stderr}")
        self.well(self.servers[:6])
        # With a second replica, a shard that has lost its primary still has one that confirms.
        first = self.servers[0].ask("cluster", "myid")
        subprocess.run(["redis-cli", "--cluster", "add-node", nodes[6], nodes[0], "--cluster-slave", "--cluster-master-id", first], capture_output=True)
        until(lambda: [server.has_replicas(n) for server, n in zip(self.servers, (2, 1, 1))] == [True] * 3, "the replicas have their copy")
        self.well(self.servers)

    def well(self, members):
        until(lambda: all("cluster_state:ok" in server.ask("cluster", "info") for server in members), "the cluster is well")

    def kill_a_primary(self):
        self.servers[0].kill()

    def promoted(self):
        until(lambda: sum(server.is_primary for server in self.servers[1:]) == 3, "a replica takes over")
        return time.monotonic()

    def move_slots(self, count=2000):
        """Moves slots with their keys from the second primary to the third, as an administrator would."""
        from_id, to_id = (self.servers[n].ask("cluster", "myid") for n in (1, 2))
        words = ["--cluster-from", from_id, "--cluster-to", to_id, "--cluster-slots", str(count), "--cluster-yes"]
        moved = subprocess.run(["redis-cli", "--cluster", "reshard", f"127.0.0.1:{self.servers[1].port}", *words], capture_output=True, text=True)
        if moved.returncode:
            raise SystemExit(f"the slots do not move:\n{moved.stdout[-500:]}{moved.stderr}")

    def stop(self):
        for server in self.servers:
            server.process.kill()
            server.process.wait()

"""A server as the operating system sees it: all processes that come of one."""

import os
import pathlib
import re

TICKS = os.sysconf("SC_CLK_TCK")


def fields(pid):
    """Of /proc/PID/stat, what follows the name: state, parent, …"""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def family(pid):
    """The process and all its living descendants."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(fields(entry.name)[1])
            except OSError:
                pass  # it ended a moment ago
    members = [pid]
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def cpu_seconds(pids):
    """User and system time of these processes, and of those children that ended."""
    return sum(sum(int(ticks) for ticks in fields(pid)[11:15]) for pid in pids) / TICKS


def memory_mib(pid):
    """What the process and its descendants hold resident, in MiB. What they share among themselves counts once, and what other servers map of the
    same files does not make it less."""
    members = family(pid)
    own = sum(kib(f"/proc/{member}/smaps_rollup", name) for member in members for name in ("Pss_Anon", "Pss_Shmem"))
    return (own + max(kib(f"/proc/{member}/status", "RssFile") for member in members)) / 1024


def kib(file, name):
    return int(re.search(rf"^{name}:\s+(\d+)", pathlib.Path(file).read_text(), re.M).group(1))

"""What the measuring scripts share: a port that answers, the CPU of a process, and how fast the machine is at the moment."""
import os
import pathlib
import re
import socket
import subprocess
import sys
import time


def wait_for(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"nothing listens on port {port}")


def cpu_seconds(process):
    """User and system time of the process itself."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine():
    """The load, and one RSA-2048 verification by OpenSSL: what shared machines do in a microsecond differs by the hour."""
    run = subprocess.run(["openssl", "speed", "-seconds", "1", "rsa2048"], capture_output=True, text=True, check=True)
    verifications = float(re.search(r"^rsa 2048 bits.*\s([\d.]+)\s*$", run.stdout, re.M).group(1))
    return f"load before: {pathlib.Path('/proc/loadavg').read_text().strip()}; an RSA-2048 verification by OpenSSL: {1e6 / verifications:.0f} us"

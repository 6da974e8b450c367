"""Debian's Apache with one of its modules: a server of its own that touches nothing of the machine's."""

import os
import subprocess

from server import Server, configured

MARKER = "you are in"


class Apache(Server):
    """One process with 25 threads, its access log as Debian configures it, and a page of 1 KB to protect."""

    module = None
    environment = {}
    marker = MARKER
    page = "/private/index.html"
    checks = {"": page}

    def start(self, **values):
        site = self.folder / "site/private"
        site.mkdir(parents=True)
        (site / "index.html").write_text(f"<!doctype html><title>Private</title><p>{MARKER}</p>{'<!-- as much as a small page has -->' * 27}")
        user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
        values |= {"folder": self.folder, "port": self.port, "origin": self.origin, "user": user, "module": self.module}
        text = configured("apache.conf", values) + configured(f"{self.module}.conf", values)
        (self.folder / "apache.conf").write_text(text)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "www-data:", self.folder], check=True)
        self.serve("/usr/sbin/apache2", "-f", self.folder / "apache.conf", "-DFOREGROUND", env=os.environ | self.environment)
        self.ready()

"""libapache2-mod-shib: a module in Apache that asks shibd, which reads SAML and keeps sessions in its memory."""

import os

from apache import Apache
from server import configured, wait_for_file


class Shibboleth(Apache):
    key, name, module = "shibboleth", "mod_shib with shibd", "shib"

    def __init__(self, folder, port):
        super().__init__(folder, port)
        self.entity, self.acs = f"{self.origin}/shibboleth", f"{self.origin}/Shibboleth.sso/SAML2/POST"

    def start(self, **values):
        values |= {"folder": self.folder, "entity": self.entity}
        for name in ("shibboleth2.xml", "attribute-map.xml", "shibd.logger", "native.logger"):
            (self.folder / name).write_text(configured(name, values))
        self.serve("/usr/sbin/shibd", "-F", "-f", "-c", self.folder / "shibboleth2.xml", "-p", self.folder / "shibd.pid")
        # Apache's children, which are another user's, ask there.
        os.chmod(wait_for_file(self.folder / "shibd.sock"), 0o777)
        super().start(**values)

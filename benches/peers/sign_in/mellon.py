"""libapache2-mod-auth-mellon: SAML in Apache's process, by lasso and xmlsec; sessions in memory that its processes share."""

from apache import Apache
from server import configured


class Mellon(Apache):
    """With no certificate authorities to load: as it is installed it loads the system's at each sign-in, and needs none of them."""

    key, name, module = "mellon", "mod_auth_mellon", "auth_mellon"
    environment = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/nonexistent"}
    # It refuses browsers that do not keep cookies, and knows by this one that it sets when it sends somebody to the provider.
    known = {"mellon-cookie": "cookietest"}

    def __init__(self, folder, port):
        super().__init__(folder, port)
        self.entity, self.acs = f"{self.origin}/mellon/metadata", f"{self.origin}/mellon/postResponse"

    def start(self, **values):
        # Not left to the module, which writes it at the first requests and mixes it up where several come at once.
        (self.folder / "metadata.xml").write_text(configured("metadata.xml", {"entity": self.entity, "acs": self.acs}))
        super().start(**values)


class MellonAsInstalled(Mellon):
    key, name, environment = "mellon-as-installed", "mod_auth_mellon, as installed", {}

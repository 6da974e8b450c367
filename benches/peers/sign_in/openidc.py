"""libapache2-mod-auth-openidc: OpenID Connect in Apache's process; sessions in memory that its processes share, or in Redis."""

from apache import Apache


class OpenIdc(Apache):
    key, name, module, store = "openidc", "mod_auth_openidc", "auth_openidc", "OIDCCacheType shm"

    def __init__(self, folder, port):
        super().__init__(folder, port)
        self.callback = f"{self.origin}/private/callback"

    def start(self, **values):
        super().start(store=self.store, callback=self.callback, **values)


class OpenIdcRedis(OpenIdc):
    key, name = "openidc-redis", "mod_auth_openidc, Redis"

    def start(self, **values):
        self.store = f"OIDCCacheType redis\nOIDCRedisCacheServer 127.0.0.1:{values['redis']}"
        super().start(**values)

"""A receiver of webhooks that somebody else could have written: it knows docs/requests.md and nothing of Rolegate's code.

It refuses what is not signed with the key (first argument), and the first delivery in any case, as a server that is starting would. For each
request it prints a line of JSON.
"""

import hashlib
import hmac
import http.server
import json
import sys

KEY = sys.argv[1].encode()
seen = 0


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global seen
        body = self.rfile.read(int(self.headers["content-length"]))
        timestamp = self.headers["x-rolegate-timestamp"]
        wanted = "v1=" + hmac.new(KEY, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        signed = hmac.compare_digest(wanted, self.headers["x-rolegate-signature"])
        seen += 1
        status = 401 if not signed else 503 if seen == 1 else 204
        line = {
            "status": status,
            "event": self.headers["x-rolegate-event"],
            "delivery": self.headers["x-rolegate-delivery"],
            "timestamp": int(timestamp),
            "type": self.headers["content-type"],
            "body": json.loads(body),
        }
        print(json.dumps(line), flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()

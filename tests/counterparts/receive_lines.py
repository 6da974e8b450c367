"""A receiver of the audit trail that somebody else could have written: it knows docs/audit-trail.md and nothing of Rolegate's code.

It refuses who does not show the token, and whatever is not whole lines of JSON. What it takes it appends to a file. While there is a file named
`fail` beside that, it answers 503; while there is one named `hang`, not at all.

usage: receive_lines.py PORT TOKEN FILE [CERTIFICATE KEY]
"""
import http.server
import json
import os
import ssl
import sys
import time

PORT, TOKEN, FILE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
FOLDER = os.path.dirname(FILE)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        while os.path.exists(os.path.join(FOLDER, "hang")):
            time.sleep(0.02)
        self.answer(self.judge(body))

    def judge(self, body):
        if self.headers["authorization"] != f"Bearer {TOKEN}":
            return 401
        if self.headers["content-type"] != "application/x-ndjson" or len(body) > 1 << 20 or not body.endswith(b"\n"):
            return 400
        if os.path.exists(os.path.join(FOLDER, "fail")):
            return 503
        if os.path.exists(os.path.join(FOLDER, "elsewhere")):
            return 307
        for line in body.splitlines():
            json.loads(line)
        with open(FILE, "ab") as file:
            file.write(body)
        print("took", len(body), flush=True)
        return 200

    def answer(self, status):
        text = b"{}"
        self.send_response(status)
        if status == 307:
            self.send_header("location", f"http://127.0.0.1:{PORT}/other")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()

"""A browser's part, as cheap as it can be: connections that are kept, and cookies."""

import re
import socket


class Unwanted(Exception):
    """An answer that no sign-in that goes well is answered with."""


class Answer:
    def __init__(self, head, body):
        self.status, self.head, self.body = int(head[9:12]), head, body

    def location(self):
        """Where it sends people: path and query if it is the same server's, or all of it."""
        return re.search(r"^location: *(.*)\r?$", self.head, re.I | re.M).group(1).strip()

    def cookies(self):
        pairs = re.findall(r"^set-cookie: *([^=;\s]+)=([^;\r\n]*)", self.head, re.I | re.M)
        return {name: value for name, value in pairs if value}

    def wanted(self, status, text=""):
        """Itself, if it has this status and text."""
        if self.status != status or text not in self.body:
            raise Unwanted(f"status {status} with {text!r} was wanted, and this came:\n{self.head}\n{self.body[:3000]}")
        return self


class Connection:
    def __init__(self, port):
        self.port, self.received = port, b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path, cookies=(), form=None):
        """Sends a request; its answer is to be read by `answer`."""
        lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Accept: text/html", "User-Agent: measuring"]
        if cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
        if form is not None:
            lines += ["Origin: https://idp.example.org", "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + (form or b""))

    def more(self):
        received = self.socket.recv(1 << 18)
        if not received:
            raise Unwanted(f"port {self.port} closed a connection: {self.received[:500]}")
        self.received += received

    def line(self, end):
        while end not in self.received:
            self.more()
        line, _, self.received = self.received.partition(end)
        return line

    def take(self, length):
        while len(self.received) < length:
            self.more()
        taken, self.received = self.received[:length], self.received[length:]
        return taken

    def answer(self):
        head = self.line(b"\r\n\r\n").decode("latin-1") + "\r\n"
        length = re.search(r"^content-length: *(\d+)", head, re.I | re.M)
        if length:
            body = self.take(int(length.group(1)))
        elif re.search(r"^transfer-encoding: *chunked", head, re.I | re.M):
            body = b""
            while size := int(self.line(b"\r\n"), 16):
                body += self.take(size)
                self.take(2)
            self.take(2)
        else:
            body = b""
        return Answer(head, body.decode("utf-8", "replace"))

    def get(self, path, cookies=()):
        self.ask(path, cookies)
        return self.answer()


def all_at_once(connections, requests):
    """Answers to requests (path, cookies, form), one for each connection: all are sent before the first answer is read."""
    pairs = list(zip(connections, requests))
    for connection, request in pairs:
        connection.ask(*request)
    return [connection.answer() for connection, _ in pairs]


def local(url, origin):
    return url.removeprefix(origin)

"""The server that HTTP tasks of the scripts call: `{http}` in a script is its address.

  /echo         what was asked
  /status/CODE  that status
  /flaky        500 to the first request of a body, then as /echo
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


class Target:
    def __init__(self):
        self.seen = set()
        self.lock = Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), lambda *request: Handler(self, *request))
        Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.http.server_port}"

    def first(self, body):
        with self.lock:
            known = body in self.seen
            self.seen.add(body)
            return not known


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, target, *request):
        self.target = target
        super().__init__(*request)

    def do_GET(self):
        body = self.body().decode()
        status = 200
        if self.path.startswith("/status/"):
            status = int(self.path.removeprefix("/status/"))
        elif self.path == "/flaky" and self.target.first(body):
            status = 500
        own = {name.lower(): value for name, value in self.headers.items()}
        headers = {name: own[name] for name in ("accept", "x-a") if name in own}
        asked = {"method": self.command, "headers": headers, "body": json.loads(body) if body else None}
        self.answer(status, json.dumps(asked).encode())

    do_POST = do_PUT = do_DELETE = do_GET

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def answer(self, status, said):
        # Without the headers that differ from one machine and moment to the next; all at once, for who reads no body.
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        self.wfile.write(head.encode() + said)

    def log_message(self, *_):
        pass

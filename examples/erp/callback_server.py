"""The business partner, as an HTTP endpoint on the loopback interface.

It behaves as partners do. It is slow. It serves at most five connections at once, and answers 429 to a sixth. Its
archive lets one sender in at a time, and answers 423 to a second. And now and then it does what it was asked to do but
answers 503, so that the sender asks again; `Idempotency-Key` keeps it from doing the same thing twice.

The limits hold over all processes of a working directory: they are file locks, which nobody can forget to give back.
ERP_LATENCY in the environment makes the partner slower (5) or faster (0.1).

    with partner(directory) as address:
        …
"""

import contextlib
import fcntl
import json
import os
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONNECTIONS_MAX = 5
SECONDS_PER_REQUEST = 0.04 * float(os.environ.get("ERP_LATENCY", "1"))


class Partner(ThreadingHTTPServer):
    """What the partner knows: its doors, and what it was told, by key."""

    daemon_threads = True

    def __init__(self, directory):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.directory, self.guard, self.received = directory, threading.Lock(), {}

    def enter(self, doors):
        """Goes through the first door that is free: an open file that holds its lock, or None."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for door in doors:
            file = (self.directory / door).open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except BlockingIOError:
                file.close()
        return None

    def take(self, key, path):
        """Notes a message once; true if this was its first arrival and the answer is to get lost."""
        with self.guard:
            message = self.received.setdefault(key, {"path": path, "arrivals": 0})
            message["arrivals"] += 1
            return message["arrivals"] == 1 and zlib.crc32(key.encode()) % 4 == 0


class Conversation(BaseHTTPRequestHandler):
    """One connection. It keeps its place at the door until it ends."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Head and body are sent apart; otherwise the body waits 40 ms for nothing.
    place = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        archive = self.path.startswith("/archive/")
        doors = ["archive"] if archive else [f"connection-{number}" for number in range(CONNECTIONS_MAX)]
        self.place = self.place or self.server.enter(doors)
        if self.place is None:
            return self.answer(423 if archive else 429, {"error": "come back later"})
        time.sleep(SECONDS_PER_REQUEST)
        if self.server.take(self.headers["Idempotency-Key"], self.path):
            return self.answer(503, {"error": "the answer got lost"})
        return self.answer(200, {"bytes": len(body)})

    def do_GET(self):
        self.answer(200, self.server.received)

    def answer(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def finish(self):
        super().finish()
        if self.place is not None:
            self.place.close()

    def log_message(self, *_):
        """The partner's log is its own affair."""


@contextlib.contextmanager
def partner(directory):
    """Starts the partner on a free port, yields its address, and stops it."""
    with Partner(directory) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address
        finally:
            server.shutdown()
            thread.join()

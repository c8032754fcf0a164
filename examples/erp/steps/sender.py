"""Sends messages to the partner: over connections that are kept, three more times if it must be."""

import contextlib
import http.client
import json
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from callback_server import partner
from steps.component import WORK

RETRIES, BACKOFF_S, FACTOR, DELAY_MAX_S = 3, 0.05, 2.0, 300.0
TIMEOUT_S = 5
REFUSALS = (423, 429)


class Sender:
    """`width` connections to the partner, and how often it refused because too much came at once."""

    def __init__(self, address, width):
        self.idle, self.width, self.refused = queue.SimpleQueue(), width, 0
        for _ in range(width):
            self.idle.put(http.client.HTTPConnection(*address, timeout=TIMEOUT_S))

    def send_all(self, messages, told=lambda done, of: None):
        """Sends `{key: (path, body)}` and returns, in the same order, how each one went."""
        with ThreadPoolExecutor(self.width) as threads:
            results = []
            for result in threads.map(lambda item: self.send(item[0], *item[1]), messages.items()):
                results.append(result)
                told(len(results), len(messages))
        return results

    def send(self, key, path, body):
        """Sends one message; raises if the last retry fails too."""
        connection = self.idle.get()
        try:
            for attempt in range(1, RETRIES + 2):
                status = self.post(connection, key, path, body)
                if status == 200:
                    return {"key": key, "attempts": attempt}
                self.refused += status in REFUSALS
                if attempt <= RETRIES:
                    time.sleep(min(BACKOFF_S * FACTOR ** (attempt - 1), DELAY_MAX_S))
            raise SystemExit(f"the partner did not take {key}: status {status} after {attempt} attempts")
        finally:
            self.idle.put(connection)

    @staticmethod
    def post(connection, key, path, body):
        connection.request("POST", quote(path), body.encode(), {"Idempotency-Key": key})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def received(self):
        """What the partner says it has: key → path and number of arrivals."""
        connection = self.idle.get()
        connection.request("GET", "/received")
        answer = json.load(connection.getresponse())
        self.idle.put(connection)
        return answer

    def close(self):
        while not self.idle.empty():
            self.idle.get().close()


@contextlib.contextmanager
def sender(width):
    """A partner that lives as long as the step does, and connections to it."""
    with partner(WORK / ".partner") as address, contextlib.closing(Sender(address, width)) as connections:
        yield connections

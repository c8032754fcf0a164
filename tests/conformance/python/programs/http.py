"""HTTP calls a server; here one of the program's own."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from conductor.client.http.models import TaskDef
from conductor.client.workflow.task.http_task import HttpInput, HttpMethod, HttpTask

from lib import case, define, ended, equal, executed, metadata, output, refused, start, table, task, task_of, unique


class Answers(BaseHTTPRequestHandler):
    """`/status/500` answers with that status, `/text` with text, others with what they were asked."""

    seen = {}

    def answer(self):
        body = self.body().decode()
        times = Answers.seen[self.path] = Answers.seen.get(self.path, 0) + 1
        if self.path.startswith("/status/"):
            self.say(int(self.path.split("/")[2]), "application/json", '{"why": "asked for"}')
        elif self.path.startswith("/second-time"):
            self.say(200 if times > 1 else 500, "text/plain", f"time {times}")
        elif self.path == "/text":
            self.say(200, "text/plain", "just text")
        elif self.path == "/list":
            self.say(200, "application/json", "[1, 2.5, null]")
        elif self.path == "/nothing":
            self.say(204, "text/plain", "")
        else:
            echo = {"method": self.command, "path": self.path, "body": body, "x": self.headers.get("x-test")}
            self.say(200, "application/json", json.dumps(echo | {"type": self.headers.get("content-type")}))

    def body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def say(self, status, kind, text):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


SERVER = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
HERE = f"http://127.0.0.1:{SERVER.server_port}"


def got(path, status="COMPLETED", **request):
    run = executed(HttpTask("call", {"uri": HERE + path, "method": "GET", **request}), status=status)
    return task_of(run, "call")


@case
def a_json_answer_is_parsed():
    request = HttpInput(method=HttpMethod.POST, uri=HERE + "/echo?a=1", body={"n": "${workflow.input.n}"}, headers={"x-test": "yes"})
    run = executed(HttpTask("call", request), input={"n": 1})
    response = output(run, "call")["response"]
    equal((response["statusCode"], response["reasonPhrase"]), (200, "OK"))
    body = response["body"]
    equal((body["method"], body["path"], body["x"], json.loads(body["body"])), ("POST", "/echo?a=1", "yes", {"n": 1}))
    assert body["type"].startswith("application/json"), body["type"]
    equal(response["headers"]["content-type"], ["application/json"])


@case
def other_answers_stay_text():
    equal(got("/text").output_data["response"]["body"], "just text")
    equal(got("/list").output_data["response"]["body"], [1, 2.5, None])
    equal(got("/nothing").output_data["response"]["statusCode"], 204)


@case
def the_request_may_stand_at_the_top():
    run = executed(task("HTTP", "call", {"uri": HERE + "/echo", "method": "PUT", "body": {"a": 1}}))
    equal(output(run, "call")["response"]["body"]["method"], "PUT")


@case
def an_error_of_the_server_fails_the_task():
    call = got("/status/500", "FAILED")
    equal(call.status, "FAILED")
    assert "500" in call.reason_for_incompletion, call.reason_for_incompletion


@case
def a_missing_page_fails_the_task():
    equal(got("/status/404", "FAILED").status, "FAILED")


@case
def nobody_there_fails_the_task():
    run = executed(HttpTask("call", {"uri": "http://127.0.0.1:9/", "method": "GET"}), status="FAILED")
    assert task_of(run, "call").reason_for_incompletion, run.tasks


@case
def a_call_is_tried_again_where_a_definition_says_so():
    name = unique("call")
    metadata().register_task_def(TaskDef(name=name, retry_count=1, retry_delay_seconds=0, timeout_seconds=0, response_timeout_seconds=60))
    call = HttpTask("call", {"uri": HERE + "/second-time/" + name, "method": "GET"})
    call.name = name
    run = ended(start(define(call)))
    equal(table(run), "call FAILED\ncall COMPLETED")
    equal(output(run, "call")["response"]["body"], "time 2")


@case
def a_call_without_an_address_is_refused():
    refused(400, define, task("HTTP", "call"))

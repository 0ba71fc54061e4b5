"""A guarded server that says what reached it, and what comes of requests; tests of the guard share it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager

import uvicorn
from tests.web.raw import sent

from distal.web.guard import HEADERS, Guard
from distal.web.limits import Limits

TOKEN = "kRb3-Zq_0123456789"
MOST = 1_000
LIMITS = Limits(body_bytes=MOST, address_bytes=200, body_seconds=0.3)


class Echo:
    """An application that says what reached it, and remembers how often something did."""

    def __init__(self):
        self.calls = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await send({"type": f"{(await receive())['type']}.complete"})
            await send({"type": f"{(await receive())['type']}.complete"})
            return
        self.calls += 1
        body = b""
        if "content-length" in dict(headers(scope)) or "transfer-encoding" in dict(headers(scope)):
            message = await receive()
            assert not message.get("more_body")
            body = message["body"]
        said = {"method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode()}
        content = json.dumps({**said, "body": body.decode()}).encode()
        theirs = [(b"content-type", b"application/json"), (b"x-frame-options", b"ALLOWALL"), (b"x-own", b"yes")]
        await send({"type": "http.response.start", "status": 200, "headers": theirs})
        await send({"type": "http.response.body", "body": content})


def headers(scope):
    return [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]


@contextmanager
def serving(hosts=("127.0.0.1", "LOCALHOST", "[::1]:80", "page.example:8000"), token=None):
    """A guarded echo and its address."""
    echo = Echo()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(Guard(echo, hosts, token, LIMITS), log_level="warning", lifespan="on", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", echo
        finally:
            server.should_exit = True
            thread.join()


def refused(door, asked, status, says=""):
    """The application saw nothing, and the answer is a problem with a sentence and our headers."""
    address, echo = door
    before = echo.calls
    answer = sent(address, asked)
    assert answer.status == status, answer
    assert echo.calls == before
    assert says in answer.problem["detail"]
    assert len(answer.problem["detail"].split()) > 5
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS
    return answer


def passed(door, asked):
    """What the application saw."""
    answer = sent(door[0], asked)
    assert answer.status == 200, answer
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS
    assert answer.headers["x-own"] == "yes"
    return json.loads(answer.body)


def answered(guard, pairs, method="GET", path="/", query="", scheme="http"):
    """The status of a request that comes without a socket, and its headers in `last`."""
    messages = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        messages.append(message)

    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode()}
    asyncio.run(guard({**scope, "headers": raw, "scheme": scheme}, receive, send))
    answered.last = dict(messages[0]["headers"])
    return messages[0]["status"]

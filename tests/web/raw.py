"""Requests byte by byte, as no well-behaved client would write them, and what a server answers."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SECONDS = 30.0
OWN = "the server's own"


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 where the server closed the connection without a word."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body of a refusal."""
        assert self.headers["content-type"] == "application/problem+json", (self.status, self.body)
        found = json.loads(self.body)
        assert found["status"] == self.status
        return found


def sent(address: str, request: bytes) -> Answer:
    """Send bytes and read one answer."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=SECONDS) as connection:
        with suppress(ConnectionError):  # the server answered before it had read all
            connection.sendall(request)
        return read(connection)


def read(connection: socket.socket) -> Answer:
    """One answer from an open connection."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    except (http.client.RemoteDisconnected, ConnectionError):
        return Answer(0, {}, b"")
    finally:
        response.close()


def request(
    address: str,
    target: str | bytes = "/",
    method: str = "GET",
    body: bytes | None = None,
    host: str | bytes | None = OWN,
    **headers: str | bytes,
) -> bytes:
    """The bytes of a request. `host` is the server's own, and left out when None; `a_b` is the header ``a-b``."""
    host = urlsplit(address).netloc if host == OWN else host
    lines = [b" ".join((method.encode(), _bytes(target), b"HTTP/1.1"))]
    lines += [b"host: " + _bytes(host)] if host is not None else []
    lines += [name.replace("_", "-").encode() + b": " + _bytes(value) for name, value in headers.items()]
    if body is not None and not {"transfer_encoding", "content_length"} & set(headers):
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, b"connection: close", b"", body or b""])


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks of `size` bytes."""
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()

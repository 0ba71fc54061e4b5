"""The door of the server: who may ask, from where and how much; knows no route and reads no body but for its length.

A page on the web can make a browser ask any address, also one on this machine. So the name that a browser looked up
(`Host`) has to be one of ours, or a page whose name was rebound to this machine could read what we answer; where a
browser says which page asks (`Origin`, `Sec-Fetch-Site`) it has to be ours too. The one exception is a link that
somebody follows to the page itself: it shows the page and does nothing, and no other page may frame it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from distal.errors import InputError
from distal.web.limits import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer: nothing is loaded from elsewhere, guessed, framed or told to others. Styles stand in igv.js."""

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_NUMBER = re.compile(r"[0-9]{1,18}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")
_ODD = re.compile(r"[\x00-\x1f\x7f\\]|(^|/)\.\.?(/|$)")
"""What no path of ours has: control characters, backslashes, steps upwards or nowhere."""


class Refused(Exception):  # noqa: N818 (the request's fault)
    """A request that goes no further, with the status and the sentence of its answer."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class Guard:
    """An ASGI application in front of another one, which sees no request that doesn't pass.

    `hosts` are the names that the server goes by; one without a port stands for any (a tunnel has its own), an IPv6
    address is in brackets. With a `token`, every request carries it, as ``Authorization: Bearer`` or in the cookie
    that ``/?token=...`` sets. Bodies are read here as a whole, so the application gets them at once.
    """

    def __init__(self, app: App, hosts: Collection[str], token: str | None, limits: Limits) -> None:
        odd = [host for host in hosts if not _HOST.fullmatch(host.lower())]
        if odd or not hosts:
            raise InputError(f"{odd[0] if odd else 'nothing'!r} is not a name of a host, such as localhost:8000")
        if token is not None and not _TOKEN.fullmatch(token):
            raise InputError("a token has at least 16 letters, digits, - and _; leave it out to have one made")
        self._app, self._hosts, self._limits = app, frozenset(host.lower() for host in hosts), limits
        self._token = token.encode() if token else None
        mark = hashlib.sha256(self._token or b"").hexdigest()[:8]  # servers on other ports share our cookies
        self._cookie = f"distal-{mark}".encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application do it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, _guarded(send))
        else:
            await send({"type": "websocket.close", "code": 1008})  # we have no other kind of connection

    async def _request(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = Headers(scope["headers"])
        try:
            self._check_size(scope)
            self._check_host(headers)
            self._check_origin(scope, headers)
            self._check_token(scope, headers)
            receive = await self._read(headers, receive)
        except Refused as refused:
            await _answer(refused, send)
        except _Gone:
            return
        else:
            await self._app(scope, receive, send)

    def _check_size(self, scope: Message) -> None:
        size, most = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"]), self._limits
        if size > most.address_bytes:
            detail = f"the address has {size:,} bytes; {most.address_bytes:,} are allowed"
            raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, detail)
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size > most.header_bytes:
            detail = (
                f"the headers have {size:,} bytes; {most.header_bytes:,} are allowed: delete cookies of this address"
            )
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
        if _ODD.search(scope["path"]):
            raise Refused(HTTPStatus.BAD_REQUEST, "the path has a part that no path here has; see /openapi.json")

    def _check_host(self, headers: Headers) -> None:
        host = headers.only("host").lower()
        found = _HOST.fullmatch(host)
        if found is None or not {host, found["name"]} & self._hosts:
            detail = f"this server doesn't go by the name {host[:80]!r}; use the address that it printed at its start"
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, detail)

    def _check_origin(self, scope: Message, headers: Headers) -> None:
        host = headers.only("host").lower()
        ours = {f"http://{host}", f"https://{host}"}
        if not set(headers.all("origin")) <= ours:
            raise Refused(HTTPStatus.FORBIDDEN, "pages of other addresses may not ask here; open this server's own")
        site = headers.all("sec-fetch-site")
        followed = (
            (scope["method"], scope["path"]) == ("GET", "/")
            and headers.all("sec-fetch-mode") == ["navigate"]
            and headers.all("sec-fetch-dest") == ["document"]
        )
        if not set(site) <= {"same-origin", "none"} and not followed:
            raise Refused(HTTPStatus.FORBIDDEN, "pages of other sites may not ask here; open this server's own page")

    def _check_token(self, scope: Message, headers: Headers) -> None:
        if self._token is None:
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["path"] == "/" and any(name == "token" for name, _ in query):
            self._let_in(scope, query)
        shown = [value.removeprefix("Bearer ") for value in headers.all("authorization") if value.startswith("Bearer ")]
        shown += _cookies(headers, self._cookie)
        if not any(self._right(value) for value in shown):
            detail = "this server asks for its token: open the address that it printed, or send Authorization: Bearer"
            raise Refused(HTTPStatus.UNAUTHORIZED, detail, **{"WWW-Authenticate": "Bearer"})

    def _let_in(self, scope: Message, query: list[tuple[str, str]]) -> None:
        """Take the token out of the address and into a cookie, so that it is not bookmarked or shared."""
        if not self._right(dict(query)["token"]):
            raise Refused(HTTPStatus.UNAUTHORIZED, "this is not the server's token; use the address that it printed")
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = f"{self._cookie.decode()}={(self._token or b'').decode()}; Path=/; HttpOnly; SameSite=Lax{secure}"
        raise Refused(
            HTTPStatus.SEE_OTHER, "come in", **{"Location": f"/?{rest}" if rest else "/", "Set-Cookie": cookie}
        )

    def _right(self, value: str) -> bool:
        return secrets.compare_digest(value.encode(), self._token or b"")

    async def _read(self, headers: Headers, receive: Receive) -> Receive:
        """The request's body, read as a whole, as the application will receive it."""
        lengths, most = headers.all("content-length"), self._limits.body_bytes
        if not lengths and not headers.all("transfer-encoding"):
            return receive
        if (
            len(lengths) + len(headers.all("transfer-encoding")) > 1
        ):  # what one server takes for a body, another doesn't
            raise Refused(HTTPStatus.BAD_REQUEST, "the body's length is said more than once; say it in one header")
        if lengths and not _NUMBER.fullmatch(lengths[0]):
            raise Refused(HTTPStatus.BAD_REQUEST, f"Content-Length {lengths[0][:40]!r} is not a number of bytes")
        long = Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {most:,} bytes; ask for less")
        if lengths and int(lengths[0]) > most and headers.all("expect"):
            raise long
        body, size = bytearray(), 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:  # to the end, for who is cut off while sending never sees the answer
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    size += len(message.get("body", b""))
                    body += message.get("body", b"") if size <= most else b""
                    more = message.get("more_body", False)
        except TimeoutError:
            late = f"the body took longer than {self._limits.body_seconds:g} s; send it at once"
            raise (long if size > most else Refused(HTTPStatus.REQUEST_TIMEOUT, late)) from None
        if size > most:
            raise long
        return _replayed(bytes(body), receive)


class Headers:
    """What a request says of itself, by lower-case names; one name may come several times."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = [(name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")) for name, value in raw]

    def all(self, name: str) -> list[str]:
        """Every value under this name."""
        return [value for found, value in self._raw if found == name]

    def only(self, name: str) -> str:
        """The value under this name. Raises `Refused` where there is none or more than one."""
        found = self.all(name)
        if len(found) != 1:
            raise Refused(HTTPStatus.BAD_REQUEST, f"the request has {len(found)} {name} headers; it needs one")
        return found[0]


class _Gone(Exception):  # noqa: N818
    """The client went away before it had said what it wants."""


def _cookies(headers: Headers, name: bytes) -> list[str]:
    pairs = [pair.strip().partition("=") for value in headers.all("cookie") for pair in value.split(";")]
    return [value for found, _, value in pairs if found == name.decode()]


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The whole body at once, and then whatever comes: the end of the connection."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _guarded(send: Send) -> Send:
    """`send` with our headers on every answer, in place of the application's of these names."""
    ours = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    names = {name for name, _ in ours}

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            theirs = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message["headers"] = [*theirs, *ours]
        await send(message)

    return guarded


async def _answer(refused: Refused, send: Send) -> None:
    """A problem of RFC 9457."""
    problem = {"title": refused.status.phrase, "status": refused.status.value, "detail": refused.detail}
    body = json.dumps(problem).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
    }
    pairs = [(name.lower().encode(), value.encode()) for name, value in (headers | refused.headers).items()]
    await send({"type": "http.response.start", "status": refused.status.value, "headers": pairs})
    await send({"type": "http.response.body", "body": body})

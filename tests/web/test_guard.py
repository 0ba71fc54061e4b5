"""The guard lets through who may ask, and nobody else: hosts, origins, tokens, paths, bodies; on a real server."""

import asyncio
import json
import socket
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import uvicorn
from hypothesis import example, given
from hypothesis import strategies as st
from tests.web.raw import OWN, SECONDS, chunked, read, request, sent

from distal.errors import InputError
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


@pytest.fixture(scope="module")
def open_door():
    with serving() as (address, echo):
        yield address, echo


@pytest.fixture(scope="module")
def locked():
    with serving(token=TOKEN) as (address, echo):
        yield address, echo


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


@pytest.mark.parametrize(
    "host", [OWN, "127.0.0.1", "127.0.0.1:1", "localhost", "LocalHost:65535", "[::1]:80", "page.example:8000"]
)
def test_our_names_pass(open_door, host):
    assert passed(open_door, request(open_door[0], "/a?b=c", host=host))["path"] == "/a"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "localhost.",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "[::1]",
        "[::1]:81",
        "page.example",
        "page.example:8001",
        "localhost:",
        "localhost:80:80",
        "localhost:123456",
        "localhost:http",
        "local\thost",
        "*",
        "",
    ],
)
def test_other_names_are_refused(open_door, host):
    asked = request(open_door[0], "/", host=host)
    answer = refused(open_door, asked, 421, "use the address that it printed")
    assert answer.problem["title"] == "Misdirected Request"


def test_no_name_or_two_are_refused(open_door):
    address = open_door[0]
    assert sent(address, request(address, host=None)).status == 400
    both = request(address, host="evil.example", Host="localhost")
    assert sent(address, both).status == 400
    refused(open_door, b"GET / HTTP/1.0\r\n\r\n", 400, "0 host headers")
    guard = Guard(Echo(), ["localhost"], None, LIMITS)
    assert answered(guard, [("host", "localhost"), ("Host", "localhost")]) == 400


NAMES = st.from_regex(r"[a-z0-9.:\[\]@%_-]{0,20}", fullmatch=True)


@given(st.one_of(NAMES, st.text(st.characters(max_codepoint=255), max_size=20)))
@example("a.example")
@example("A.EXAMPLE:1 ")
@example("a.example:123456")
@example("a.example\xa0")
@example("a.example:\xb2")
@example("b.example:80")
def test_a_name_passes_only_if_it_is_one_of_ours(host):
    status = answered(Guard(Echo(), ["a.example", "b.example:80"], None, LIMITS), [("host", host)])
    name = host.strip(" \t").lower()
    port = name.removeprefix("a.example:")
    other = name != port and port.isascii() and port.isdecimal() and len(port) <= 5
    assert status == (200 if name in ("a.example", "b.example:80") or other else 421)


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


def test_our_origin_passes(open_door):
    place = urlsplit(open_door[0]).netloc
    for origin in (f"http://{place}", f"https://{place}", f"HTTP://{place}".lower()):
        for site in ("same-origin", "none"):
            passed(open_door, request(open_door[0], "/api", "POST", b"{}", origin=origin, sec_fetch_site=site))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://127.0.0.1:1",
        "http://localhost",
        "http://{place}.evil.example",
        "http://evil.example/http://{place}",
        "http://evil@{place}",
        "ftp://{place}",
        "file://",
        "http://{place}/",
        "http://{place} http://evil.example",
        "{place}",
    ],
)
def test_other_origins_are_refused(open_door, origin):
    origin = origin.format(place=urlsplit(open_door[0]).netloc)
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        asked = request(open_door[0], "/api", method, origin=origin, access_control_request_method="POST")
        answer = refused(open_door, asked, 403, "pages of other addresses may not ask here")
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_second_origin_does_not_hide_behind_ours(open_door):
    ours = open_door[0]
    refused(open_door, request(ours, "/", origin=ours, Origin="http://evil.example"), 403)
    refused(open_door, request(ours, "/", origin="http://evil.example", Origin=ours), 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "CROSS-SITE", "same-origin, cross-site", "what"])
def test_other_sites_are_refused_everywhere(open_door, site):
    for target in ("/", "/api/about", "/static/main.js"):
        for mode in ("no-cors", "cors", "navigate", "websocket"):
            asked = request(open_door[0], target, sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest="iframe")
            refused(open_door, asked, 403, "open this server's own page")


def test_a_link_from_elsewhere_shows_the_page_and_nothing_else(open_door):
    address = open_door[0]
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert passed(open_door, request(address, "/?region=chr20:1-100", **link))["query"] == "region=chr20:1-100"
    refused(open_door, request(address, "/api/about", **link), 403)
    refused(open_door, request(address, "/", "POST", b"", **link), 403)
    refused(open_door, request(address, "/", **{**link, "sec_fetch_dest": "iframe"}), 403)
    refused(open_door, request(address, "/", **{**link, "sec_fetch_mode": "cors"}), 403)


@pytest.mark.parametrize(
    "target",
    [
        "/../etc/passwd",
        "/static/../../../etc/passwd",
        "/static/..",
        "/static/./main.js",
        "/%2e%2e/etc/passwd",
        "/static/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/static/..%2f",
        "/static/%2E%2E",
        "/..\\windows",
        "/static%5c..%5cwindows",
        "/a%00b",
        "/a%0d%0aSet-Cookie:%20x=1",
        "/a%7f",
        "/%09",
        "..",
    ],
)
def test_paths_that_go_elsewhere_are_refused(open_door, target):
    refused(open_door, request(open_door[0], target), 400, "the path has a part that no path here has")


def test_paths_that_only_look_odd_pass(open_door):
    for target in ("/a..b", "/...", "/%252e%252e/etc", "/.well-known", "//etc/passwd", "/%C3%A9", "/a%20b", "/a;b=c,d"):
        passed(open_door, request(open_door[0], target))


def test_an_address_may_be_as_long_as_allowed_and_no_longer(open_door):
    assert passed(open_door, request(open_door[0], "/" + "a" * 99 + "?" + "b" * 100))["query"] == "b" * 100
    refused(open_door, request(open_door[0], "/" + "a" * 100 + "?" + "b" * 100), 414, "the address has 201 bytes")
    refused(open_door, request(open_door[0], "/" + "%41" * 67), 414, "202 bytes; 200 are allowed")


def test_headers_may_be_as_long_as_allowed_and_no_longer(open_door):
    address = open_door[0]
    there = len("host" + urlsplit(address).netloc + "connection" + "close" + "x-long")
    passed(open_door, request(address, "/", x_long="x" * (32_768 - there)))
    refused(
        open_door, request(address, "/", x_long="x" * (32_769 - there)), 431, "the headers have 32,769 bytes; 32,768"
    )


# --- tokens


def test_the_token_is_asked_for_everywhere(locked):
    for method, target in [("GET", "/"), ("GET", "/api/about"), ("POST", "/api/jobs/score"), ("GET", "/static/a.js")]:
        answer = refused(locked, request(locked[0], target, method), 401, "open the address that it printed")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_opens_as_a_header_and_as_a_cookie(locked):
    address, _ = locked
    assert passed(locked, request(address, "/api", authorization=f"Bearer {TOKEN}"))["path"] == "/api"
    answer = sent(address, request(address, f"/?region=chr1%3A1-5&token={TOKEN}&empty="))
    assert answer.status == 303
    assert answer.headers["location"] == "/?region=chr1%3A1-5&empty="
    assert answer.headers["referrer-policy"] == "no-referrer"
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
    assert passed(locked, request(address, "/api", cookie=cookie))
    assert passed(locked, request(address, "/api", cookie=f"other=1; {cookie};last=2"))
    assert sent(address, request(address, f"/?token={TOKEN}")).headers["location"] == "/"
    guard = Guard(Echo(), ["a.example"], TOKEN, LIMITS)
    assert answered(guard, [("host", "a.example")], query=f"token={TOKEN}", scheme="https") == 303
    assert answered.last[b"set-cookie"].endswith(b"; SameSite=Lax; Secure")


@pytest.mark.parametrize(
    "pairs",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN.lower()}"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer \xe9\xff".encode("latin-1")},
        {"cookie": f"distal={TOKEN}"},
        {"cookie": f"token={TOKEN}"},
        {"cookie": "; ; =;"},
        {"x_token": TOKEN},
    ],
    ids=str,
)
def test_other_tokens_and_places_are_refused(locked, pairs):
    refused(locked, request(locked[0], "/api", **pairs), 401)


@pytest.mark.parametrize("query", ["token=wrong", "token=", f"token={TOKEN}&token=wrong", "token=%00", "token=%C3%A9"])
def test_a_wrong_token_in_the_address_is_refused(locked, query):
    refused(locked, request(locked[0], "/?" + query), 401, "this is not the server's token")


def test_the_token_counts_in_the_address_of_the_page_only(locked):
    refused(locked, request(locked[0], f"/api?token={TOKEN}"), 401)


def test_a_cookie_doesnt_help_other_pages_and_names(locked):
    address, _ = locked
    cookie = sent(address, request(address, f"/?token={TOKEN}")).headers["set-cookie"].split(";")[0]
    refused(locked, request(address, "/api", "POST", origin="http://evil.example", cookie=cookie), 403)
    refused(locked, request(address, "/api", host="evil.example", cookie=cookie), 421)
    refused(locked, request(address, "/api", sec_fetch_site="cross-site", cookie=cookie), 403)


def test_servers_with_other_tokens_have_other_cookies():
    names = set()
    for token in (TOKEN, TOKEN + "x"):
        assert answered(Guard(Echo(), ["a"], token, LIMITS), [("host", "a")], query=f"token={token}") == 303
        names.add(answered.last[b"set-cookie"].split(b"=")[0])
    assert len(names) == 2


def test_without_a_token_nobody_is_asked_for_one(open_door):
    seen = passed(open_door, request(open_door[0], "/?token=whatever", authorization="Bearer whatever"))
    assert seen["query"] == "token=whatever"


@given(st.text(st.characters(max_codepoint=255), max_size=30))
@example(TOKEN)
def test_only_the_token_is_right(text):
    guard = Guard(Echo(), ["a"], TOKEN, LIMITS)
    status = answered(guard, [("host", "a"), ("authorization", f"Bearer {text}")])
    assert status == (200 if text.rstrip(" \t") == TOKEN else 401)


# --- bodies


@pytest.mark.parametrize("size", [0, 1, MOST])
def test_bodies_within_the_limit_arrive_whole(open_door, size):
    body = b"x" * size
    assert passed(open_door, request(open_door[0], "/", "POST", body))["body"] == body.decode()
    for part in (1, 7, MOST):
        asked = request(open_door[0], "/", "POST", chunked(body, part), transfer_encoding="chunked")
        assert passed(open_door, asked)["body"] == body.decode()


@pytest.mark.parametrize("size", [MOST + 1, 10 * MOST, 1_000_000])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
def test_longer_bodies_are_refused_in_whatever_way_they_come(open_door, size, method):
    body = b"x" * size
    refused(open_door, request(open_door[0], "/", method, body), 413, "longer than 1,000 bytes; ask for less")
    for part in (999, size):
        asked = request(open_door[0], "/", method, chunked(body, part), transfer_encoding="chunked")
        refused(open_door, asked, 413, "longer than 1,000 bytes")


def test_who_asks_before_sending_too_much_is_told_at_once(open_door):
    asked = request(open_door[0], "/", "POST", b"", content_length=str(10**12), expect="100-continue")
    refused(open_door, asked, 413)


def test_who_asks_before_sending_enough_may_go_on(open_door):
    address, place = open_door[0], urlsplit(open_door[0])
    with socket.create_connection((place.hostname, place.port), timeout=SECONDS) as connection:
        connection.sendall(request(address, "/", "POST", b"", content_length="5", expect="100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"hello")
        assert json.loads(read(connection).body)["body"] == "hello"


def test_a_length_said_twice_is_refused(open_door):
    twice = {"content_length": "5", "transfer_encoding": "chunked"}
    refused(open_door, request(open_door[0], "/", "POST", chunked(b"hello", 5), **twice), 400, "more than once")


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "5, 6", "five", "٣".encode(), "1" * 30])
def test_lengths_that_are_none_are_refused(open_door, length):
    before = open_door[1].calls
    assert sent(open_door[0], request(open_door[0], "/", "POST", b"hello", content_length=length)).status in (400, 413)
    assert open_door[1].calls == before
    guard = Guard(Echo(), ["a"], None, LIMITS)
    value = length.decode("latin-1") if isinstance(length, bytes) else length
    assert answered(guard, [("host", "a"), ("content-length", value)]) == 400


def test_a_body_that_comes_too_slowly_is_not_waited_for(open_door):
    refused(open_door, request(open_door[0], "/", "POST", b"hel", content_length="5"), 408, "longer than 0.3 s")
    trickling = request(open_door[0], "/", "POST", b"5\r\nhel", transfer_encoding="chunked")
    refused(open_door, trickling, 408, "send it at once")


def test_a_body_that_is_too_long_and_too_slow_is_too_long(open_door):
    asked = request(open_door[0], "/", "POST", b"x" * 2 * MOST, content_length=str(3 * MOST))
    refused(open_door, asked, 413)


def test_who_goes_away_while_sending_reaches_nobody(open_door):
    address, echo = open_door
    before, place = echo.calls, urlsplit(address)
    for _ in range(5):
        with socket.create_connection((place.hostname, place.port), timeout=SECONDS) as connection:
            connection.sendall(request(address, "/", "POST", b"hel", content_length="5"))
    passed(open_door, request(address, "/"))
    assert echo.calls == before + 1


# --- what it is made of


def test_only_requests_get_to_the_application():
    async def scene():
        messages = []

        async def send(message):
            messages.append(message)

        guard = Guard(echo, ["a"], None, LIMITS)
        await guard({"type": "websocket", "path": "/", "headers": [(b"host", b"a")]}, None, send)
        return messages

    echo = Echo()
    assert asyncio.run(scene()) == [{"type": "websocket.close", "code": 1008}]
    assert echo.calls == 0


@pytest.mark.parametrize(
    "hosts", [[], [""], ["*"], ["http://localhost"], ["localhost/"], ["localhost", "a b"], ["::1"]]
)
def test_names_that_are_none_are_refused_at_birth(hosts):
    with pytest.raises(InputError, match="is not a name of a host, such as localhost:8000"):
        Guard(Echo(), hosts, None, LIMITS)


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 15, "x" * 20 + ";", "x" * 20 + " ", "x" * 20 + "é", "x" * 20 + "="]
)
def test_tokens_that_can_be_guessed_or_do_not_fit_are_refused_at_birth(token):
    with pytest.raises(InputError, match="at least 16 letters"):
        Guard(Echo(), ["a"], token, LIMITS)


@pytest.mark.parametrize("wrong", [{"queue": 0}, {"seconds": -1.0}, {"wait": float("nan")}, {"body_bytes": 0}])
def test_limits_are_above_0(wrong):
    with pytest.raises(InputError, match="it has to be above 0"):
        Limits(**wrong)

"""The guard lets through who may ask, and nobody else: hosts, origins, paths; on a real server."""

import asyncio
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.web.doors import LIMITS, Echo, answered, passed, refused, serving
from tests.web.raw import OWN, request, sent

from distal.errors import InputError
from distal.web.guard import Guard
from distal.web.limits import Limits


@pytest.fixture(scope="module")
def open_door():
    with serving() as (address, echo):
        yield address, echo


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

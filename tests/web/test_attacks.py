"""Hundreds of ways to ask for what isn't given: every one is refused with a 4xx and a sentence, and changes nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.web.conftest import made, serving
from tests.web.raw import Answer, chunked, request, sent

from distal.web.guard import HEADERS
from distal.web.limits import Limits
from distal.web.served import Served

TOKEN = "correct-horse-battery-staple"
SECRET = "nobody may read this"
LIMITS = Limits(region_bp=4_096, mutagenesis_bp=20, tracks=4, variants=5)

# --- paths: nothing on this machine is opened because a client named it

STEPS = [
    "../secret",
    "../../secret",
    "../../../../../../../../etc/passwd",
    "..%2f..%2fetc/passwd",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "..\\..\\etc\\passwd",
    "....//....//etc/passwd",
    "..;/..;/etc/passwd",
    ".%00./etc/passwd",
    "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "%u002e%u002e/etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "file:///etc/passwd",
    "~/.ssh/id_rsa",
    ".git/config",
    "index.html%00.js",
    "secret",
    "CON",
    "c:/windows/win.ini",
]
BASES = ["/", "/static/", "/static/vendor/", "/genome/", "/api/", "/api/jobs/", "/openapi.json/"]
PATHS = [base + step for base in BASES for step in STEPS] + [f"/api/jobs/{step}/result" for step in STEPS]

QUERIES = [
    "/api/signal?region=../../etc/passwd&tracks=0",
    "/api/signal?region=/etc/passwd:1-10&tracks=0",
    "/api/signal?region=file:///etc/passwd:1-10&tracks=0",
    "/api/signal?region=chr1:1-100&tracks=../../etc/passwd",
    "/api/signal?region=chr1:1-100&tracks=0&format=../../etc/passwd",
    "/api/signal?region=chr1:1-100&tracks=0&format=pickle",
    "/api/sequence?region=../../etc/passwd",
    "/api/search?text=../../etc/passwd",
    "/api/search?text=%2fetc%2fpasswd",
    "/api/genes?region=%2e%2e%2fetc%2fpasswd",
    "/api/scores?id=../../etc/passwd&score=../../etc/passwd",
    "/api/scores?region=chr1:1-100&tracks=../../etc/passwd",
    "/api/scores?variant=../../etc/passwd",
]

# --- too much

BIG = {
    "query": lambda at: request(at, "/api/about?" + "x" * 20_000),
    "path": lambda at: request(at, "/" + "x" * 9_000),
    "header": lambda at: request(at, "/api/about", x_long="x" * 60_000),
    "cookie": lambda at: request(at, "/api/about", cookie="a=b; " * 10_000),
    "headers": lambda at: request(at, "/api/about", **{f"x_{i}": "y" * 50 for i in range(900)}),
    "endless header": lambda at: request(at, "/api/about", x_long="x" * 66_000),
    "body": lambda at: request(at, "/api/jobs/score", "POST", b" " * 65_537),
    "long body": lambda at: request(at, "/api/jobs/predict", "POST", b" " * 5_000_000),
    "chunks": lambda at: request(
        at, "/api/jobs/score", "POST", chunked(b" " * 99_999, 999), transfer_encoding="chunked"
    ),
    "body of GET": lambda at: request(at, "/api/about", "GET", b" " * 70_000),
    "body of DELETE": lambda at: request(at, "/api/jobs/nothing", "DELETE", b" " * 70_000),
    "announced": lambda at: request(at, "/api/jobs/score", "POST", b"", content_length="9" * 15, expect="100-continue"),
}
LARGE = [
    "/api/signal?region=chr1:1-5,000&tracks=0",
    "/api/signal?region=chr1:1-1,000&tracks=0,1,2,3,4",
    "/api/signal?region=chr1:1-1,000&tracks=" + ",".join(["0"] * 300),
    "/api/signal?region=chr1:1-1,000&tracks=0&points=100000000",
    "/api/signal?region=chr1:1-1,000&tracks=99999999999999999999",
    "/api/signal?region=chr1:1-99999999999999999999999999&tracks=0",
    "/api/signal?region=chr1:" + "9" * 150 + "&tracks=0",
    "/api/sequence?region=chr1:1-100,000,000",
    "/api/genes?region=chr1:1-100,000,000",
    "/api/search?text=" + "A" * 3_000,
    "/api/tracks?query=" + "x" * 2_000,
    "/api/scores?region=chr1:1-100&limit=100000000",
    "/api/scores?region=chr1:1-100&offset=-1",
    "/api/scores?region=chr1:1-100&at_least=nan",
    "/api/jobs/0?wait=1e308",
    "/api/jobs/0?wait=nan",
]
BODIES = [
    ("predict", {"region": "chr1:1-5,000", "tracks": [0]}),
    ("predict", {"region": "chr1:1-100", "tracks": list(range(5))}),
    ("predict", {"region": "chr1:1-100", "tracks": [10**6]}),
    ("predict", {"region": "chr1:1-100", "tracks": [10**30]}),
    ("predict", {"region": "chr1:1-100", "tracks": [-1]}),
    ("predict", {"region": "chr1:1-100", "tracks": []}),
    ("predict", {"region": "chr1:1-100", "tracks": [0] * 1_001}),
    ("mutagenesis", {"region": "chr1:1,001-1,021", "tracks": [0]}),
    ("mutagenesis", {"region": "chr1:1,001-1,010", "tracks": [0], "statistic": "eval"}),
    ("variant", {"variant": "chr1:1000:" + "A" * 3_000 + ">C", "tracks": [0]}),
    ("score", {"variants": ["chr1:1000:A>C"] * 10_001, "tracks": [0]}),
    ("score", {"variants": [], "tracks": [0]}),
    ("score", {"variants": ["chr1:1000:A>C"], "tracks": [0], "scores": ["x" * 100]}),
    ("score", {"variants": ["chr1:1000:A>C"], "tracks": [0], "scores": ["SAD"] * 21}),
    ("enhancers", {"gene": "x" * 300}),
    ("enhancers", {"gene": "ALPHA", "methods": ["__import__('os')"]}),
    ("contributions", {"target": "chr1:1-10", "tracks": [0], "method": "../../etc/passwd"}),
    ("predict", {"region": "chr1:1-100", "tracks": [0], "fasta": "/etc/passwd"}),
    ("predict", {"region": "chr1:1-100", "tracks": [0], "__class__": "os"}),
    ("predict", {"region": {"$ne": ""}, "tracks": [0]}),
    ("predict", {"region": ["chr1:1-100"], "tracks": [0]}),
    ("predict", {"region": "chr1:1-100", "tracks": "0"}),
    ("predict", {"region": None, "tracks": None}),
    ("predict", {"region": "", "tracks": [0]}),
    ("predict", {"region": "\ud800:1-10", "tracks": [0]}),
    ("predict", {"region": "chr1\u0000:1-10", "tracks": [0]}),
    ("predict", {}),
    ("delete", {"region": "chr1:1-100", "tracks": [0]}),
    ("../../etc/passwd", {}),
]

# --- malformed

JSON = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"true",
    b'"text"',
    b"{'region': 1}",
    b'{"region": "chr1:1-100", "tracks": [NaN]}',
    b'{"region": "chr1:1-100", "tracks": [Infinity]}',
    b'{"region": "chr1:1-100", "tracks": [1e400]}',
    b'{"region": "chr1:1-100", "tracks": [' + b"9" * 5_000 + b"]}",
    b"[" * 60_000,
    b'{"region":' * 6_000,
    b'{"region": "\xff\xfe", "tracks": [0]}',
    b"\x80\x04\x95cos\nsystem\n(S'id'\ntR.",
    b"\x00" * 100,
    b"\xef\xbb\xbf{}",
    b"region=chr1:1-100&tracks=0",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
]
REGIONS = [
    "",
    "chr1",
    "chr1:",
    "chr1:0-10",
    "chr1:10-1",
    "chr1:-10-10",
    "chr1:1--10",
    "chr1:1-10-20",
    "chr1:5,990-6,010",
    "chr9:1-10",
    "chr1:1e3-2e3",
    "chr1:0x1-0x9",
    "chr1:١-٩",
    "chr1:1-10;ls",
    "chr1:1-10' OR '1'='1",
    "<script>alert(1)</script>",
    "%00",
    "%ff%fe",
    "chr1:%201-10%0d%0aX:%20y",
    "${jndi:ldap://x}",
    "{{7*7}}",
]
METHODS = ["PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "BREW"]
TARGETS = ["/", "/api/about", "/api/jobs/predict", "/static/index.html", "/openapi.json"]
WIRE = [
    b"hello\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: %s\r\nhost: %s\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost : %s\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: %s\r\nbad header\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: %s\r\nx: a\x00b\r\n\r\n",
    b"GET / \x00 HTTP/1.1\r\nhost: %s\r\n\r\n",
    b"GET /a b HTTP/1.1\r\nhost: %s\r\n\r\n",
    b"POST /api/jobs/score HTTP/1.1\r\nhost: %s\r\ncontent-length: -1\r\n\r\n",
    b"POST /api/jobs/score HTTP/1.1\r\nhost: %s\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    b"POST /api/jobs/score HTTP/1.1\r\nhost: %s\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/jobs/score HTTP/1.1\r\nhost: %s\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/jobs/score HTTP/1.1\r\nhost: %s\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]

# --- other pages, other names, other tokens

ROUTES = [
    ("GET", "/", None),
    ("GET", "/api/about", None),
    ("GET", "/api/signal?region=chr1:1-1,000&tracks=0", None),
    ("GET", "/genome/sequence.fa", None),
    ("GET", "/openapi.json", None),
    ("POST", "/api/jobs/predict", b'{"region": "chr1:1-1,000", "tracks": [0]}'),
    ("DELETE", "/api/jobs/0123456789", None),
    ("OPTIONS", "/api/jobs/predict", None),
]
ORIGINS = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1"},
    {"origin": "https://127.0.0.1.evil.example"},
    {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"},
    {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors", "sec_fetch_dest": "empty"},
]
HOSTS = [
    "evil.example",
    "evil.example:80",
    "localhost.evil.example",
    "0.0.0.0",
    "127.0.0.1:1",
    "[::1]",
    "169.254.169.254",
]
KEYS = [
    {},
    {"authorization": "Bearer wrong-token-of-some-length"},
    {"authorization": f"Bearer {TOKEN} "[:-2]},
    {"authorization": f"Basic {TOKEN}"},
    {"cookie": f"token={TOKEN}"},
    {"x_distal_client": TOKEN},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def target(folder: Path) -> Served:
    (folder / "secret").write_text(SECRET)
    return made(folder, limits=LIMITS)


@pytest.fixture(scope="module")
def server(target: Served, faults: list[logging.LogRecord]) -> Iterator[str]:
    with serving(target) as address:
        yield address
        assert sent(address, request(address, "/api/about")).status == 200  # after all that
    assert faults == []


@pytest.fixture(scope="module")
def locked(folder: Path) -> Iterator[str]:
    inner = folder / "locked"
    inner.mkdir()
    with serving(made(inner, scores=False, limits=LIMITS), TOKEN) as address:
        yield address
        assert sent(address, request(address, "/api/about", authorization=f"Bearer {TOKEN}")).status == 200


def posted(server: str, verb: str, content: bytes) -> Answer:
    """The answer to a job; that of its result where it takes a look at the genome to see what is wrong."""
    answer = sent(server, request(server, f"/api/jobs/{verb}", "POST", content, content_type="application/json"))
    if answer.status != 202:
        return answer
    job = f"/api/jobs/{json.loads(answer.body)['id']}"
    assert json.loads(sent(server, request(server, f"{job}?wait=60")).body)["status"] == "failed"
    return sent(server, request(server, f"{job}/result"))


def check(answer: Answer) -> None:
    """A 4xx with a sentence that says nothing of this machine, or the parser's own."""
    assert 400 <= answer.status < 500, answer
    if answer.headers["content-type"].startswith("text/plain"):
        assert answer.body == b"Invalid HTTP request received."  # it was not HTTP
        return
    detail = answer.problem["detail"]
    assert len(detail.split()) > 4
    assert len(detail) < 1_000
    said = answer.body.decode()
    assert not [word for word in (SECRET, "root:", "Traceback", 'File "') if word in said]
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("path", PATHS)
def test_paths(server: str, path: str) -> None:
    check(sent(server, request(server, path)))


@pytest.mark.parametrize("query", QUERIES + LARGE, ids=lambda query: query[:60])
def test_queries(server: str, query: str) -> None:
    check(sent(server, request(server, query)))


@pytest.mark.parametrize("asked", BIG.values(), ids=BIG)
def test_too_much(server: str, asked: Callable[[str], bytes]) -> None:
    check(sent(server, asked(server)))


@pytest.mark.parametrize(("verb", "body"), BODIES, ids=lambda value: str(value)[:60])
def test_bodies(server: str, verb: str, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    check(posted(server, verb, content))


@pytest.mark.parametrize("content", JSON, ids=lambda content: repr(content[:30]))
def test_what_is_no_json(server: str, content: bytes) -> None:
    for media in ("application/json", "text/plain", "application/x-www-form-urlencoded", "application/x-pickle"):
        answer = sent(server, request(server, "/api/jobs/predict", "POST", content, content_type=media))
        check(answer)


@pytest.mark.parametrize("region", REGIONS)
def test_regions(server: str, region: str) -> None:
    target = quote(region, safe="%")
    for query in (
        f"/api/signal?tracks=0&region={target}",
        f"/api/sequence?region={target}",
        f"/api/genes?region={target}",
    ):
        check(sent(server, request(server, query)))
    for verb in ("predict", "mutagenesis"):
        content = json.dumps({"region": region, "tracks": [0]}).encode()
        check(posted(server, verb, content))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", TARGETS)
def test_methods(server: str, method: str, path: str) -> None:
    check(sent(server, request(server, path, method, b"{}")))


@pytest.mark.parametrize("wire", WIRE, ids=lambda wire: repr(wire[:60]))
def test_what_is_no_http(server: str, wire: bytes) -> None:
    check(sent(server, wire.replace(b"%s", urlsplit(server).netloc.encode())))


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: " ".join(origin.values()))
def test_other_pages(server: str, origin: dict[str, str], method: str, path: str, body: bytes | None) -> None:
    answer = sent(server, request(server, path, method, body, **origin))
    check(answer)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("host", HOSTS)
def test_rebound_names(server: str, host: str, method: str, path: str, body: bytes | None) -> None:
    for more in ({}, {"origin": f"http://{host}", "sec_fetch_site": "same-origin"}):
        answer = sent(server, request(server, path, method, body, host, **more))
        check(answer)
        assert answer.status == 421


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_wrong_tokens(locked: str, key: dict[str, str], method: str, path: str, body: bytes | None) -> None:
    answer = sent(locked, request(locked, path, method, body, **key))
    check(answer)
    assert answer.status == 401


def test_they_are_two_hundred_at_least_and_left_no_job(target: Served) -> None:
    tables = [PATHS, QUERIES, LARGE, BIG, BODIES, JSON, REGIONS, WIRE]
    pairs = len(METHODS) * len(TARGETS) + len(ROUTES) * (len(ORIGINS) + len(HOSTS) + len(KEYS))
    assert sum(map(len, tables)) + pairs >= 200
    assert target.queue._live == {}


def test_nobody_cancels_what_others_asked_for(server: str) -> None:
    """The one thing that one client could do to another."""
    body = b'{"region": "chr1:2,001-2,010", "tracks": [0]}'
    media = "application/json"
    wire = request(server, "/api/jobs/mutagenesis", "POST", body, x_distal_client="owner", content_type=media)
    asked = sent(server, wire)
    job = json.loads(asked.body)["id"]
    for name in ("stranger", "owner%00", "owner "[:-1] + "2", ""):
        sent(server, request(server, f"/api/jobs/{job}", "DELETE", x_distal_client=name))
    ended = json.loads(sent(server, request(server, f"/api/jobs/{job}?wait=30")).body)
    assert ended["status"] == "done"

"""Where a token is asked for, it alone opens: as a header, as a cookie, in the page's address."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.web.doors import LIMITS, TOKEN, Echo, answered, passed, refused, serving
from tests.web.raw import request, sent

from distal.web.guard import Guard


@pytest.fixture(scope="module")
def open_door():
    with serving() as (address, echo):
        yield address, echo


@pytest.fixture(scope="module")
def locked():
    with serving(token=TOKEN) as (address, echo):
        yield address, echo


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

"""Bodies arrive whole or are refused: as long as allowed, in time, their length said once."""

import json
import socket
from urllib.parse import urlsplit

import pytest
from tests.web.doors import LIMITS, MOST, Echo, answered, passed, refused, serving
from tests.web.raw import SECONDS, chunked, read, request, sent

from distal.web.guard import Guard


@pytest.fixture(scope="module")
def open_door():
    with serving() as (address, echo):
        yield address, echo


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

"""Protobuf's bytes by worked examples of its documentation, and by writing back what was read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.protobuf import fields, masked_crc, varint


def encoded(value: int) -> bytes:
    """The base-128 number, seven bits a byte from the lowest, the top bit set on all but the last."""
    groups = []
    while True:
        value, low = divmod(value, 128)
        groups.append(low | (128 if value else 0))
        if not value:
            return bytes(groups)


def test_the_documentations_example():
    # 08 96 01: field 1, wire type 0, 0x16 + (0x01 << 7) = 150
    assert list(fields(bytes.fromhex("089601"))) == [(1, 150)]
    # 12 07 "testing": field 2, wire type 2, seven bytes
    assert list(fields(b"\x12\x07testing")) == [(2, b"testing")]


def test_numbers_of_fixed_size():
    # field 1 as fixed32 (wire 5), field 2 as fixed64 (wire 1), little-endian
    assert list(fields(b"\x0d\x01\x02\x00\x00" + b"\x11" + bytes([3] + [0] * 7))) == [(1, 513), (2, 3)]


def test_views_give_views_and_bytes_give_bytes():
    message = b"\x12\x03abc"
    assert isinstance(dict(fields(message))[2], bytes)
    assert isinstance(dict(fields(memoryview(message)))[2], memoryview)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_a_number_is_read_back_wherever_it_stands(value, before):
    assert varint(before + encoded(value) + b"\xff", len(before)) == (value, len(before) + len(encoded(value)))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x08", id="no number behind the tag"),
        pytest.param(b"\x08" + b"\x80" * 11, id="a number without an end"),
        pytest.param(b"\x12\x08testing", id="a text longer than the message"),
        pytest.param(b"\x0d\x01\x02", id="half a fixed32"),
        pytest.param(b"\x0b", id="a group, which nobody writes"),
    ],
)
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_what_is_no_message_is_a_value_error(message, kind):
    with pytest.raises(ValueError, match=r"cut short|wire type"):
        list(fields(kind(message)))


def test_the_checksum_is_masked():
    # RFC 3720 B.4: CRC-32C of 32 zero bytes is 0x8a9136aa;
    # its low 15 bits go to the top: 0x8a9136aa >> 15 = 0x11522, 0x36aa << 17 = 0x6d540000; sum 0x6d551522;
    # plus 0xa282ead8 is 0x10fd7fffa, cut to 32 bits
    assert masked_crc(bytes(32)) == 0x0FD7FFFA

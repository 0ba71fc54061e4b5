"""Thousands of damaged files of variants: each gives every row it holds or an `InputError` that says where, no less."""

from __future__ import annotations

import gzip
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pysam
import pytest

from distal.errors import InputError
from distal.io.variants import Source
from distal.io.vcf import VcfRow

SAID = re.compile(r"line \d+|record \d+|holds no variants|is not a VCF|cut off|cannot be read|is packed")
META = '##contig=<ID=chr1,length=1000>\n##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">\n'
VCF = f'##fileformat=VCFv4.2\n{META}##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n#CHROM\tPOS\tID\tREF\tALT'
HEADERS = {
    "sites": f"{VCF}\tQUAL\tFILTER\tINFO\n",
    "genotypes": f"{VCF}\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\n",
    "pvar": f"{META}#CHROM\tPOS\tID\tREF\tALT\tFILTER\tCM\n",
    "bare pvar": "#CHROM\tPOS\tID\tREF\tALT\n",
    "table": "beta\tref\talt\tpos\tchromosome\n",
    "four columns": "",
    "five columns": "",
}


def variants(rng: random.Random) -> Iterator[tuple[str, str, str, str, str]]:
    for i in range(rng.randint(2, 12)):
        ref = "".join(rng.choices("ACGT", k=rng.choice([1, 1, 1, 4])))
        alts = ("".join(rng.choices("ACGT", k=rng.choice([1, 1, 3]))) for _ in range(rng.choice([1, 1, 1, 3])))
        yield rng.choice(["chr1", "chrX", "chrM"]), str(rng.randint(1, 999)), f"rs{i}", ref, ",".join(alts)


def made(kind: str, rng: random.Random) -> str:
    layout = {
        "sites": "{0}\t{1}\t{2}\t{3}\t{4}\t.\tPASS\tAF=0.1",
        "genotypes": "{0}\t{1}\t{2}\t{3}\t{4}\t.\tPASS\tAF=0.1\tGT\t0|1\t1|1",
        "pvar": "{0}\t{1}\t{2}\t{3}\t{4}\tPASS\t0.25",
        "bare pvar": "{0}\t{1}\t{2}\t{3}\t{4}",
        "table": "0.5\t{3}\t{4}\t{1}\t{0}",
        "four columns": "{0}\t{1}\t{3}\t{4}",
        "five columns": "{0}\t{1}\t{2}\t{3}\t{4}",
    }[kind]
    return HEADERS[kind] + "".join(f"{layout.format(*variant)}\n" for variant in variants(rng))


# --- damage -----------------------------------------------------------------------------------------------------------


def flip(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice([1, 1, 2, 8])):
        data[rng.randrange(len(data))] = rng.randrange(256)


def flip_bit(rng: random.Random, data: bytearray) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data)) :]


def remove(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data))
    del data[start : start + rng.randint(1, 20)]


def insert(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.choice(
        [b"\0", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b",", b"#", b"\xe9", b"\xff\xfe", b" "]
    )


def lengthen(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.choice([b"A", b"7", b"\t", b",", b"x\xc3\xa9"]) * rng.choice([300, 70_000])


def swap_ends(rng: random.Random, data: bytearray) -> None:
    places = [i for i, byte in enumerate(data) if byte == 10]
    for place in reversed(rng.sample(places, rng.randint(1, len(places)))):
        data[place : place + 1] = rng.choice([b"\r\n", b"\r\n", b"\r\n", b"\r"] if rng.random() < 0.2 else [b"\r\n"])


def tabs(rng: random.Random, data: bytearray) -> None:
    place = rng.choice([i for i, byte in enumerate(data) if byte == 9])
    data[place : place + 1] = rng.choice([b"", b"\t\t", b" ", b"\n"])


def lines(rng: random.Random, data: bytearray) -> None:
    content = bytes(data).split(b"\n")
    place = rng.randrange(len(content))
    content[place : place + 1] = rng.choice([[], [content[place]] * 2, [b"", content[place]], [content[-2]]])
    data[:] = b"\n".join(content)


DAMAGE: list[Callable[[random.Random, bytearray], None]] = [
    flip, flip_bit, cut, remove, insert, lengthen, swap_ends, tabs, lines,
]  # fmt: skip


def damaged(rng: random.Random, data: bytes) -> bytes:
    result = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2])):
        if result.count(b"\n") and result.count(b"\t"):
            rng.choice(DAMAGE)(rng, result)
    return bytes(result)


# --- what must come of it ---------------------------------------------------------------------------------------------


def outcome(path: Path) -> tuple[list[VcfRow], str]:
    """The rows that were given out, and the message after them (empty: none)."""
    found = []
    try:
        for row in Source.of(path).rows():
            found.append(row)
    except InputError as error:
        message = str(error)
        message.encode()
        assert message.startswith(str(path)), message
        assert "\n" not in message
        assert SAID.search(message), message
        return found, message
    return found, ""


def holds_names(line: bytes) -> bool:
    """Whether a table's line names its columns."""
    return {b"ref", b"alt"} <= set(line.lower().split(b"\t"))


def content_lines(data: bytes) -> dict[int, list[bytes]]:
    """Line number -> fields of each line that may hold a variant, counted one by one."""
    found = {}
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        while line.endswith(b"\r"):
            line = line[:-1]
        comment = line.startswith(b"#") and line.count(b"\t") < 4 and data.startswith(b"##fileformat=VCF")
        if line and not comment and not line.startswith((b"##", b"#CHROM\t")) and not holds_names(line):
            found[number] = line.split(b"\t")
    return found


def check_rows(rows: list[VcfRow], message: str, data: bytes) -> None:
    """Every variant is a row, down to the line that the message names."""
    content = content_lines(data)
    named = re.search(r" line (\d+): ", message)
    last = int(named[1]) - 1 if named else 1 << 60
    if not message or named:
        assert {row.line for row in rows} == {number for number in content if number <= last}
    assert [row.record for row in rows] == sorted(row.record for row in rows)
    for number, (first, *others) in by_line(rows).items():
        fields = [field.decode("utf-8", "replace") for field in content[number]]
        assert first.chrom in fields or not first.chrom.isascii()
        assert str(first.pos) in [field.lstrip("0") or "0" for field in fields]
        together = ",".join(row.alt for row in (first, *others))
        assert together.upper() in [field.upper() for field in fields] or set(together) - set("ACGT,")


def by_line(rows: list[VcfRow]) -> dict[int, list[VcfRow]]:
    found: dict[int, list[VcfRow]] = {}
    for row in rows:
        found.setdefault(row.line, []).append(row)
    return found


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", ["plain", "gzip", "bgzip", "pipe"])
@pytest.mark.parametrize("kind", HEADERS)
def test_damaged_texts(tmp_path: Path, kind: str, packed: str) -> None:
    rng = random.Random(f"{kind} {packed}")
    path, errors = tmp_path / "file", 0
    if packed == "pipe":
        os.mkfifo(path)
    for _ in range(60):
        data = damaged(rng, made(kind, rng).encode())
        if packed == "pipe":
            rows, message = outcome_of_pipe(path, data)
        else:
            write(path, data, packed)
            rows, message = outcome(path)
        check_rows(rows, message, data)
        errors += bool(message)
    assert 5 < errors < 55  # neither is everything refused nor everything taken


def write(path: Path, data: bytes, packed: str) -> None:
    if packed == "bgzip":
        with pysam.BGZFile(str(path), "wb", None) as file:
            file.write(data)
    else:
        path.write_bytes(gzip.compress(data, 1) if packed == "gzip" else data)


def outcome_of_pipe(pipe: Path, data: bytes) -> tuple[list[VcfRow], str]:
    """As `outcome`, through a named pipe."""

    def write_all() -> None:
        with suppress(BrokenPipeError):  # the reader stops at an error
            pipe.write_bytes(data)

    writer = threading.Thread(target=write_all, daemon=True)
    writer.start()
    found = outcome(pipe)
    writer.join()
    return found


# --- packed files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", ["gzip", "bgzip", "bcf"])
def test_damaged_packed_files(tmp_path: Path, packed: str) -> None:
    """A checksum guards them: either exactly the rows of the whole file, or an error."""
    rng = random.Random(packed)
    path = tmp_path / "file"
    for _ in range(150 if packed == "bcf" else 250):
        text = made("sites", rng)
        write_bcf(path, text) if packed == "bcf" else write(path, text.encode(), packed)
        whole = outcome(path)
        result = bytearray(path.read_bytes())
        rng.choice([flip, flip_bit, cut, remove, insert])(rng, result)
        path.write_bytes(result)
        rows, message = outcome(path)
        assert message or (rows, message) == whole


def write_bcf(path: Path, text: str) -> None:
    source = path.with_suffix(".vcf")
    source.write_text(text.replace("##INFO", "##contig=<ID=chrX>\n##contig=<ID=chrM>\n##INFO"))
    with pysam.VariantFile(str(source)) as records, pysam.VariantFile(str(path), "wb", header=records.header) as out:
        for record in records:
            out.write(record)


def test_damaged_bcf_records(tmp_path: Path) -> None:
    """Inside the checksum: what a faulty program could have written."""
    rng = random.Random("records")
    path = tmp_path / "file"
    for _ in range(200):
        write_bcf(path, made("sites", rng))
        count = len({row.record for row in outcome(path)[0]})
        data = bytearray(gzip.decompress(path.read_bytes()))
        rng.choice([flip, flip_bit, remove, insert])(rng, data)
        write(path, bytes(data), "bgzip")
        rows, message = outcome(path)
        assert message or len({row.record for row in rows}) == count

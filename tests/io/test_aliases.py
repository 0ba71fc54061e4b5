"""Names of sequences from chromAlias files: layouts, words that say nothing, and files that are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from distal.errors import InputError
from distal.io import aliases

TABLE = """\
# sequenceName\talias names\tUCSC database: hg19
chr1\t1\tCM000663.1\tNC_000001.10
chrM\tMT\tNC_012920.1

chrUn_gl000211\tGL000211.1\tHSCHRUN_RANDOM_CTG1
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "chromAlias.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", ["plain", "gzip", "crlf"])
def test_every_name_of_a_line_is_the_genomes_name(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, TABLE)
    if kind == "gzip":
        path.write_bytes(gzip.compress(TABLE.encode()))
    elif kind == "crlf":
        path.write_bytes(TABLE.replace("\n", "\r\n").encode())
    assert aliases.read(path, {"1", "chrM"}) == {  # chr1 stands in the file, 1 in the genome
        "chr1": "1", "1": "1", "CM000663.1": "1", "NC_000001.10": "1",
        "chrM": "chrM", "MT": "chrM", "NC_012920.1": "chrM",
    }  # fmt: skip


def test_the_genomes_name_may_be_spelled_otherwise(tmp_path: Path) -> None:
    assert aliases.read(write(tmp_path, "chr20\tNC_000020.10\n"), {"20"})["NC_000020.10"] == "20"


def test_a_word_beside_several_sequences_names_none(tmp_path: Path) -> None:
    path = write(tmp_path, "1\tchr1\tensembl\n2\tchr2\tensembl\nNC_2\tchr2\trefseq\n")
    assert aliases.read(path, {"chr1", "chr2"}) == {
        "1": "chr1", "chr1": "chr1", "2": "chr2", "chr2": "chr2", "NC_2": "chr2", "refseq": "chr2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\tchr2\n", r"line 1: chr1 and chr2 are one sequence here and two in the genome"),
        ("chr9\tNC_9\n", "names no sequence of the genome"),
        ("", "names no sequence of the genome"),
    ],
)
def test_files_of_another_genome(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        aliases.read(write(tmp_path, text), {"chr1", "chr2"})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(TABLE.encode())[:-9])
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "cut.gz", "binary", "."):
        with pytest.raises(InputError, match=r"cannot be read"):
            aliases.read(tmp_path / name, {"chr1"})

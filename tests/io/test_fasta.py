"""Genomes in FASTA, bgzipped FASTA and .2bit: letters, ends, names, indexes, processes, and damaged files."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import pickle
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles.twobit_writer import write_twobit

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.io.fasta import Genome

RNG = np.random.default_rng(11)
SEQUENCES = {
    "chr20": "".join(RNG.choice(list("ACGTacgtNn"), 5003, p=[0.2] * 4 + [0.03] * 4 + [0.04] * 2)),
    "21": "NNNN" + "".join(RNG.choice(list("ACGT"), 801)) + "nnNN",
    "chrM": "ACGTACG",
    "empty_of_bases": "N" * 50,
}
KINDS = ("fa", "fa.gz", "crlf.fa", "2bit", "swapped.2bit", "long.2bit")


def fasta(sequences: dict[str, str], width: int = 60, end: str = "\n") -> bytes:
    lines = []
    for name, text in sequences.items():
        lines += [f">{name} a description", *(text[i : i + width] for i in range(0, len(text), width))]
    return end.join([*lines, ""]).encode()


def make(folder: Path, kind: str) -> Path:
    path = folder / f"genome.{kind}"
    if kind == "fa.gz":
        with pysam.BGZFile(str(path), "wb", None) as file:
            file.write(fasta(SEQUENCES))
    elif kind.endswith("2bit"):
        write_twobit(path, SEQUENCES, ">" if "swapped" in kind else "<", version=int("long" in kind))
    else:
        path.write_bytes(fasta(SEQUENCES, end="\r\n" if "crlf" in kind else "\n"))
    return path


@pytest.fixture(scope="module")
def genomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Genome]:
    folder = tmp_path_factory.mktemp("genomes")
    return {kind: Genome(make(folder, kind)) for kind in KINDS}


def slow_fetch(interval: Interval) -> str:
    text = SEQUENCES[interval.chrom]
    return "".join(text[i].upper() if 0 <= i < len(text) else "N" for i in range(interval.start, interval.end))


# --- letters ----------------------------------------------------------------------------------------------------------


@given(st.sampled_from(list(SEQUENCES)), st.integers(-40, 5100), st.integers(0, 700), st.sampled_from("+-."))
def test_every_format_gives_every_letter(
    genomes: dict[str, Genome], chrom: str, start: int, width: int, strand: str
) -> None:
    interval = Interval(chrom, start, start + width, strand)
    expected = slow_fetch(interval)
    for kind, genome in genomes.items():
        assert genome.fetch(interval) == expected, kind
        np.testing.assert_array_equal(genome.codes(interval), dna.encode(expected), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_chromosomes_sizes_and_digest(genomes: dict[str, Genome], kind: str) -> None:
    genome = genomes[kind]
    assert list(genome.sizes.items()) == [(name, len(text)) for name, text in SEQUENCES.items()]
    for name, text in SEQUENCES.items():
        assert genome.fetch(Interval(name, 0, len(text))) == text.upper()
    lines = "chr20\t5003\n21\t809\nchrM\t7\nempty_of_bases\t50\n"
    assert genome.digest() == hashlib.sha256(lines.encode()).hexdigest()


def test_off_the_chromosome_is_n(genomes: dict[str, Genome]) -> None:
    for genome in genomes.values():
        assert genome.fetch(Interval("chrM", -3, 10)) == "NNNACGTACGNNN"
        assert genome.fetch(Interval("chrM", -9, -4)) == genome.fetch(Interval("chrM", 7, 12)) == "NNNNN"
        assert genome.fetch(Interval("chrM", 3, 3)) == ""
        assert genome.codes(Interval("chrM", 6, 8)).dtype == np.uint8


@pytest.mark.parametrize("kind", ["fa", "2bit"])
def test_names_with_and_without_chr(genomes: dict[str, Genome], kind: str) -> None:
    genome = genomes[kind]
    assert [genome.resolve(name) for name in ("chr20", "20", "chr21", "21", "MT", "M", "chrM")] == [
        "chr20", "chr20", "21", "21", "chrM", "chrM", "chrM",
    ]  # fmt: skip
    assert genome.fetch(Interval("MT", 0, 7)) == "ACGTACG"
    for absent in ("chr22", "CHR20", ""):
        with pytest.raises(InputError, match=r"is not in .* \(4 sequences: chr20, 21, chrM, …\)"):
            genome.resolve(absent)


def test_names_from_an_alias_file(tmp_path: Path) -> None:
    path, table = make(tmp_path, "fa"), tmp_path / "chromAlias.txt"
    table.write_text("# ucsc\trefseq\nchr20\tNC_000020.10\nchr21\tCM000683.1\nchrM\tNC_012920.1\n")
    genome = Genome(path, aliases=table)
    for known in (genome, pickle.loads(pickle.dumps(genome))):
        assert [known.resolve(name) for name in ("NC_000020.10", "CM000683.1", "20", "MT")] == [
            "chr20", "21", "chr20", "chrM",
        ]  # fmt: skip
        assert known.fetch(Interval("NC_012920.1", 0, 7)) == "ACGTACG"
    with pytest.raises(InputError, match="is not in"):
        Genome(path).resolve("NC_000020.10")


def test_iupac_letters_are_kept_as_text_and_coded_as_n(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">c\nACmRT\n")
    genome = Genome(tmp_path / "g.fa")
    assert genome.fetch(Interval("c", 0, 5)) == "ACMRT"
    np.testing.assert_array_equal(genome.codes(Interval("c", 0, 5)), [0, 1, 4, 4, 3])


# --- the stretch that is kept ---------------------------------------------------------------------------------------

LONG = {"chr1": "".join(RNG.choice(list("ACGTn"), 400_000)), "chr2": "".join(RNG.choice(list("ACGTn"), 90_000))}


@pytest.fixture(scope="module")
def long_genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    path = tmp_path_factory.mktemp("long") / "g.fa"
    path.write_bytes(fasta(LONG))
    return Genome(path)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(LONG)), st.integers(-300, 400_300), st.integers(0, 3_000), st.integers(1, 70_000)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_order_of_intervals_gives_the_same_letters(
    long_genome: Genome, walks: list[tuple[str, int, int, int]]
) -> None:
    for chrom, first, width, step in walks:
        text = LONG[chrom].upper()
        for start in (first, first + step, first + 2 * step, first + step // 2, first - step, first):
            expected = "".join(
                (
                    "N" * (min(start + width, 0) - min(start, 0)),
                    text[max(start, 0) : max(start + width, 0)],
                    "N" * (max(start + width, len(text)) - max(start, len(text))),
                )
            )
            interval = Interval(chrom, start, start + width)
            assert long_genome.fetch(interval) == expected
            np.testing.assert_array_equal(long_genome.codes(interval), dna.encode(expected))


def test_neighbouring_windows_are_views_of_one_read(long_genome: Genome) -> None:
    windows = [Interval("chr1", start, start + 20_000) for start in range(100_000, 110_000, 500)]
    codes = [long_genome.codes(window) for window in windows]
    assert all(np.shares_memory(codes[2], other) for other in codes[2:])
    again = long_genome.codes(windows[-1])
    assert np.shares_memory(again, codes[-1])
    for array in (again, long_genome.codes(Interval("chr1", -5, 5)), long_genome.codes(Interval("chr1", 0, 0))):
        assert not array.flags.writeable  # what is kept for the next window cannot be changed through this one


# --- processes and threads --------------------------------------------------------------------------------------------


def fetch_all(genome: Genome) -> list[str]:
    return [genome.fetch(Interval("chr20", start, start + 500)) for start in range(0, 4500, 50)]


@pytest.mark.parametrize("kind", ["fa", "fa.gz", "2bit"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_opened_genome_survives_pickling_and_forking(genomes: dict[str, Genome], kind: str) -> None:
    genome = genomes[kind]
    expected = fetch_all(genome)
    again = pickle.loads(pickle.dumps(genome))
    assert again.sizes == genome.sizes
    assert fetch_all(again) == expected
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        results = [pool.submit(fetch_all, genome) for _ in range(4)]
        assert fetch_all(genome) == expected
        assert all(result.result() == expected for result in results)


@pytest.mark.parametrize("kind", ["fa", "fa.gz", "2bit"])
def test_threads_do_not_disturb_each_other(genomes: dict[str, Genome], kind: str) -> None:
    genome = genomes[kind]
    expected = fetch_all(genome)
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(fetch_all(genome))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


# --- indexes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "suffixes"), [("fa", [".fai"]), ("fa.gz", [".fai", ".gzi"]), ("2bit", [])])
def test_missing_indexes_are_made_beside_the_file(tmp_path: Path, kind: str, suffixes: list[str]) -> None:
    path = make(tmp_path, kind)
    Genome(path)
    assert sorted(tmp_path.iterdir()) == sorted([path, *(Path(f"{path}{suffix}") for suffix in suffixes)])
    stamps = [file.stat().st_mtime_ns for file in sorted(tmp_path.iterdir())]
    Genome(path)
    assert [file.stat().st_mtime_ns for file in sorted(tmp_path.iterdir())] == stamps


def test_an_index_that_cannot_be_made(tmp_path: Path) -> None:
    path = tmp_path / f"{'g' * 250}.fa"  # 253 letters: a name with .fai behind it is longer than file systems allow
    path.write_bytes(fasta(SEQUENCES))
    with pytest.raises(InputError, match=r"is missing and cannot be made .*samtools faidx"):
        Genome(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    path = make(tmp_path, "fa")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match=r"Permission denied.*samtools faidx"):
            Genome(path)
    finally:
        tmp_path.chmod(0o700)


def test_an_index_of_another_file(tmp_path: Path) -> None:
    path = make(tmp_path, "fa")
    Genome(path)
    path.write_bytes(b">chr20\nACGT\n")
    with pytest.raises(InputError, match=r"\.fai"):
        Genome(path).fetch(Interval("chr20", 4000, 4100))


def test_an_index_that_is_none(tmp_path: Path) -> None:
    path = make(tmp_path, "fa")
    Path(f"{path}.fai").write_text("not an index\n")
    with pytest.raises(InputError, match=r"delete the \.fai"):
        Genome(path)


# --- files that are refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no sequence"),
        (b"chr1 ACGT\n", "line 1: a FASTA file starts with"),
        (b">a\nACGT\nAC\nACGT\n", "line 4: the lines of a sequence differ in length"),
        (b">a\nACGT\n\nACGT\n>b\nA\n", "line 4: the lines of a sequence differ in length"),
        (b">a\nAC\nACGT\n", "line 3: the lines of a sequence differ in length"),
        (b">b\nAC\n>a\r\nACGT\r\nACGT\nACGT\r\n", "line 6: the lines of a sequence differ"),
        (b">a\nACGT\n>b\nAC\n>a\nGG\n", "has 3 sequences and 2 of them can be told apart"),
        (b">a\n>b\nAC\n", "has 2 sequences and 1 of them"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_fasta_that_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes, message: str, compressed: bool
) -> None:
    path = tmp_path / "g.fa"
    if compressed:
        with pysam.BGZFile(str(path), "wb", None) as file:
            file.write(content)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        Genome(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr().err == ""


def test_plain_gzip_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "g.fa.gz"
    path.write_bytes(gzip.compress(fasta(SEQUENCES)))
    with pytest.raises(InputError, match=r"gzip, not bgzip; `gunzip`"):
        Genome(path)


def test_a_cut_bgzip_file(tmp_path: Path) -> None:
    text = fasta({"c": "".join(RNG.choice(list("ACGT"), 300_000))})
    with pysam.BGZFile(str(tmp_path / "whole.fa.gz"), "wb", None) as file:
        file.write(text)
    whole = (tmp_path / "whole.fa.gz").read_bytes()
    (tmp_path / "cut.fa.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="is damaged"):
        Genome(tmp_path / "cut.fa.gz")
    Genome(tmp_path / "whole.fa.gz")  # and with the index of the whole file, at the first letter that is not there
    for suffix in (".fai", ".gzi"):
        shutil.copy(tmp_path / f"whole.fa.gz{suffix}", tmp_path / f"cut.fa.gz{suffix}")
    with pytest.raises(InputError, match="cut off"):
        Genome(tmp_path / "cut.fa.gz").fetch(Interval("c", 290_000, 290_010))


@pytest.mark.parametrize("kept", [10, 17, 40, 90, 600, -1])
def test_a_cut_twobit_file(tmp_path: Path, kept: int) -> None:
    path = write_twobit(tmp_path / "g.2bit", SEQUENCES)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="is cut off"):
        Genome(path)


def test_a_twobit_file_of_an_unknown_version(tmp_path: Path) -> None:
    path = write_twobit(tmp_path / "g.2bit", SEQUENCES)
    path.write_bytes(path.read_bytes()[:4] + b"\x07\0\0\0" + path.read_bytes()[8:])
    with pytest.raises(InputError, match="version 7"):
        Genome(path)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.fa"):
        with pytest.raises(InputError, match="is not a file"):
            Genome(path)


# --- oracles and real data --------------------------------------------------------------------------------------------


def test_twobit_agrees_with_py2bit(tmp_path: Path) -> None:
    py2bit = pytest.importorskip("py2bit")
    path = write_twobit(tmp_path / "g.2bit", SEQUENCES)
    theirs, ours = py2bit.open(str(path), True), Genome(path)
    assert theirs.chroms() == ours.sizes
    for start in range(0, 4900, 37):
        assert theirs.sequence("chr20", start, start + 61).upper() == ours.fetch(Interval("chr20", start, start + 61))
    theirs.close()


@pytest.mark.shared
def test_the_official_md5_of_chromosome_20(shared: Path) -> None:
    genome = Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")
    assert genome.sizes == {"chr20": 63_025_520}
    letters = genome.fetch(Interval("20", 0, 63_025_520))
    # the M5 of GRCh37's chr20 in the sequence dictionaries of the 1000 Genomes Project
    assert hashlib.md5(letters.encode()).hexdigest() == "0dec9660ec1efaaf33281c0d5ea2560f"
    window = Interval("chr20", 42_886_000, 43_082_608)
    assert genome.fetch(window) == letters[window.start : window.end]


@pytest.mark.shared
def test_hnf4a_bases_that_were_measured(shared: Path) -> None:
    # the saturation mutagenesis lists REF at each 1-based position of the element, chr20:42,984,160-42,984,444
    genome = Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")
    table = gzip.decompress((shared / "data/cagi5/kircher2019_4elements.tsv.gz").read_bytes()).decode()
    rows = [line.split("\t") for line in table.splitlines() if line.endswith("\tHNF4A\tGRCh37")]
    measured = {(int(row[1]), row[2]) for row in rows}
    assert len(measured) == 285
    for pos, ref in measured:
        assert genome.fetch(Interval.from_one_based("20", pos, pos)) == ref


@pytest.mark.shared
def test_real_genomes_without_an_index_in_a_folder_of_others(shared: Path) -> None:
    with pytest.raises(InputError, match="gzip, not bgzip"):
        Genome(shared / "data/sequence/hg19_chr6_pim1.fa.gz")

"""`distal data splits`: files and report, on small genomes and on chromosome 20."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import Call

from distal.coords import Interval
from distal.dna import N
from distal.io import bed
from distal.io.fasta import Genome

SMALL = ("--input-bp", 64, "--bin-bp", 4, "--bins", 8, "--piece-bp", 256)


def fasta(path: Path, **lengths: int) -> Path:
    """Random letters; the middle 200 of each sequence are N."""
    draw = np.random.default_rng(0)
    with path.open("w") as file:
        for name, length in lengths.items():
            letters = draw.choice(list("ACGT"), length)
            letters[length // 2 - 100 : length // 2 + 100] = "N"
            file.write(f">{name}\n{''.join(letters)}\n")
    return path


def report(printed: tuple[int, str, str]) -> Any:
    code, out, err = printed
    assert code == 0, err
    return json.loads(out)


def rows(path: Path) -> list[tuple[Interval, str]]:
    return [(row.interval, row.name) for row in bed.read(path)]


def test_windows_are_written_and_counted(tmp_path: Path, call: Call) -> None:
    genome = fasta(tmp_path / "x.fa", chr1=4200, chr2=2200, chr3=260)
    (tmp_path / "black.bed").write_text("1\t1000\t1100\nchrUn\t0\t5\n")
    (tmp_path / "unmappable.bed").write_text("chr2\t0\t1000\n")
    out = tmp_path / "windows.bed"
    options = ("--fasta", genome, "--out", out, "--blacklist", tmp_path / "black.bed", *SMALL)
    said = report(call("data", "splits", *options, "--unmappable", tmp_path / "unmappable.bed", "--json"))
    # 3 gaps of 200, 100 black; 30 bases on either side of the gap of chr3 are too few for 64.
    bases = {"all": 6660, "not asked for": 0, "gaps": 600, "blacklist": 100, "too short": 60, "in pieces": 5900}
    assert said["bases"] == [{"genome": "x.fa", **bases}]
    windows = rows(out)
    assert Counter(split for _, split in windows) == {row["split"]: row["windows"] for row in said["windows"]}
    assert [split for _, split in windows] == sorted(
        (split for _, split in windows), key=["train", "valid", "test"].index
    )
    assert not any(x.overlaps(Interval("chr1", 1000, 1100)) for x, _ in windows)
    assert not any(x.chrom == "chr2" and x.end < 1000 for x, _ in windows)
    assert sum(row["unmappable, left out"] for row in said["windows"]) > 20
    codes = Genome(genome)
    assert not any((codes.codes(x) == N).any() for x, _ in windows)
    assert said["bases of two splits"] == [
        {"genome": "x.fa", "measured in both": 0, "measured and read": 0, "read in both": 0}
    ]
    assert "components" not in said


def test_the_same_seed_gives_the_same_file(tmp_path: Path, call: Call) -> None:
    genome = fasta(tmp_path / "x.fa", chr1=9000)
    files = []
    for i, seed in enumerate((1, 1, 2)):
        files.append(tmp_path / f"{i}.bed")
        assert call("data", "splits", "--fasta", genome, "--out", files[-1], "--seed", seed, *SMALL)[0] == 0
    one, again, other = (path.read_bytes() for path in files)
    assert one == again
    assert one != other


def test_chromosomes_folds_and_regions(tmp_path: Path, call: Call) -> None:
    genome, out = fasta(tmp_path / "x.fa", chr1=3000, chr2=3000, chr3=3000), tmp_path / "x.bed"
    options = ("--fasta", genome, "--out", out, *SMALL)
    assert call("data", "splits", *options, "--valid", 2, "--test", "chr3")[0] == 0
    assert {(x.chrom, split) for x, split in rows(out)} == {("chr1", "train"), ("chr2", "valid"), ("chr3", "test")}
    assert call("data", "splits", *options, "--folds", 4, "--within", "chr1,3")[0] == 0
    assert {split for _, split in rows(out)} == {"fold0", "fold1", "fold2", "fold3"}
    assert {x.chrom for x, _ in rows(out)} == {"chr1", "chr3"}
    (tmp_path / "only.bed").write_text("chr2\t1700\t2700\n")
    assert call("data", "splits", *options, "--within", tmp_path / "only.bed", "--valid", 0, "--test", 0.3)[0] == 0
    assert all(Interval("chr2", 1700, 2700).contains(x) for x, _ in rows(out))


def test_flanks_may_be_shared_and_are_counted(tmp_path: Path, call: Call) -> None:
    genome, out = fasta(tmp_path / "x.fa", chr1=9000), tmp_path / "x.bed"
    options = ("--fasta", genome, "--out", out, *SMALL, "--own-bp", 32, "--json")
    (shared,) = report(call("data", "splits", *options))["bases of two splits"]
    assert shared["measured in both"] == 0
    assert 0 < shared["measured and read"] < shared["read in both"]


def test_gaps_from_a_file_instead_of_n(tmp_path: Path, call: Call) -> None:
    genome = fasta(tmp_path / "x.fa", chr1=6000)
    (tmp_path / "gaps.bed").write_text("chr1\t0\t1000\n")
    options = ("--fasta", genome, "--out", tmp_path / "x.bed", "--gaps", tmp_path / "gaps.bed", *SMALL)
    assert report(call("data", "splits", *options, "--json"))["bases"][0]["gaps"] == 1000


def test_two_genomes_by_a_net(tmp_path: Path, call: Call) -> None:
    # 80,200 bases with a gap in the middle: 16 pieces of 5,000. Four alignments of 10,000 bases put
    # chrA's first 8 pieces beside chrB's last 8, turned round; each joins 2 + 2 pieces: 32 - 4 x 3 = 20 components.
    ours, theirs = fasta(tmp_path / "one.fa", chrA=80_200), fasta(tmp_path / "two.fa", chrB=80_200)
    net = tmp_path / "x.net"
    block = " fill {} 10000 chrB - {} 10000 id 1 ali 9000\n"
    net.write_text("net chrA 80200\n" + "".join(block.format(10_000 * i, 70_200 - 10_000 * i) for i in range(4)))
    outs = (tmp_path / "one.bed", tmp_path / "two.bed")
    options = ("--fasta", ours, "--fasta", theirs, "--out", outs[0], "--out", outs[1], "--net", net, *SMALL[:6])
    options = (*options, "--valid", 0.2, "--test", 0.2, "--piece-bp", 5000, "--json")
    parted = report(call("data", "splits", *options))
    assert {row["genome"] for row in parted["windows"]} == {"one.fa", "two.fa"}
    assert (parted["components"], parted["longest component"]) == (32, 5000)  # none of the alignments has 100 kb
    assert 0 < sum(row["aligned"] for row in parted["aligned bases between splits"]) <= 36_000
    joined = report(call("data", "splits", *options, "--long-bp", 10_000))
    assert (joined["components"], joined["longest component"]) == (20, 20_000)
    assert joined["aligned bases between splits"] == []
    place = {x.start // 10_000: split for x, split in rows(outs[0]) if x.end <= 40_000}
    beside = {(80_200 - x.end) // 10_000: split for x, split in rows(outs[1]) if x.start >= 40_200}
    assert place == beside


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (("--fasta", "x.fa"), "give one --fasta, or two"),
        (("--blacklist", "a.bed", "--blacklist", "b.bed"), "--blacklist is given 2 times and --fasta 1"),
        (("--test", "chr9"), "chr9"),
        (("--valid", 0, "--test", "0.01", "--piece-bp", 5000), "no window of x.fa is in test"),
        (("--piece-bp", 100), "halves of pieces"),
        (("--out", "nowhere/x.bed"), "nowhere is not a folder"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, more: tuple[str | int, ...], match: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fasta(tmp_path / "x.fa", chr1=3000)
    out = () if "--out" in more else ("--out", "x.bed")
    out = (*out, "--out", "y.bed") if "--fasta" in more else out
    code, printed, err = call("data", "splits", "--fasta", "x.fa", *out, *SMALL[:6], *more)
    assert (code, printed) == (2, "")
    assert match in err
    assert not list(tmp_path.glob("*.bed"))


@pytest.mark.shared
def test_chromosome_20(shared: Path, tmp_path: Path, call: Call) -> None:
    genome = shared / "data" / "sequence" / "GRCh37_chr20.fa.gz"
    blacklist = shared / "data" / "annotation" / "hg19-blacklist.v2.bed"
    out = tmp_path / "chr20.bed"
    options = ("--fasta", genome, "--blacklist", blacklist, "--out", out, "--json")
    said = report(call("data", "splits", *options))
    (bases,) = said["bases"]
    assert sum(value for name, value in bases.items() if name not in ("genome", "all")) == bases["all"] == 63_025_520
    assert bases["gaps"] == 3_520_000
    shares = {row["split"]: row["share"] for row in said["windows"]}
    assert shares["valid"] == pytest.approx(0.1, abs=0.02)
    assert shares["test"] == pytest.approx(0.1, abs=0.02)
    windows, codes = rows(out), Genome(genome)
    black = [row.interval for row in bed.read(blacklist) if row.interval.chrom == "chr20"]
    for window, _ in windows:
        assert window.width == 131_072
        assert not any(window.overlaps(region) for region in black)
    assert max(int((codes.codes(window) == N).sum()) for window, _ in windows[::10]) < 100  # shorter than a gap
    one, *rest = sorted((window.start + 8192, window.end - 8192) for window, _ in windows)
    for other in rest:  # what is measured is measured once
        assert one[1] <= other[0]
        one = other

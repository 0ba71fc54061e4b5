"""Orthologous windows: bins that meet, predictions that are equal where sequences are, and a real pair of windows."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests import builders

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.evals.orthologs import groups, likeness, pairs
from distal.io.chain import Chains
from distal.io.fasta import Genome
from distal.tracks import Track, TrackTable

REGIONS = [Interval("chr1", start, start + 100) for start in (2500, 4000)]


def write_chain(path: Path, target: int, query: int, strand: str, blocks: list[tuple[int, int, int]]) -> Chains:
    """Blocks (start of the target, start of the query on its strand, width), sorted."""
    (t, q, _), (last_t, last_q, last) = blocks[0], blocks[-1]
    lines = [f"chain 1 chr1 {target} + {t} {last_t + last} chrQ {query} {strand} {q} {last_q + last} 1"]
    for (t, q, width), (next_t, next_q, _) in pairwise(blocks):
        lines.append(f"{width} {next_t - t - width} {next_q - q - width}")
    path.write_text("\n".join([*lines, str(last)]) + "\n")
    return Chains(path)


def fasta(folder: Path, name: str, text: str) -> Genome:
    (folder / f"{name}.fa").write_text(f">{name}\n{text}\n")
    return Genome(folder / f"{name}.fa")


@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_same_sequence_elsewhere_is_predicted_the_same(tmp_path: Path, strand: str) -> None:
    first = builders.genome(tmp_path)
    text = first.fetch(Interval("chr1", 0, 6000))
    moved = "A" * 384 + text
    if strand == "-":
        moved = dna.decode(dna.reverse_complement(dna.encode(moved)))
    second = fasta(tmp_path, "chrQ", moved)
    chains = write_chain(tmp_path / "c", 6000, 6384, strand, [(0, 384, 6000)])
    model = builders.predictor()
    found = list(pairs(chains, REGIONS, (first, model.window), (second, model.window)))
    assert [each.strand for each in found] == [strand, strand]
    assert all(len(each.bins) == 8 for each in found)
    expected = range(8) if strand == "+" else range(7, -1, -1)
    assert found[0].bins.tolist() == [[bin, other] for bin, other in enumerate(expected)]
    tables = model.tracks, model.tracks
    rows = likeness(found, (model, first), (model, second), tables, groups(*tables, "assay"), rc=True)
    assert [row.group for row in rows] == ["CAGE", "DNASE", "ATAC", "RNA"]
    for row in rows:
        assert (row.windows, row.bins) == (2, 16)
        assert row.pearson == pytest.approx(1, abs=1e-5)
        assert row.same_head == pytest.approx(1, abs=1e-5)
        assert row.mismatched < 0.99


def test_bins_follow_the_chain_over_gaps(tmp_path: Path) -> None:
    first, second = builders.genome(tmp_path), fasta(tmp_path, "chrQ", "ACGT" * 2000)
    window = builders.predictor().window  # 2,048 bp in, 8 bins of 128 bp out
    # the output is 2038 to 3062; 256 bases of it are not in the second genome, 128 bases of which are not in the first
    chains = write_chain(tmp_path / "c", 6000, 8000, "+", [(2038, 2000, 256), (2550, 2256, 256), (2806, 2640, 256)])
    (one,) = pairs(chains, [Interval("chr1", 2550, 2550)], (first, window), (second, window))
    output = window.output_of(one.second)
    middles = [output.start + 128 * other + 64 for other in one.bins[:, 1].tolist()]
    assert one.bins[:, 0].tolist() == [0, 1, 4, 5, 6]  # the last one lies beyond the other window's output
    for middle, place in zip(middles, (2064, 2192, 2320, 2448, 2704), strict=True):
        assert abs(middle - place) <= 64
    assert one.row.shared_bins == 5
    nowhere = [Interval("chr1", 5800, 5900)]
    assert list(pairs(chains, nowhere, (first, window), (second, window))) == []


def test_tracks_meet_by_assay_or_in_the_same_words() -> None:
    one = TrackTable((Track(0, "a", "CAGE:Liver, adult"), Track(1, "b", "CHIP:CTCF:K562"), Track(2, "c", "DNASE:x")))
    two = TrackTable((Track(0, "d", "CHIP:CTCF:ES"), Track(1, "e", "CAGE:liver adult"), Track(2, "f", "CAGE:skin")))
    assert groups(one, two, "assay") == {"CAGE": ([0], [1, 2]), "CHIP:CTCF": ([1], [0])}
    assert groups(one, two, "experiment") == {"cage:liver adult": ([0], [1])}
    with pytest.raises(InputError, match="no experiment is in the tracks of both heads"):
        groups(one.take([2]), two, "experiment")


def aligned(one: np.ndarray, two: np.ndarray, words: tuple[int, ...] = (20, 14, 11)) -> list[tuple[int, int, int]]:
    """Blocks without gaps: around long words first, then around shorter ones between them."""
    if not words or min(len(one), len(two)) < 2 * words[0] or len(one) * len(two) > 4 ** words[0]:
        return []
    found = longer(one, two, anchors(one, two, words[0]))
    blocks, a, b = [], 0, 0
    for block in (*found, (len(one), len(two), 0)):
        between = aligned(one[a : block[0]], two[b : block[1]], words[1:])
        blocks += [(a + start, b + other, width) for start, other, width in between]
        blocks += [block] if block[2] else []
        a, b = block[0] + block[2], block[1] + block[2]
    return blocks


def anchors(one: np.ndarray, two: np.ndarray, k: int) -> list[tuple[int, int, int]]:
    """Blocks of equal bases around words that both sequences have once, in order in both."""
    words = [
        np.lib.stride_tricks.sliding_window_view(codes, k).astype(np.int64) @ 4 ** np.arange(k) for codes in (one, two)
    ]
    single = [np.unique(word, return_index=True, return_counts=True) for word in words]
    kept = [(word[counts == 1], at[counts == 1]) for word, at, counts in single]
    _, i, j = np.intersect1d(kept[0][0], kept[1][0], return_indices=True)
    if not len(i):
        return []
    order = np.argsort(kept[0][1][i])
    x, y = kept[0][1][i][order].tolist(), kept[1][1][j][order].tolist()
    blocks: list[tuple[int, int, int]] = []
    for a, b in ((x[at], y[at]) for at in rising(y)):
        if blocks and a - blocks[-1][0] == b - blocks[-1][1] and a <= blocks[-1][0] + blocks[-1][2]:
            blocks[-1] = (*blocks[-1][:2], a + k - blocks[-1][0])
        elif not blocks or min(a - blocks[-1][0], b - blocks[-1][1]) >= blocks[-1][2]:
            blocks.append((a, b, k))
    return blocks


def longer(one: np.ndarray, two: np.ndarray, blocks: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Each block as far as most bases behind and before it are the same, and it meets no other."""
    found: list[tuple[int, int, int]] = []
    for i, (a, b, width) in enumerate(blocks):
        room = min(
            (blocks[i + 1][0] - a, blocks[i + 1][1] - b) if i + 1 < len(blocks) else (len(one) - a, len(two) - b)
        )
        after = reach(one[a + width : a + room] == two[b + width : b + room])
        free = min((a - sum(found[-1][::2]), b - sum(found[-1][1:])) if found else (a, b))
        before = reach((one[a - free : a] == two[b - free : b])[::-1])
        found.append((a - before, b - before, before + width + after))
    return found


def reach(same: np.ndarray) -> int:
    """How far an alignment without gaps is worth it: 1 for an equal base, -1.5 for another, 15 lost at most."""
    score = np.concatenate([[0], np.cumsum(np.where(same, 1, -1.5))])
    lost = np.flatnonzero(np.maximum.accumulate(score) - score > 15)
    return int(score[: lost[0] if len(lost) else None].argmax())


def rising(values: list[int]) -> list[int]:
    """Indices of the longest rising subsequence."""
    ends: list[int] = []
    at: list[int] = []
    before = [-1] * len(values)
    for i, value in enumerate(values):
        place = bisect_left(ends, value)
        before[i] = at[place - 1] if place else -1
        ends[place : place + 1], at[place : place + 1] = [value], [i]
    found = [at[-1]]
    while before[found[-1]] >= 0:
        found.append(before[found[-1]])
    return found[::-1]


def test_a_real_pair_of_human_and_mouse(shared: Path, tmp_path: Path) -> None:
    """BCAT1's neighbourhood is in the shared windows of both species; anchors of equal words are its chain."""
    folder = shared / "data" / "sequence"
    human, mouse = (Genome(folder / f"{name}_baskerville_tiny_windows.fa.gz") for name in ("hg38", "mm10"))
    names = "chr12:24268786-24399858", "chr6:144529807-144660879"
    whole = [Interval(name, 0, 131_072) for name in names]
    texts = [genome.fetch(one) for genome, one in zip((human, mouse), whole, strict=True)]
    here, there = fasta(tmp_path, "chr1", texts[0]), fasta(tmp_path, "chrQ", texts[1])
    blocks = aligned(*(dna.encode(text) for text in texts))
    assert sum(width for _, _, width in blocks) > 5_000
    chains = write_chain(tmp_path / "c", 131_072, 131_072, "+", blocks)
    window = builders.predictor().window
    regions = [Interval("chr1", start, start + 1024) for start, _, width in blocks if width > 80]
    found = list(pairs(chains, regions, (here, window), (there, window)))
    assert len(found) > 10
    for each in found:
        first = window.output_of(each.first)
        second = window.output_of(each.second)
        for bin, other in each.bins.tolist():  # a bin of 128 bases, more than half of them the same in both species
            start, place = first.start + 128 * bin, second.start + 128 * other
            alike = chains.best(first).lift(Interval("chr1", start, start + 128))
            assert place - 64 <= alike.center <= place + 192
    assert sum(len(each.bins) for each in found) > 30

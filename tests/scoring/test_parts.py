"""Parts of a run: the order of rows, duplicates, shards, and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Variant
from distal.errors import InputError
from distal.io.scores import GeneAt, GeneScores
from distal.io.vcf import VcfRow
from distal.scoring import parts
from distal.scoring.alleles import DUPLICATE, FAILED, SCORED, UNSUPPORTED, Judged
from distal.scoring.parts import PART_ROWS, Part, Shard


def row(pos: int, ref: str = "A", alt: str = "C", chrom: str = "chr1") -> VcfRow:
    return VcfRow(pos + 2, pos, chrom, pos, f"v{pos}", ref, alt)


def judge(row: VcfRow) -> Judged:
    """Scorable unless ALT is symbolic; nothing is normalised."""
    if row.alt.startswith("<"):
        return Judged(UNSUPPORTED, None)
    return Judged(SCORED, Variant.from_vcf(row.chrom, row.pos, row.ref, row.alt))


def test_an_allele_is_wanted_once_and_places_count_by_chromosome() -> None:
    rows = [row(5), row(5, alt="<DEL>"), row(5, chrom="chr2"), row(5), row(5, alt="<DEL>"), row(5, alt="G")]
    (part,) = parts.parts(rows, judge)
    assert part.places == [0, 1, 0, 2, 3, 4]
    assert part.firsts == [0, 1, 0, 0, 3, 4]
    assert part.statuses == (SCORED, UNSUPPORTED, SCORED, DUPLICATE, UNSUPPORTED, SCORED)
    assert part.wanted == (0, 2, 5)


@given(st.lists(st.tuples(st.sampled_from(["chr1", "chr2"]), st.integers(1, 9), st.sampled_from("CGT")), max_size=300))
def test_parts_hold_every_row_once_in_order(alleles: list[tuple[str, int, str]]) -> None:
    rows = [row(pos, "A", alt, chrom) for chrom, pos, alt in alleles]
    made = list(parts.parts(rows, judge, 7))
    assert [r for part in made for r in part.rows] == rows
    assert all(len(part.rows) == 7 for part in made[:-1])
    assert [part.number for part in made] == list(range(len(made)))
    wanted = [(p.rows[i].chrom, p.rows[i].pos, p.rows[i].alt) for p in made for i in p.wanted]
    assert len(set(wanted)) == len(wanted) == len(set(alleles))  # each allele once: nothing is forgotten among 300
    by_chrom: dict[str, list[VcfRow]] = {"chr1": [], "chr2": []}
    for r in rows:
        by_chrom[r.chrom].append(r)
    for part in made:
        for i, r in enumerate(part.rows):
            first = by_chrom[r.chrom][part.firsts[i]]
            assert (first.pos, first.alt) == (r.pos, r.alt)


@given(st.lists(st.integers(1, 60), max_size=300), st.integers(1, 20))
def test_what_is_remembered_is_right_and_at_least_the_last(places: list[int], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "REMEMBERED", most)
        made = list(parts.parts([row(pos) for pos in places], judge, 7))
    firsts = [first for part in made for first in part.firsts]
    for i, first in enumerate(firsts):
        assert places[first] == places[i]
        assert firsts[first] == first
        recent = {place for place in places[:i][::-1] if place != places[i]}
        if first == i and places[i] in places[:i]:  # forgotten: as many others were new since it stood first
            last = max(k for k in range(i) if places[k] == places[i] and firsts[k] == k)
            assert sum(firsts[k] == k for k in range(last + 1, i)) >= most
            assert recent


def test_the_digest_tells_rows_apart() -> None:
    digests = set()
    for other in (row(5), row(6), row(5, alt="G"), row(5, "AC"), row(5, chrom="1"), row(5, alt="\udcff")):
        digests.add(next(parts.parts([row(1), other], judge_nothing)).digest)
    assert len(digests) == 6


def judge_nothing(row: VcfRow) -> Judged:
    return Judged(UNSUPPORTED, None)


@given(st.integers(1, 9), st.integers(0, 200))
def test_shards_share_out_the_parts(count: int, n: int) -> None:
    made = [Part(i, [], [], [], []) for i in range(n)]
    owners = [[Shard(i + 1, count).has(part) for i in range(count)] for part in made]
    assert all(sum(row) == 1 for row in owners)
    loads = [sum(row[i] for row in owners) for i in range(count)]
    assert max(loads) - min(loads) <= 1


def test_shards_are_written_as_fractions() -> None:
    assert Shard.parse("3/7") == Shard(3, 7)
    for text in ("0/7", "8/7", "1/0", "1", "a/b", "-1/3", "1/7/2"):
        with pytest.raises(InputError, match="shard"):
            Shard.parse(text)


def a_part(n: int = 3) -> Part:
    return next(parts.parts([row(i + 1, alt="C" if i else "\udcff\udc80") for i in range(n)], judge_rows))


def judge_rows(row: VcfRow) -> Judged:
    return judge(row) if row.alt == "C" else Judged(UNSUPPORTED, None)


@pytest.mark.parametrize("with_genes", [False, True])
def test_a_part_file_gives_back_what_was_kept(tmp_path: Path, with_genes: bool) -> None:
    part = a_part()
    values = {"SAD": np.arange(6, dtype=np.float16).reshape(3, 2), "SAR": np.full((3, 2), np.nan, dtype=np.float16)}
    genes = None
    if with_genes:
        near = [GeneAt("G1", "one", "+", -5), GeneAt("G2", "", "-", 2**31)]
        wide = np.ones((2, 3, 2), dtype=np.float16)
        genes = GeneScores(np.array([0, 2]), near, {"SADR_tss": wide[:, 1]})
    block = part.block(values, failed=[2], genes=genes)
    parts.write(tmp_path / "p", part.digest, part.firsts, block)
    found, firsts = parts.read(tmp_path / "p")
    assert found.rows == block.rows
    assert [r.status for r in found.rows] == [UNSUPPORTED, SCORED, FAILED]
    assert firsts.tolist() == part.firsts
    for name, matrix in values.items():
        assert found.values[name].dtype == np.float16
        np.testing.assert_array_equal(found.values[name], matrix)
    assert (found.genes is not None) == with_genes
    if found.genes and genes:
        assert found.genes.rows.tolist() == [0, 2]
        assert found.genes.genes == genes.genes
        np.testing.assert_array_equal(found.genes.values["SADR_tss"], genes.values["SADR_tss"])
    assert parts.digest_of(tmp_path / "p") == part.digest
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_a_part_that_is_not_whole_is_not_there(tmp_path: Path) -> None:
    part = a_part(PART_ROWS)
    assert parts.digest_of(tmp_path / "absent") is None
    block = part.block({"SAD": np.zeros((PART_ROWS, 5), dtype=np.float32)})
    parts.write(tmp_path / "p", part.digest, part.firsts, block)
    whole = (tmp_path / "p").read_bytes()
    for end in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "p").write_bytes(whole[:end])
        assert parts.digest_of(tmp_path / "p") is None
    (tmp_path / "p").write_bytes(whole)
    assert parts.digest_of(tmp_path / "p") == part.digest

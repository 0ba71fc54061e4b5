"""Normal forms: against `bcftools norm`, by hand, and what must not change: the sequence that a variant makes."""

from __future__ import annotations

import random
from pathlib import Path

import pysam
import pysam.bcftools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.io import vcf
from distal.io.fasta import Genome
from distal.scoring.normalise import normalised

#        0         1         2         3
#        0123456789012345678901234567890123
LETTERS = "CACACAGTTTTTTTTacgtNNNRGGACGACGACGT"


def genome_of(folder: Path, letters: dict[str, str]) -> Genome:
    path = folder / "genome.fa"
    lines = (
        f">{name}\n" + "\n".join(text[i : i + 60] for i in range(0, len(text), 60)) for name, text in letters.items()
    )
    path.write_text("\n".join(lines) + "\n")
    return Genome(path)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return genome_of(tmp_path_factory.mktemp("genome"), {"chr1": LETTERS, "chrM": "A" * 5_000})


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_as", "expected"),
    [
        ("chr1:7:G>T", "chr1:7:G>T"),  # a substitution of one base
        ("chr1:7:GTT>GAT", "chr1:8:T>A"),  # one base of three changes
        ("chr1:7:GTT>ATA", "chr1:7:GTT>ATA"),  # the first and the last change: nothing to trim
        ("chr1:7:GTA>GCC", "chr1:8:TA>CC"),  # the first base is shared
        ("chr1:15:TA>T", "chr1:15:TA>T"),  # A is not repeated, so it stays
        ("chr1:14:TT>T", "chr1:7:GT>G"),  # one of eight T, given as the last: its anchor is the G before them
        ("chr1:14:T>TTT", "chr1:7:G>GTT"),
        ("chr1:14:TTACG>TTCG", "chr1:15:TA>T"),  # A is deleted; bases on both sides go
        ("chr1:31:GACG>G", "chr1:24:GGAC>G"),  # one of three ACG, and the G before them ends ACG too: GAC goes
        ("chr1:4:ACA>A", "chr1:1:CAC>C"),  # one of three CA: nothing stands before base 1, so the base behind is kept
        ("chr1:6:A>ACA", "chr1:1:C>CAC"),
        ("chr1:1:CA>A", "chr1:1:CA>A"),  # the first base is deleted
        ("chr1:1:C>GC", "chr1:1:C>GC"),
        ("chr1:22:N>NN", "chr1:19:T>TN"),  # N repeats as any letter does
        ("chr1:24:G>GG", "chr1:23:N>NG"),  # R before GG cannot be written in a variant: N
        ("chr1:9:TT>TT", "chr1:9:TT>TT"),  # no change
        ("1:14:TT>T", "1:7:GT>G"),  # the chromosome's name stays as it is given
        ("chrM:4990:A>AAA", "chrM:1:A>AAA"),  # through five strides of the same base
    ],
)
def test_worked_examples(genome: Genome, given_as: str, expected: str) -> None:
    assert str(normalised(Variant.parse(given_as), genome)) == expected


def test_the_name_stays(genome: Genome) -> None:
    assert normalised(Variant("chr1", 13, "TT", "T", "rs1"), genome) == Variant("chr1", 6, "GT", "G", "rs1")


def test_a_chromosome_that_the_genome_lacks(genome: Genome) -> None:
    with pytest.raises(InputError, match="'chr9' is not in"):
        normalised(Variant("chr9", 13, "TT", "T"), genome)


# --- properties -------------------------------------------------------------------------------------------------------


def applied(letters: str, variant: Variant) -> str:
    assert letters[variant.start : variant.end] == variant.ref
    return letters[: variant.start] + variant.alt + letters[variant.end :]


def minimal_forms(letters: str, result: str) -> list[tuple[int, str, str]]:
    """Every way to write the change from `letters` to `result` with the fewest bases, slowly: (start, REF, ALT)."""
    ways = []
    for start in range(len(letters) + 1):
        for end in range(start, len(letters) + 1):
            width = len(result) - (len(letters) - end) - start
            if width >= 0 and letters[:start] == result[:start] and letters[end:] == result[start + width :]:
                ways.append((start, letters[start:end], result[start : start + width]))
    shortest = min(len(ref) + len(alt) for _, ref, alt in ways)
    return [way for way in ways if len(way[1]) + len(way[2]) == shortest]


@given(st.text("AC", min_size=4, max_size=14), st.data())
def test_leftmost_shortest_and_the_same_sequence(
    tmp_path_factory: pytest.TempPathFactory, letters: str, data: st.DataObject
) -> None:
    genome = genome_of(tmp_path_factory.mktemp("drawn"), {"c": letters})
    start = data.draw(st.integers(0, len(letters) - 1))
    ref = letters[start : start + data.draw(st.integers(1, 5))]
    variant = Variant("c", start, ref, data.draw(st.text("AC", min_size=1, max_size=5)))
    found = normalised(variant, genome)
    assert applied(letters, found) == applied(letters, variant)
    assert normalised(found, genome) == found
    if variant.ref != variant.alt:
        leftmost, short_ref, short_alt = minimal_forms(letters, applied(letters, variant))[0]
        anchor = 0 if short_ref and short_alt else 1
        assert len(found.ref) == len(short_ref) + anchor
        assert len(found.alt) == len(short_alt) + anchor
        assert found.start == max(0, leftmost - anchor)


# --- oracle -----------------------------------------------------------------------------------------------------------


def repetitive(rng: random.Random, bases: int) -> str:
    """Random letters, repeats of short units, long runs and N, some of it soft-masked."""
    pieces: list[str] = []
    while sum(map(len, pieces)) < bases:
        unit = "".join(rng.choices("ACGT", k=rng.choice([1, 1, 2, 2, 3, 4, 7, 30])))
        kind = rng.random()
        piece = unit * rng.choice([3, 8, 40, 150]) if kind < 0.6 else "".join(rng.choices("ACGT", k=40))
        piece = "N" * rng.randint(1, 9) if kind > 0.97 else piece
        pieces.append(piece.lower() if rng.random() < 0.2 else piece)
    return "".join(pieces)[:bases]


def alleles(rng: random.Random, ref: str, nearby: str) -> str:
    """Another allele for `ref`: shorter, longer by letters from nearby, substituted, or anything."""
    cut = rng.randint(0, len(ref))
    return rng.choice(
        [
            ref[: max(1, cut)],
            ref[cut:] or ref[:1],
            ref + nearby[: rng.randint(1, 12)],
            nearby[: rng.randint(1, 40)] + ref,
            ref[:cut] + nearby[:3] + ref[cut:],
            "".join(rng.choices("ACGT", k=len(ref))),
            "".join(rng.choices("ACGT", k=rng.randint(1, 6))),
        ]
    )


def records(rng: random.Random, chrom: str, letters: str, count: int) -> list[str]:
    """CHROM, POS, ID (of its own), REF, ALT (one to three)."""
    lines: list[str] = []
    while len(lines) < count:
        start = rng.randrange(len(letters)) if rng.random() < 0.9 else rng.randrange(40)
        ref = letters[start : start + rng.choice([1, 1, 2, 3, 5, 9, 40])].upper()
        near = letters[max(0, start - 20) : start + 40].upper()
        alts = {alleles(rng, ref, near[rng.randrange(len(near)) :]) for _ in range(rng.choice([1, 1, 1, 2, 3]))} - {ref}
        if alts:
            lines.append(f"{chrom}\t{start + 1}\t{chrom}-{len(lines)}\t{ref}\t{','.join(sorted(alts))}")
    return lines


def check_against_bcftools(folder: Path, genome: Genome, lines: list[str]) -> int:
    """Every ALT of `lines` as `bcftools norm` splits and writes it; returns how many moved."""
    header = "".join(f"##contig=<ID={name},length={size}>\n" for name, size in genome.sizes.items())
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    path = folder / "x.vcf"
    path.write_text(f"##fileformat=VCFv4.2\n{header}{columns}\n" + "".join(f"{line}\t.\t.\t.\n" for line in lines))
    text = pysam.bcftools.norm("-f", str(genome.path), "-m", "-", "-c", "e", "--no-version", str(path))
    rows = [line.split("\t")[:5] for line in text.splitlines() if not line.startswith("#")]
    theirs = sorted((name, chrom, int(pos), ref.upper(), alt.upper()) for chrom, pos, name, ref, alt in rows)
    ours = [(row, normalised(row.variant(), genome)) for row in vcf.read(path)]
    assert sorted((v.name, v.chrom, v.pos, v.ref, v.alt) for _, v in ours) == theirs
    return sum(row.pos != variant.pos for row, variant in ours)


@pytest.mark.parametrize("seed", range(4))
def test_bcftools_norm_says_the_same(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    letters = {"chr1": repetitive(rng, 30_000), "2": repetitive(rng, 300)}
    genome = genome_of(tmp_path, letters)
    lines = [line for name, text in letters.items() for line in records(rng, name, text, 1_200)]
    moved = check_against_bcftools(tmp_path, genome, lines)
    assert sum(line.count(",") + 1 for line in lines) > 3_000
    assert moved > 1_000  # it would say little of variants that are normal already


@pytest.mark.shared
def test_1000_genomes_records_are_normal_already(shared: Path) -> None:
    genome = Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")
    path = shared / "data/eqtl/1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"
    variants = [row.variant() for row in vcf.read(path)]
    assert len(variants) == 24_990
    assert [normalised(variant, genome) for variant in variants] == variants


@pytest.mark.shared
def test_real_repeats_against_bcftools(tmp_path: Path, shared: Path) -> None:
    genome = Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")
    rng = random.Random(6)
    start = 42_900_000
    letters = genome.fetch(Interval("chr20", start, start + 200_000))
    lines = [line.split("\t") for line in records(rng, "chr20", letters, 1_000)]
    moved = check_against_bcftools(
        tmp_path, genome, ["\t".join((chrom, str(int(pos) + start), *rest)) for chrom, pos, *rest in lines]
    )
    assert moved > 300

"""One test a format: the position that a file states is the base that we get.

The genome is `letter(i)` at 0-based position i; its neighbours at distance 1 and 2 are always other letters, so a
slip by one or two bases in any reader fails here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pysam
import pytest
from tests.oracles.twobit_writer import write_twobit

from distal import dna
from distal.coords import Interval, Variant
from distal.io import bed, bigwig, tfrecords, vcf
from distal.io.fasta import Genome

SIZE = 203
SITES = (0, 1, 57, 100, SIZE - 1)  # 0-based; first and last base among them


def letter(i: int) -> str:
    return "ACGT"[(i + i // 4) % 4]


TEXT = "".join(letter(i) for i in range(SIZE))


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    (tmp_path / "genome.fa").write_text(fasta())
    return Genome(tmp_path / "genome.fa")


def fasta() -> str:
    return ">chr1\n" + "".join(f"{TEXT[i : i + 7]}\n" for i in range(0, SIZE, 7))


def site(i: int) -> Interval:
    return Interval("chr1", i, i + 1)


def test_a_slip_shows() -> None:
    assert all(letter(i) not in (letter(i + 1), letter(i + 2)) for i in range(SIZE))


def test_fasta(tmp_path: Path) -> None:
    """FASTA states no positions: the first letter of a sequence is base 0, the n-th letter base n - 1."""
    (tmp_path / "genome.fa").write_text(fasta())
    genome = Genome(tmp_path / "genome.fa")
    assert [genome.fetch(site(i)) for i in SITES] == [letter(i) for i in SITES]
    assert genome.fetch(Interval("chr1", 10, 30)) == TEXT[10:30]
    assert genome.fetch(Interval("chr1", -1, 2)) == "N" + TEXT[:2]
    assert genome.fetch(Interval("chr1", SIZE - 2, SIZE + 1)) == TEXT[-2:] + "N"


def test_bgzipped_fasta(tmp_path: Path) -> None:
    """As FASTA; htslib's `fetch` is 0-based and half-open, its region strings would be 1-based and closed."""
    with pysam.BGZFile(str(tmp_path / "genome.fa.gz"), "wb", None) as file:
        file.write(fasta().encode())
    genome = Genome(tmp_path / "genome.fa.gz")
    assert [genome.fetch(site(i)) for i in SITES] == [letter(i) for i in SITES]
    assert pysam.FastaFile(str(genome.path)).fetch(region="chr1:11-30") == genome.fetch(Interval("chr1", 10, 30))


def test_twobit(tmp_path: Path) -> None:
    """.2bit: 0-based; four bases a byte, the first in the two highest bits; block starts are 0-based too."""
    genome = Genome(write_twobit(tmp_path / "genome.2bit", {"chr1": TEXT[:50] + "NN" + TEXT[52:]}))
    assert [genome.fetch(site(i)) for i in SITES] == [letter(i) for i in SITES]
    assert genome.fetch(Interval("chr1", 48, 54)) == TEXT[48:50] + "NN" + TEXT[52:54]


def test_bed(tmp_path: Path, genome: Genome) -> None:
    """BED is 0-based and half-open: 10 30 are the 20 bases after the tenth."""
    (tmp_path / "x.bed").write_text("".join(f"chr1\t{i}\t{i + 1}\t{letter(i)}\n" for i in SITES) + "chr1\t10\t30\n")
    *sites, region = bed.read(tmp_path / "x.bed")
    assert [genome.fetch(row.interval) for row in sites] == [row.name for row in sites]
    assert genome.fetch(region.interval) == TEXT[10:30]


def test_bigwig(tmp_path: Path) -> None:
    """bigWig is 0-based and half-open, in the file and in pyBigWig; the value of base i is i here."""
    values = np.arange(SIZE, dtype=np.float32)
    bigwig.write(tmp_path / "x.bw", {"chr1": SIZE}, [(Interval("chr1", 0, SIZE), values, 1)])
    assert [float(bigwig.read_bins(tmp_path / "x.bw", site(i), 1)[0]) for i in SITES] == list(SITES)
    np.testing.assert_array_equal(bigwig.read_bins(tmp_path / "x.bw", Interval("chr1", 10, 14), 2), [10 + 11, 12 + 13])
    with pytest.importorskip("pyBigWig").open(str(tmp_path / "x.bw")) as theirs:
        assert theirs.values("chr1", 57, 59) == [57.0, 58.0]


def records() -> str:
    lines = [f"chr1\t{i + 1}\ts{i}\t{letter(i)}\tN\t.\t.\t." for i in SITES]  # the only file here that counts from 1
    deletion = f"chr1\t58\tdel\t{TEXT[57:60]}\t{TEXT[57]}\t.\t.\t."  # REF is bases 57, 58 and 59
    return "\n".join(["##fileformat=VCFv4.2", f"##contig=<ID=chr1,length={SIZE}>", COLUMNS, *lines, deletion, ""])


COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def check_variants(path: Path, genome: Genome) -> None:
    rows = list(vcf.read(path))
    variants = [row.variant() for row in rows]
    assert [variant.start for variant in variants] == [*SITES, 57]
    assert [variant.pos for variant in variants] == [row.pos for row in rows] == [*(i + 1 for i in SITES), 58]
    for variant in variants:
        assert genome.fetch(variant.interval) == variant.ref


def test_vcf(tmp_path: Path, genome: Genome) -> None:
    """VCF is 1-based: POS is the first base of REF."""
    (tmp_path / "x.vcf").write_text(records())
    check_variants(tmp_path / "x.vcf", genome)


def test_bcf(tmp_path: Path, genome: Genome) -> None:
    """BCF stores 0-based positions; its text, and so `VcfRow.pos`, is 1-based."""
    (tmp_path / "x.vcf").write_text(records())
    source = pysam.VariantFile(str(tmp_path / "x.vcf"))
    with pysam.VariantFile(str(tmp_path / "x.bcf"), "wb", header=source.header) as out:
        for record in source:
            assert record.start == record.pos - 1
            out.write(record)
    check_variants(tmp_path / "x.bcf", genome)


def test_annotated_vcf(tmp_path: Path, genome: Genome) -> None:
    """The copy that we write is 1-based as its source; tabix's `fetch` of pysam is 0-based and half-open."""
    (tmp_path / "x.vcf").write_text("".join(line + "\n" for line in records().splitlines()[:-1]))
    vcf.annotate(tmp_path / "x.vcf", tmp_path / "y.vcf.gz", [], ({} for _ in SITES))
    with pysam.TabixFile(str(tmp_path / "y.vcf.gz")) as file:
        for i in SITES:
            assert [line.split("\t")[3] for line in file.fetch("chr1", i, i + 1)] == [genome.fetch(site(i))]


def test_ucsc_text(genome: Genome) -> None:
    """Text as in genome browsers and samtools is 1-based and closed: chr1:11-30 are the bases after the tenth."""
    assert [genome.fetch(Interval.from_ucsc(f"chr1:{i + 1}")) for i in SITES] == [letter(i) for i in SITES]
    assert genome.fetch(Interval.from_ucsc("chr1:11-30")) == TEXT[10:30]
    assert Interval("chr1", 10, 30).to_ucsc() == "chr1:11-30"


def test_variant_text(genome: Genome) -> None:
    """Variants as text are 1-based, as in a VCF."""
    variant = Variant.parse(f"chr1:58:{TEXT[57]}>N")
    assert genome.fetch(variant.interval) == variant.ref == letter(57)


def test_tfrecords(tmp_path: Path, genome: Genome) -> None:
    """sequences.bed of a Basenji data set is 0-based and half-open; row n is record n, and its bases are the input."""
    starts = {"train": [0, 100], "test": [57]}
    (tmp_path / "tfrecords").mkdir()
    for split, begins in starts.items():
        examples = (
            tfrecords.Example(dna.encode(TEXT[start : start + 64]), np.zeros((2, 1), dtype=np.float32))
            for start in begins
        )
        tfrecords.write(tmp_path / f"tfrecords/{split}-0.tfr", examples)
    rows = [f"chr1\t{start}\t{start + 64}\t{split}\n" for split, begins in starts.items() for start in begins]
    (tmp_path / "sequences.bed").write_text("".join(rows))
    sizes = {"seq_length": 64, "pool_width": 16, "crop_bp": 16, "target_length": 2, "num_targets": 1}
    counts = {"train_seqs": 2, "test_seqs": 1}
    (tmp_path / "statistics.json").write_text(json.dumps(sizes | counts))
    for split, begins in starts.items():
        found = list(tfrecords.read(tmp_path, split))
        assert [example.interval for example in found] == [Interval("chr1", start, start + 64) for start in begins]
        for example in found:
            assert example.interval is not None
            np.testing.assert_array_equal(genome.codes(example.interval), example.codes)

"""Annotations of genes in three formats: the same genes, the same bases; and what is refused, with its line."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.errors import InputError
from distal.io import gtf
from distal.io.genes import Genes
from distal.io.gtf import Feature

# Gene A on the + strand with two transcripts (101-140 with exons 101-110, 131-140; 121-140 with one exon), gene B on
# the - strand with one (201-260, exons 201-210 and 241-260). Positions count from 1 and include both ends.
GTF = """\
##description: by hand
chr1\tx\tgene\t101\t140\t.\t+\t.\tgene_id "GA"; gene_type "protein_coding"; gene_name "Alpha";
chr1\tx\ttranscript\t101\t140\t.\t+\t.\tgene_id "GA"; transcript_id "A1"; gene_name "Alpha"; note "gene_id GX; a";
chr1\tx\texon\t101\t110\t.\t+\t.\tgene_id "GA"; transcript_id "A1"; exon_number 1; gene_name "Alpha";
chr1\tx\tCDS\t105\t110\t.\t+\t0\tgene_id "GA"; transcript_id "A1"; exon_number 1; gene_name "Alpha";
chr1\tx\texon\t131\t140\t.\t+\t.\tgene_id "GA"; transcript_id "A1"; exon_number 2; gene_name "Alpha";
chr1\tx\ttranscript\t121\t140\t.\t+\t.\tgene_id "GA"; transcript_id "A2"; gene_name "Alpha";
chr1\tx\texon\t121\t140\t.\t+\t.\tgene_id "GA"; transcript_id "A2"; exon_number 1; gene_name "Alpha";

chr1\tx\tgene\t201\t260\t.\t-\t.\tgene_id "GB"; gene_name "Beta";
chr1\tx\ttranscript\t201\t260\t.\t-\t.\tgene_id "GB"; transcript_id "B1"; gene_name "Beta";
chr1\tx\texon\t241\t260\t.\t-\t.\tgene_id "GB"; transcript_id "B1"; gene_name "Beta";
chr1\tx\texon\t201\t210\t.\t-\t.\tgene_id "GB"; transcript_id "B1"; gene_name "Beta";
chr1\tx\tUTR\t201\t205\t.\t-\t.\tgene_id "GB"; transcript_id "B1"; gene_name "Beta";
"""

GFF3 = """\
##gff-version 3
##sequence-region chr1 1 1000
chr1\tx\tregion\t1\t1000\t.\t.\t.\tID=chr1
chr1\tx\tgene\t101\t140\t.\t+\t.\tID=GA;Name=Alpha
chr1\tx\tmRNA\t101\t140\t.\t+\t.\tID=A1;Parent=GA
chr1\tx\texon\t101\t110\t.\t+\t.\tParent=A1
chr1\tx\tCDS\t105\t110\t.\t+\t0\tID=P1;Parent=A1
chr1\tx\texon\t131\t140\t.\t+\t.\tID=e2;Parent=A1
chr1\tx\texon\t121\t140\t.\t+\t.\tParent=A2
chr1\tx\tlnc_RNA\t121\t140\t.\t+\t.\tParent=GA;ID=A2
chr1\tx\tncRNA_gene\t201\t260\t.\t-\t.\tgene_id=GB;ID=gene:GB;Name=Be%74a
chr1\tx\tlnc_RNA\t201\t260\t.\t-\t.\tID=transcript:B1;Parent=gene:GB
chr1\tx\texon\t241\t260\t.\t-\t.\tParent=transcript:B1
chr1\tx\texon\t201\t210\t.\t-\t.\tParent=transcript:B1
chr1\tx\tcDNA_match\t300\t310\t.\t+\t.\tID=m1
chr1\tx\texon\t300\t310\t.\t+\t.\tParent=nobody
##FASTA
>chr1
ACGT
"""

BED12 = """\
track name="genes"
chr1\t100\t140\tA1\t0\t+\t100\t140\t0\t2\t10,10,\t0,30,
chr1\t120\t140\tA2\t0\t+\t120\t140\t0\t1\t20,\t0,
chr1\t200\t260\tB1\t0\t-\t200\t260\t0\t2\t10,20\t0,40
"""


def write(folder: Path, text: str, name: str = "genes") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def on(start: int, end: int, strand: str) -> Interval:
    return Interval("chr1", start, end, strand)


EXPECTED = {
    Feature("gene", on(100, 140, "+"), "GA", "Alpha", ""),
    Feature("transcript", on(100, 140, "+"), "GA", "Alpha", "A1"),
    Feature("exon", on(100, 110, "+"), "GA", "Alpha", "A1"),
    Feature("exon", on(130, 140, "+"), "GA", "Alpha", "A1"),
    Feature("transcript", on(120, 140, "+"), "GA", "Alpha", "A2"),
    Feature("exon", on(120, 140, "+"), "GA", "Alpha", "A2"),
    Feature("gene", on(200, 260, "-"), "GB", "Beta", ""),
    Feature("transcript", on(200, 260, "-"), "GB", "Beta", "B1"),
    Feature("exon", on(240, 260, "-"), "GB", "Beta", "B1"),
    Feature("exon", on(200, 210, "-"), "GB", "Beta", "B1"),
}


def test_gtf(tmp_path: Path) -> None:
    rows = list(gtf.read(write(tmp_path, GTF)))
    assert set(rows) == EXPECTED
    assert len(rows) == len(EXPECTED)
    assert [row.kind for row in rows[:3]] == ["gene", "transcript", "exon"], "in file order"


def test_gff3(tmp_path: Path) -> None:
    bare = {"transcript:B1": "B1"}
    rows = [
        row._replace(transcript=bare.get(row.transcript, row.transcript)) for row in gtf.read(write(tmp_path, GFF3))
    ]
    assert set(rows) == EXPECTED
    assert len(rows) == len(EXPECTED)


def test_gff3_rows_in_any_order(tmp_path: Path) -> None:
    comments, rows = GFF3.splitlines()[:2], GFF3.splitlines()[2:-3]
    forwards = set(gtf.read(write(tmp_path, GFF3)))
    assert set(gtf.read(write(tmp_path, "\n".join([*comments, *rows[::-1]]), "back"))) == forwards


def test_gff3_exons_of_several_transcripts_and_of_a_gene_itself(tmp_path: Path) -> None:
    text = (
        "c\tx\tgene\t1\t50\t.\t+\t.\tID=G\n"
        "c\tx\tmRNA\t1\t50\t.\t+\t.\tID=T1;Parent=G\n"
        "c\tx\tprimary_transcript\t11\t50\t.\t+\t.\tID=T2;Parent=G\n"
        "c\tx\tmiRNA\t21\t30\t.\t+\t.\tID=M;Parent=T2\n"
        "c\tx\texon\t11\t50\t.\t+\t.\tParent=T1,T2\n"
        "c\tx\texon\t21\t30\t.\t+\t.\tParent=M\n"
        "c\tx\texon\t1\t5\t.\t+\t.\tParent=G\n"
    )
    rows = list(gtf.read(write(tmp_path, text)))
    assert [row.transcript for row in rows if row.kind == "transcript"] == ["T1", "T2"], "no start site inside another"
    assert [row.transcript for row in rows if row.kind == "exon"] == ["T1", "T2", "M", ""]


def test_a_family_that_is_its_own_parent_belongs_to_no_gene(tmp_path: Path) -> None:
    text = (
        "c\tx\tmRNA\t1\t50\t.\t+\t.\tID=A;Parent=B\nc\tx\tmRNA\t1\t50\t.\t+\t.\tID=B;Parent=A\n"
        "c\tx\texon\t1\t50\t.\t+\t.\tParent=A\n"
    )
    assert list(gtf.read(write(tmp_path, text))) == []


def test_transcripts_in_twelve_columns(tmp_path: Path) -> None:
    rows = list(gtf.read(write(tmp_path, BED12)))
    assert [(row.kind, row.interval.start, row.interval.end, row.gene) for row in rows] == [
        ("transcript", 100, 140, "A1"),
        ("exon", 100, 110, "A1"),
        ("exon", 130, 140, "A1"),
        ("transcript", 120, 140, "A2"),
        ("exon", 120, 140, "A2"),
        ("transcript", 200, 260, "B1"),
        ("exon", 200, 210, "B1"),
        ("exon", 240, 260, "B1"),
    ]


def test_start_sites_in_a_bed_file(tmp_path: Path) -> None:
    # the base at 0-based 100 as BED has it, and as a 1-based position in both columns
    text = "chr1\t100\t101\tT1\t.\t+\nchr1\t101\t101\tT2\t.\t-\tGENE\n"
    assert list(gtf.read(write(tmp_path, text))) == [
        Feature("transcript", on(100, 101, "+"), "T1", "", "T1"),
        Feature("transcript", on(100, 101, "-"), "GENE", "", "T2"),
    ]


def test_the_same_genes_in_every_format(tmp_path: Path) -> None:
    one, other, blocks = (Genes.read(write(tmp_path, text, f"g{i}")) for i, text in enumerate((GTF, GFF3, BED12)))
    assert one.touching(on(0, 1000, ".")) == other.touching(on(0, 1000, "."))
    assert one.digest() == other.digest() != blocks.digest()
    assert sorted(site for gene in blocks.touching(on(0, 1000, ".")) for site in gene.tss) == [100, 120, 259]


def test_compressed_files_are_told_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "genes.gtf"
    path.write_bytes(gzip.compress(GTF.encode()))
    assert len(list(gtf.read(path))) == len(EXPECTED)
    path.write_bytes(gzip.compress(GTF.encode() * 20)[:-40])
    with pytest.raises(InputError, match=r"genes.gtf cannot be read"):
        list(gtf.read(path))
    with pytest.raises(InputError, match="cannot be read"):
        list(gtf.read(tmp_path / "none"))


ROW = 'chr1\tx\tgene\t101\t140\t.\t+\t.\tgene_id "GA";'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no line to read"),
        ("# nothing\n\n", "has no line to read"),
        ("chr1 100 200\n", "line 1: this is no GTF"),
        ("gene_id\tx\n", "line 1: this is no GTF"),
        (f"{ROW}\nchr1\tx\tgene\t1\n", "line 2: a line has nine columns"),
        (ROW + "\n" + ROW.replace("101", "1e2"), "line 2: a line has nine columns.*whole numbers"),
        (ROW + "\n" + ROW.replace("GA", ""), "line 2: the gene has no gene_id"),
        (ROW.replace("+", "."), r"line 1: strand '\.' is neither"),
        (ROW.replace("140", "90"), "line 1: interval end 90 lies before its start 100"),
        ("\n" + ROW.replace("chr1", ""), "line 2: an interval needs a chromosome"),
        ("chr1\t5\t6\tA\t.\t+\nchr1\t5\n", "line 2: a BED file of genes"),
        ("chr1\t5\t6\tA\t.\t+\nchr1\t5\tx\tA\t.\t+\n", "line 2: a BED file of genes"),
        ("chr1\t5\t6\tA\t.\t.\n", "line 1: strand"),
        ("chr1\t5\t4\tA\t.\t+\n", "line 1: the row is -1 bp wide"),
        ("chr1\t0\t0\tA\t.\t+\n", "line 1: the row is 0 bp wide"),
        ("chr1\t5\t500\tA\t.\t+\n", "line 1: the row is 495 bp wide; a row is one TSS"),
        (BED12.replace("10,10,", "10,"), "line 2: columns 11 and 12"),
        (BED12.replace("10,10,", "a,10,"), "line 2: columns 11 and 12"),
    ],
)
def test_what_is_no_annotation_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(gtf.read(write(tmp_path, text)))


@given(st.integers(0, 10_000), st.sampled_from([GTF, GFF3, BED12]), st.sampled_from('\t;="ach0-1 \n\x00é'))
def test_damaged_files_give_rows_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, place: int, text: str, letter: str
) -> None:
    place %= len(text)
    path = write(tmp_path_factory.mktemp("damaged"), text[:place] + letter + text[place + 1 :])
    rows = []
    with suppress(InputError):
        rows = list(gtf.read(path))
    assert all(row.gene and row.interval.strand in ("+", "-") for row in rows)


@pytest.mark.shared
def test_two_catalogues_agree_to_the_base(shared: Path) -> None:
    """GENCODE's start sites, 1-based in both columns, and RefSeq's transcripts, 0-based."""
    folder = shared / "data" / "annotation"
    gencode, refseq = Genes.read(folder / "GENCODEv19-TSSs.bed.gz"), Genes.read(folder / "refseq.hg19.chr20.bed")
    assert len(gencode) == 54_846
    sites = [
        {tss for gene in genes.touching(Interval("20", 0, 70_000_000)) if gene.strand == strand for tss in gene.tss}
        for genes in (gencode, refseq)
        for strand in "+-"
    ]
    for ours, theirs in ((sites[0], sites[2]), (sites[1], sites[3])):
        same, slipped = len(theirs & ours), max(len(theirs & {tss + by for tss in ours}) for by in (-1, 1))
        assert same > 5 * slipped, "one base to either side hardly any agree"
    found = gencode.tss_distance("20", 42_984_440)  # HNF4A, promoter P2
    assert found is not None
    assert (found[0], found[1].id) == (0, "ENSG00000101076.12")


@pytest.mark.shared
def test_refseqs_transcripts(shared: Path) -> None:
    path = shared / "data" / "annotation" / "refseq.hg19.chr20.bed"
    genes = Genes.read(path)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert len(genes) == len({(line[3], line[5]) for line in lines})
    sites = {(line[3], int(line[1]) if line[5] == "+" else int(line[2]) - 1) for line in lines}
    assert {(gene.id, tss) for gene in genes.touching(Interval("20", 0, 70_000_000)) for tss in gene.tss} <= sites

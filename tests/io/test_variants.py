"""Variants from any file that holds some: formats told by content, tables with and without names, contigs, streams."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pysam
import pytest

from distal.errors import InputError
from distal.io import vcf
from distal.io.fasta import Genome
from distal.io.variants import Source, check_genome
from distal.io.vcf import VcfRow

META = """\
##fileformat=VCFv4.3
##contig=<ID=chr1,length=1000>
##contig=<ID=chrM,length=16571>
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">
"""
VCF = META + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
PVAR = "##chrSet <autosomePairCt=22 X Y XY M>\n##contig=<ID=chr1,length=1000>\n#CHROM\tPOS\tID\tREF\tALT\tCM\n"
SITES = [("chr1", 5, "rs1", "A", ["C"]), ("chr1", 7, ".", "ACG", ["A", "ACGT"]), ("chrM", 9, "rs3", "G", ["T"])]


def table(header: str, layout: str) -> str:
    """`layout` has {chrom}, {pos}, {id}, {ref}, {alt} where the columns are."""
    lines = (
        layout.format(chrom=chrom, pos=pos, id=name, ref=ref, alt=",".join(alts))
        for chrom, pos, name, ref, alts in SITES
    )
    return header + "".join(f"{line}\n" for line in lines)


TEXTS = {
    "vcf": table(VCF, "{chrom}\t{pos}\t{id}\t{ref}\t{alt}\t.\tPASS\tAF=0.1"),
    "vcf without columns' names": table("##fileformat=VCFv4.3\n", "{chrom}\t{pos}\t{id}\t{ref}\t{alt}\t.\tPASS\t."),
    "vcf with names alone": table("#CHROM\tPOS\tID\tREF\tALT\n", "{chrom}\t{pos}\t{id}\t{ref}\t{alt}"),
    "pvar": table(PVAR, "{chrom}\t{pos}\t{id}\t{ref}\t{alt}\t0.5"),
    "pvar in another order": table("#CHROM\tID\tALT\tREF\tPOS\n", "{chrom}\t{id}\t{alt}\t{ref}\t{pos}"),
    "tsv": table("chrom\tpos\tref\talt\tid\n", "{chrom}\t{pos}\t{ref}\t{alt}\t{id}"),
    "tsv with other names": table(
        "variant_id\tbeta\tAlternate_Allele\tReference_Allele\tPosition\tChromosome\trsid\n",
        "unused\t0.1\t{alt}\t{ref}\t{pos}\t{chrom}\t{id}",
    ),
    "five columns": table("", "{chrom}\t{pos}\t{id}\t{ref}\t{alt}"),
}
ANNOTATABLE = {kind for kind in TEXTS if kind.startswith("vcf")}


def expected(text: str, name: str = "") -> list[VcfRow]:
    first = text.count("\n") - len(SITES) + 1
    return [
        VcfRow(first + record, record, chrom, pos, name or site, ref, alt)
        for record, (chrom, pos, site, ref, alts) in enumerate(SITES)
        for alt in alts
    ]


def bgzip(path: Path, data: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb", None) as file:
        file.write(data)
    return path


def write(folder: Path, text: str, packed: str = "plain") -> Path:
    path = folder / "file"  # no ending: the content tells
    if packed == "bgzip":
        return bgzip(path, text.encode())
    path.write_bytes({"plain": text.encode(), "gzip": gzip.compress(text.encode())}[packed])
    return path


def write_bcf(folder: Path) -> Path:
    (folder / "source.vcf").write_text(TEXTS["vcf"])
    with (
        pysam.VariantFile(str(folder / "source.vcf")) as records,
        pysam.VariantFile(str(folder / "bcf"), "wb", header=records.header) as out,
    ):
        for record in records:
            out.write(record)
    return folder / "bcf"


# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", ["plain", "gzip", "bgzip"])
@pytest.mark.parametrize("kind", TEXTS)
def test_every_format_has_the_same_rows(tmp_path: Path, kind: str, packed: str, end: str) -> None:
    text = TEXTS[kind]
    source = Source.of(write(tmp_path, text.replace("\n", end), packed))
    assert list(source.rows()) == list(source.rows()) == expected(text)
    assert source.is_vcf == (kind in ANNOTATABLE)
    assert not source.once
    assert source.path == str(tmp_path / "file")
    assert pickle.loads(pickle.dumps(source)) == source


def test_bcf(tmp_path: Path) -> None:
    source = Source.of(write_bcf(tmp_path))
    assert [row[1:] for row in source.rows()] == [row[1:] for row in expected(TEXTS["vcf"])]
    assert source.is_vcf
    assert source.contigs() == {"chr1": 1000, "chrM": 16571}


def test_four_columns_have_no_names(tmp_path: Path) -> None:
    text = table("", "{chrom}\t{pos}\t{ref}\t{alt}")
    assert list(Source.of(write(tmp_path, text)).rows()) == expected(text, ".")


def test_a_vcf_is_read_as_by_the_reader_of_vcf(tmp_path: Path) -> None:
    path = write(tmp_path, TEXTS["vcf"])
    assert list(Source.of(path).rows()) == list(vcf.read(path))


def test_a_header_without_variants(tmp_path: Path) -> None:
    for header in (VCF, PVAR, "chrom\tpos\tref\talt\n"):
        assert list(Source.of(write(tmp_path, header)).rows()) == []


def test_texts(tmp_path: Path) -> None:
    source = Source.of_texts(["chr20:42,984,264:c>T", "1:7:ACG:A"])
    assert list(source.rows()) == [
        VcfRow(1, 0, "chr20", 42984264, ".", "C", "T"),
        VcfRow(2, 1, "1", 7, ".", "ACG", "A"),
    ]
    assert (source.once, source.is_vcf, source.contigs()) == (False, False, {})
    for text in ("chr20:5", "chr20:5:A>R", "chr20:0:A>C", "rs123", ""):
        with pytest.raises(InputError, match=r"understood|sequence of|before base 1"):
            Source.of_texts(["chr1:5:A>C", text])


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no variants"),
        ("\n\n", "holds no variants"),
        ("##only\n##meta\n", "holds no variants"),
        ("##fileformat=VCFv4.2\nchr1\t5\n", "line 2: 2 columns"),
        ("chr1\trs1\t0\t5\tC\tA\n", r"line 1: 6 columns without names.*\.bim doesn't say"),
        ("chr1\t5\t6\t7\n", "line 1: the alleles are numbers"),
        ("chr1 5 A C\n", "line 1: no column is named chrom, pos, ref, alt"),
        ("CHR\tBP\tSNP\tA1\tA2\n1\t5\trs1\tA\tC\n", "line 1: no column is named ref, alt"),
        ("chr\tchrom\tpos\tref\talt\n1\t1\t5\tA\tC\n", "line 1: chr and chrom both name the column chrom"),
        ("chrom\tpos\tref\talt\nchr1\t5\tA\tC\nchr1\t5\tA\n", "line 3: 3 columns separated by tabs, not 4"),
        ("chrom\tpos\tref\talt\nchr1\t5\tA\tC\tG\n", "line 2: 5 columns separated by tabs, not 4"),
        ("chrom\tpos\tref\talt\nchr1\t5.0\tA\tC\n", r"line 2: the position '5\.0'"),
        ("chrom\tpos\tref\talt\n\t5\tA\tC\n", "line 2: the chromosome is empty"),
        ("chr1\t5\tA\tC\n#hr1\t6\tA\tC\n", "line 2: a comment between variants"),
        ("chr1\t5\tA\tC\n##r1\t6\tA\tC\n", "line 2: a comment between variants"),
        ("chr1\t5\tA\tC\rchr1\t6\tA\tC\n", "line 1: a carriage return or NUL"),
        ("chr1\t5\tA\tC\nchr1\t6\tA\tC\rG\n", "line 2: a carriage return or NUL"),
        ("PAR1\t5\tA\tC\nchr1\t6\t\0\tC\n", "line 2: a carriage return or NUL"),
        ("##fileformat=VCFv4.2\rchr1\t5\t.\tA\tC\n", "line 1: a carriage return or NUL"),
        (f"{VCF[:-1]}chr1\t5\t.\tA\tC\n", "line 5: a column is named 'INFOchr1' where a VCF has INFO"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as error:
        list(Source.of(path).rows())
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("data", "program"),
    [
        (b"\x28\xb5\x2f\xfd\x04\x58", "zstd -dc"),
        (bz2.compress(b"x"), "bzip2 -dc"),
        (lzma.compress(b"x"), "xz -dc"),
        (b"PK\x03\x04", "unzip -p"),
    ],
)
def test_files_that_others_packed(tmp_path: Path, data: bytes, program: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(InputError, match=f"`{program} FILE"):
        Source.of(tmp_path / "file")


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing cannot be read \(No such file"):
        Source.of(tmp_path / "missing")


# --- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vcf", "pvar", "tsv", "bcf"])
@pytest.mark.parametrize("packed", ["plain", "gzip"])
def test_standard_input(tmp_path: Path, kind: str, packed: str) -> None:
    path = write_bcf(tmp_path) if kind == "bcf" else write(tmp_path, TEXTS[kind], packed)
    code = (
        "from distal.io.variants import Source\ns = Source.of('-')\nprint(s.once, s.is_vcf, s.contigs())\n"
        "print(*((r.pos, r.alt) for r in s.rows()), sep='\\n')"
    )
    with path.open("rb") as stream:
        found = subprocess.run([sys.executable, "-c", code], stdin=stream, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["True False {}", *(str((r.pos, r.alt)) for r in expected(TEXTS["vcf"]))]


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = Source.of(pipe)  # does not wait for a writer
    assert source.once
    writer = threading.Thread(target=lambda: pipe.write_text(TEXTS["pvar"]))
    writer.start()
    assert list(source.rows()) == expected(TEXTS["pvar"])
    writer.join()


def test_an_unfinished_reading_closes_its_file(tmp_path: Path) -> None:
    for text in TEXTS.values():
        rows = Source.of(write(tmp_path, text, "bgzip")).rows()
        next(rows)
        del rows  # a file left open is a ResourceWarning, and warnings are errors


# --- contigs ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">1\n{'A' * 1000}\n>chrM\n{'C' * 16569}\n")
    return Genome(path)


def headed(folder: Path, *contigs: str) -> Source:
    lines = "".join(f"##contig=<{contig}>\n" for contig in contigs)
    return Source.of(write(folder, f"##fileformat=VCFv4.2\n{lines}#CHROM\tPOS\tID\tREF\tALT\n"))


def test_a_header_that_agrees_with_the_genome(tmp_path: Path, genome: Genome) -> None:
    assert check_genome(headed(tmp_path, "ID=chr1,length=1000", "ID=MT"), genome) == []
    for source in (Source.of_texts(["chr1:5:A>C"]), Source.of(write(tmp_path, TEXTS["tsv"])), Source.of("-")):
        assert check_genome(source, genome) == []


def test_a_contig_of_another_length(tmp_path: Path, genome: Genome) -> None:
    source = headed(tmp_path, "ID=MT,length=16571", "ID=chr1,length=1001")
    with pytest.raises(InputError, match=r"chr1 has 1,001 bases in .*file and 1,000 in .*g\.fa; give the genome build"):
        check_genome(source, genome)


def test_another_mitochondrion_and_absent_contigs_are_noted(tmp_path: Path, genome: Genome) -> None:
    absent = [f"ID=decoy{i},length={i}" for i in range(5)]
    notes = check_genome(headed(tmp_path, "ID=chr1,length=1000", "ID=MT,length=16571", *absent), genome)
    assert len(notes) == 2
    assert notes[0].startswith("MT has 16,571 bases in ")
    assert "16,569 in" in notes[0]
    assert "5 of 7 contigs" in notes[1]
    assert notes[1].endswith("decoy0, decoy1, decoy2, …")


@pytest.mark.shared
def test_1000_genomes(shared: Path) -> None:
    source = Source.of(shared / "data/eqtl/1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz")
    assert source.is_vcf
    assert sum(1 for _ in source.rows()) == 24_990
    assert check_genome(source, Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")) == []

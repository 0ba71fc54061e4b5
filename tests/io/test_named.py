"""Lists of variants named by alleles, place or ID, with what stands beside them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from distal.errors import InputError
from distal.io import named
from distal.io.named import Named
from distal.io.variants import Source

PIP = (("pip", "weight"),)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_vcf_gives_each_allele_its_own_value(tmp_path: Path) -> None:
    text = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    text += "chr1\t10\trs1\tA\tC,G\t.\t.\tAF=0.1,0.2;AA=c|||;FLAG\nchr1\t11\t.\tT\tC\t.\t.\t.\n"
    found = list(named.read(write(tmp_path / "v.vcf", text), (("maf", "af"), ("aa",))))
    assert [(row.pos, row.ref, row.alt, row.values) for row in found] == [
        (10, "A", "C", ("0.1", "c|||")),
        (10, "A", "G", ("0.2", "c|||")),
        (11, "T", "C", ("", "")),
    ]
    assert found[0].where.endswith("v.vcf line 3")
    assert found[1].number(0) == 0.2
    assert math.isnan(found[2].number(0))
    with pytest.raises(InputError, match=r"v.vcf line 3: 'c\|\|\|' is not a number"):
        found[0].number(1)


@pytest.mark.parametrize("space", ["\t", " "])
def test_a_table_by_alleles_place_or_id(tmp_path: Path, space: str) -> None:
    def table(*lines: str) -> list[Named]:
        text = "\n".join(line.replace(" ", space) for line in lines) + "\n"
        return [row._replace(where="") for row in named.read(write(tmp_path / "t.txt", text), PIP)]

    assert table("#CHR BP SNP REF ALT PIP", "1 10 rs1 a c 0.5") == [Named("", "rs1", "1", 10, "A", "C", ("0.5",))]
    assert table("rsid weight", "rs1 1") == [Named("", "rs1", "", 0, "", "", ("1",))]
    assert table("chrom pos pip", "chrX 7 NA") == [Named("", ".", "chrX", 7, "", "", ("NA",))]
    (ancestral,) = table("chrom pos ancestral derived pip", "chr2 9 G T 1")
    assert (ancestral.ref, ancestral.alt) == ("G", "T")
    both = table("chrom pos ref alt ancestral pip", "chr2 9 G T,C T 1")
    assert [(row.ref, row.alt) for row in both] == [("G", "T"), ("G", "C")]


@pytest.mark.parametrize(("text", "names"), [("rs1\nrs2\n", ["rs1", "rs2"]), ("SNP\nrs1\n\nrs2\n", ["rs1", "rs2"])])
def test_bare_ids(tmp_path: Path, text: str, names: list[str]) -> None:
    assert [row.name for row in named.read(write(tmp_path / "ids", text))] == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("beta p\n1 2\n", "line 1: no column names the variants"),
        ("snp beta\nrs1 2\n", "line 1: there is no column pip or weight; it has snp, beta"),
        ("snp pip\nrs1\n", "line 2: 1 columns, the line of names has 2"),
        ("chrom pos pip\nchr1 ten 1\n", "line 2: the position 'ten' is not a number"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(named.read(write(tmp_path / "t", text), PIP))


def test_a_list_of_ancestral_and_derived_alleles_can_be_scored(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "chrom\tpos\tancestral\tderived\nchr1\t5\tA\tG\n")
    (row,) = Source.of(path).rows()
    assert (row.ref, row.alt) == ("A", "G")
    path = write(tmp_path / "u.tsv", "chrom\tpos\tref\talt\tancestral\nchr1\t5\tA\tG\tG\n")
    (row,) = Source.of(path).rows()
    assert (row.ref, row.alt) == ("A", "G")


def test_the_thousand_genomes(shared: Path) -> None:
    path = shared / "data" / "eqtl" / "1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"
    found = list(named.read(path, (("af",),)))
    assert len(found) >= 24_990
    assert all(0 <= row.number(0) <= 1 for row in found)
    assert found[0][1:] == ("rs376678365", "20", 1_000_226, "A", "T", ("0.00198807",))

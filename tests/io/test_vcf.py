"""VCF and BCF rows, odd and malformed records, streams, and annotated copies."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Variant
from distal.errors import InputError
from distal.io import vcf
from distal.io.vcf import VcfRow

HEADER = """\
##fileformat=VCFv4.2
##contig=<ID=chr1,length=1000>
##contig=<assembly=x,ID=HLA-A*01:01,length=30>
##contig=<ID=chr2>
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency, ID=x">
##INFO=<ID=DB,Number=0,Type=Flag,Description="In dbSNP">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1
"""
RECORDS = """\
chr1\t5\trs1\tA\tC\t30\tPASS\tAF=0.5;DB\tGT\t0|1
chr1\t7\t.\tacg\ta,ACGT\t.\t.\tAF=0.1,0.2\tGT\t1|2
chr1\t9\trs3\tA\t.\t.\t.\t.\tGT\t0|0
chr2\t4\trs4\tC\t<DEL>,*,T\t.\tq10\tEND=9\tGT\t0|3
"""
ROWS = [
    VcfRow(9, 0, "chr1", 5, "rs1", "A", "C"),
    VcfRow(10, 1, "chr1", 7, ".", "ACG", "A"),
    VcfRow(10, 1, "chr1", 7, ".", "ACG", "ACGT"),
    VcfRow(11, 2, "chr1", 9, "rs3", "A", "."),
    VcfRow(12, 3, "chr2", 4, "rs4", "C", "<DEL>"),
    VcfRow(12, 3, "chr2", 4, "rs4", "C", "*"),
    VcfRow(12, 3, "chr2", 4, "rs4", "C", "T"),
]
GOOD = "chr1\t5\trs1\tA\tC\t.\t.\t.\tGT\t0|1\n"


def bgzip(path: Path, data: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb", None) as file:
        file.write(data)
    return path


def write(path: Path, text: str, kind: str = "plain") -> Path:
    if kind == "bgzip":
        return bgzip(path, text.encode())
    if kind == "bcf":
        source = write(path.with_suffix(".source.vcf"), text)
        with (
            pysam.VariantFile(str(source)) as records,
            pysam.VariantFile(str(path), "wb", header=records.header) as out,
        ):
            for record in records:
                out.write(record)
        return path
    path.write_bytes(gzip.compress(text.encode()) if kind == "gzip" else text.encode())
    return path


def complete(text: str) -> str:
    """With what BCF needs declared."""
    declared = '##FILTER=<ID=q10,Description="x">\n##INFO=<ID=END,Number=1,Type=Integer,Description="x">\n'
    return text.replace("##FORMAT", f"{declared}##FORMAT")


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "gzip", "bgzip"])
def test_one_row_for_each_alt_in_file_order(tmp_path: Path, kind: str) -> None:
    assert list(vcf.read(write(tmp_path / "x", HEADER + RECORDS, kind))) == ROWS


def test_bcf_has_the_same_rows(tmp_path: Path) -> None:
    text = complete(HEADER + RECORDS)
    rows, expected = list(vcf.read(write(tmp_path / "x", text, "bcf"))), list(vcf.read(write(tmp_path / "y", text)))
    assert [(r.record, r.chrom, r.pos, r.name, r.ref, r.alt) for r in rows] == [
        (r.record, r.chrom, r.pos, r.name, r.ref, r.alt) for r in expected
    ]
    view = str(pysam.VariantFile(str(tmp_path / "x")).header).count("\n")  # htslib adds its PASS line
    assert [row.line for row in rows] == [view + 1 + row.record for row in rows]


def test_a_row_becomes_a_variant(tmp_path: Path) -> None:
    assert ROWS[0].variant() == Variant("chr1", 4, "A", "C", "rs1")
    assert ROWS[1].variant() == Variant("chr1", 6, "ACG", "A")
    for row in (
        ROWS[3],
        ROWS[4],
        ROWS[5],
        VcfRow(1, 0, "chr1", 5, ".", "R", "A"),
        VcfRow(1, 0, "chr1", 0, ".", "A", "C"),
    ):
        with pytest.raises(InputError, match=r"chr[12]"):
            row.variant()


@pytest.mark.parametrize(
    ("columns", "ref", "alts"),
    [
        ("a\tc", "A", ["C"]),
        ("R\ty", "R", ["Y"]),
        (".\tC", ".", ["C"]),
        ("A\tC,", "A", ["C", "."]),
        ("A\t", "A", ["."]),
        ("A\ta[chr2:32[", "A", ["a[chr2:32["]),
        ("A\t<Dup>", "A", ["<Dup>"]),
        ("A\t123-?", "A", ["123-?"]),
        ("A\tA,A,A", "A", ["A", "A", "A"]),
    ],
)
def test_odd_alleles_pass_as_rows(tmp_path: Path, columns: str, ref: str, alts: list[str]) -> None:
    path = write(tmp_path / "x", f"{HEADER}{GOOD}chr1\t6\t.\t{columns}\t.\t.\t.\tGT\t0|1\n{GOOD}")
    rows = list(vcf.read(path))
    assert [(row.ref, row.alt) for row in rows[1:-1]] == [(ref, alt) for alt in alts]
    assert [row.record for row in rows] == [0, *[1] * len(alts), 2]


@pytest.mark.parametrize(
    "record",
    [
        "chr9\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1",  # a contig, FILTER, INFO and FORMAT that the header does not know
        "chr1\t5\t.\tA\tC\t.\tunknown\tFOO=1\tXX\t3",
        "chr1\t0\t.\tA\tC\t.\t.\t.\tGT\t0|1",  # telomere
        "chr1\t99999999999\t.\tA\tC\t.\t.\t.\tGT\t0|1",
        "chr1\t5\t.\tA\tC\tlots\t.\tAF=many\tGT\t0|1",
        "chr1\t5\trs1;rs2\tA\tC\t.\t.\t.\tGT\t",
        "chr<1>\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1",
    ],
)
def test_odd_records_are_not_lost(tmp_path: Path, record: str) -> None:
    rows = list(vcf.read(write(tmp_path / "x", f"{HEADER}{GOOD}{record}\n{GOOD}")))
    chrom, pos, name, ref, alt = record.split("\t")[:5]
    assert rows[1] == VcfRow(10, 1, chrom, int(pos), name, ref, alt)
    assert len(rows) == 3


def test_line_ends_byte_order_mark_blank_lines_and_a_missing_last_newline(tmp_path: Path) -> None:
    text = ("\ufeff" + HEADER + GOOD + "\n" + GOOD.rstrip()).replace("\n", "\r\n")
    (tmp_path / "x").write_bytes(text.encode())
    assert [(row.line, row.record, row.alt) for row in vcf.read(tmp_path / "x")] == [(9, 0, "C"), (11, 1, "C")]
    assert vcf.contigs(tmp_path / "x")["chr1"] == 1000


def test_names_that_are_not_utf8_can_be_written_again(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(
        HEADER.encode() + GOOD.replace("rs1", "é").encode() + GOOD.encode().replace(b"rs", b"\xe9")
    )
    names = [row.name for row in vcf.read(tmp_path / "x")]
    assert names == ["é", "é1"]


@pytest.mark.parametrize(
    "header",
    ["##fileformat=VCFv4.2\n", "#CHROM\tPOS\tID\tREF\tALT\n", "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"],
)
def test_short_headers_do(tmp_path: Path, header: str) -> None:
    rows = list(vcf.read(write(tmp_path / "x", f"{header}chr1\t5\trs1\tA\tC\nchr1\t6\trs2\tA\tC\n")))
    assert [row.name for row in rows] == ["rs1", "rs2"]


@pytest.mark.parametrize("text", ["#hr1\t5\trs1\tA\tC\t.\t.\t.\tGT\t0|1", "#a comment"])
def test_a_single_hash_between_records_may_be_a_record(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="line 10: a damaged record or header, or a comment"):
        list(vcf.read(write(tmp_path / "x", f"{HEADER}{GOOD}{text}\n{GOOD}")))


def test_one_vcf_behind_another(tmp_path: Path) -> None:
    rows = list(vcf.read(write(tmp_path / "x", HEADER + RECORDS + HEADER + GOOD)))
    assert rows[:-1] == ROWS
    assert rows[-1] == VcfRow(21, 4, "chr1", 5, "rs1", "A", "C")


def test_lines_of_any_length_around_the_chunks_that_are_read(tmp_path: Path) -> None:
    names = ["é" * length for length in (1, 200_000, 3, 65_000, 65_536, 1)]
    text = HEADER + "".join(GOOD.replace("rs1", name) for name in names)
    for kind in ("plain", "bgzip"):
        assert [row.name for row in vcf.read(write(tmp_path / "x", text.rstrip("\n"), kind))] == names


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert list(vcf.read(write(tmp_path / "x", HEADER))) == []
    assert list(vcf.read(write(tmp_path / "y", complete(HEADER), "bcf"))) == []


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "gzip", "bgzip"])
@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("chr1\tabc\t.\tA\tC\t.\t.\t.\tGT\t0|1", "the position 'abc'"),
        ("chr1\t-5\t.\tA\tC\t.\t.\t.\tGT\t0|1", "the position '-5'"),
        ("chr1\t5x\t.\tA\tC\t.\t.\t.\tGT\t0|1", "the position '5x'"),
        ("chr1\t.\t.\tA\tC\t.\t.\t.\tGT\t0|1", r"the position '\.'"),
        ("chr1\t\t.\tA\tC\t.\t.\t.\tGT\t0|1", "the position ''"),
        ("chr1\t1" + "0" * 30 + "\t.\tA\tC\t.\t.\t.\tGT\t0|1", "the position '1000"),
        ("\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1", "the chromosome"),
        ("chr1\t5\t.\tA", "4 columns separated by tabs, not 10"),
        ("chr1\t5\t.\tA\tC\t.\t.\t.", "8 columns separated by tabs, not 10"),
        ("chr1\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|1", "11 columns separated by tabs, not 10"),
        ("chr1 5 . A C . . . GT 0|1", "1 columns separated by tabs, not 10"),
        ("chr1\t5\t.\tA\tC\0G\t.\t.\t.\tGT\t0|1", "cut off"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, record: str, message: str, kind: str) -> None:
    path = write(tmp_path / "x.vcf", f"{HEADER}{GOOD}{record}\n{GOOD}", kind)
    rows = vcf.read(path)
    assert next(rows).name == "rs1"
    with pytest.raises(InputError, match=message) as error:
        next(rows)
    assert str(error.value).startswith(f"{path} line 10: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a VCF"),
        ("##nothing\n", "is not a VCF"),
        ("##fileformat=VCFv4.2\n##contig=<ID=1>\n#CHRO", "is not a VCF, or cut off in the header"),
        ("chr1\t5\t.\tA\tC\n", "line 1: a record before any header"),
        ("#chrom\tstart\tend\tname\tscore\nchr1\t5\t9\tx\t0\n", "line 2: a record before any header"),
    ],
)
def test_files_that_are_no_vcf(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(vcf.read(write(tmp_path / "x", text)))


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.vcf"):
        with pytest.raises(InputError, match="cannot be read"):
            list(vcf.read(path))


@pytest.fixture(scope="module")
def many() -> str:
    random.seed(4)
    lines = (f"chr1\t{i}\trs{random.random()}\tA\tC\t.\t.\t.\tGT\t0|1\n" for i in range(1, 20_000))
    return HEADER + "".join(lines)


@pytest.mark.parametrize("kind", ["gzip", "bgzip", "bcf"])
def test_a_file_that_is_cut_off(tmp_path: Path, many: str, kind: str) -> None:
    path = write(tmp_path / "x", many, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut off|cannot be read after line"):
        list(vcf.read(path))


def test_a_bgzip_file_cut_between_blocks(tmp_path: Path, many: str) -> None:
    path = write(tmp_path / "x", many, "bgzip")
    path.write_bytes(path.read_bytes()[:-28])
    with pytest.raises(InputError, match="cut off: bgzip's end mark is missing"):
        list(vcf.read(path))


def test_a_damaged_block(tmp_path: Path, many: str) -> None:
    path = write(tmp_path / "x", many, "bgzip")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"cannot be read|columns|position"):
        list(vcf.read(path))


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_one_clear_error(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.vcf"
    path.write_bytes(HEADER.encode() + GOOD.encode() + junk)
    try:
        rows = list(vcf.read(path))
    except InputError as error:
        str(error).encode()
    else:
        assert rows[0].name == "rs1"
        str(rows).encode()


# --- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "gzip", "bgzip", "bcf"])
def test_standard_input(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "x", complete(HEADER + RECORDS), kind)
    code = "from distal.io import vcf; print(*((r.pos, r.alt) for r in vcf.read('-')), sep='\\n')"
    with path.open("rb") as stream:
        found = subprocess.run([sys.executable, "-c", code], stdin=stream, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [str((row.pos, row.alt)) for row in ROWS]


@pytest.mark.parametrize("kind", ["plain", "bgzip", "bcf"])
def test_a_named_pipe(tmp_path: Path, kind: str) -> None:
    data = write(tmp_path / "x", complete(HEADER + RECORDS), kind).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    assert [(row.pos, row.alt) for row in vcf.read(pipe)] == [(row.pos, row.alt) for row in ROWS]
    writer.join()
    for path in (pipe, "-"):
        with pytest.raises(InputError, match="only once"):
            vcf.contigs(path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(records: int) -> int:
        path = tmp_path / f"{records}.vcf.gz"
        bgzip(path, (HEADER + GOOD * records).encode())
        tracemalloc.start()
        assert sum(1 for _ in vcf.read(path)) == records
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # what is made once
    assert peak(24_000) < peak(6_000) + 100_000  # the text is 650 kB longer


def test_an_unfinished_reading_closes_its_file(tmp_path: Path) -> None:
    rows = vcf.read(write(tmp_path / "x", HEADER + RECORDS, "bgzip"))
    next(rows)
    del rows  # a file left open is a ResourceWarning, and warnings are errors


# --- contigs ----------------------------------------------------------------------------------------------------------


def test_contigs_of_the_header(tmp_path: Path) -> None:
    expected = {"chr1": 1000, "HLA-A*01:01": 30, "chr2": None}
    assert vcf.contigs(write(tmp_path / "x", HEADER + RECORDS)) == expected
    assert vcf.contigs(write(tmp_path / "y", complete(HEADER), "bcf")) == expected
    odd = '##contig=<ID=a,length=5,Description="x,ID=b">\n##contig=<ID=c,length=many>\n##contig=<length=7,ID=d>\n'
    assert vcf.contigs(write(tmp_path / "w", odd)) == {"a": 5, "c": None, "d": 7}
    assert vcf.contigs(write(tmp_path / "z", "#CHROM\tPOS\tID\tREF\tALT\n")) == {}


# --- annotate ---------------------------------------------------------------------------------------------------------

SAD = '##INFO=<ID=SAD,Number=A,Type=Float,Description="Score">'
STATUS = '##INFO=<ID=STATUS,Number=A,Type=String,Description="Status">'
INFO: list[dict[str, list[vcf.Value]]] = [
    {"SAD": [0.123456789], "STATUS": ["scored"]},
    {"SAD": [1.0, -2], "STATUS": ["scored", "odd, text"]},
    {"SAD": [None], "STATUS": ["unsupported_allele"]},
    {"SAD": [None, float("nan"), 3e-9], "STATUS": ["a", "b", "c"]},
]
ADDED = [
    "SAD=0.123457;STATUS=scored",
    "SAD=1,-2;STATUS=scored,odd%2C%20text",
    "SAD=.;STATUS=unsupported_allele",
    "SAD=.,.,3e-09;STATUS=a,b,c",
]


@pytest.mark.parametrize("kind", ["plain", "bgzip"])
def test_annotated_copy_keeps_everything_else(tmp_path: Path, kind: str) -> None:
    source, out = write(tmp_path / "x.vcf", HEADER + RECORDS, kind), tmp_path / "out.vcf.gz"
    vcf.annotate(source, out, [SAD, STATUS], INFO)
    before, after = (HEADER + RECORDS).splitlines(), gzip.decompress(out.read_bytes()).decode().splitlines()
    assert after[:7] == before[:7]
    assert after[7:10] == [SAD, STATUS, before[7]]
    for old, new, added in zip(before[8:], after[10:], ADDED, strict=True):
        was = old.split("\t")
        was[7] = added if was[7] == "." else f"{was[7]};{added}"
        assert new.split("\t") == was
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.vcf.gz", "out.vcf.gz.tbi", "x.vcf"]


def test_annotated_copy_is_bgzipped_and_indexed(tmp_path: Path) -> None:
    vcf.annotate(write(tmp_path / "x", HEADER + RECORDS), tmp_path / "out.vcf.gz", [SAD, STATUS], INFO)
    with pysam.TabixFile(str(tmp_path / "out.vcf.gz")) as index:
        assert [line.split("\t")[1] for line in index.fetch("chr1", 6, 20)] == ["7", "9"]
    with pysam.VariantFile(str(tmp_path / "out.vcf.gz")) as file:
        (record,) = file.fetch("chr1", 4, 5)
        assert record.info["SAD"] == pytest.approx((0.123457,))
        assert record.info["AF"] == (0.5,)
    assert list(vcf.read(tmp_path / "out.vcf.gz"))[2].alt == "ACGT"


def test_annotating_a_bcf(tmp_path: Path) -> None:
    vcf.annotate(write(tmp_path / "x", complete(HEADER + RECORDS), "bcf"), tmp_path / "o.vcf.gz", [SAD, STATUS], INFO)
    lines = [
        line for line in gzip.decompress((tmp_path / "o.vcf.gz").read_bytes()).decode().splitlines() if line[0] != "#"
    ]
    assert lines[0].split("\t")[7].split(";", 2)[-1] == ADDED[0]
    assert [line.split("\t")[9] for line in lines] == ["0|1", "1|2", "0|0", "0|3"]


def test_annotating_twice_replaces(tmp_path: Path) -> None:
    out = tmp_path / "out.vcf.gz"
    vcf.annotate(write(tmp_path / "x", HEADER + RECORDS), out, [SAD, STATUS], INFO)
    once = out.read_bytes()
    vcf.annotate(out, out, [SAD, STATUS], INFO)
    assert gzip.decompress(out.read_bytes()) == gzip.decompress(once)


def test_an_unsorted_source_comes_out_sorted(tmp_path: Path) -> None:
    order = [("chr2", 9), ("chr2", 3), ("chr1", 5), ("chr2", 3), ("chr1", 0)]
    text = "".join(f"{chrom}\t{pos}\tid{i}\tA\tC\t.\t.\t.\tGT\t0|1\n" for i, (chrom, pos) in enumerate(order))
    out = tmp_path / "out.vcf.gz"
    vcf.annotate(write(tmp_path / "x", HEADER + text), out, [SAD], ({"SAD": [i]} for i in range(5)))
    # contigs as they first appear, then position, then the order of the file
    assert [row.name for row in vcf.read(out)] == ["id1", "id3", "id0", "id4", "id2"]
    with pysam.TabixFile(str(out)) as index:
        assert [line.split("\t")[7] for line in index.fetch("chr2")] == ["SAD=1", "SAD=3", "SAD=0"]


def test_reordering_many_blocks(tmp_path: Path, many: str) -> None:
    header, records = many[: len(HEADER)], many[len(HEADER) :].splitlines(keepends=True)[:4000]
    shuffled = random.Random(5).sample(records, len(records))
    vcf.annotate(write(tmp_path / "x", header + "".join(shuffled)), tmp_path / "o.vcf.gz", [], ({} for _ in shuffled))
    assert gzip.decompress((tmp_path / "o.vcf.gz").read_bytes()).decode() == header + "".join(records)


def test_a_contig_beyond_tabix_gets_a_csi_index(tmp_path: Path) -> None:
    out = tmp_path / "out.vcf.gz"
    Path(f"{out}.tbi").write_text("of an earlier run")
    text = "".join(f"chr1\t{pos}\t.\tA\tC\t.\t.\t.\tGT\t0|1\n" for pos in (5, 600_000_000))
    vcf.annotate(write(tmp_path / "x", HEADER + text), out, [SAD], [{"SAD": [1]}, {"SAD": [2]}])
    assert not Path(f"{out}.tbi").exists()
    with pysam.TabixFile(str(out), index=f"{out}.csi") as index:
        assert [line.split("\t")[7] for line in index.fetch("chr1", 599_999_999, 600_000_000)] == ["SAD=2"]


def test_short_columns_are_filled_up(tmp_path: Path) -> None:
    source = write(tmp_path / "x", "#CHROM\tPOS\tID\tREF\tALT\nchr1\t5\t.\tA\tC\n")
    vcf.annotate(source, tmp_path / "o.vcf.gz", [SAD], [{"SAD": [1]}])
    assert gzip.decompress((tmp_path / "o.vcf.gz").read_bytes()).decode() == (
        f"##fileformat=VCFv4.2\n{SAD}\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t5\t.\tA\tC\t.\t.\tSAD=1\n"
    )


@pytest.mark.parametrize("info", [INFO[:3], [*INFO, {}], [{"SAD": [1, 2]}, *INFO[1:]]])
def test_values_that_do_not_fit_the_records(tmp_path: Path, info: list[dict[str, list[vcf.Value]]]) -> None:
    with pytest.raises(ValueError, match=r"zip\(\)|INFO SAD has 2 values for 1 ALT alleles at chr1:5"):
        vcf.annotate(write(tmp_path / "x", HEADER + RECORDS), tmp_path / "o.vcf.gz", [SAD, STATUS], info)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_failure_leaves_the_earlier_copy(tmp_path: Path) -> None:
    out = tmp_path / "o.vcf.gz"
    vcf.annotate(write(tmp_path / "x", HEADER + RECORDS), out, [SAD, STATUS], INFO)
    before = out.read_bytes()

    def broken() -> Iterator[dict[str, list[vcf.Value]]]:
        yield INFO[0]
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        vcf.annotate(tmp_path / "x", out, [SAD, STATUS], broken())
    with pytest.raises(InputError, match="only once"):
        vcf.annotate("-", out, [SAD, STATUS], INFO)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.vcf.gz", "o.vcf.gz.tbi", "x"]


# --- oracle and real data ---------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_1000_genomes_as_htslib_reads_it(shared: Path) -> None:
    path = shared / "data/eqtl/1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"
    rows = list(vcf.read(path))
    assert len(rows) == 24_990
    assert (rows[0].line, rows[0].pos, rows[0].name, rows[0].variant()) == (
        15, 1_000_226, "rs376678365", Variant("20", 1_000_225, "A", "T", "rs376678365"),
    )  # fmt: skip
    verbosity = pysam.set_verbosity(0)
    with pysam.VariantFile(str(path)) as file:
        theirs = [(r.chrom, r.pos, r.id, r.ref, alt) for r in file for alt in r.alts or (".",)]
    pysam.set_verbosity(verbosity)
    assert [(row.chrom, row.pos, row.name, row.ref, row.alt) for row in rows] == theirs
    assert vcf.contigs(path) == {"20": None}


@pytest.mark.shared
def test_a_vcf_without_column_names(shared: Path) -> None:
    rows = list(vcf.read(shared / "data/eqtl/eqtl.vcf"))
    assert (rows[0].line, rows[0].pos, rows[0].name) == (2, 14_677, "chr1_14677_G_A_b38")

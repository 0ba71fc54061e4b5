"""Make what `distal demo` carries: a slice of chr20, known variants, measured effects and genes around HNF4A.

    DISTAL_SHARED=shared python scripts/make_demo_data.py

Reads public files under $DISTAL_SHARED (and the vt-examples package's VCF, see INDELS) and writes src/distal/demo/.
The same inputs give the same bytes. Where each file comes from is said in src/distal/demo/ORIGIN.md. Every REF allele
is checked against the sequence; a mismatch stops the script.
"""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pysam

from distal.coords import Interval, Variant
from distal.io.fasta import Genome

SHARED = Path(os.environ["DISTAL_SHARED"]) / "data"
DEMO = Path(__file__).parent.parent / "src" / "distal" / "demo"
SLICE = Interval.from_ucsc("chr20:42,440,001-43,640,000")
VARIANTS = Interval.from_ucsc("chr20:42,550,000-43,530,000")
PROMOTER = Interval.from_ucsc("chr20:42,984,160-42,984,444")
LINE = 100  # letters a line of the FASTA file
TAGS = 10  # barcodes below which Kircher et al. do not trust an effect

MODY = {
    "chr20:42984253:C>G": "HNF4A:c.-192C>G",
    "chr20:42984264:G>A": "HNF4A:c.-181G>A",
    "chr20:42984276:C>T": "HNF4A:c.-169C>T",
    "chr20:42984299:T>C": "HNF4A:c.-146T>C",
}
"""P2 promoter variants reported in families with MODY1; c. counts from the start codon at chr20:42,984,445."""

INDELS = (
    "chr20:42551667:C>CAG",
    "chr20:42551669:G>GAG",
    "chr20:42595607:ACCAACA>A",
    "chr20:43521315:ACTCTA>A",
)
"""Indels called in 158 people, as vt's examples/normalize/01_IN.vcf.gz has them; the first two are the same one."""


@dataclass(frozen=True)
class Known:
    """A variant that somebody has seen: where from, and its measured effect when there is one."""

    variant: Variant
    source: str
    effect: float | None = None


def main() -> None:
    """Write every file of the demo."""
    genome = Genome(SHARED / "sequence" / "GRCh37_chr20.fa.gz")
    DEMO.mkdir(exist_ok=True)
    write_reference(genome, DEMO / "GRCh37_chr20_HNF4A.fa.gz")
    measured = list(measured_effects())
    for row in measured:
        if genome.fetch(row.site) != row.ref:
            raise SystemExit(f"{row}: the genome has {genome.fetch(row.site)}")
    write_measured(measured, DEMO / "measured.tsv")
    known = [*published(measured), *snps(), *gtex_leads(), *indels(), *mutagenesis(measured, genome)]
    write_vcf(records(known, genome), DEMO / "variants.vcf")
    write_genes(DEMO / "genes.bed")


def write_reference(genome: Genome, path: Path) -> None:
    """All of chr20 in its own coordinates, N outside `SLICE`: 63 Mb of N compress to next to nothing."""
    size = genome.sizes[SLICE.chrom]
    sequence = "N" * SLICE.start + genome.fetch(SLICE) + "N" * (size - SLICE.end)
    plain = path.with_suffix("")
    with plain.open("w") as file:
        file.write(f">{SLICE.chrom}\n")
        file.writelines(sequence[i : i + LINE] + "\n" for i in range(0, size, LINE))
    pysam.tabix_compress(str(plain), str(path), force=True)
    plain.unlink()
    pysam.faidx(str(path))


@dataclass(frozen=True)
class Measured:
    """A row of the saturation mutagenesis; `alt` is empty for a deleted base."""

    site: Interval
    ref: str
    alt: str
    tags: int
    effect: float
    p_value: float


def measured_effects() -> Iterator[Measured]:
    """HNF4A's rows of Kircher et al. 2019 on GRCh37, in the order of the file."""
    with gzip.open(SHARED / "cagi5" / "kircher2019_4elements.tsv.gz", "rt") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["Element"] == "HNF4A" and row["Release"] == "GRCh37" and row["Pos"]:
                site = Interval.from_one_based("chr20", int(row["Pos"]), int(row["Pos"]))
                alt = row["Alt"].replace("-", "")
                tags, effect, p_value = int(row["Barcodes"]), float(row["Coefficient"]), float(row["pValue"])
                yield Measured(site, row["Ref"], alt, tags, effect, p_value)


def write_measured(rows: list[Measured], path: Path) -> None:
    """Tab-separated, positions counted from 1, `-` for a deleted base, as the source has them."""
    lines = ["chrom\tpos\tref\talt\ttags\teffect\tp_value"]
    for row in rows:
        pos = Variant(row.site.chrom, row.site.start, row.ref, row.ref).pos
        cells = (row.site.chrom, pos, row.ref, row.alt or "-", row.tags, f"{row.effect:.5f}", f"{row.p_value:.3g}")
        lines.append("\t".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n")


def published(measured: list[Measured]) -> Iterator[Known]:
    """The promoter variants found in families with MODY1."""
    effects = {(row.site.start, row.ref, row.alt): row.effect for row in measured}
    for text, name in MODY.items():
        v = Variant.parse(text)
        named = Variant(v.chrom, v.start, v.ref, v.alt, name)
        yield Known(named, "MODY1", effects[v.start, v.ref, v.alt])


def snps() -> Iterator[Known]:
    """Common SNPs that lie in open chromatin of HepG2, by rs number (UDACHA; GRCh38 lifted to GRCh37)."""
    lift = lifter(SHARED / "annotation" / "hg38ToHg19.over.chain.gz", VARIANTS.chrom)
    for assay in ("dnase", "atac"):
        with gzip.open(SHARED / "eqtl" / f"UDACHA_HepG2.{assay}.hg38.tsv.gz", "rt") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                start = lift(int(row["start"])) if row["#chr"] == VARIANTS.chrom else None
                if start is not None and VARIANTS.start <= start < VARIANTS.end:
                    yield Known(Variant(VARIANTS.chrom, start, row["ref"], row["alt"], row["id"]), "HepG2_open")


def gtex_leads() -> Iterator[Known]:
    """Lead expression QTLs of GTEx v7 whole blood, significant at q <= 0.05, by rs number."""
    with gzip.open(SHARED / "eqtl" / "GTEx_v7_Whole_Blood.v7.egenes.txt.gz", "rt") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["chr"] == "20" and float(row["qval"]) <= 0.05:
                name = row["rs_id_dbSNP147_GRCh37p13"]
                variant = Variant.from_vcf("chr20", int(row["pos"]), row["ref"], row["alt"], name)
                if VARIANTS.contains(variant.interval):
                    yield Known(variant, "eQTL")


def indels() -> Iterator[Known]:
    """Real indels, among them one that is written twice."""
    for text in INDELS:
        yield Known(Variant.parse(text), "vt_examples")


def mutagenesis(measured: list[Measured], genome: Genome) -> Iterator[Known]:
    """All alleles of the eight sites with the strongest substitutions, and the five strongest deletions of one base."""
    trusted = [row for row in measured if row.tags >= TAGS and row.p_value < 1e-5]
    strongest = sorted((row for row in trusted if row.alt), key=lambda row: -abs(row.effect))
    taken = {Variant.parse(text).start for text in MODY}
    sites = list(dict.fromkeys(row.site.start for row in strongest if row.site.start not in taken))[:8]
    for row in measured:
        if row.site.start in sites and row.alt and row.tags >= TAGS:
            yield Known(Variant(row.site.chrom, row.site.start, row.ref, row.alt), "MPRA", row.effect)
    for row in sorted((row for row in trusted if not row.alt), key=lambda row: -abs(row.effect))[:5]:
        before = row.site.shift(-1)
        anchor = genome.fetch(before)
        yield Known(Variant(before.chrom, before.start, anchor + row.ref, anchor), "MPRA", row.effect)


def records(known: list[Known], genome: Genome) -> list[list[Known]]:
    """Grouped into VCF records (same place, same REF), sorted, each allele once; REF checked."""
    groups: dict[tuple[int, str], dict[str, Known]] = defaultdict(dict)
    for item in known:
        v = item.variant
        if genome.fetch(v.interval) != v.ref:
            raise SystemExit(f"{v}: the genome has {genome.fetch(v.interval)}")
        groups[v.start, v.ref].setdefault(v.alt, item)
    return [list(group.values()) for _, group in sorted(groups.items())]


def write_vcf(groups: list[list[Known]], path: Path) -> None:
    """VCF 4.2 with INFO/SOURCE and, where it was measured, INFO/MPRA (log2 fold change per ALT)."""
    lines = [
        "##fileformat=VCFv4.2",
        "##reference=GRCh37",
        "##contig=<ID=chr20,length=63025520>",
        '##INFO=<ID=SOURCE,Number=1,Type=String,Description="Where the variant is known from (see ORIGIN.md)">',
        '##INFO=<ID=MPRA,Number=A,Type=Float,Description="Measured log2 effect on reporter expression, Kircher 2019">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
    ]
    for group in groups:
        first = group[0].variant
        info = f"SOURCE={group[0].source}"
        if all(item.effect is not None for item in group):
            info += ";MPRA=" + ",".join(f"{item.effect:.4f}" for item in group)
        alts = ",".join(item.variant.alt for item in group)
        lines.append("\t".join((first.chrom, str(first.pos), first.name, first.ref, alts, ".", ".", info)))
    path.write_text("\n".join(lines) + "\n")


def write_genes(path: Path) -> None:
    """BED12, a line a gene, named by it: of each gene's RefSeq transcripts the longest, of those the last."""
    with gzip.open(SHARED / "annotation" / "CollapsedGeneBounds.hg19.bed.gz", "rt") as file:
        genes = [line.split("\t")[:6] for line in file if line.startswith(f"{SLICE.chrom}\t")]
    with (SHARED / "annotation" / "refseq.hg19.chr20.bed").open() as file:
        transcripts = [line.rstrip("\n").split("\t") for line in file]
    lines: list[tuple[int, str]] = []
    for chrom, start, end, symbol, _, strand in genes:
        body = Interval(chrom, int(start), int(end), strand)
        inside = [t for t in transcripts if t[5] == strand and body.contains(Interval(t[0], int(t[1]), int(t[2])))]
        if inside and SLICE.contains(body):
            longest = max(inside, key=lambda t: (int(t[2]) - int(t[1]), t[3]))
            lines.append((int(longest[1]), "\t".join([*longest[:3], symbol, "0", *longest[5:12]])))
    path.write_text("\n".join(line for _, line in sorted(lines)) + "\n")


def lifter(path: Path, chrom: str) -> Callable[[int], int | None]:
    """A function from a 0-based position on `chrom` to the other build (UCSC chain file), None where there is none."""
    blocks: list[tuple[int, int, int]] = []
    with gzip.open(path, "rt") as file:
        source, target, wanted = 0, 0, False
        for line in file:
            fields = line.split()
            if line.startswith("chain"):
                wanted = fields[2] == fields[7] == chrom and fields[4] == fields[9] == "+"
                source, target = int(fields[5]), int(fields[10])
            elif wanted and fields:
                size, *gaps = (int(field) for field in fields)
                blocks.append((source, source + size, target))
                if gaps:
                    source, target = source + size + gaps[0], target + size + gaps[1]
    return lambda position: next((t + position - s for s, e, t in blocks if s <= position < e), None)


if __name__ == "__main__":
    main()

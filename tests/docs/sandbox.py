"""Folders that hold every file which a page's commands name, small and real; knows pages by name, runs nothing.

The genome is the piece of chr20 that ships with distal, or random letters where a page wants whole chromosomes; models
are tiny and random, under the names that the page gives them.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tests import builders

from distal.cli import demo
from distal.coords import Interval
from distal.io import bigwig
from distal.io.fasta import Genome
from distal.models import zoo
from distal.models.basenji2 import Basenji2
from distal.models.enformer import Enformer
from distal.tracks import Track, TrackTable

TABLE = TrackTable(
    (
        Track(0, "cage+", "CAGE:HepG2", strand_pair=1),
        Track(1, "cage-", "CAGE:HepG2", strand_pair=0),
        Track(2, "dnase", "DNASE:HepG2", strand_pair=2),
        Track(3, "dnase2", "DNASE:liver", strand_pair=3),
        Track(4, "rna-", "RNA:brain", strand_pair=5),
        Track(5, "rna+", "RNA:brain", strand_pair=4),
    )
)
HEADS = {"human": TABLE, "mouse": TABLE}
HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
FIRST, COUNT = 42_984_199, 120
"""Where the variants of these pages begin, 0-based, and how many they are, one every four bases."""


def shipped(folder: Path) -> Path:
    """The models that ship with distal, tiny: 2,048 bp in, two heads of six tracks."""
    torch.manual_seed(1)
    for name, family, config in (
        ("enformer-mini", Enformer, builders.ENFORMER),
        ("basenji2-mini", Basenji2, builders.BASENJI2),
    ):
        both = replace(config, heads={head: len(table) for head, table in HEADS.items()})
        spec = zoo.Spec(name, name.partition("-")[0], both, "Apache-2.0")
        zoo.save(builders.perturbed(family(both)), folder / name, spec, HEADS)
    return folder


def genome(folder: Path, name: str) -> Genome:
    """The demo's genome under another name."""
    for ending in ("", ".fai", ".gzi"):
        shutil.copyfile(f"{demo.FASTA}{ending}", folder / f"{name}{ending}")
    return Genome(folder / name)


def snvs(genome: Genome) -> list[tuple[int, str, str, str]]:
    """(pos from 1, name, REF, ALT) of `COUNT` substitutions."""
    found = []
    for i in range(COUNT):
        ref = genome.fetch(Interval("chr20", FIRST + 4 * i, FIRST + 4 * i + 1))
        found.append((FIRST + 4 * i + 1, f"rs{i}", ref, "ACGT"[("ACGT".index(ref) + 2) % 4]))
    return found


def vcf(path: Path, genome: Genome) -> None:
    """They as a VCF with frequencies; told by content, so it may be plain text under any name."""
    rows = (
        f"chr20\t{pos}\t{name}\t{ref}\t{alt}\t.\t.\tAF={0.05 + pos % 9 / 20}\n" for pos, name, ref, alt in snvs(genome)
    )
    path.write_text(HEADER + "".join(rows))


def gtf(path: Path) -> None:
    """The demo's genes in another format."""
    rows = []
    for line in demo.GENES.read_text().splitlines():
        chrom, start, end, name, _, strand, *_ = line.split("\t")
        about = f'gene_id "{name}"; transcript_id "{name}.1"; gene_name "{name}";'
        rows.append(f"{chrom}\tx\ttranscript\t{int(start) + 1}\t{end}\t.\t{strand}\t.\t{about}\n")
    path.write_bytes(gzip.compress("".join(rows).encode()))


def meme(path: Path) -> None:
    """Two motifs."""
    text = "MEME version 4\n\nALPHABET= ACGT\n"
    for name, word in {"HNF1": "GTTAATGATTAAC", "HNF4": "CAAAGTCCA"}.items():
        rows = (" ".join("0.94" if letter == one else "0.02" for one in "ACGT") for letter in word)
        text += (
            f"\nMOTIF {name}\nletter-probability matrix: alength= 4 w= {len(word)} nsites= 20\n"
            + "\n".join(rows)
            + "\n"
        )
    path.write_bytes(gzip.compress(text.encode()))


def readme(folder: Path) -> None:
    """A cohort, and two variants of which one is wrong."""
    human = genome(folder, "hg19.fa.gz")
    vcf(folder / "cohort.vcf.gz", human)
    gtf(folder / "gencode.gtf.gz")
    row = "chr20\t42984264\tMODY1\tG\tA\t.\t.\t.\nchr20\t42984265\twrong\tN\tA\t.\t.\t.\n"
    (folder / "variants.vcf").write_text(HEADER + row)


def contributions(folder: Path) -> None:
    genome(folder, "hg19.fa.gz")
    meme(folder / "H12CORE.meme.gz")


def enhancers(folder: Path) -> None:
    genome(folder, "hg19.fa.gz")
    gtf(folder / "gencode.gtf.gz")
    rows = (f"chr20\t{at}\t{at + 200}\tpeak{at}\t{at % 7}\n" for at in range(FIRST - 600, FIRST + 900, 300))
    (folder / "peaks.bed").write_text("".join(rows))


def reports(folder: Path) -> None:
    """Two variants, because all of a small cohort are drawn."""
    readme(folder)
    lines = (folder / "cohort.vcf.gz").read_text().splitlines(keepends=True)
    (folder / "cohort.vcf.gz").write_text("".join(lines[:4]))


def disease(folder: Path) -> None:
    human = genome(folder, "hg19.fa.gz")
    vcf(folder / "panel.vcf.gz", human)
    gtf(folder / "gencode.gtf.gz")
    (folder / "trait.tsv").write_text("id\tpip\n" + "".join(f"rs{i}\t0.{i % 9 + 1}\n" for i in range(0, COUNT, 10)))
    rows = (f"20\t{name}\t0\t{pos}\t{alt}\t{ref}\n" for pos, name, ref, alt in snvs(human))
    (folder / "1000G.EUR.QC.20.bim").write_text("".join(rows))


def evolution(folder: Path) -> None:
    human = genome(folder, "hg38.fa.gz")
    genome(folder, "mm10.fa.gz")
    rows = (f"chr20\t{pos}\t{ref}\t{alt}\n" for pos, _, ref, alt in snvs(human)[:30])
    (folder / "human-chimp.tsv").write_text("chrom\tpos\tancestral\tderived\n" + "".join(rows))
    size, start, end = human.sizes["chr20"], 42_440_000, 43_640_000
    chain = f"chain 1 chr20 {size} + {start} {end} chr20 {size} + {start} {end} 1\n{end - start}\n\n"
    (folder / "hg38ToMm10.over.chain.gz").write_bytes(gzip.compress(chain.encode()))
    (folder / "promoters.bed").write_text(f"chr20\t{FIRST}\t{FIRST + 100}\nchr20\t{FIRST + 5000}\t{FIRST + 5100}\n")


def data(folder: Path) -> None:
    """A genome of thirty chromosomes of 300 kb, and a bigWig over it."""
    letters = np.random.default_rng(2).choice(np.frombuffer(b"ACGT", np.uint8), (30, 300_000))
    with (folder / "hg38.fa").open("wb") as file:
        for i, row in enumerate(letters, 1):
            file.write(f">chr{i}\n".encode() + row.tobytes() + b"\n")
    sizes = {f"chr{i}": 300_000 for i in range(1, 31)}
    values = np.random.default_rng(3).gamma(1.0, size=3000).astype(np.float32)
    bigwig.write(folder / "signal.bw", sizes, [(Interval(chrom, 0, 300_000), values, 100) for chrom in sizes])
    (folder / "targets.txt").write_text(
        "\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n0\tx\tsignal.bw\t32\t1\tmean\tDNASE:x\n"
    )
    (folder / "gaps.bed").write_text("chr1\t0\t10000\n")
    (folder / "blacklist.bed").write_text("chr2\t0\t2000\n")


FILES: dict[str, Callable[[Path], None]] = {
    "README.md": readme,
    "index.md": readme,
    "contributions.md": contributions,
    "enhancers.md": enhancers,
    "reports.md": reports,
    "disease.md": disease,
    "evolution.md": evolution,
    "data.md": data,
}
"""What each page's commands are given."""

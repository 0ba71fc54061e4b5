"""The options of `distal score`, in the groups in which its help shows them; checks nothing and knows no model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from distal.cli.options import BothStrands, Device, FileOrStdin, Head, Precision, Shifts, TrackQuery

SCORES = "SAD,SAR"
Hidden = Parameter(show_default=False)
"""For an option whose default says nothing."""
Models = Annotated[
    tuple[str, ...],
    Hidden,
    Parameter(
        name="--model",
        help="A model's name (`distal models list`) or folder. Two of them: each into a folder of its own in --out, "
        "then agreement.* says where they differ.",
    ),
]


@Parameter(name="*", group=Group("Variants", sort_key=1))
@dataclass(frozen=True)
class Variants:
    """Which variants, and what to do with those that don't fit the genome.

    Parameters
    ----------
    vcf
        The variants: VCF, BCF, plink's .pvar, or a table with chrom, pos, ref, alt; plain, gzip or bgzip; - reads
        standard input.
    variant
        A variant such as chr20:42984264:C>T instead of --vcf, may be given several times; the tracks that it changes
        most are printed.
    ref_mismatch
        What becomes of rows whose REF is not the genome's. skip: a status, no scores. swap: where ALT is the genome's,
        scores in the row's own direction. fail: none is scored if there is such a row.
    aliases
        Other names of the contigs: UCSC's chromAlias.txt. chr20 and 20 are the same anyway.
    """

    vcf: FileOrStdin | None = None
    variant: Annotated[tuple[str, ...], Hidden] = ()
    ref_mismatch: Literal["skip", "swap", "fail"] = "skip"
    aliases: Path | None = None


@Parameter(name="*", group=Group("Scores", sort_key=2))
@dataclass(frozen=True)
class What:
    """What is computed.

    Parameters
    ----------
    scores
        Separated by commas: SAD, SAR, SADR, SAX, SAXR, D1, D2, logSAD, sqrtSAD, logD1, logD2, sqrtD1, sqrtD2, JS,
        logJS. Each also over the 501 (or any number of) bp around the variant, as in SAD_501, and for each gene near
        it, over its start sites or its exons, as in SADR_tss and SADR_gene.
    spread
        sd: under --rc and --shifts every score X also has X_sd, the standard deviation over the members of the average.
    genes
        GTF, GFF3 or BED of start sites: for scores ending in _tss and _gene, for --calibration and for --report.
    share_reference
        Read the variants of every N bp of a chromosome in one window, instead of each in the window around it: many
        times faster where variants lie close together. How far that moves the scores is measured on a few of the
        variants, and said. N is a multiple of the model's bins (128 bp, or 32). 0: each has its own window.
    """

    scores: str = SCORES
    tracks: TrackQuery = ""
    rc: BothStrands = False
    shifts: Shifts = (0,)
    spread: Literal["sd", "none"] = "sd"
    genes: Path | None = None
    share_reference: int = 0
    head: Head = "human"


@Parameter(name="*", group=Group("Output", sort_key=3))
@dataclass(frozen=True)
class Output:
    """What is written.

    Parameters
    ----------
    out
        Folder for the results; made if need be.
    formats
        Separated by commas. h5, json: scores/<chromosome>.h5 and summary.json, always written. tsv: principal
        components with a tabix index, pcs/<chromosome>.tsv.gz. parquet: parquet/<chromosome>.parquet. vcf:
        annotated.vcf.gz. vep: vep.vcf.gz, for VEP's Enformer plugin. h5,tsv when left out.
    dtype
        How scores are stored; float16 is what the published scores have.
    pcs
        Components fitted elsewhere (`distal pcs fit`) for tsv, vcf and vep. Without it tsv and vep fit them to this
        run's scores.
    calibration
        Scores of common variants (`distal calibrate build`): every score X also has X_quantile, its place among those.
    percentiles
        Also write the quantiles of every track that Basenji's files have.
    report
        X.html: one page that opens from disk, with the statuses, the strongest variants, and of ten of them REF and ALT
        drawn, as tracks and letter by letter; genes are those of --genes. Each of the ten takes about as long as
        twenty variants do.
    """

    out: Path | None = None
    formats: str | None = None
    dtype: Literal["float16", "float32"] = "float16"
    pcs: Path | None = None
    calibration: Path | None = None
    percentiles: bool = False
    report: Path | None = None


@Parameter(name="*", group=Group("Machine", sort_key=4))
@dataclass(frozen=True)
class Machine:
    """Who computes.

    Parameters
    ----------
    engine
        local: processes on this machine. ray: actors, on this machine or on the cluster at --address.
    workers
        Processes that share the work; with --device cuda the first uses cuda:0, the second cuda:1 ...
    threads
        Threads of each worker on CPUs; when left out OMP_NUM_THREADS, or else the cores shared out among the workers.
    address
        A Ray cluster, such as 10.0.0.5:6379 or auto.
    shard
        i/N: score the i-th of N shares only, as one job of an array; the same command without it merges them.
    full_forward
        Every sequence goes through the whole network, instead of only what a variant changes: many times slower, to
        check the fast way.
    """

    precision: Precision = "fp32"
    device: Device = "cpu"
    engine: Literal["local", "ray"] = "local"
    workers: int = 1
    threads: int | None = None
    address: Annotated[str, Hidden] = ""
    shard: Annotated[str, Hidden] = ""
    full_forward: bool = False

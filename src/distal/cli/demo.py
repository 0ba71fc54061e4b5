"""`distal demo`: every verb once, on the HNF4A locus with the models that ship with distal; knows paths and captions.

Each step is a command line that the user could type, run in this process; its words are printed before it starts.
"""

from __future__ import annotations

import csv
import io
import json as json_text
import os
import platform
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import command_line, duration, say
from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.files import digest, replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from distal.dna import Codes
    from distal.plots import Effects

DATA = Path(__file__).parent.parent / "demo"
FASTA, VCF, GENES = DATA / "GRCh37_chr20_HNF4A.fa.gz", DATA / "variants.vcf", DATA / "genes.bed"
MODELS = ("enformer-mini", "basenji2-mini")
SLICE = "chr20:42,440,001-43,640,000"
"""What the demo's FASTA has letters of."""
LOCUS = "chr20:42,950,001-43,080,048"
PROMOTER = "chr20:42,984,160-42,984,444"
SHOWN = "chr20:42984307:T>C"
"""The strongest substitution of the promoter in the measurement."""
SIGNAL = "assay=DNASE biosample=HepG2"
READ = "assay=DNASE,CAGE"
DRAWN = "biosample~HepG2,renal,intestinal"
TAGS = 10
"""Barcodes below which Kircher et al. do not trust a measured effect."""


def demo(*, out: Path = Path("distal-demo"), json: bool = False) -> None:
    """The whole way on a real human locus, with the models that ship with distal: minutes on a laptop, no network.

    For each model: scores the known variants around the diabetes gene HNF4A (HDF5, components, Parquet, annotated VCF),
    predicts tracks (bigWig), draws REF against ALT, and replaces every base of the gene's P2 promoter, beside what an
    experiment measured (Kircher et al. 2019). Run it twice: the second run finds the scores of the first.

    Parameters
    ----------
    out
        Folder for everything; made if need be.
    json
        Print the report as JSON instead of tables.
    """
    started = time.monotonic()
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is not a folder; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    models = {name: _one_model(name, out / name) for name in MODELS}
    report = {**_provenance(), "seconds": round(time.monotonic() - started, 1), "models": models}
    with replacing(out / "report.json") as temporary:
        temporary.write_text(json_text.dumps(report, indent=2) + "\n")
    if json:
        print(json_text.dumps(report, indent=2))  # noqa: T201
    else:
        _show(report, out)


def _one_model(name: str, folder: Path) -> dict[str, Any]:
    """Every step for one model; returns what the report says of it."""
    folder.mkdir(exist_ok=True)
    steps = _Steps(["--model", name, "--fasta", str(FASTA)])
    scored = steps.run("score", vcf=VCF, out=folder, formats="h5,parquet,tsv,vcf,vep", rc=True)
    steps.run("predict", regions=LOCUS, tracks=SIGNAL, out=folder / "locus.bw", rc=True)
    steps.run("predict", regions=LOCUS, tracks=READ, out=folder / "locus.h5", rc=True)
    steps.run("ism", region=PROMOTER, tracks=READ, out=folder / "promoter.h5")
    with steps.timed("figures"):
        correlations = _draw(name, folder)
    return {
        "statuses": scored["statuses"],
        "n_in": scored["n_in"],
        "pearson_predicted_measured": correlations,
        "effects": _effects(folder),
        "seconds": steps.seconds,
        "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
    }


@dataclass
class _Steps:
    """Runs verbs with some options in common, says what it runs, and keeps how long each took."""

    common: list[str]
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, verb: str, **options: str | Path | bool) -> dict[str, Any]:
        """Run one verb and return what it prints with --json."""
        from distal.cli import main

        words = [verb, *self.common]
        for key, value in options.items():
            words += [f"--{key}"] if value is True else [f"--{key}", str(value)]
        say(f"$ distal {shlex.join(words)}")
        with self.timed(f"{verb} {Path(str(options['out'])).name}"), redirect_stdout(io.StringIO()) as printed:
            code = main([*words, "--json"])
        if code != 0:
            raise RuntimeError(f"the step `distal {verb}` of the demo ended with code {code}")
        result: dict[str, Any] = json_text.loads(printed.getvalue())
        return result

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note the seconds of what happens inside."""
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)


# --- figures


def _draw(model: str, folder: Path) -> dict[str, float]:
    """All pictures of one model; returns Pearson's r of predicted with measured effects, by assay."""
    from distal import plots
    from distal.io import mutagenesis, predictions

    genes = _genes()
    promoter = Interval.from_ucsc(PROMOTER)
    (locus,) = predictions.read(folder / "locus.h5")
    plots.save(plots.tracks(locus.select(DRAWN), f"{model}: the HNF4A locus", genes, [promoter]), folder / "locus.png")
    _draw_alleles(model, folder)
    made = mutagenesis.read(folder / "promoter.h5")
    measured = _measured(made.codes, promoter)
    correlations = {}
    for assay in ("DNASE", "CAGE"):
        chosen = [i for i, row in enumerate(made.table.rows) if row.assay == assay]
        label = f"{model}, mean of {len(chosen)} {assay} tracks"
        predicted = plots.Effects(made.values[:, :, chosen].mean(axis=2), made.codes, promoter, "predicted", label)
        correlations[assay] = _compare(predicted, measured, folder, assay)
    return correlations


def _compare(predicted: Effects, measured: Effects, folder: Path, assay: str) -> float:
    """Both maps and their scatter plot for one assay; returns Pearson's r over the substitutions measured."""
    import numpy as np

    from distal import plots

    known = ~np.isnan(measured.values)
    x, y = measured.values[known], predicted.values[known]
    title = "HNF4A P2 promoter: every substitution, predicted and measured"
    plots.save(plots.mutagenesis([predicted, measured], title), folder / f"promoter_{assay}.png")
    axes = ("measured log2 effect (HEK293T, Kircher 2019)", f"predicted log2 fold\n({predicted.label})")
    plots.save(
        plots.scatter(y, x, axes, _named(known, predicted.interval), "HNF4A P2 promoter"),
        folder / f"scatter_{assay}.png",
    )
    return round(float(np.corrcoef(x, y)[0, 1]), 3)


def _draw_alleles(model: str, folder: Path) -> None:
    """REF and ALT of the strongest measured substitution, 6 kb on either side."""
    from distal import plots
    from distal.incremental import Incremental
    from distal.io.fasta import Genome
    from distal.predictor import load
    from distal.scoring.sides import both_alleles

    predictor, variant = load(model), Variant.parse(SHOWN)
    table = predictor.tracks.select(SIGNAL)
    ref, alt, *_ = both_alleles(Incremental(predictor), Genome(FASTA), variant, table, rc=True)
    near = predictor.window.bins_touching(variant.interval.resize(12_000), ref.interval)
    edges = [ref.interval.start + edge * ref.bin_bp for edge in (near.start, near.stop)]
    part = Interval(ref.interval.chrom, *edges)
    figure = plots.alleles(ref.over(part), alt.over(part), variant, f"{model}: {SHOWN}, HNF4A P2 promoter", _genes())
    plots.save(figure, folder / "alleles.png")


# --- the demo's own data


def _genes() -> dict[str, list[Interval]]:
    """Exons by gene name."""
    from distal.io.genes import Genes

    found = Genes.read(GENES).touching(Interval.from_ucsc(SLICE))
    return {gene.name: [Interval(gene.chrom, *exon, gene.strand) for exon in gene.exons] for gene in found}


def _measurements() -> Iterator[tuple[Variant, float]]:
    """The measured substitutions that have enough barcodes, with their log2 effects."""
    with (DATA / "measured.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["alt"] != "-" and int(row["tags"]) >= TAGS:
                yield Variant.from_vcf(row["chrom"], int(row["pos"]), row["ref"], row["alt"]), float(row["effect"])


def _measured(codes: Codes, promoter: Interval) -> Effects:
    """Measured effects over `promoter`, NaN where there is none."""
    import numpy as np

    from distal.plots import LETTERS, Effects

    values = np.full((promoter.width, len(LETTERS)), np.nan, dtype=np.float32)
    for variant, effect in _measurements():
        if promoter.contains(variant.interval):
            values[variant.start - promoter.start, LETTERS.index(variant.alt)] = effect
    return Effects(values, codes, promoter, "measured", "Kircher et al. 2019, HEK293T")


def _disease_variants() -> dict[str, Variant]:
    """The promoter variants found in families with diabetes of the young, by their name in HNF4A."""
    from distal.io import vcf

    return {row.name.partition(":")[2]: row.variant() for row in vcf.read(VCF) if row.name.startswith("HNF4A:")}


def _named(known: NDArray[np.bool_], promoter: Interval) -> dict[str, int]:
    """Place of each disease variant among the substitutions that are `known` [width, 4]."""
    from distal.plots import LETTERS

    order = known.cumsum().reshape(known.shape) - 1
    return {
        name: int(order[variant.start - promoter.start, LETTERS.index(variant.alt)])
        for name, variant in _disease_variants().items()
    }


def _effects(folder: Path) -> list[dict[str, Any]]:
    """Some of the scored variants: SAD on HepG2's DNase track, and the measured log2 effect where there is one."""
    from distal.io.scores import Scores

    wanted = {str(variant): f"{name}, MODY1" for name, variant in _disease_variants().items()}
    wanted |= {SHOWN: "strongest effect", "chr20:42980519:C>T": "rs1884614"}
    measured = {f"{v.chrom}:{v.pos}:{v.ref}>{v.alt}": effect for v, effect in _measurements()}
    with Scores(folder / "scores" / "chr20.h5") as scores:
        block = scores.read(slice(None), ["SAD"])
        (column,) = (i for i, row in enumerate(scores.table.rows) if row.description == "DNASE:HepG2")
    found = []
    for row, values in zip(block.rows, block.values["SAD"], strict=True):
        text = f"{row.chrom}:{row.pos}:{row.ref}>{row.alt}"
        if text in wanted:
            sad = round(float(values[column]), 4)
            found.append({"variant": text, "what": wanted[text], "measured": measured.get(text), "SAD": sad})
    return found


# --- the report


def _provenance() -> dict[str, Any]:
    """What ran, on what."""
    import distal
    from distal.models import zoo

    return {
        "distal": distal.__version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "command": command_line(),
        "data_sha256": {path.name: digest(path) for path in sorted(DATA.iterdir()) if path.is_file()},
        "weights_sha256": {name: zoo.read_spec(zoo.find(name)).weights_sha256 for name in MODELS},
        "measured": "Kircher et al. 2019, Nature Communications 10:3583, doi:10.1038/s41467-019-11526-w (CC BY 4.0)",
    }


CAPTIONS = {
    "scores/chr20.h5": "SAD and SAR of every variant on every track",
    "pcs/chr20.tsv.gz": "principal components of the SADs, tabix-indexed",
    "parquet/chr20.parquet": "the scores as a long table",
    "annotated.vcf.gz": "the VCF with status, scores and components",
    "vep.vcf.gz": "the scores for the Enformer plugin of Ensembl's VEP",
    "locus.bw": "predicted DNase signal of HepG2, for a browser",
    "locus.png": "that and other tracks, drawn",
    "alleles.png": f"REF and ALT of {SHOWN}",
    "promoter_DNASE.png": "every substitution of the promoter, predicted, measured",
    "scatter_DNASE.png": "the same as a scatter plot",
}


def _show(report: Mapping[str, Any], out: Path) -> None:
    from rich.console import Console

    models: Mapping[str, Mapping[str, Any]] = report["models"]
    console = Console(highlight=False)
    files = _table(f"In {out}/<model>/", "file", "what")
    for name, caption in CAPTIONS.items():
        files.add_row(name, caption)
    for table in (files, _variants(models), _agreement(models)):
        console.print(table)
    console.print(
        "\nThe models are small: such correlations are what they can do. "
        "Replicates of this measurement agree with r = 0.75."
    )
    console.print(f"Everything else, and what it was made of: {out}/report.json ({duration(report['seconds'])} in all)")


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(*columns, title=f"\n{title}", box=None, padding=(0, 2, 0, 0), title_justify="left")
    table.title_style, table.header_style = "bold", "underline"
    return table


def _variants(models: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("Sum over bins of ALT \u2212 REF (SAD), DNase track of HepG2")
    for name in ("variant", "", "measured", *models):
        table.add_column(name, justify="left" if name in ("variant", "") else "right", no_wrap=True)
    for rows in zip(*(found["effects"] for found in models.values()), strict=True):
        measured = rows[0]["measured"]
        shown = "" if measured is None else f"{measured:+.3f}"
        table.add_row(rows[0]["variant"], rows[0]["what"], shown, *(f"{row['SAD']:+.3f}" for row in rows))
    return table


def _agreement(models: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = ("model", "variants scored", "time", "r, DNASE", "r, CAGE")
    table = _table("Pearson r of predicted with measured effects in the promoter", *columns)
    for name, found in models.items():
        scored = f"{found['statuses']['scored'] + found['statuses']['duplicate']} of {found['n_in']}"
        values = (f"{found['pearson_predicted_measured'][assay]:+.3f}" for assay in ("DNASE", "CAGE"))
        table.add_row(name, scored, duration(sum(found["seconds"].values())), *values)
    return table

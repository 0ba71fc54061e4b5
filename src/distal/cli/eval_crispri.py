"""`distal eval crispri`: the terminal's side of the enhancer benchmark; knows options and columns, no model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import command_line, emit, plain, progress, say
from distal.cli.options import BothStrands, Device, Head, Json, Precision, words
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.evals.crispri import Placed, Ranking


def crispri(
    *,
    models: str,
    pairs: Path,
    fasta: tuple[Path, ...],
    chain: Path | None = None,
    tracks: str = "assay=CAGE",
    accessibility: str = "",
    methods: str = "gradient,gaussian,attention,ism",
    max_distance: int = 65_000,
    width: int = 2000,
    shuffles: int = 10,
    seed: int = 0,
    out: Path | None = None,
    scores: Path | None = None,
    rc: BothStrands = False,
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Enhancers of genes as CRISPR interference found them: how each method ranks the tested pairs.

    For every method of every model, and for baselines from measured DNase-seq, H3K27ac and distance: the area under the
    precision-recall curve with its 95 % interval (bootstrap over genes), over all pairs and by distance, and the
    difference from DNase/distance, paired. A method that a model doesn't have (attention in Basenji2) is left out.

    Parameters
    ----------
    models
        Names or folders, separated by commas.
    pairs
        Table of ENCODE's CRISPR_comparison: EPCrisprBenchmark_combined_data.training_K562.GRCh38.tsv.gz.
    fasta
        Genome; give several files (--fasta A --fasta B) where each has some chromosomes. Other pairs are left out.
    chain
        UCSC chain file from the table's assembly to the genome's, such as hg38ToHg19.over.chain.gz.
    tracks
        Tracks that say how much a gene is expressed.
    accessibility
        Tracks that say how open an element is, such as assay=DNASE; two more scores that need no experiment.
    methods
        Of gradient, gaussian, attention, ism; separated by commas.
    max_distance
        Bases from an element's middle to the start site, at most.
    width
        Bases around an element's middle that are looked at.
    shuffles
        Shuffled sequences an element, for ism.
    seed
        Of the shuffles.
    out
        X.json: the table with what it was made of.
    scores
        X.tsv: every pair with every score.
    """
    from distal.evals import crispri as task
    from distal.interpret.enhancers import Asking
    from distal.io.chain import Chains
    from distal.io.fasta import Genome
    from distal.io.links import experiments
    from distal.predictor import load

    asking = Asking(words(methods), tracks, rc, width, shuffles, seed)
    names = words(models)
    _check(names, out, scores)
    genomes = [Genome(path) for path in fasta]
    placed = task.place(experiments(pairs), genomes, None if chain is None else Chains(chain), max_distance)
    say(_extent(placed))
    found = {("", method): values for method, values in task.baselines(placed).items()}
    facts = {}
    for name in names:
        predictor = load(name, head, device, precision)
        able = task.able(predictor, asking)
        facts[name] = predictor.facts(genomes[0])
        with progress(f"crispri {predictor.spec.name}", len(placed.pairs), "pairs") as advance:
            by_method = task.by_model(predictor, placed, genomes, able, accessibility, advance)
        found |= {(predictor.spec.name, method): values for method, values in by_method.items()}
    reference = ("", "DNase/distance") if ("", "DNase/distance") in found else ("", "1/distance")
    rows = task.rank(placed, found, reference)
    if scores is not None:
        task.write_scores(scores, placed, found)
    if out is not None:
        _write(out, rows, placed, facts, reference)
    emit([asdict(row) for row in rows] if json else [_row(row, reference[1]) for row in rows], json)


def _row(row: Ranking, reference: str) -> dict[str, Any]:
    """A line of the table, for people; `reference` is the baseline that others are compared with."""
    against = (
        ""
        if math.isnan(row.difference)
        else f"{row.difference:+.3f} [{row.difference_low:+.3f}, {row.difference_high:+.3f}]"
    )
    return {
        "distance": f"{row.low / 1000:g}-{row.high / 1000:.3g} kb",
        "pairs": row.pairs,
        "regulated": row.positives,
        "model": row.model or "-",
        "method": row.method,
        "AUPRC": f"{row.auprc:.3f}",
        "95 %": f"{row.auprc_low:.3f}-{row.auprc_high:.3f}",
        "AUROC": f"{row.auroc:.3f}",
        f"less {reference}": against,
        "p": "" if math.isnan(row.p) else f"{row.p:.3f}",
    }


def _extent(placed: Placed) -> str:
    regulated = sum(pair.experiment.regulated for pair in placed.pairs)
    return (
        f"{len(placed.pairs)} pairs, {regulated} regulated; left out {placed.far} further apart and "
        f"{placed.unplaced} that are not in the genome"
    )


def _write(
    path: Path, rows: Sequence[Ranking], placed: Placed, facts: dict[str, Any], reference: tuple[str, str]
) -> None:
    from distal.io import documents

    about = {
        "pairs": len(placed.pairs),
        "far": placed.far,
        "unplaced": placed.unplaced,
        "reference": reference[1],
        "command": command_line(),
        "models": facts,
    }
    documents.write(path, about | {"rankings": plain(rows)})


def _check(names: Sequence[str], out: Path | None, scores: Path | None) -> None:
    if not names:
        raise InputError("--models names no model; give names or folders, separated by commas")
    for path, ending in ((out, ".json"), (scores, ".tsv")):
        if path is not None and path.suffix != ending:
            raise InputError(f"{path}: the name must end in {ending}")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder; make it first")

"""Several models on all benchmarks of a plan, and every two of them compared; knows tasks, not how a report looks.

A plan is a TOML file with a section for each task, which names its data; paths in it count from its folder:

    [cagi5]
    data = "cagi5_training_release.xlsx"
    fasta = ["chr20.fa.gz"]

Sections: cagi5, allelic, expression, direction, crispri (`scores`: the table that `distal eval crispri --scores`
writes), eqtl (`scores`: folder with a folder of score runs for each model's name). Models are paired on the same rows;
p-values of all comparisons of a report are turned into false discovery rates (Benjamini and Hochberg).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from distal.data import dataset
from distal.errors import InputError
from distal.evals import allelic, cagi5, cases, direction, eqtl, expression
from distal.evals.cases import Case, Comparison
from distal.evals.statistics import benjamini_hochberg
from distal.incremental import Incremental
from distal.io import columns, islands
from distal.io.chain import Chains
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.io.islands import Patchwork
from distal.predictor import Predictor
from distal.train.validation import predictions

Section = Mapping[str, Any]
Progress = Callable[[int], object]
_KEYS = {
    "cagi5": ({"data"}, {"fasta", "islands", "elements", "rc", "shifts", "own_windows", "lasso"}),
    "allelic": ({"data", "fasta", "tracks"}, {"chain", "chroms", "rc", "shifts", "most"}),
    "expression": ({"data", "genes"}, {"split", "assay", "fasta", "rc"}),
    "direction": ({"eqtls", "genes", "fasta"}, {"tracks", "rc", "max_distance", "fdr"}),
    "crispri": ({"scores"}, set[str]()),
    "eqtl": ({"scores"}, {"score", "iterations", "workers"}),
}
"""Section -> keys that it needs, and those that it may have."""


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    folder: Path
    """What paths count from."""
    sections: Mapping[str, Section]

    def path(self, text: str) -> Path:
        """A path of the plan."""
        return self.folder / text


def read(path: Path) -> Plan:
    """A plan from its file. Raises `InputError` where it is not understood."""
    try:
        sections = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML ({error})") from None
    if not sections:
        raise InputError(f"{path} has no section; there are {', '.join(_KEYS)}")
    for name, section in sections.items():
        if name not in _KEYS or not isinstance(section, dict):
            raise InputError(f"{path}: [{name}] is no task; there are {', '.join(_KEYS)}")
        needed, more = _KEYS[name]
        missing, unknown = sorted(needed - section.keys()), sorted(section.keys() - needed - more)
        if missing:
            raise InputError(f"{path}: [{name}] needs {', '.join(missing)}")
        if unknown:
            raise InputError(
                f"{path}: [{name}] knows no {', '.join(unknown)}; it has {', '.join(sorted(needed | more))}"
            )
    return Plan(path.parent, sections)


def measured(plan: Plan, predictor: Predictor, progress: Progress = lambda n: None) -> list[Case]:
    """What one model says of every task of the plan, in its order."""
    tasks = {"cagi5": _cagi5, "allelic": _allelic, "expression": _expression, "direction": _direction}
    tasks |= {"crispri": _crispri, "eqtl": _eqtl}
    return [case for name, section in plan.sections.items() for case in tasks[name](plan, section, predictor, progress)]


def _cagi5(plan: Plan, section: Section, predictor: Predictor, progress: Progress) -> list[Case]:
    genomes = [Genome(plan.path(path)) for path in _several(section.get("fasta", ()))]
    known = islands.read(plan.path(section["islands"])) if "islands" in section else ()
    wanted = _several(section.get("elements", ()))
    protocol = cagi5.Protocol(
        section.get("rc", False),
        tuple(section.get("shifts", (0,))),
        section.get("own_windows", False),
        section.get("lasso", True),
    )
    found: list[Case] = []
    for release in cagi5.read(plan.path(section["data"])):
        if not wanted or release.element in wanted:
            found += cagi5.cases(Incremental(predictor), Patchwork(genomes, known), release, protocol, progress)
    return found + cagi5.means(found)


def _allelic(plan: Plan, section: Section, predictor: Predictor, progress: Progress) -> list[Case]:
    genome, chain = Genome(plan.path(section["fasta"])), section.get("chain")
    chains = None if chain is None else Chains(plan.path(chain))
    found: list[Case] = []
    for path in _several(section["data"]):
        data = allelic.read(plan.path(path), genome, chains, _several(section.get("chroms", ())))
        data = allelic.thinned(data, section.get("most", len(data.variants)))
        name, rc, shifts = Path(path).name.split(".tsv")[0], section.get("rc", False), section.get("shifts", (0,))
        found += allelic.cases(Incremental(predictor), genome, data, section["tracks"], name, rc, shifts, progress)
    return found


def _expression(plan: Plan, section: Section, predictor: Predictor, progress: Progress) -> list[Case]:
    examples = dataset.load(plan.path(section["data"]), section.get("split", "test"), predictor.window.bin_bp)
    sites = expression.Sites.within(examples, Genes.read(plan.path(section["genes"])))
    genome = Genome(plan.path(section["fasta"])) if "fasta" in section else None
    pieces = predictions(predictor, examples, section.get("rc", False), genome)
    sums = expression.signal(pieces, sites, len(examples.table), progress)
    return expression.cases(*sums, sites, examples.table, section.get("assay", "CAGE"))


def _direction(plan: Plan, section: Section, predictor: Predictor, progress: Progress) -> list[Case]:
    genome, table = Genome(plan.path(section["fasta"])), direction.read(plan.path(section["eqtls"]))
    genes, limits = Genes.read(plan.path(section["genes"])), (section.get("max_distance"), section.get("fdr", 0.05))
    placed = direction.place(table, genome, genes, predictor.window, *limits)
    query, rc = section.get("tracks", "assay=CAGE"), section.get("rc", False)
    return direction.cases(direction.scored(Incremental(predictor), genome, placed, query, rc, progress), query)


def _crispri(plan: Plan, section: Section, predictor: Predictor, progress: Progress) -> list[Case]:
    """The columns ``model:method`` of this model in the table of pairs; baselines stand in the published column."""
    path = plan.path(section["scores"])
    pieces = list(columns.read(path))
    if not pieces or not {"chrom", "tss", "regulated"} <= set(pieces[0].frame.columns):
        raise InputError(f"{path} has no columns chrom, tss, regulated; `distal eval crispri --scores` writes it")
    names = pieces[0].frame.columns
    labels = np.concatenate([(piece.texts("regulated") == "True").to_numpy() for piece in pieces]).astype(np.float64)
    genes = np.concatenate([(piece.texts("chrom") + ":" + piece.texts("tss")).to_numpy() for piece in pieces])
    scores = {name: np.concatenate([piece.decimal(name) for piece in pieces]) for name in _scores(names)}
    areas = {name: cases.STATISTICS["auprc"](labels, column) for name, column in scores.items() if ":" not in name}
    baselines = ", ".join(f"{name} {area:.2f}" for name, area in areas.items())
    prefix = f"{predictor.spec.name}:"
    return [
        Case("crispri", name.removeprefix(prefix), statistic, labels, column, genes, published=baselines)
        for name, column in scores.items()
        if name.startswith(prefix)
        for statistic in ("auprc", "auroc")
    ]


def _scores(names: Sequence[str]) -> list[str]:
    return [
        name
        for name in names
        if name not in ("chrom", "start", "end", "gene", "tss", "distance", "regulated", "effect", "dataset")
    ]


def _eqtl(plan: Plan, section: Section, predictor: Predictor, progress: Progress) -> list[Case]:
    found = eqtl.tissues(plan.path(section["scores"]) / predictor.spec.name, section.get("score", "SAD"))
    iterations, workers = section.get("iterations", eqtl.ITERATIONS), section.get("workers", 1)
    answers = [eqtl.classify(tissue, iterations, False, workers, progress) for tissue in found]
    return eqtl.cases(answers, "tracks", iterations == eqtl.ITERATIONS)


def _several(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two models on one question, and the false discovery rate at which they differ."""

    first: str
    second: str
    comparison: Comparison
    q: float


def compared(found: Mapping[str, Sequence[Case]], seed: int = 0, draws: int = 1000) -> list[Compared]:
    """Every two models on all questions that both answered; q over all of them."""
    pairs = [
        (first, second, cases.compare(one, other, seed, draws))
        for first, second in combinations(found, 2)
        for one, other in cases.paired(found[first], found[second])
    ]
    rates = benjamini_hochberg([comparison.difference.p for _, _, comparison in pairs])
    return [Compared(*pair, float(q)) for pair, q in zip(pairs, rates, strict=True)]

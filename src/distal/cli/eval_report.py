"""`distal eval report`: models side by side as one HTML page and one JSON document; knows options and the page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import command_line, duration, emit, plain, progress, say
from distal.cli.options import Device, Head, Json, Precision, words
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.evals.cases import Case
    from distal.evals.report import Compared
    from distal.io.page import Part
    from distal.plots import Figure

_TITLES = {
    "cagi5": "CAGI5: saturation mutagenesis of promoters and enhancers",
    "allelic": "Allele-specific accessibility",
    "expression": "Expression of held-out genes",
    "direction": "Direction of eQTLs: does ALT raise or lower its gene?",
    "crispri": "Enhancers of genes, by CRISPR interference",
    "eqtl": "Causal eQTL variants",
}
_HOW = (
    "A value is followed by its 95 % bootstrap interval (1,000 draws; whole positions, loci or genes are drawn where "
    "rows aren't independent). Models are compared on the same rows; q is the false discovery rate over all "
    "comparisons of this page (Benjamini and Hochberg). What others published is of other models or of the whole data "
    "set; where the published protocol isn't public, the column protocol says so."
)


def report(
    *,
    plan: Path,
    out: Path,
    models: str = "enformer-mini,basenji2-mini",
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Several models on several benchmarks, with paired tests: one HTML page with its figures inside, and JSON.

    The plan is a TOML file whose sections name the data of each task: [cagi5] data, fasta, islands, elements;
    [allelic] data, fasta, chain, chroms, tracks, most; [expression] data, genes, split; [direction] eqtls, genes,
    fasta, tracks; [crispri] scores, the table that `distal eval crispri --scores` writes; [eqtl] scores.
    docs/benchmarks.md has one to begin with.

    Parameters
    ----------
    plan
        What is measured, and on which data.
    out
        X.html; X.json is written beside it.
    models
        Names or folders, separated by commas.
    """
    from distal.evals import report as benchmark
    from distal.io import documents
    from distal.io.page import write
    from distal.predictor import load

    started = time.monotonic()
    names = words(models)
    if not names or len(set(names)) < len(names):
        raise InputError("--models names no model, or one twice; give names or folders, separated by commas")
    if out.suffix != ".html" or not out.parent.is_dir():
        raise InputError(f"--out {out} must end in .html and lie in a folder that exists")
    asked = benchmark.read(plan)
    found: dict[str, list[Case]] = {}
    for name in names:
        predictor = load(name, head, device, precision)
        with progress(f"report {predictor.spec.name}", None, "variants and windows") as advance:
            found[_unlike(predictor.spec.name, found)] = benchmark.measured(asked, predictor, advance)
    say("report: intervals and tests")
    rows = {name: [{"task": case.task, **case.row()} for case in cases] for name, cases in found.items()}
    tests = benchmark.compared(found)
    seconds = time.monotonic() - started
    write(out, f"Benchmarks: {', '.join(found)}", _page(found, rows, tests, seconds))
    document = {
        "command": command_line(),
        "seconds": round(seconds, 1),
        "models": list(found),
        "rows": [plain({"model": name, **row}) for name in rows for row in rows[name]],
        "comparisons": [plain(_comparison(test)) for test in tests],
    }
    documents.write(out.with_suffix(".json"), document)
    files, questions = [str(out), str(out.with_suffix(".json"))], sum(map(len, rows.values()))
    facts = {"files": files, "models": list(found), "questions": questions, "seconds": round(seconds, 1)}
    emit(facts, json)


def _unlike(name: str, taken: Mapping[str, Any]) -> str:
    """`name`, with a number behind it where another model has it."""
    more = (f"{name} ({i})" for i in range(2, len(taken) + 3))
    return name if name not in taken else next(text for text in more if text not in taken)


def _page(
    found: Mapping[str, Sequence[Case]],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    tests: Sequence[Compared],
    seconds: float,
) -> list[Part]:
    from distal.io.page import Heading, Picture, Table, Text
    from distal.plots import svg

    parts: list[Part] = [Text(command_line(), literal=True), Text(f"{_HOW} It took {duration(seconds)}.")]
    for task in dict.fromkeys(row["task"] for name in rows for row in rows[name]):
        parts.append(Heading(_TITLES[task]))
        parts += [Picture(svg(figure), alt) for figure, alt in _figures(task, found, rows)]
        here = [{"model": name, **row} for name in rows for row in rows[name] if row["task"] == task]
        here.sort(key=lambda row: (str(row["name"]), str(row["statistic"])))
        parts.append(Table([_line(row) for row in here]))
        apart = [_comparison(test) for test in tests if test.comparison.task == task]
        if apart:
            parts += [Text("Differences: the first model's value less the second's."), Table(apart)]
    return parts


def _figures(
    task: str, found: Mapping[str, Sequence[Case]], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[tuple[Figure, str]]:
    """Intervals of all questions of a task, and predicted over measured effects where there are such."""
    from distal import plots

    marks = [
        plots.Mark(row["statistic"], row["name"], name, row["value"], row["low"], row["high"])
        for name in rows
        for row in rows[name]
        if row["task"] == task
    ]
    drawn = [(plots.intervals(marks), f"values and 95 % intervals, {task}")]
    for name, cases in found.items():
        for case in cases:
            if task == case.task == "allelic" and case.statistic == "pearson":
                axes = "measured log2 effect of ALT", "predicted log2 effect of ALT"
                figure = plots.scatter(case.scores, case.truth, axes, title=f"{name}, {case.name}")  # type: ignore[arg-type]
                drawn.append((figure, f"predicted over measured effects, {name}"))
    return drawn


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "question": row["name"],
        "statistic": row["statistic"],
        "model": row["model"],
        "n": row["n"],
        "value": f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
        "protocol": row["protocol"],
        "published": row["published"],
        "notes": row["notes"],
    }


def _comparison(test: Compared) -> dict[str, Any]:
    known = test.comparison
    return {
        "task": known.task,
        "question": known.name,
        "statistic": known.statistic,
        "first": test.first,
        "second": test.second,
        "n": known.n,
        "difference": known.difference.value,
        "low": known.difference.low,
        "high": known.difference.high,
        "test": known.test,
        "p": known.difference.p,
        "q": test.q,
    }

"""`distal score`: variants into scores, and what is said of them; knows options and sentences, no model."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli import formats
from distal.cli.console import SomeFailed, command_line, duration, emit, progress, say
from distal.cli.options import Fasta, Json
from distal.cli.score_options import SCORES, Machine, Models, Output, Variants, What
from distal.cli.score_task import Task
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.predictor import Predictor
    from distal.scoring.estimate import Estimate
    from distal.web.reports.variants import Report

TOP = 5
"""Tracks that are printed of each --variant."""
SENTENCES = {
    "ref_mismatch": "the genome has neither allele there; is this the build that the variants were called on?",
    "ref_flipped": "the genome has ALT where the row says REF; --ref-mismatch swap scores it in the row's direction",
    "out_of_range": "the genome lacks the contig, or it ends before the allele; --aliases gives contigs other names",
    "unsupported_allele": "symbolic, missing, other letters than A, C, G, T, or longer than half the model's output",
    "duplicate": "the allele of another row, scored once for all of them",
    "failed": "the model's answer was not finite",
}
"""Why a row has another status than `scored`."""
_SWAPPED = "the genome has ALT where the row says REF; scored in the row's direction"


def score(
    *,
    model: Models = (),
    fasta: Fasta | None = None,
    variants: Variants = Variants(),  # noqa: B008 (it is frozen)
    what: What = What(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
    machine: Machine = Machine(),  # noqa: B008
    compare: tuple[Path, Path] | None = None,
    dry_run: bool = False,
    json: Json = False,
) -> None:
    """Score every variant of a file: what each ALT allele changes in each track.

    Each ALT allele is an own row with a status; those that cannot be scored (REF is not what the genome has, symbolic
    alleles, ...) are kept, without scores, and counted. A run that was stopped goes on when the same command is given
    again.

    Parameters
    ----------
    compare
        Instead of scoring: where two runs agree and where they don't. Two folders or score files, also DeepMind's and
        Basenji's; --out is where the tables go, --scores and --tracks choose what is compared.
    dry_run
        Only say how many variants would get which status and, going by a measurement of half a minute at most, how
        much time, disk and memory the run would take.
    """
    if compare is not None:
        if output.report is not None:
            raise InputError("--report is of a run; leave it out with --compare")
        emit(_compared(*compare, output.out, what), json)
        return
    started = time.monotonic()
    task = Task(model, fasta, variants, what, output, machine)
    for note in task.check(writes=not dry_run):
        say(f"score: {note}")
    if dry_run:
        emit(_of_each(task, lambda name, called: _estimated(task, called, json)), json)
        return
    reports: list[Report] = []
    with _folder(output.out) as out:
        found = _of_each(
            task, lambda name, called: _scored(task, called, out / name if len(model) > 1 else out, reports)
        )
        if len(model) > 1 and task.shard is None:
            a, b = (out / name for name in task.folders)
            found["agreement"] = _compared(a, b, out, what)
        if output.report is not None and reports:
            _write_report(output.report, reports)
            found["report"] = str(output.report)
        found["seconds"] = round(time.monotonic() - started, 2)
    emit(found if json or "tracks" not in found else found["tracks"], json)
    _check_failures(found)


def _of_each(task: Task, function: Callable[[str, str], dict[str, Any]]) -> dict[str, Any]:
    """What `function` gives for the model; for two, by name under `models`."""
    found = {name: function(name, called) for name, called in task.folders.items()}
    return {"models": found} if len(found) > 1 else next(iter(found.values()))


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """The folder for results; one that passes where none is asked for."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="distal-score-") as folder:
        yield Path(folder)


def _scored(task: Task, model: str, out: Path, reports: list[Report]) -> dict[str, Any]:
    """Score with one model, write the other formats, say what was not scored; returns what is printed.

    What a report needs of the run is added to `reports` where one is asked for.
    """
    predictor = task.load(model)
    notes = _notes(task, predictor, out)
    with progress("score", task.count, "variants") as advance:
        summary = task.score(predictor, out, notes, advance)
    if summary is None:
        return _shard_done(task, predictor, out)
    _say_why(task, summary.statuses)
    found: dict[str, Any] = {"n_in": summary.n_in, "statuses": dict(summary.statuses), **summary.notes}
    files = [str(path) for path in formats.write(out, task.formats, task.source, summary, task.components)]
    if task.output.out is not None:
        found |= {"files": files, "out": str(out)}
    if task.variants.variant:
        found["tracks"] = list(formats.top_tracks(out, summary, TOP))
    if task.output.report is not None:
        from distal.web.reports.variants import Report

        reports.append(Report(out, summary, task.recipe(predictor), _reasons(task)))
    return found


def _write_report(path: Path, reports: Sequence[Report]) -> None:
    from distal.web.reports.variants import DRAWN, report

    most = sum(min(DRAWN, run.summary.n_in) for run in reports)
    with progress("report", most, "variants drawn") as advance:
        report(path, reports, command_line(), advance)
    say(f"report: {path}")


def _notes(task: Task, predictor: Predictor, out: Path | None) -> dict[str, Any]:
    """What --share-reference costs, measured and said; what a finished run in `out` says of it."""
    from distal.scoring.run import is_finished, read_summary

    if out is not None and is_finished(out):
        return dict(read_summary(out).notes)
    if not task.what.share_reference or (task.shard is not None and task.shard.index > 1):
        return {}
    sharing = task.sharing(predictor)
    if sharing is None:
        why = "the variants can be read only once" if task.source.once else "no SNV among them changes anything"
        say(f"score: how far --share-reference moves the scores is not known: {why}")
        return {}
    say(
        f"score: --share-reference {sharing.share_reference} moves SAD by {sharing.median:.2g} of its size in the "
        f"median, {sharing.largest:.2g} at most ({sharing.variants} SNVs, against windows of their own)"
    )
    return {"sharing": asdict(sharing)}


def _say_why(task: Task, statuses: Mapping[str, int]) -> None:
    """A line for each status of rows that have no scores of their own."""
    for status, sentence in _reasons(task).items():
        if count := statuses.get(status):
            say(f"{count:,} {status}: {sentence}")


def _reasons(task: Task) -> dict[str, str]:
    """What each status means under the task's options."""
    return SENTENCES | ({"ref_flipped": _SWAPPED} if task.variants.ref_mismatch == "swap" else {})


def _shard_done(task: Task, predictor: Predictor, out: Path) -> dict[str, Any]:
    """What is said when a shard is done: which parts are still missing, and which command merges all of them."""
    from distal.scoring.run import is_finished, parts_done

    merge = _without_shard(command_line())
    found: dict[str, Any] = {"shard": task.machine.shard, "out": str(out), "merge": merge}
    done = parts_done(out)
    if is_finished(out):
        say(f"score: the run in {out} is finished and merged")
        return found | {"parts_missing": 0}
    if task.count is None:
        say(f"score: shard {task.machine.shard} is done. When all are, this merges them: {merge}")
        return found | {"parts_done": done}
    parts = -(-task.count // task.recipe(predictor).part_rows)
    others = f"{parts - done} of {parts} parts are still missing" if done < parts else "so are all others"
    say(f"score: shard {task.machine.shard} is done, {others}. When nothing is missing, this merges them: {merge}")
    return found | {"parts_done": done, "parts_missing": parts - done}


def _without_shard(command: str) -> str:
    """The same command line without ``--shard``."""
    words = shlex.split(command)
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if "--shard" not in (before, word) and not word.startswith("--shard=")
    ]
    return shlex.join(kept)


def _check_failures(found: Mapping[str, Any]) -> None:
    for one in found.get("models", {"": found}).values():
        if failed := one.get("statuses", {}).get("failed"):
            where = f"; see {one['files'][0]}" if "files" in one else ""
            raise SomeFailed(f"{failed} of {one['n_in']} variants failed: the model's answer was not finite{where}")


def _compared(a: Path, b: Path, out: Path | None, what: What) -> dict[str, Any]:
    """Compare two sets of scores and write the tables."""
    from distal.scoring.compare import compare

    if out is None:
        raise InputError("give a folder for the tables of the comparison: --out")
    asked = "" if what.scores == SCORES else what.scores.split(",")[0].strip()
    with progress("compare", None, "variants") as advance:
        agreement = compare(a, b, out, asked, what.tracks, advance)
    files = [str(out / name) for name in ("agreement.tsv.gz", "tracks.tsv", "agreement.json")]
    return {**asdict(agreement), "files": files}


def _estimated(task: Task, model: str, json: bool) -> dict[str, Any]:
    """What a run would take, as numbers or in words."""
    predictor = task.load(model)
    notes = _notes(task, predictor, None)
    estimate = task.estimate(predictor)
    _say_why(task, estimate.statuses)
    return (asdict(estimate) if json else _in_words(estimate)) | notes


def _in_words(estimate: Estimate) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n_in": estimate.n_in,
        "statuses": dict(estimate.statuses),
        "to score": f"{estimate.n_to_score:,} variants, {estimate.windows:,} windows",
        "disk": f"{_bytes(estimate.disk_bytes)}, {_bytes(estimate.disk_most_bytes)} while it is being merged",
    }
    if not estimate.n_to_score:
        return found
    gpu = f", {_bytes(estimate.gpu_memory_bytes)} of the GPU's" if estimate.gpu_memory_bytes else ""
    each = "" if estimate.processes == 1 else f" each of {estimate.processes} processes"
    return {
        **found,
        "time": f"about {duration(estimate.seconds)}{each} with --precision {estimate.precision}",
        "recommended": f"--precision {estimate.recommended_precision}: about {duration(estimate.recommended_seconds)}",
        "memory": f"{_bytes(estimate.memory_bytes)}{gpu}, each process",
    }


def _bytes(count: int) -> str:
    """``12 kB``, ``3.4 MB``, ``56 GB``."""
    scale, unit = (1e9, "GB") if count >= 1e9 else (1e6, "MB") if count >= 1e6 else (1e3, "kB")
    return f"{count / scale:.1f} {unit}" if count < 10 * scale else f"{count / scale:,.0f} {unit}"

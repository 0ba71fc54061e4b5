"""How near variant effects come to float64's in each arithmetic: errors, ranks and signs, by size of effect.

    python -m bench.accuracy --shared FOLDER --cache FOLDER [--models M,M] [--variants 320] [--few 6]
                             [--json FILE] [--figure FILE.svg] [--table FILE.md] [--redraw]

Real variants (1000 Genomes, chr20:1-4 Mb, evenly spread over the file, SNVs and indels as they come) are scored as
`distal score` does, each in the middle of its own window. The Enformer of the published size has random weights; a few
SNVs share one of its windows. The truth are full passes of the plain nn.Module in float64; they are kept in the cache
folder, as are all full passes, whose numbers weights and sequences alone decide; an interrupted run goes on there.
Differences are made anew, unless --redraw asks for the statistics and the figure of what is kept, and no computing.

Effect and signal of a variant in a track are the score (SAD, logSAD) and the sum of REF over bins. Statistics are over
all pairs of variant and track; a tenth is one of ten equal parts of the pairs, by |effect| / signal (for logSAD by
|effect| alone). The weakest tenth is also taken track by track, where ranks are those of variants. The noise floor is
the size of effect below which the sign is wrong in more than 5 % of the pairs.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from bench.accuracy_figure import draw
from bench.accuracy_passes import ARITHMETICS, EXACT, Scores, Subject, cached, subjects

MODELS = ("enformer-mini", "basenji2-mini", "borzoi-mini", "enformer-random")
WRONG_SIGNS = 0.05
PARTS = 40
"""Into how many equal parts pairs are cut, by size of effect, for the noise floor and the figure."""

Values = NDArray[np.float64]


def spearman(a: Values, b: Values) -> Values:
    """Rank correlation down the columns of [n, columns]; NaN where a column is constant."""
    ranks = [rankdata(x, axis=0) for x in (a, b)]
    x, y = (rank - rank.mean(0) for rank in ranks)
    with np.errstate(invalid="ignore"):
        r: Values = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
    return r


def parts_of(size: Values, count: int) -> list[NDArray[np.int64]]:
    """Indices of the pairs in `count` equal parts, smallest effects first."""
    return np.array_split(np.argsort(size, kind="stable"), count)


def noise_floor(size: Values, found: Values, exact: Values) -> float:
    """Largest effect of the highest part with more than `WRONG_SIGNS` signs wrong; 0 where there is none."""
    floor = 0.0
    for part in parts_of(size, PARTS):
        if np.mean(np.sign(found[part]) != np.sign(exact[part])) > WRONG_SIGNS:
            floor = float(size[part].max())
    return floor


def weakest(found: Values, exact: Values) -> dict[str, float]:
    """Of each track's weakest tenth of the variants: median over all errors, rank correlation (median over tracks)."""
    count = max(3, len(exact) // 10)
    rows = np.argsort(np.abs(exact), axis=0)[:count]
    f, e = (np.take_along_axis(values, rows, axis=0) for values in (found, exact))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(f - e) / np.abs(e)
    return {"median error": float(np.nanmedian(error)), "spearman": float(np.nanmedian(spearman(f, e)))}


def compare(found: Values, exact: Values, signal: Values) -> dict[str, Any]:
    """Scores [variants, tracks] against the truth; `signal` is what effects are measured by."""
    by_track = spearman(found, exact)
    f, e, scale = found.ravel(), exact.ravel(), signal.ravel()
    kept = e != 0
    f, e, scale = f[kept], e[kept], scale[kept]
    size, error = np.abs(e) / scale, np.abs(f - e) / np.abs(e)
    tenths = parts_of(size, 10)
    curve = [
        {"size": float(np.median(size[part])), "error": np.quantile(error[part], [0.1, 0.5, 0.9]).tolist()}
        for part in parts_of(size, PARTS)
    ]
    return {
        "pairs": int(kept.sum()),
        "median error": float(np.median(error)),
        "90 % error": float(np.quantile(error, 0.9)),
        "spearman by track": float(np.nanmedian(by_track)),
        "worst track": float(np.nanmin(by_track)),
        "spearman of pairs": float(spearman(f / scale, e / scale)),
        "weakest by track": weakest(found, exact),
        "wrong signs": float(np.mean(np.sign(f) != np.sign(e))),
        "noise floor": noise_floor(size, f, e),
        "tenths": [
            {
                "sizes": [float(size[part].min()), float(size[part].max())],
                "median error": float(np.median(error[part])),
                "90 % error": float(np.quantile(error[part], 0.9)),
                "spearman": float(spearman(f[part] / scale[part], e[part] / scale[part])),
                "wrong signs": float(np.mean(np.sign(f[part]) != np.sign(e[part]))),
            }
            for part in tenths
        ],
        "curve": curve,
    }


def measured(exact: Scores, found: Scores) -> dict[str, Any]:
    """Both scores of one arithmetic."""
    return {
        "SAD": compare(found.sad, exact.sad, exact.signal),
        "logSAD": compare(found.log_sad, exact.log_sad, np.ones_like(exact.signal)),
    }


def report(subject: Subject, cache: Path, arithmetics: list[str], redraw: bool) -> dict[str, Any]:
    """Every arithmetic against float64."""
    exact = timed(subject, EXACT, cache, redraw)
    return {
        "variants": len(exact.sad),
        "of them indels": sum(group.indels for group in subject.groups),
        "tracks": exact.sad.shape[1],
        "median effect / signal": float(np.median(np.abs(exact.sad) / exact.signal)),
        "arithmetics": {name: measured(exact, timed(subject, name, cache, redraw)) for name in arithmetics},
    }


def timed(subject: Subject, name: str, cache: Path, redraw: bool) -> Scores:
    started = time.perf_counter()
    scores = cached(subject, name, cache, redraw)
    print(f"{subject.name}, {name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return scores


def number(value: float) -> str:
    """Two digits, as a share in percent where it is one."""
    return f"{100 * value:.2g} %" if value < 0.995 else f"{100 * value:.0f} %"


def correlation(value: float) -> str:
    """As many digits as tell it from 1, at most seven."""
    return next((f"{value:.{n}f}" for n in range(3, 8) if round(value, n) < 1), "1.0000000")


def row(name: str, found: Mapping[str, Any]) -> str:
    tenth = found["tenths"][0]
    cells = [
        name,
        number(found["median error"]),
        number(found["90 % error"]),
        number(tenth["median error"]),
        correlation(found["spearman by track"]),
        correlation(found["weakest by track"]["spearman"]),
        correlation(tenth["spearman"]),
        number(found["wrong signs"]),
        f"{found['noise floor']:.0e}" if found["noise floor"] else "none seen",
    ]
    return "| " + " | ".join(cells) + " |"


COLUMNS = (
    "",
    "error, median",
    "error, 90 %",
    "error, weakest tenth",
    "Spearman",
    "Spearman, weakest tenth of a track",
    "of all pairs",
    "wrong signs",
    "noise floor",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def tables(results: Mapping[str, Any]) -> str:
    """Markdown: a table for each score and model."""
    lines = []
    for score in ("SAD", "logSAD"):
        for model, found in results["models"].items():
            indels = found["of them indels"]
            lines += [
                f"**{model}, {score}** ({found['variants']} variants{f', {indels} of them indels' if indels else ''}; "
                f"{found['tracks']:,} tracks; median |SAD| / signal {found['median effect / signal']:.0e})\n",
                HEADER,
                *(row(name, values[score]) for name, values in found["arithmetics"].items()),
                "",
            ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--cache", type=Path, required=True, help="where full passes are kept")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--arithmetics", default=",".join(ARITHMETICS))
    parser.add_argument("--variants", type=int, default=320)
    parser.add_argument("--few", type=int, default=6, help="variants of the model of the published size")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--redraw", action="store_true", help="statistics of what is kept, without computing")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    arithmetics = given.arithmetics.split(",")
    found = {
        subject.name: report(subject, given.cache, arithmetics, given.redraw)
        for subject in subjects(given.shared, given.cache, given.models.split(","), given.variants, given.few)
    }
    machine = (
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    results = {"machine": machine, "arithmetics": ARITHMETICS, "models": found}
    print(tables(results))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    if given.figure:
        draw(results, given.figure)
    if given.table:
        given.table.write_text(tables(results))


if __name__ == "__main__":
    main()

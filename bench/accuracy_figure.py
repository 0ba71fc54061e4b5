"""The figure of `bench.accuracy`: relative error of SAD against size of effect, one panel a model; reads its JSON.

python -m bench.accuracy_figure RESULTS.json docs/accuracy.svg
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

STYLES = {
    "plain bf16": ("#D55E00", "-", "o"),
    "plain TF32": ("#E69F00", "-", "s"),
    "plain fp32": ("#000000", ":", "^"),
    "difference bf16": ("#0072B2", "-", "o"),
    "difference fp32": ("#56B4E9", ":", "^"),
}
"""Okabe and Ito's colours, told apart by line and marker too; the order is that of the legend."""


def draw(results: Mapping[str, Any], path: Path) -> None:
    """A panel a model, side by side, on shared axes."""
    models = results["models"]
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "distal", "svg.fonttype": "none"}):
        columns = 2 if len(models) > 3 else len(models)
        rows = -(-len(models) // columns)
        figure, grid = plt.subplots(
            rows, columns, figsize=(4.1 * columns, 3.1 * rows), sharex=True, sharey=True, squeeze=False
        )
        for axes, (name, found) in zip(grid.flat, models.items(), strict=False):
            _panel(axes, name, found)
        for axes in grid.flat[len(models) :]:
            axes.set_visible(False)
        for axes in grid[-1]:
            axes.set_xlabel("size of effect: |SAD| / signal")
        for axes in grid[:, 0]:
            axes.set_ylabel("relative error of SAD")
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=len(labels) if columns > 1 else 2, frameon=False)
        figure.tight_layout(rect=(0, 0, 1, 1 - (0.35 if columns > 1 else 0.75) / figure.get_figheight()))
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)
        plt.close(figure)


def _panel(axes: Axes, name: str, found: Mapping[str, Any]) -> None:
    axes.set_title(f"{name}: {found['variants']} variants x {found['tracks']:,} tracks", fontsize=9)
    for arithmetic, (colour, line, marker) in STYLES.items():
        if arithmetic not in found["arithmetics"]:
            continue
        curve = found["arithmetics"][arithmetic]["SAD"]["curve"]
        size = [point["size"] for point in curve]
        low, middle, high = zip(*(point["error"] for point in curve), strict=True)
        axes.fill_between(size, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(
            size, middle, color=colour, linestyle=line, marker=marker, markersize=2.5, linewidth=1.3, label=arithmetic
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for level, text in ((1.0, "as large as the effect"), (0.02, "2 %")):
        axes.axhline(level, color="#888888", linewidth=0.7, zorder=0)
        axes.annotate(
            text,
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color="#555555",
        )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=12))
        axis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))

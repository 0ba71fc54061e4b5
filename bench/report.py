"""What a comparison found: medians, paired ratios with their spread, operations, memory; as Markdown or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

HEADER = (
    "| case | ours, s | peer, s | ratio: median (least to most) | TFLOP as published | that remain | of GEMM peak "
    "| above weights: ours | peer | largest difference |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass
class Case:
    """One row: seconds of both sides round by round, for one `unit`."""

    name: str
    unit: str
    peer_name: str = ""
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    """As many as `ours`, each measured beside it, or none."""
    rates: list[float] = field(default_factory=list)
    """FLOP/s of the GEMM measured in each round; the largest is the peak."""
    plain: float = 0.0
    """Operations of a unit as published."""
    remaining: float = 0.0
    """Operations of a unit that remain for us."""
    ours_above: float = 0.0
    """Most bytes above the weights."""
    peer_above: float = 0.0
    ours_peak: float = 0.0
    """Most bytes of the whole process."""
    peer_peak: float = 0.0
    difference: float | None = None
    """Largest difference of the results, relative to the largest result."""
    more: dict[str, Any] = field(default_factory=dict)

    def add(
        self, ours: dict[str, Any], peer: dict[str, Any] | None, rate: float, units: float = 1, per: float = 1
    ) -> None:
        """A round's answers; they did `units` and `per` units."""
        self.ours.append(ours["seconds"] / units)
        self.ours_above = max(self.ours_above, ours["above"])
        self.ours_peak = max(self.ours_peak, ours["peak"])
        self.rates.append(rate)
        if peer is not None:
            self.peer.append(peer["seconds"] / per)
            self.peer_above = max(self.peer_above, peer["above"])
            self.peer_peak = max(self.peer_peak, peer["peak"])

    def against(self, slower: Case) -> None:
        """Also say what this case's ratio is to the peer of another, in the other's precision, round by round."""
        ratios = [theirs / own for theirs, own in zip(slower.peer, self.ours, strict=False)]
        self.more["ratio_to_peer_fp32"] = _rounded(_median(ratios))

    def row(self) -> dict[str, Any]:
        """Plain values; None where there was no peer."""
        ratios = [theirs / own for theirs, own in zip(self.peer, self.ours, strict=False)]
        peak, seconds = max(self.rates, default=0.0), _median(self.ours)
        return {
            "case": self.name,
            "unit": self.unit,
            "peer": self.peer_name or None,
            "rounds": len(self.ours),
            "seconds": _rounded(seconds),
            "peer_seconds": _rounded(_median(self.peer)),
            "ratio": _rounded(_median(ratios)),
            "ratio_least": _rounded(min(ratios, default=None)),
            "ratio_most": _rounded(max(ratios, default=None)),
            "tflop": _rounded(self.plain / 1e12),
            "tflop_remaining": _rounded(self.remaining / 1e12),
            "gemm_gflops": _rounded(peak / 1e9),
            "of_gemm_peak": _rounded(self.remaining / seconds / peak) if seconds and peak else None,
            "gib_above_weights": _rounded(self.ours_above / 2**30),
            "peer_gib_above_weights": _rounded(self.peer_above / 2**30) if self.peer else None,
            "gib_peak": _rounded(self.ours_peak / 2**30),
            "peer_gib_peak": _rounded(self.peer_peak / 2**30) if self.peer else None,
            "difference": _rounded(self.difference),
            **self.more,
        }


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def show(cases: Sequence[Case], notes: Sequence[str], as_json: bool) -> None:
    """Print the cases, the last one last; notes before them, in JSON as lines of their own."""
    if as_json:
        for note in notes:
            print(json.dumps({"note": note}))
        for case in cases:
            print(json.dumps(case.row()), flush=True)
        return
    print("\n".join(f"- {note}" for note in notes), end="\n\n")
    print(HEADER)
    for case in cases:
        print(_line(case.row()))


def _line(row: dict[str, Any]) -> str:
    def cell(name: str, form: str = "{:.3g}") -> str:
        return "–" if row[name] is None else form.format(row[name])

    ratio = "–" if row["ratio"] is None else "{ratio:.2f} ({ratio_least:.2f} to {ratio_most:.2f})".format(**row)
    title = f"{row['case']}, {row['unit']}" + (f"; peer: {row['peer']}" if row["peer"] else "")
    cells = [
        title,
        cell("seconds"),
        cell("peer_seconds"),
        ratio,
        cell("tflop") if row["tflop"] else "–",
        cell("tflop_remaining") if row["tflop"] else "–",
        cell("of_gemm_peak", "{:.0%}") if row["tflop_remaining"] else "–",
        cell("gib_above_weights", "{:.2f} GiB"),
        cell("peer_gib_above_weights", "{:.2f} GiB"),
        cell("difference", "{:.1e}"),
    ]
    return "| " + " | ".join(cells) + " |"

"""How fast and how large one forward pass is, all tracks, beside the peers.

    python -m bench.forward [--json] [--rounds 3]

Enformer reads 196,608 bp and says 896 bins x 5,313 tracks, Basenji2 131,072 bp; batch 1. Ours is `Predictor.tensor`,
the peers are enformer-pytorch and basenji2-pytorch in inference mode. In bf16 the peers' weights and activations are
bf16, which is the fastest that they offer; the difference shown is that of our bf16 from the peer's fp32.
"""

from __future__ import annotations

from bench.report import Case, show
from bench.sides import Given, letters, options, sides


def compare(given: Given, family: str) -> tuple[list[Case], list[str]]:
    """A case for every precision, and what is to be said of them."""
    with sides(given, family) as both:
        counted, cases = both.machine["operations"], {}
        codes = both.put("codes", letters(both.machine["geometry"]["input_bp"]))
        for precision in both.precisions():  # a first pass, whose outputs are compared
            case = Case(f"{family} forward {precision}", "a sequence", both.peer_name)
            case.plain, case.remaining = counted["plain"], counted["remaining"]
            cases[precision] = case
            both.ours("forward", precision, codes=codes, save=both.saved("tracks", f"ours-{precision}"))
            both.peer("forward", precision, codes=codes, save=both.saved("tracks", f"peer-{precision}"))
            case.difference = both.apart("tracks", f"ours-{precision}", "peer-fp32")
        for _ in range(given.rounds):
            for precision, case in cases.items():
                rate = both.gemm(precision)
                ours = both.ours("forward", precision, codes=codes)
                case.add(ours, both.peer("forward", precision, codes=codes), rate)
        if "bf16" in cases:
            cases["bf16"].against(cases["fp32"])
        return list(cases.values()), both.notes()


def main() -> None:
    """Print the table."""
    given = options(__doc__)
    found = [compare(given, family) for family in given.families]
    show([case for cases, _ in found for case in cases], found[-1][1], given.json)


if __name__ == "__main__":
    main()

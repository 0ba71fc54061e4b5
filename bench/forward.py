"""How fast and how large one forward pass is, all tracks, beside the peers.

    python -m bench.forward [--json] [--rounds 3] [--tf-python PYTHON --tf-source FOLDER]

Enformer reads 196,608 bp and says 896 bins x 5,313 tracks, Basenji2 131,072 bp; batch 1. Ours is `Predictor.tensor`,
the peers are enformer-pytorch and basenji2-pytorch in inference mode. In bf16 the peers' weights and activations are
bf16, which is the fastest that they offer; the difference shown is that of our bf16 from the peer's fp32. DeepMind's
own Enformer, as one tf.function, is measured too where its source and a Python with TensorFlow are named.
"""

from __future__ import annotations

from bench.command import run
from bench.report import Case
from bench.sides import Given, Sides, letters, sides
from bench.worker import Worker

OWN = (
    ("--tf-python", {"default": "", "help": "Python that has tensorflow and dm-sonnet"}),
    ("--tf-source", {"default": "", "help": "folder with DeepMind's enformer.py and attention_module.py"}),
)


def compare(given: Given, family: str) -> tuple[list[Case], list[str]]:
    """A case for every precision, and what is to be said of them."""
    with sides(given, family) as both:
        counted, cases = both.machine["operations"], {}
        codes = both.put("codes", letters(both.machine["geometry"]["input_bp"]))
        for precision in both.precisions():  # a first pass, whose outputs are compared
            case = Case(f"{family} forward {precision}", "a sequence", both.peer_name)
            case.plain, case.remaining = counted["plain"], counted["every tap" if precision == "bf16" else "remaining"]
            cases[precision] = case
            both.ours("forward", precision, codes=codes, save=both.saved("tracks", f"ours-{precision}"))
            both.peer("forward", precision, codes=codes, save=both.saved("tracks", f"peer-{precision}"))
            case.difference = both.apart("tracks", f"ours-{precision}", "peer-fp32")
        original = Case(f"{family} forward fp32", "a sequence", "TensorFlow, tf.function")
        original.plain, original.remaining = counted["plain"], counted["remaining"]
        tensorflow = _tensorflow(both, given)
        if tensorflow:
            tensorflow("forward", codes=codes, save=both.saved("tracks", "tensorflow"))
            original.difference = both.apart("tracks", "ours-fp32", "tensorflow")
        for _ in range(given.rounds):
            for precision, case in cases.items():
                rate = both.gemm(precision)
                ours = both.ours("forward", precision, codes=codes)
                case.add(ours, both.peer("forward", precision, codes=codes), rate)
                if tensorflow and precision == "fp32":
                    original.add(ours, tensorflow("forward", codes=codes), rate)
        if "bf16" in cases:
            cases["bf16"].against(cases["fp32"])
        return [*cases.values(), *([original] if tensorflow else [])], both.notes()


def _tensorflow(both: Sides, given: Given) -> Worker | None:
    """DeepMind's Enformer, where it is asked for."""
    source = given.more.tf_source
    if both.family != "enformer" or given.quick or not source:
        return None
    weights = both.saved("weights", "tensorflow")
    both.ours("export", path=weights, sonnet=True)
    options = {"weights": weights, "source": source}
    return both.started(given.more.tf_python, "bench.tf_peer", "fp32", options)


if __name__ == "__main__":
    run(__doc__, compare, add=OWN)

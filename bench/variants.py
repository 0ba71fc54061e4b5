"""What a single-nucleotide variant costs: alone, beside others on a chromosome, in a dense locus; beside the peers.

    python -m bench.variants [--json] [--rounds 3] [--snvs 32] [--neighbours 4]

A variant's score is SAD, ALT − REF summed over the bins, in all tracks. The peer predicts REF and ALT of each, both in
one pass of two sequences (its fastest way; `--peer-batch 1`: one by one), which costs it the same for all three cases:

isolated    REF and ALT of one variant, nothing known before
neighbours  variants in successive bins: each window lies a bin to the right of the one before, on the bin grid, and
            REF's convolutions known from there are used again
dense       `--snvs` variants in one window that share one reference pass, which is shared out among them

Ours is `distal.incremental.Incremental`, exact. With --precision bf16 differences are multiplied in bf16 (the reference
in fp32) where the processor has it, or with `--bf16 always` everywhere: emulated, to be checked, not to be timed. The
dense locus of Enformer in fp32 comes last; its `ratio` is per variant, to the peer in fp32.
"""

from __future__ import annotations

from bench.command import run
from bench.report import Case
from bench.sides import Codes, Given, Sides, letters, sides, substituted

WINDOWS = ("isolated", "neighbours", "dense")
OWN = (
    ("--snvs", {"type": int, "default": 0, "help": "in the dense locus: 32, with --quick 4"}),
    ("--neighbours", {"type": int, "default": 0, "help": "timed beside the isolated one: 4, with --quick 2"}),
    ("--peer-batch", {"type": int, "choices": (1, 2), "default": 2, "help": "sequences in a pass of the peer"}),
)


class Locus:
    """The sequences of one comparison, as files that both sides read."""

    def __init__(self, both: Sides, given: Given) -> None:
        shape = both.machine["geometry"]
        self.snvs = given.more.snvs or (4 if given.quick else 32)
        self.neighbours = given.more.neighbours or (2 if given.quick else 4)
        length, bin_bp = shape["input_bp"], shape["input_bp"] // shape["bins_read"]
        chromosome = letters(length + bin_bp * (self.neighbours + 1))
        middle = length // 2 - 1
        span = min(20_000, bin_bp * shape["bins"] // 2)
        spread = [middle + (i + 1) // 2 * (-1) ** i * (span // self.snvs) for i in range(self.snvs)]
        self.dense = self._put(both, "dense", chromosome[:length], spread)
        self.few = self._put(both, "few", chromosome[:length], spread[:2])
        self.isolated = self._put(both, "isolated", chromosome[:length], [middle])
        self.beside = [
            self._put(both, f"beside{i}", chromosome[i * bin_bp :][:length], [middle])
            for i in range(1, self.neighbours + 1)
        ]

    @staticmethod
    def _put(both: Sides, name: str, codes: Codes, places: list[int]) -> str:
        return both.put(name, substituted(codes, places))


def compare(given: Given, family: str) -> tuple[list[Case], list[str]]:
    """The cases of a model, and what is to be said of them."""
    with sides(given, family) as both:
        locus, batch = Locus(both, given), given.more.peer_batch
        cases = {
            (precision, window): _case(both, locus, precision, window)
            for window in WINDOWS
            for precision in both.precisions()[::-1]
        }
        for precision in both.precisions():  # a first time, whose scores are compared
            both.ours("variants", precision, codes=locus.few, save=both.saved("sad", f"ours-{precision}"))
        both.peer("variants", codes=locus.isolated, batch=batch, save=both.saved("sad", "peer"))
        for (precision, _), case in cases.items():
            case.difference = both.apart("sad", f"ours-{precision}")
        for _ in range(given.rounds):
            peer = both.peer("variants", codes=locus.isolated, batch=batch)
            for precision in both.precisions():
                rate = both.gemm(precision)
                alone = both.ours("variants", precision, codes=locus.isolated)
                cases[precision, "isolated"].add(alone, peer, rate)
                beside = [both.ours("variants", precision, codes=codes, fresh=False) for codes in locus.beside]
                together = {name: max(one[name] for one in beside) for name in ("above", "peak")}
                together["seconds"] = sum(one["seconds"] for one in beside)
                cases[precision, "neighbours"].add(together, peer, rate, len(beside))
                dense = both.ours("variants", precision, codes=locus.dense)
                cases[precision, "dense"].add(dense, peer, rate, locus.snvs)
        return list(cases.values()), both.notes()


def _case(both: Sides, locus: Locus, precision: str, window: str) -> Case:
    counted = both.machine["operations"]
    names = {
        "isolated": "isolated SNV",
        "neighbours": f"SNVs on {locus.neighbours} neighbouring bins",
        "dense": f"dense locus, {locus.snvs} SNVs",
    }
    remaining = {
        "isolated": counted["remaining"] + counted["difference"],
        "neighbours": counted["neighbour"],
        "dense": counted["remaining"] / locus.snvs + counted["difference"],
    }
    case = Case(f"{both.family} {names[window]} {precision}", "a SNV", both.peer_name and f"{both.peer_name} fp32")
    case.plain, case.remaining = 2 * counted["plain"], remaining[window]
    return case


if __name__ == "__main__":
    run(__doc__, compare, add=OWN)

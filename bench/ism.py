"""What in-silico mutagenesis of 1,000 bp costs, all tracks, beside the peers.

    python -m bench.ism [--json] [--rounds 3] [--bases 1000] [--sample 32]

Every base is replaced by each of the other three: 3,000 sequences and the reference. Neither side is made to compute
all of them: a sample is timed, spread evenly over the region, and the time of the others is what they take on average.
Ours is `Incremental.members`: the reference alone, nothing known before, then the reference and the sample together;
the whole is the first, and the second as often as needed. A sample of 32 is a group as they go through the network
together. The peer's time is that of one pass of two sequences (`--peer-batch 1`: of one), as often as needed. What is
compared is the first substitution's effect, summed over the bins, in all tracks.
"""

from __future__ import annotations

from bench.command import run
from bench.report import Case
from bench.sides import Given, letters, sides, substituted

OWN = (
    ("--bases", {"type": int, "default": 1000, "help": "of the region"}),
    ("--sample", {"type": int, "default": 0, "help": "substitutions that are timed: 32, with --quick 3"}),
    ("--peer-batch", {"type": int, "choices": (1, 2), "default": 2, "help": "sequences in a pass of the peer"}),
)


def compare(given: Given, family: str) -> tuple[list[Case], list[str]]:
    """A case for every precision, and what is to be said of them."""
    with sides(given, family) as both:
        sample = given.more.sample or (3 if given.quick else 32)
        length, wanted = both.machine["geometry"]["input_bp"], 3 * given.more.bases
        start, every = (length - given.more.bases) // 2, given.more.bases // sample
        rows = substituted(letters(length), [start + i * every for i in range(sample)])
        sampled, first, ref = both.put("sample", rows), both.put("first", rows[:2]), both.put("ref", rows[:1])
        cases = {
            precision: _case(both.machine["operations"], given, family, precision) for precision in both.precisions()
        }
        for precision, case in cases.items():
            case.peer_name = both.peer_name and f"{both.peer_name} fp32"
            both.ours("variants", precision, codes=first, save=both.saved("sad", f"ours-{precision}"))
        both.peer("variants", codes=first, batch=given.more.peer_batch, save=both.saved("sad", "peer"))
        for precision, case in cases.items():
            case.difference = both.apart("sad", f"ours-{precision}")
        for _ in range(given.rounds):
            peer = both.peer("variants", codes=first, batch=given.more.peer_batch)  # two sequences
            if peer is not None:
                peer["seconds"] *= (wanted + 1) / 2
            for precision, case in cases.items():
                rate = both.gemm(precision)
                alone = both.ours("variants", precision, codes=ref)
                ours = both.ours("variants", precision, codes=sampled, fresh=False)
                ours["seconds"] = alone["seconds"] + ours["seconds"] * wanted / sample
                case.add(ours, peer, rate)
        note = f"scaled: of {wanted:,} substitutions ours computed {sample}, the peer one and the reference"
        return list(cases.values()), [*both.notes(), note]


def _case(counted: dict[str, float], given: Given, family: str, precision: str) -> Case:
    bases = given.more.bases
    case = Case(f"{family} ISM {precision}", f"{bases:,} bp")
    case.plain = (3 * bases + 1) * counted["plain"]
    case.remaining = counted["remaining"] + 3 * bases * counted["difference"]
    return case


if __name__ == "__main__":
    run(__doc__, compare, add=OWN)

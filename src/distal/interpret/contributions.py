"""What every base of a window contributes to a number of the output, by one of four methods; knows genomes, no file.

The number is the model's prediction summed over the bins that touch a target, averaged over tracks. All methods read
one window, the one centred on the target, and answer with the same thing: for each base what each of the four letters
would contribute there (`hypothetical`, as TF-MoDISco calls it), of which the letter that is there is the contribution.

==================  ================================================================================================
gradient x input    the gradient at the sequence; what is there against nothing
centred gradient    the same minus its mean over the four letters; what is there against any letter (Majdandzic et
                    al. 2023, doi:10.1186/s13059-023-02956-3). A network is trained on one-hot letters only: along
                    "more of all four" its gradient means nothing, and this takes that part away
integrated          the mean gradient on the way from a baseline; sums to the difference of the predictions
mutagenesis         minus the mean effect of the three other letters, by predicting every one of them
==================  ================================================================================================

All four are of the form g[c] - b * sum(g), where b is the four channels' value in what a letter is compared with. An N
is no letter: it contributes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import Codes, N
from distal.errors import InputError
from distal.incremental import Incremental
from distal.interpret import attribution
from distal.interpret.gradients import Mask, letters, slope, value
from distal.interpret.integrated import MOST_STEPS, integrate
from distal.predictor import Predictor, on_genome
from distal.tracks import TrackTable

if TYPE_CHECKING:
    from distal.incremental import Pass
    from distal.io.fasta import Genome

Method = Literal["grad", "grad-centred", "ig", "ism"]


@dataclass(frozen=True, eq=False)
class Locus:
    """A question about a genome: what in `region` contributes to the tracks of `table` over `target`?"""

    read: Interval
    """The window that the model reads; it may pass the chromosome's ends."""
    codes: Codes
    """Its letters, uint8 [input_bp]."""
    region: Interval
    target: Interval
    """What the bins of `mask` cover."""
    mask: Mask
    table: TrackTable
    query: str
    """What chose the table's tracks."""

    @property
    def here(self) -> slice:
        """The region's bases among the window's."""
        return slice(self.region.start - self.read.start, self.region.end - self.read.start)


def locus(
    predictor: Predictor, genome: Genome, target: Interval, query: str = "", region: Interval | None = None
) -> Locus:
    """The question as it is answered: in the window centred on the target; about all of it where no region is given.

    Raises `InputError` where the target is not inside the output, or the region not inside the input of that window.
    """
    window = predictor.window
    target = on_genome(target, genome)
    read = window.input_around(target)
    output = window.output_of(read)
    if not output.contains(target):
        raise InputError(
            f"target {target!r} is wider than the {window.output_bp:,} bp that the model says; ask for less"
        )
    bins = window.bins_touching(target, output)
    first, last = (output.start + edge * window.bin_bp for edge in (bins.start, bins.stop))
    asked = read.clip(0, genome.sizes[target.chrom]) if region is None else on_genome(region, genome)
    if not read.contains(asked):
        raise InputError(
            f"region {asked!r} is not inside {read!r}, what the model reads around the target; ask for less"
        )
    table = predictor.tracks.select(query)
    mask = Mask(np.arange(bins.start, bins.stop), table.channels)
    return Locus(read, genome.codes(read), asked, Interval(target.chrom, first, last), mask, table, query)


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each letter would contribute at each base of an interval; see the top of this file.

    `hypothetical` float32 [width, 4]; `codes` uint8 [width] are the letters there; `target` is what the bins that were
    summed cover; `value` their prediction. `facts` say more about how they were made.
    """

    method: str
    formula: str
    hypothetical: NDArray[np.float32]
    codes: Codes
    interval: Interval
    target: Interval
    table: TrackTable
    value: float
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        width = self.interval.width
        if self.hypothetical.shape != (width, 4) or self.codes.shape != (width,):
            shapes = f"{list(self.hypothetical.shape)} (codes {list(self.codes.shape)})"
            raise ValueError(f"hypothetical must be {[width, 4]}, not {shapes}")

    def __repr__(self) -> str:
        read = f"{self.value:.4g} at {self.target!r}, {self.table!r}"
        return f"Contributions({self.method}, {self.interval!r} to {read})"

    def actual(self) -> NDArray[np.float32]:
        """What the letters that are there contribute, [width]; 0 for an N."""
        return at_letters(self.hypothetical, self.codes)


def at_letters(hypothetical: NDArray[np.float32], codes: Codes) -> NDArray[np.float32]:
    """Of [..., width, 4] the letters that are there, [..., width]; 0 for an N."""
    known = codes < N
    chosen = np.take_along_axis(hypothetical, np.where(known, codes, 0)[..., None].astype(np.int64), axis=-1)[..., 0]
    found: NDArray[np.float32] = np.where(known, chosen, 0).astype(np.float32)
    return found


def contributions(
    predictor: Predictor,
    genome: Genome,
    target: Interval,
    query: str = "",
    region: Interval | None = None,
    method: Method = "grad",
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    *,
    baseline: str = "uniform",
    most_steps: int = MOST_STEPS,
    progress: Callable[[int], None] = lambda done: None,
) -> Contributions:
    """What every base of `region`, by default of all that the model reads, contributes to the prediction at `target`.

    The prediction is summed over the bins that touch the target and averaged over the tracks that `query` selects.
    `method` is gradient x input, the gradient less its mean over letters, integrated gradients (from a `baseline`, in
    `most_steps` at most), or mutagenesis, which needs a region and reads no `shifts`. `rc` averages both strands.
    `progress` hears of each gradient or mutant that is done. Raises `InputError` where target or region lie outside of
    what the model says or reads. Where a model looks is another question, see `attention`.
    """
    asked = locus(predictor, genome, target, query, region)
    if method == "ism" and region is None:
        raise InputError("ism predicts every substitution; say of which bases, with a region")
    return answer(predictor, genome, asked, method, rc, shifts, baseline, most_steps, progress)


def answer(
    predictor: Predictor,
    genome: Genome,
    asked: Locus,
    method: Method,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    baseline: str = "uniform",
    most_steps: int = MOST_STEPS,
    progress: Callable[[int], None] = lambda done: None,
) -> Contributions:
    """The answer to a question by one of the methods, see `contributions`."""
    match method:
        case "grad":
            return gradient_x_input(predictor, asked, rc, shifts)
        case "grad-centred":
            return centred_gradient(predictor, asked, rc, shifts)
        case "ig":
            return integrated_gradients(predictor, asked, baseline, rc, shifts, most_steps, progress)
        case "ism" if tuple(shifts) == (0,):
            return mutagenesis(Incremental(predictor), genome, asked, rc, progress)
        case "ism":
            raise InputError("ism reads sequences where they are; leave shifts out, or ask for another method")
    raise InputError(f"method {method!r} is not one of {', '.join(get_args(Method))}")


def steps(asked: Locus, method: Method, most_steps: int = MOST_STEPS) -> int:
    """How much `progress` hears of a method: gradients at most, or mutants."""
    return attribution.substitutions(asked.codes[asked.here]) if method == "ism" else most_steps * (method == "ig")


def gradient_x_input(
    predictor: Predictor, asked: Locus, rc: bool = False, shifts: Sequence[int] = (0,)
) -> Contributions:
    """The gradient at the sequence, of the letter that is there."""
    return _of_gradient(
        predictor, asked, rc, shifts, "grad", 0.0, "gradient x input: dF/dx of the letter that is there"
    )


def centred_gradient(
    predictor: Predictor, asked: Locus, rc: bool = False, shifts: Sequence[int] = (0,)
) -> Contributions:
    """The gradient at the sequence minus its mean over the four letters, of the letter that is there."""
    formula = "dF/dx of the letter that is there - mean of dF/dx over A, C, G, T"
    return _of_gradient(predictor, asked, rc, shifts, "grad-centred", 0.25, formula)


def integrated_gradients(
    predictor: Predictor,
    asked: Locus,
    baseline: str = "uniform",
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    most_steps: int = MOST_STEPS,
    progress: Callable[[int], None] = lambda done: None,
) -> Contributions:
    """The mean gradient from a baseline (`integrated.BASELINES`) to the sequence, times each letter's step.

    Over the whole window they sum to the difference of the predictions; `facts` has both, the steps, and what is
    missing.
    """
    found = integrate(predictor, asked.codes, asked.mask, baseline, rc, shifts, most_steps, progress=progress)
    facts: dict[str, Any] = {"baseline": baseline, "baseline_value": found.from_value}
    facts |= {"steps": found.steps, "gap": found.gap}
    formula = f"integrated gradients from a {baseline} baseline: (x - x0) * mean of dF/dx along the way"
    return _answer(asked, "ig", formula, _against(found.gradient, found.baseline), found.to_value, facts)


def mutagenesis(
    pass_: Pass,
    genome: Genome,
    asked: Locus,
    rc: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Contributions:
    """Minus the mean effect of putting each of the three other letters, by a prediction for every one of them."""
    predictor = pass_.predictor
    aim = attribution.Objective(asked.query, asked.target, attribution.DIFFERENCE)
    effects = attribution.ism(pass_, genome, asked.region, aim, rc, progress=progress, read=asked.read).over_tracks()
    against_others = (effects - effects.mean(axis=1, keepdims=True)) * (4 / 3)
    whole = np.zeros((len(asked.codes), 4), dtype=np.float32)
    whole[asked.here] = against_others
    formula = "minus the mean effect of the three other letters, each predicted"
    return _answer(asked, "ism", formula, whole, value(predictor, letters(predictor, asked.codes), asked.mask, rc), {})


def _of_gradient(
    predictor: Predictor, asked: Locus, rc: bool, shifts: Sequence[int], method: str, against: float, formula: str
) -> Contributions:
    there, gradient = slope(predictor, letters(predictor, asked.codes), asked.mask, rc, shifts)
    return _answer(asked, method, formula, _against(gradient, against), there, {})


def _against(gradient: NDArray[np.floating[Any]], channel: float) -> NDArray[np.floating[Any]]:
    """What each letter adds to what has all four channels at `channel`, to first order: [L, 4] to the same."""
    against: NDArray[np.floating[Any]] = gradient - channel * gradient.sum(axis=1, keepdims=True)
    return against


def _answer(
    asked: Locus,
    method: str,
    formula: str,
    hypothetical: NDArray[np.floating[Any]],
    predicted: float,
    facts: Mapping[str, str | int | float | bool],
) -> Contributions:
    kept = hypothetical[asked.here].astype(np.float32)
    codes = asked.codes[asked.here]
    return Contributions(method, formula, kept, codes, asked.region, asked.target, asked.table, predicted, facts)

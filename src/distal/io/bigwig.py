"""Signal along a genome from and to bigWig files; knows bins and bases, not what the signal means.

bigWig is 0-based and half-open, as `Interval` is: nothing is converted. Bases that a file has no value for are 0 in
bins and NaN by themselves.
pybigtools reads and writes; its writer reports nothing that goes wrong, so `write` checks all that goes in and reads
back what came out. Source of the format: Kent et al. 2010, doi:10.1093/bioinformatics/btq351
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pybigtools
from numpy.typing import NDArray

from distal.coords import Interval, spellings
from distal.errors import InputError
from distal.files import keep

Record = tuple[Interval, NDArray[np.float32], int]
"""An interval, its float32 values [bins], and the bases of one bin."""

_MAGIC = 0x888FFC26
_CHUNK = 1 << 20


def sizes(path: str | Path) -> dict[str, int]:
    """Name -> number of bases of the chromosomes that a bigWig has values for (most writers leave out the others)."""
    with _readable(Path(path)), _open(Path(path)) as file:
        return dict(file.chroms())


class Opened:
    """A bigWig that stays open in this process: the value of every base, NaN where the file has none."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with _readable(self.path):
            self._file = _open(self.path)
            self.sizes: dict[str, int] = dict(self._file.chroms())
            """Name -> number of bases of the chromosomes that it has values for."""

    def bases(self, interval: Interval) -> NDArray[np.float64]:
        """The value of each base [width]; NaN off the chromosome. `InputError` for a chromosome that is not there."""
        chrom = _name(interval.chrom, self.sizes, self.path)
        with _readable(self.path):
            return _bases(self._file, replace(interval, chrom=chrom), self.sizes[chrom], np.nan)


def read_bins(
    path: str | Path, interval: Interval, bin_bp: int, stat: Literal["sum", "mean"] = "sum"
) -> NDArray[np.float32]:
    """Sum or mean over the bases of each bin of `interval`, float32[bins]; uncovered bases and NaN count as 0.

    Bases beyond the chromosome's ends are 0 too. Raises `InputError` for an interval that is not a whole number of
    bins, for a file that is no readable bigWig, and for a chromosome that it lacks (`sizes` tells beforehand).
    """
    if bin_bp < 1 or interval.width % bin_bp:
        raise InputError(f"{interval!r} is not a whole number of bins of {bin_bp} bp")
    sums = np.zeros(interval.width // bin_bp)
    step = max(_CHUNK // bin_bp, 1) * bin_bp
    with _readable(Path(path)), _open(Path(path)) as file:
        names = file.chroms()
        chrom = _name(interval.chrom, names, Path(path))
        for start in range(interval.start, interval.end, step):
            part = Interval(chrom, start, min(start + step, interval.end))
            first = (start - interval.start) // bin_bp
            sums[first : first + part.width // bin_bp] = (
                _bases(file, part, names[chrom], 0.0).reshape(-1, bin_bp).sum(axis=1)
            )
    return (sums if stat == "sum" else sums / bin_bp).astype(np.float32)


def _bases(file: Any, part: Interval, size: int, gap: float) -> NDArray[np.float64]:
    """The value of every base of `part` (binned by pybigtools, one NaN or absent base empties its whole bin)."""
    bases = np.full(part.width, gap)
    inside = part.clip(0, size)
    if inside.width:
        values = file.values(inside.chrom, inside.start, inside.end, uncovered=gap, fillna=gap, oob=gap)
        bases[inside.start - part.start : inside.end - part.start] = values
    return bases


def write(path: str | Path, sizes: Mapping[str, int], records: Iterable[Record]) -> None:
    """Write records as a bigWig over chromosomes of `sizes`; `path` (ending in .bw or .bigWig) appears whole or not.

    Records are sorted and do not overlap: the intervals of one chromosome follow each other, starts ascending. Raises
    `InputError` where they don't, where one leaves its chromosome or where there is none, `ValueError` for values
    that are not finite or do not fill their interval, and whatever `records` itself raises.
    """
    path = Path(path)
    _check_name(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".distal-bigwig-") as folder:
        draft = Path(folder) / "draft.bw"
        checked = _Checked(dict(sizes), iter(records))
        pybigtools.open(str(draft), "w").write(checked.sizes, checked.rows())
        if checked.error is not None:
            raise checked.error
        if checked.covered == 0:
            raise InputError(f"there is no value to write to {path}")
        _verify(draft, checked)
        keep(draft, path)


@dataclass
class _Checked:
    """What goes into a bigWig, checked row by row; keeps the exception that the writer would swallow."""

    sizes: dict[str, int]
    records: Iterator[Record]
    error: BaseException | None = None
    covered: int = 0
    total: float = 0.0
    last: Interval | None = None
    seen: set[str] = field(default_factory=set)

    def rows(self) -> Iterator[tuple[str, int, int, float]]:
        try:
            for interval, values, bin_bp in self.records:
                self._check(interval, values, bin_bp)
                starts = range(interval.start, interval.end, bin_bp)
                for start, value in zip(starts, values.tolist(), strict=True):
                    yield interval.chrom, start, start + bin_bp, value
                self.covered += interval.width
                self.total += bin_bp * float(values.sum(dtype=np.float64))
                self.last = interval
        except GeneratorExit:
            raise
        except BaseException as error:  # Ctrl-C too: the writer prints what escapes here and goes on, `write` raises it
            self.error = error

    def _check(self, interval: Interval, values: NDArray[np.float32], bin_bp: int) -> None:
        if values.ndim != 1 or len(values) * bin_bp != interval.width:
            raise ValueError(f"{values.shape} values of {bin_bp} bp do not fill {interval!r}")
        if not np.isfinite(values).all():
            raise ValueError(f"the values over {interval!r} are not all finite")
        size = self.sizes.get(interval.chrom)
        if size is None or interval.start < 0 or interval.end > size:
            raise InputError(f"{interval!r} is not inside a chromosome of the bigWig ({interval.chrom}: {size} bp)")
        same = self.last is not None and self.last.chrom == interval.chrom
        if same and self.last is not None and interval.start < self.last.end:
            raise InputError(f"{interval!r} overlaps or comes before {self.last!r}; sort and merge the regions")
        if not same and interval.chrom in self.seen:
            raise InputError(f"{interval!r} comes after another chromosome's regions; sort the regions by chromosome")
        self.seen.add(interval.chrom)


def _verify(draft: Path, checked: _Checked) -> None:
    try:
        with pybigtools.open(str(draft)) as file:
            summary = file.info()["summary"]
    except pybigtools.BBIReadError:
        raise OSError("the bigWig could not be written; is the disk full?") from None
    whole = summary["basesCovered"] == checked.covered
    if not whole or not math.isclose(summary["sum"], checked.total, rel_tol=1e-6, abs_tol=1e-6 * checked.covered):
        raise RuntimeError(f"the bigWig written holds {summary}, not {checked.covered} bases of sum {checked.total}")


def _name(chrom: str, names: Mapping[str, int], path: Path) -> str:
    for name in spellings(chrom):
        if name in names:
            return name
    some = ", ".join(list(names)[:3]) + (", …" if len(names) > 3 else "")
    raise InputError(f"chromosome {chrom!r} has no values in {path} ({len(names)} chromosomes: {some})")


def _check_name(path: Path) -> None:
    if path.suffix not in (".bw", ".bigWig", ".bigwig"):
        raise InputError(f"the name of a bigWig file ends in .bw or .bigWig; rename {path}")


def _open(path: Path) -> Any:
    """A pybigtools reader. It goes by the name's end, so anything else is told apart here."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise InputError(f"bigWig {path} cannot be read ({error.strerror})") from None
    if _MAGIC not in (int.from_bytes(head, "little"), int.from_bytes(head, "big")):
        raise InputError(f"{path} is not a bigWig file")
    _check_name(path)
    return pybigtools.open(str(path))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Damage as `InputError`. pybigtools raises `BBIReadError`, or panics (which is no subclass of `Exception`)."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, pybigtools.BBIReadError) or type(error).__name__ == "PanicException":
            raise InputError(f"{path} is damaged; copy or make it again") from None
        raise

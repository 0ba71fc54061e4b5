"""An answer, and the formats that it is given out in: JSON, npz, Arrow, TSV, bigWig, SVG, PNG; knows no HTTP.

Numbers are written as float32 has them, shortest form; NaN is null in JSON, empty in TSV. An npz holds plain arrays,
never objects.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.web.equivalent import Equivalent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from distal.io.bigwig import Record

MEDIA = {
    "json": "application/json",
    "npz": "application/x-npz",
    "arrow": "application/vnd.apache.arrow.file",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "bigwig": "application/x-bigwig",
    "bedpe": "text/plain; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
SUFFIX = {"bigwig": "bw"}
Columns = Mapping[str, Any]
"""Name of each column -> its values, all of one length."""


@dataclass(frozen=True)
class Answer:
    """What was computed. Each function makes one format, and None says that there is no such thing."""

    name: str
    """What a file of it is called, without its ending."""
    body: Mapping[str, Any]
    """The JSON; numpy arrays stand for lists."""
    equivalent: Equivalent
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    columns: Callable[[], Columns] | None = None
    records: Callable[[], Iterable[Record]] | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Of the genome's sequences, for `records`."""
    bedpe: Callable[[Path], None] | None = None
    figure: Callable[[], Figure] | None = None

    def formats(self) -> list[str]:
        """The formats that there are."""
        there = {
            "json": True,
            "npz": bool(self.arrays),
            "arrow": self.columns is not None,
            "tsv": self.columns is not None,
            "bigwig": self.records is not None,
            "bedpe": self.bedpe is not None,
            "svg": self.figure is not None,
            "png": self.figure is not None,
        }
        return [name for name, known in there.items() if known]

    def encoded(self, form: str) -> bytes:
        """The answer in one format. Raises `InputError` for one that it hasn't."""
        if form not in self.formats():
            raise InputError(f"this answer has no format {form!r}; it has {', '.join(self.formats())}")
        match form:
            case "json":
                return as_json({**self.body, "equivalent": asdict(self.equivalent)})
            case "npz":
                return _npz(self.arrays)
            case "arrow" | "tsv":
                assert self.columns is not None
                return _table(self.columns(), form)
            case "bigwig":
                return _written("draft.bw", self._bigwig)
            case "bedpe":
                assert self.bedpe is not None
                return _written("draft.bedpe", self.bedpe)
            case _:
                return _written(f"draft.{form}", self._picture)

    def _bigwig(self, path: Path) -> None:
        from distal.io import bigwig

        assert self.records is not None
        bigwig.write(path, self.sizes, self.records())

    def _picture(self, path: Path) -> None:
        from distal import plots

        assert self.figure is not None
        plots.save(self.figure(), path)

    def filename(self, form: str) -> str:
        """What a browser calls the file."""
        return f"{self.name}.{SUFFIX.get(form, form)}"


def as_json(value: object) -> bytes:
    """JSON of numbers, texts, lists, mappings and numpy arrays."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def file_name(*parts: object) -> str:
    """Letters, digits and hyphens: a name that every system takes."""
    text = "-".join(str(part) for part in parts if part not in ("", None))
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-._") else "_" for letter in text)[
        :120
    ]


def per_bin(chrom: str, start: int, bin_bp: int, names: Sequence[str], values: NDArray[np.float32]) -> Columns:
    """Columns of values [tracks, bins]: chrom, start, end (0-based half-open), then a column for each track."""
    starts = start + bin_bp * np.arange(values.shape[1])
    place = {"chrom": [chrom] * len(starts), "start": starts, "end": starts + bin_bp}
    return place | dict(zip(_unique(names), values, strict=True))


def _unique(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name}.{i}" for i, name in enumerate(names)]


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _table(columns: Columns, form: str) -> bytes:
    import polars as pl

    frame, buffer = pl.DataFrame(dict(columns)).fill_nan(None), io.BytesIO()
    if form == "arrow":
        frame.write_ipc(buffer)
    else:
        frame.write_csv(buffer, separator="\t")
    return buffer.getvalue()


def _written(name: str, write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="distal-page-") as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()

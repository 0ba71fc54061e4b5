"""Basenji's TFRecord data sets without TensorFlow: knows the bytes of records and folders, not what they are used for.

A data set is a folder with `statistics.json`, `sequences.bed`, `targets.txt` and shards `tfrecords/<split>-<i>.tfr`. A
shard is one zlib stream around framed records (length, masked CRC32C, payload, masked CRC32C); a payload is a
`tf.train.Example` with the byte features `sequence`, `target` (`targets` in an older writer) and, rarely, `umap`.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import Codes, N
from distal.errors import InputError
from distal.files import replacing
from distal.protobuf import fields, masked_crc

_inflate: Any
try:  # about 3.5 times as fast as zlib; the extra `fast`
    from isal import isal_zlib

    _inflate = isal_zlib
except ImportError:
    _inflate = zlib

_CHUNK = 1 << 20
_LARGEST = 1 << 31  # protobuf refuses messages of 2 GiB; a longer record is a broken length
_HALF_MAX = float(np.finfo(np.float16).max)
_SHARD = re.compile(r"^(?P<split>[^.].*)-(?P<number>\d+)\.tfr$")


@dataclass(frozen=True, eq=False, slots=True)
class Example:
    """One window of a data set."""

    codes: Codes
    """Bases, uint8 [L]."""
    targets: NDArray[np.float32]
    """Measured signal, [bins, tracks], over the centre of the window."""
    umap: NDArray[np.bool_] | None = None
    """Bins that reads cannot be mapped to, [bins]; most data sets don't say."""
    interval: Interval | None = None
    """Where the L bases lie; None when the folder has no sequences.bed."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The sizes that statistics.json states and the records don't."""

    seq_length: int
    """Bases of a window."""
    bin_bp: int
    """Bases of a bin (`pool_width`)."""
    crop_bp: int
    """Bases on each side of a window that have no targets."""
    bins: int
    """Bins of a window (`target_length`)."""
    tracks: int
    """Channels (`num_targets`)."""
    counts: dict[str, int]
    """Windows of each split, in the file's order."""


def layout(folder: str | Path) -> Layout:
    """Read `statistics.json` of a data set; unknown keys are ignored.

    Raises `InputError` when the file is missing, isn't JSON, or its sizes contradict each other.
    """
    path = Path(folder) / "statistics.json"
    try:
        facts = json.loads(path.read_text())
        length, bins, tracks = (int(facts[key]) for key in ("seq_length", "target_length", "num_targets"))
        bin_bp = int(facts["pool_width"])
        crop = int(facts.get("crop_bp", (length - bins * bin_bp) // 2))
        counts = {key[: -len("_seqs")]: int(facts[key]) for key in facts if key.endswith("_seqs")}
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); a data set has statistics.json and tfrecords/"
        ) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not the statistics.json of a data set: {error}") from None
    except KeyError as error:
        raise InputError(
            f"{path} has no {error}; it states seq_length, target_length, num_targets and pool_width"
        ) from None
    if min(length, bins, tracks, bin_bp) <= 0 or crop < 0 or length != bins * bin_bp + 2 * crop:
        raise InputError(
            f"{path}: {bins} bins of {bin_bp} bp and 2 x {crop} bp of crop do not make the {length} bp of a window"
        )
    return Layout(length, bin_bp, crop, bins, tracks, counts)


def windows(folder: str | Path) -> dict[str, tuple[Interval | None, ...]]:
    """Where the records of each split lie, in their order; None where the folder has no sequences.bed.

    Raises `InputError` where nothing says how many there are.
    """
    folder, sizes = Path(folder), layout(folder)
    found: dict[str, tuple[Interval | None, ...]] = {}
    for split in _splits(folder, sizes):
        intervals = _intervals(folder, split, sizes)
        if intervals is None and split not in sizes.counts:
            raise InputError(f"{folder / 'statistics.json'} has no {split}_seqs, the number of its records; add it")
        found[split] = (None,) * sizes.counts[split] if intervals is None else tuple(intervals)
    return found


def files(folder: str | Path) -> list[Path]:
    """What a data set folder is made of: its tables and shards, in the order in which they are read."""
    folder = Path(folder)
    texts = (folder / name for name in ("statistics.json", "targets.txt", "sequences.bed"))
    return [*(path for path in texts if path.exists()), *chain.from_iterable(_shards(folder).values())]


def read(path: str | Path, split: str | None = None) -> Iterator[Example]:
    """The examples of a data set folder or of one shard, in the order of sequences.bed; one is in memory at a time.

    `split` chooses ``train``, ``valid``, ``test`` or what else the folder has; None reads every split. A shard takes
    its sizes from the `statistics.json` of the folder above it and gives no intervals. Stored infinities (overflown
    float16) become 65504. Raises `InputError`, naming file and record, for what is missing, truncated or corrupt.
    """
    path = Path(path)
    if path.is_dir():
        sizes = layout(path)
        for name in [split] if split is not None else _splits(path, sizes):
            yield from _read_split(path, name, sizes)
    elif path.is_file():
        yield from _read_shard(path, layout(path.resolve().parent.parent))
    else:
        raise InputError(f"{path} does not exist; give a data set folder or one of its .tfr files")


def _shards(folder: Path) -> dict[str, list[Path]]:
    found = [(match, path) for path in (folder / "tfrecords").glob("*.tfr") if (match := _SHARD.match(path.name))]
    ordered = sorted(found, key=lambda pair: (pair[0]["split"], int(pair[0]["number"])))
    shards: dict[str, list[Path]] = {}
    for match, path in ordered:
        shards.setdefault(match["split"], []).append(path)
    return shards


def _splits(folder: Path, sizes: Layout) -> list[str]:
    return list(dict.fromkeys([*(name for name, count in sizes.counts.items() if count), *_shards(folder)]))


def _read_split(folder: Path, split: str, sizes: Layout) -> Iterator[Example]:
    shards = _shards(folder).get(split)
    if not shards:
        there = ", ".join(_shards(folder)) or "none"
        raise InputError(f"{folder / 'tfrecords'} has no {split}-*.tfr; the splits there are: {there}")
    intervals = _intervals(folder, split, sizes)
    count = 0
    for path in shards:
        for example in _read_shard(path, sizes):
            interval = intervals[count] if intervals is not None and count < len(intervals) else None
            yield replace(example, interval=interval)
            count += 1
    stated = sizes.counts.get(split, count)
    if stated != count or (intervals is not None and len(intervals) != count):
        beds = "" if intervals is None else f" and sequences.bed {len(intervals)}"
        said = f"statistics.json says {stated}{beds}"
        raise InputError(f"{folder}: the {split} shards hold {count} records, {said}; a shard is missing")


def _intervals(folder: Path, split: str, sizes: Layout) -> list[Interval] | None:
    """Input windows of a split from sequences.bed, which holds them whole (2020) or cropped (newer): told by width."""
    path = folder / "sequences.bed"
    if not path.exists():
        return None
    whole, cropped = sizes.seq_length, sizes.seq_length - 2 * sizes.crop_bp
    rows: list[Interval] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        fields = line.split("\t")
        if len(fields) < 4 or not (fields[1].lstrip("-").isdecimal() and fields[2].isdecimal()):
            raise InputError(f"{path} line {number}: not chromosome, start, end and split, separated by tabs")
        start, end = int(fields[1]), int(fields[2])
        if end - start not in (whole, cropped):
            raise InputError(
                f"{path} line {number}: {end - start} bp wide; windows have {whole}, their centres {cropped}"
            )
        if fields[3] == split:
            flank = 0 if end - start == whole else sizes.crop_bp
            rows.append(Interval(fields[0], start - flank, end + flank))
    return rows


def _read_shard(path: Path, sizes: Layout) -> Iterator[Example]:
    with path.open("rb") as file:
        for number, payload in enumerate(_records(file, path)):
            where = f"{path} record {number}"
            try:
                features = _features(payload)
            except ValueError:
                raise InputError(
                    f"{where}: not a tf.train.Example; the file was not written by Basenji or baskerville"
                ) from None
            yield _example(features, sizes, where)


def _records(file: BinaryIO, path: Path) -> Iterator[memoryview]:
    """Payloads of a shard, CRCs checked; each stays valid after the next is read."""
    stream = _Stream(file, path)
    number = 0
    while head := stream.take(12, f"record {number}"):
        length, crc = struct.unpack("<QI", head)
        if masked_crc(head[:8]) != crc or length >= _LARGEST:
            raise InputError(f"{path} record {number}: its length is corrupt (CRC32C differs); fetch the file again")
        payload, tail = stream.take(length, f"record {number}"), stream.take(4, f"record {number}")
        if len(payload) + len(tail) != length + 4:
            raise InputError(f"{path} record {number}: the stream ends inside it; fetch the file again")
        if masked_crc(payload) != int.from_bytes(tail, "little"):
            raise InputError(f"{path} record {number}: its content is corrupt (CRC32C differs); fetch the file again")
        yield memoryview(payload)
        number += 1


class _Stream:
    """The inflated bytes of a zlib file, as many at a time as asked for."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._inflater: Any = _inflate.decompressobj()
        self._waiting = b""

    def take(self, count: int, where: str) -> bytes:
        """`count` bytes; none at the end of the stream. Raises `InputError` when the stream is cut or corrupt."""
        parts: list[bytes] = []
        missing = count
        while missing and not self._inflater.eof:
            data = self._waiting or self._file.read(_CHUNK)
            try:
                part = self._inflater.decompress(data, missing)
            except (zlib.error, _inflate.error) as error:
                raise InputError(
                    f"{self._path} {where}: not a whole zlib stream ({error}); fetch the file again"
                ) from None
            self._waiting = self._inflater.unconsumed_tail
            if not data and not part and not self._inflater.eof:
                raise InputError(f"{self._path} {where}: the file is truncated; fetch it again")
            parts.append(part)
            missing -= len(part)
        if self._inflater.eof and (self._inflater.unused_data or self._file.read(1)):
            raise InputError(f"{self._path} {where}: bytes follow the end of the zlib stream; fetch the file again")
        if parts and 0 < missing < count:
            raise InputError(f"{self._path} {where}: the stream ends inside it; fetch the file again")
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _parts(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of the texts and nested messages in a message; numbers are stepped over."""
    return ((number, value) for number, value in fields(message) if not isinstance(value, int))


def _features(payload: memoryview) -> dict[str, memoryview]:
    """The byte features of a `tf.train.Example`, by name; views of `payload`, nothing is copied."""
    features: dict[str, memoryview] = {}
    for example_field, feature_map in _parts(payload):
        for map_field, entry in _parts(feature_map) if example_field == 1 else ():
            if map_field == 1:
                parts = dict(_parts(entry))
                name = bytes(parts[1]).decode() if 1 in parts else ""
                kinds = dict(_parts(parts[2])) if 2 in parts else {}
                values = dict(_parts(kinds[1])) if 1 in kinds else {}
                if 1 in values:
                    features[name] = values[1]
    return features


def _example(features: dict[str, memoryview], sizes: Layout, where: str) -> Example:
    target = features.get("target", features.get("targets"))
    if "sequence" not in features or target is None:
        raise InputError(
            f"{where}: has the features {', '.join(features) or 'none'}; a Basenji record has sequence and target"
        )
    if len(target) != 2 * sizes.bins * sizes.tracks:
        wanted = f"{sizes.bins} bins x {sizes.tracks} tracks of float16"
        raise InputError(f"{where}: target has {len(target)} bytes, statistics.json says {wanted}")
    values = np.frombuffer(target, dtype="<f2").reshape(sizes.bins, sizes.tracks).astype(np.float32)
    if np.isnan(values).any():
        raise InputError(f"{where}: target holds NaN; the data set was built from a track with gaps, build it again")
    umap = features.get("umap")
    if umap is not None and len(umap) != sizes.bins:
        raise InputError(f"{where}: umap has {len(umap)} bytes for {sizes.bins} bins")
    return Example(
        codes=_codes(features["sequence"], sizes.seq_length, where),
        targets=np.clip(values, -_HALF_MAX, _HALF_MAX, out=values),
        umap=None if umap is None else np.frombuffer(umap, dtype=np.uint8).astype(bool),
    )


def _codes(sequence: memoryview, length: int, where: str) -> Codes:
    """Codes [length] from stored codes (`length` bytes) or one-hot rows (4 x `length`; N where not a single 1)."""
    raw = np.frombuffer(sequence, dtype=np.uint8)
    if len(raw) == length:
        if raw.max() > N:
            raise InputError(f"{where}: sequence holds {int(raw.max())}, codes are 0 to 4 (A, C, G, T, N)")
        return raw
    if len(raw) != 4 * length:
        raise InputError(
            f"{where}: sequence has {len(raw)} bytes; {length} (codes) or {4 * length} (one-hot) fit statistics.json"
        )
    rows = raw.reshape(length, 4)
    if raw.max() > 1:
        raise InputError(f"{where}: one-hot sequence holds {int(raw.max())}, not only 0 and 1")
    codes: Codes = (rows @ np.arange(4, dtype=np.uint8)).astype(np.uint8, copy=False)
    codes[rows.sum(axis=1) != 1] = N
    return codes


def write(path: str | Path, examples: Iterable[Example]) -> int:
    """Write one shard as baskerville does (sequence as codes, float16 targets) and return the number of records.

    Targets beyond float16 are stored as ±65504. The file appears whole or not at all.
    """
    deflate = zlib.compressobj()
    count = 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        for example in examples:
            file.write(deflate.compress(_framed(_payload(example))))
            count += 1
        file.write(deflate.flush())
    return count


def _framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return b"".join((length, struct.pack("<I", masked_crc(length)), payload, struct.pack("<I", masked_crc(payload))))


def _payload(example: Example) -> bytes:
    half = np.clip(example.targets, -_HALF_MAX, _HALF_MAX).astype("<f2")
    features = {"sequence": example.codes.tobytes(), "target": half.tobytes()}
    if example.umap is not None:
        features["umap"] = example.umap.astype(np.uint8).tobytes()
    entries = (
        _field(1, _field(1, name.encode()) + _field(2, _field(1, _field(1, value)))) for name, value in features.items()
    )
    return _field(1, b"".join(entries))


def _field(number: int, content: bytes) -> bytes:
    length, head = len(content), bytearray([number << 3 | 2])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(head) + bytes([length]) + content

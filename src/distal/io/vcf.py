"""Variants from VCF and BCF files, and annotated copies of them; knows lines and columns, judges no allele.

Every line is a header line, rows, or an `InputError` that names it. Positions are 1-based, as in the file.

Source: the VCF 4.5 and BCF 2.2 specifications, https://samtools.github.io/hts-specs/VCFv4.5.pdf
"""

from __future__ import annotations

import re
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
from numpy.typing import NDArray

from distal.coords import Variant
from distal.errors import InputError
from distal.files import is_pipe, keep
from distal.io import lines

Value = str | int | float | None
"""What one ALT allele gets in INFO."""

COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT")
"""What the columns are called, those of the samples come behind; from QUAL on they may be missing."""
_FIXED = COLUMNS[:8]
_CONTIG = re.compile(r"##contig=<(?:[^\"]*,)?ID=(?P<name>[^,>]+)")
_INFO = re.compile(r"^##INFO=<ID=(?P<key>[^,>]+)")
_LENGTH = re.compile(r"[<,]length=(?P<length>[0-9]{1,15})(?=[,>])")
_TBI_END = 1 << 29


class VcfRow(NamedTuple):
    """One ALT allele of one record, as the file has it, alleles upper-cased.

    `ref` and `alt` may be any text that a VCF allows: bases, IUPAC codes, ``.`` (missing), ``*``, ``<DEL>``, a
    breakend. `variant` is what turns bases into a `Variant`.
    """

    line: int
    """Line in the file, counted from 1 (of a BCF: in the text that `bcftools view` prints)."""
    record: int
    """Ordinal of the record, counted from 0: the ALT alleles of one record share it."""
    chrom: str
    pos: int
    """1-based position of the first base of `ref`; 0 is the telomere."""
    name: str
    """The ID column; ``.`` when there is none."""
    ref: str
    alt: str

    def variant(self) -> Variant:
        """The row as a `Variant` (0-based). `InputError` unless both alleles are A, C, G, T, N and `pos` is above 0."""
        return Variant.from_vcf(self.chrom, self.pos, self.ref, self.alt, self.name)


def read(path: str | Path) -> Iterator[VcfRow]:
    """The rows of a VCF or BCF in file order, one per ALT allele (a record without ALT gives one row, ALT ``.``).

    `path` may be ``-`` (standard input). Memory does not grow with the file. Raises `InputError`, with file and line,
    for a record with too few or too many columns or a position that is no number, and for a file that is cut off.
    """
    with closing(lines.read(path)) as text:
        yield from rows(text, lines.shown(path))


def rows(text: Iterable[str], source: str) -> Iterator[VcfRow]:
    """As `read`, from the lines of a VCF; `source` is the name that messages have for it."""
    for record, (line, fields) in enumerate(_records(text, source)):
        yield from alleles(line, record, fields)


def beside(text: Iterable[str], source: str, keys: Sequence[Sequence[str]]) -> Iterator[tuple[VcfRow, tuple[str, ...]]]:
    """As `rows`, each with a value of INFO for each of `keys`, empty where it has none.

    An entry of `keys` holds the names that one thing may have, in lower case: the first that there is counts, in any
    case. A key with as many values as the record has ALT alleles gives each of them its own.
    """
    for record, (line, fields) in enumerate(_records(text, source)):
        columns = fields[5].split("\t", 3) if len(fields) > 5 else []
        items = (item.partition("=") for item in columns[2].split(";")) if len(columns) > 2 else ()
        info = {key.lower(): value for key, _, value in items}
        values = [next((info[name] for name in names if name in info), "") for names in keys]
        found = alleles(line, record, fields)
        for i, row in enumerate(found):
            yield row, tuple(_own(value, i, len(found)) for value in values)


def _own(value: str, allele: int, alleles: int) -> str:
    """The value of one ALT allele among several."""
    parts = value.split(",")
    return parts[allele] if len(parts) == alleles else value


def alleles(line: int, record: int, fields: Sequence[str]) -> list[VcfRow]:
    """A row for each ALT allele of CHROM, POS, ID, REF, ALT (that `checked` found to be a record)."""
    chrom, pos, name, ref, alts = fields[:5]
    if not (chrom.isascii() and name.isascii() and ref.isascii() and alts.isascii()):
        chrom, name, ref, alts = map(_printable, (chrom, name, ref, alts))
    place, name, ref = int(pos), name or ".", _allele(ref)
    return [VcfRow(line, record, chrom, place, name, ref, _allele(alt)) for alt in alts.split(",")]


def checked(chrom: str, pos: str, where: str) -> None:
    """`InputError`, with `where`, unless the two columns are a name and a position."""
    if not chrom:
        raise InputError(f"{where}: the chromosome is empty")
    if not (pos.isascii() and pos.isdigit() and len(pos) < 16):
        raise InputError(f"{where}: the position {pos!r} is not a number counted from 1")


def contigs(path: str | Path) -> dict[str, int | None]:
    """The contigs that the header declares, with their lengths (None where it gives none); empty when it has none."""
    found: dict[str, int | None] = {}
    for line in _header(path):
        if match := _CONTIG.match(line):
            length = _LENGTH.search(line)
            found[match["name"]] = int(length["length"]) if length else None
    return found


def annotate(
    source: str | Path,
    out: str | Path,
    header_lines: Iterable[str],
    per_record_info: Iterable[Mapping[str, Sequence[Value]]],
) -> None:
    """Copy `source` to `out` (bgzip, its tabix index beside it), adding INFO values to every record.

    `header_lines` are the ``##INFO=<ID=...>`` lines of what is added; a key that `source` already has is replaced,
    everything else is kept. `per_record_info` gives for each record, in file order, key -> one value per ALT allele
    (None and nan are written as ``.``). A source that is not sorted is sorted on the way: contigs in order of first
    appearance, then position, then file order. `out` appears whole or not at all; an index is .tbi, or .csi where a
    position lies beyond 2^29. Raises `InputError` as `read` does, `ValueError` where values and records don't match.
    """
    header = _merged(_header(source), list(header_lines))
    with tempfile.TemporaryDirectory(dir=Path(out).parent, prefix=".distal-vcf-") as folder:
        draft = Path(folder) / "draft.vcf.gz"
        places = _write_draft(draft, header, source, per_record_info)
        order = np.lexsort((places[:, 1], places[:, 0]))
        if not np.array_equal(order, np.arange(len(order))):
            draft = _reorder(draft, header, places[order, 2])
        _publish(draft, Path(out), csi=bool(len(places) and places[:, 1].max() > _TBI_END))


def _write_draft(
    draft: Path,
    header: list[str],
    source: str | Path,
    per_record_info: Iterable[Mapping[str, Sequence[Value]]],
) -> NDArray[np.int64]:
    """Write the annotated records in file order; returns (contig rank, position, offset in `draft`), [records, 3]."""
    places = array("q")
    ranks: dict[str, int] = {}
    with pysam.BGZFile(str(draft), "wb", None) as file, closing(lines.read(source)) as text:
        file.write(_bytes(header))
        for (_, fields), info in zip(_records(text, lines.shown(source)), per_record_info, strict=True):
            places.extend((ranks.setdefault(fields[0], len(ranks)), int(fields[1]), file.tell()))
            file.write(_bytes([_annotated(fields, info)]))
    return np.array(places, dtype=np.int64).reshape(-1, 3)


def _reorder(draft: Path, header: list[str], offsets: NDArray[np.int64]) -> Path:
    ordered = draft.with_name("ordered.vcf.gz")
    with pysam.BGZFile(str(draft), "rb", None) as source, pysam.BGZFile(str(ordered), "wb", None) as file:
        file.write(_bytes(header))
        for offset in offsets.tolist():
            source.seek(offset)
            file.write(source.readline() + b"\n")
    return ordered


def _publish(made: Path, out: Path, csi: bool) -> None:
    """Index `made`, then put both in their places; an index of an earlier `out` never lies beside a new one."""
    verbosity = pysam.set_verbosity(
        0
    )  # htslib warns of telomeres (POS 0) and END before POS; both are kept as they are
    try:
        pysam.tabix_index(str(made), preset="vcf", force=True, csi=csi)
    finally:
        pysam.set_verbosity(verbosity)
    suffix = ".csi" if csi else ".tbi"
    for stale in (".csi", ".tbi"):
        Path(f"{out}{stale}").unlink(missing_ok=True)
    for source, target in ((made, out), (Path(f"{made}{suffix}"), Path(f"{out}{suffix}"))):
        keep(source, target)


def _merged(header: Iterable[str], added: list[str]) -> list[str]:
    """The header with `added` before the column names, instead of earlier lines for the same INFO keys."""
    replaced = {match["key"] for line in added if (match := _INFO.match(line))}
    given = list(header)
    meta = [line for line in given if line.startswith("##")]
    kept = [line for line in meta if not ((match := _INFO.match(line)) and match["key"] in replaced)]
    if not any(line.startswith("##fileformat=") for line in kept[:1]):
        kept.insert(0, "##fileformat=VCFv4.2")
    columns = next((line.split("\t") for line in given if line.startswith("#CHROM")), list(_FIXED))
    return [*kept, *added, "\t".join([*columns, *_FIXED[len(columns) :]])]


def _annotated(fields: list[str], info: Mapping[str, Sequence[Value]]) -> str:
    alleles = fields[4].count(",") + 1
    for key, values in info.items():
        if len(values) != alleles:
            raise ValueError(f"INFO {key} has {len(values)} values for {alleles} ALT alleles at {':'.join(fields[:2])}")
    columns = [*fields[:5], *(fields[5].split("\t", 3) if len(fields) > 5 else ())]
    columns += ["."] * (len(_FIXED) - len(columns))
    kept = [item for item in columns[7].split(";") if item not in ("", ".") and item.partition("=")[0] not in info]
    columns[7] = ";".join([*kept, *(f"{key}={','.join(map(_text, values))}" for key, values in info.items())]) or "."
    return "\t".join(columns)


def _text(value: Value) -> str:
    """An INFO value as VCF writes it: reserved characters percent-encoded, floats with six digits, ``.`` for none."""
    if isinstance(value, str):
        return re.sub(r"[%;=,\s]", lambda match: f"%{ord(match[0]):02X}", value)
    if value is None or value != value:
        return "."
    return str(int(value)) if isinstance(value, int | np.integer) else f"{value:.6g}"


def _bytes(content: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in content).encode("utf-8", "surrogateescape")


def _printable(text: str) -> str:
    """Text that can be encoded again: bytes that are no UTF-8 are taken for Latin-1."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    return text


def _allele(text: str) -> str:
    return text.upper() if text.isalpha() else text or "."


def _header(path: str | Path) -> Iterator[str]:
    """The lines before the first record."""
    if is_pipe(path):
        raise InputError(f"{path} can be read only once, for its records; save the VCF to a file first")
    with closing(lines.read(path)) as text:
        for line in text:
            if not line.startswith("#"):
                return
            yield line


def _records(text: Iterable[str], source: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every record: CHROM, POS, ID, REF, ALT, the rest of the line (where there is any)."""
    columns, known = 0, False
    for number, line in enumerate(text, start=1):
        if line.startswith("#"):
            if not line.startswith(("##", "#CHROM\t")) and (columns or (known and line.count("\t") >= 4)):
                raise InputError(f"{source} line {number}: a damaged record or header, or a comment; delete or mend it")
            known = known or line.startswith(("##fileformat=VCF", "#CHROM\t"))
            columns = _columns(line, f"{source} line {number}") if line.startswith("#CHROM\t") else columns
        elif line:
            columns = columns or line.count("\t") + 1
            yield number, _fields(line, columns if known else 0, f"{source} line {number}")
    if not columns:
        raise InputError(f"{source} is not a VCF, or cut off in the header: it holds neither a #CHROM line nor records")


def _columns(line: str, where: str) -> int:
    """Number of columns of the line that names them."""
    names = line.split("\t")
    for name, known in zip(names, COLUMNS, strict=False):
        if name != known:
            raise InputError(f"{where}: a column is named {name!r} where a VCF has {known}; is a line end missing?")
    return len(names)


def _fields(line: str, columns: int, where: str) -> list[str]:
    """CHROM, POS, ID, REF, ALT and the rest of a line that has `columns` columns (0: no header has been seen)."""
    if not columns:
        raise InputError(f"{where}: a record before any header; a VCF starts with ##fileformat=VCF")
    found = line.count("\t") + 1
    if found != columns or found < 5:
        raise InputError(
            f"{where}: {found} columns separated by tabs, not {max(columns, 5)}; the line is cut off, or not from a VCF"
        )
    fields = line.split("\t", 5)
    checked(fields[0], fields[1], where)
    return fields

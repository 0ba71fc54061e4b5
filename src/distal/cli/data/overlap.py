"""`distal data lift` and `distal data overlap`: held-out regions on another assembly, and whether windows touch them.

Knows options and file names only.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from distal.cli.console import SomeFailed, emit
from distal.cli.options import Json


def lift(bed: Path, *, chain: Path, out: Path, width: int | None = None, json: Json = False) -> None:
    """Move regions to another assembly of their genome.

    Where a chain aligns the ends of a region, all between them is taken, so that what is kept out is rather too much.

    Parameters
    ----------
    bed
        BED file of regions; its fourth column is kept.
    chain
        UCSC chain file from their assembly to the other, such as hg38ToHg19.over.chain.gz.
    out
        BED file to write; regions that no chain aligns are left out.
    width
        Bases that every region is made to have around its centre before it is moved: what a model reads, where the
        file says only what is measured.
    """
    from distal.data.overlap import lifted
    from distal.files import replacing
    from distal.io import bed as beds
    from distal.io.chain import Chains

    rows = list(beds.read(bed))
    wide = [row if width is None else replace(row, interval=row.interval.resize(width)) for row in rows]
    found = list(lifted(wide, Chains(chain)))
    with replacing(out) as temporary:
        lines = (f"{row.interval.chrom}\t{row.interval.start}\t{row.interval.end}\t{row.name}\n" for row in found)
        temporary.write_text("".join(lines))
    emit({"regions": len(rows), "lifted to": len(found), "out": str(out)}, json)


def overlap(*, windows: Path, held_out: Path, json: Json = False) -> None:
    """Check that no window has a base of a held-out region. Exit code 3 where one has.

    Parameters
    ----------
    windows
        BED file of a data set's windows: its sequences.bed.
    held_out
        BED file of the held-out regions on the same assembly (`distal data lift` brings them there).
    """
    from distal.data.overlap import shared
    from distal.io import bed as beds

    inside = [row.interval for row in beds.read(windows)]
    found = [each for each in shared(inside, beds.read(held_out)) if each.windows]
    rows: list[dict[str, Any]] = [
        {"held out": repr(each.region), "split": each.name, "windows": each.windows, "bases": each.bases}
        for each in found
    ]
    regions = sum(1 for _ in beds.read(held_out))
    emit({"windows": len(inside), "held-out regions": regions, "overlapping": rows or "none"}, json)
    if found:
        raise SomeFailed(f"{len(found)} of {regions} held-out regions of {held_out} have bases of {windows}")

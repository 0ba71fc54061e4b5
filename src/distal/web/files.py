"""The few files that the server gives out as they are: the page's own and the genome's; no path comes from a client."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from starlette.responses import FileResponse

from distal.io.fasta import Genome
from distal.web.asking import PROBLEMS, There
from distal.web.problems import NotFound

STATIC = Path(str(files("distal.web"))) / "static"
_GENOME = "/genome/"
_INDEX, _BLOCKS = ".fai", ".gzi"

router = APIRouter(responses=PROBLEMS)


def _names(genome: Genome) -> dict[str, Path]:
    """What the genome's files are called here, whatever their names on disk."""
    path = genome.path
    suffix = ".2bit" if not _beside(path, _INDEX).is_file() else ".fa.gz" if _beside(path, _BLOCKS).is_file() else ".fa"
    found = {f"sequence{suffix}": path}
    if suffix != ".2bit":
        found[f"sequence{suffix}{_INDEX}"] = _beside(path, _INDEX)
    if suffix == ".fa.gz":
        found[f"sequence{suffix}{_BLOCKS}"] = _beside(path, _BLOCKS)
    return found


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def igv_reference(genome: Genome) -> dict[str, Any]:
    """An igv.js reference: where it reads the sequence."""
    first, *rest = (_GENOME + name for name in _names(genome))
    reference: dict[str, Any] = {"id": genome.path.name, "name": genome.path.name}
    if not rest:
        return reference | {"twoBitURL": first}
    reference |= {"fastaURL": first, "indexURL": rest[0]}
    return reference | ({"compressedIndexURL": rest[1]} if len(rest) > 1 else {})


@router.get(
    _GENOME + "{name}",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}, 206: {"description": "A part of it."}},
)
def sequence_file(served: There, name: str) -> Response:
    """The genome as it lies on disk, in parts if asked for (`Range`)."""
    known = _names(served.genome)
    if name not in known:
        raise NotFound(f"there is no {name[:60]!r}; there is {', '.join(known)}")
    return FileResponse(known[name], media_type="application/octet-stream", headers={"Cache-Control": "no-cache"})


@router.get("/", response_class=FileResponse, include_in_schema=False)
def page() -> Response:
    """The page."""
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

"""What the gallery shows, and in which order: figures that a block ends with, files that it wrote; runs nothing."""

from __future__ import annotations

import base64
import re
import shutil
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from sphinx_gallery.scrapers import figure_rst

from distal.plots.style import style

STORY = {
    "start": "models predict browse demo models_fetch models_import doctor",
    "variants": "score score_report lookup pcs calibrate disease_enrich disease_cards disease_annot evolution_polarise "
    "evolution_orthologs",
    "explain": "ism contributions motifs enhancers",
    "data": "data_splits data_build data_import_tfrecords data_distil data_overlap train models_begin",
    "evals": "eval_tracks eval_expression eval_cagi5 eval_allelic eval_eqtl eval_direction eval_crispri eval_report "
    "eval_long_range",
}
"""The sections of the gallery and their examples, in the order in which they are told."""
PICTURES, PAGE = (".png", ".svg"), ".html"
INSIDE = re.compile(r"data:image/svg\+xml;base64,([\w+/=]+)")
"""The first picture of a page stands for it in the gallery."""
_SHOWN: dict[Path, int] = {}
"""Files that were shown already, with the time they were written at."""
_LAST: list[Any] = [None]
"""The figure that was shown last: a block without one finds it again."""


def shown(block: object, variables: dict[str, Any], settings: dict[str, Any]) -> str:
    """The reStructuredText that shows every picture and page since the last block of code, and a figure at its end."""
    paths, places, pages = variables["image_path_iterator"], [], ""
    for path in _new(Path(variables["src_file"]).parent):
        place = Path(next(paths))
        if path.suffix == PAGE:
            pages += _framed(path.read_text(), place)
        else:
            places.append(Path(shutil.copyfile(path, place.with_suffix(path.suffix))))
    last = variables["example_globals"].get("___")  # the gallery's name for what a block ends with
    if hasattr(last, "_repr_png_") and last is not _LAST[0]:
        places.append(Path(next(paths)))
        places[-1].write_bytes(last._repr_png_()[0])
    _LAST[0] = last
    return pages + (figure_rst([str(place) for place in places], settings["src_dir"]) if places else "")


def styled(settings: dict[str, Any], example: str) -> None:
    """Figures that an example draws by itself look like those of `distal.plots`."""
    with style():
        looks = dict(mpl.rcParams)
    mpl.rcParams.update({key: value for key, value in looks.items() if key != "backend"})


class Told:
    """The gallery's key to sort the examples of a section by."""

    def __init__(self, folder: str) -> None:
        self.order = " ".join(STORY.values()).split()

    def __call__(self, name: str) -> int:
        """Its place in the story."""
        return self.order.index(Path(name).stem)


def _new(folder: Path) -> list[Path]:
    """Pictures and pages that were written or changed since the last call, the oldest first."""
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix in (*PICTURES, PAGE)}
    found = [path for path, time in times.items() if _SHOWN.get(path) != time]
    _SHOWN.update(times)
    return sorted(found, key=times.__getitem__)


def _framed(page: str, place: Path) -> str:
    """A page inside the page, and its first picture at `place`, from which the gallery makes the small one."""
    picture = INSIDE.search(page)
    if picture is not None:
        place.with_suffix(".svg").write_bytes(base64.b64decode(picture[1]))
    return f'\n.. raw:: html\n\n    <iframe class="written" title="the page" srcdoc="{_line(page)}"></iframe>\n\n'


def _line(page: str) -> str:
    """A page as an attribute, on one line of reStructuredText."""
    return escape(page).replace("\n", "&#10;")

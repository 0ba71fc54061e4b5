"""What is drawn: the rows of the genome browser on a page, and the colours of their pixels."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Page

_LABELS = """() => [...document.getElementById("genome").shadowRoot.querySelectorAll(".igv-column > .igv-viewport")]
    .map((view) => view.querySelector(".igv-track-label")?.textContent ?? "")"""
_PIXELS = """(at) => {
    const view = document.getElementById("genome").shadowRoot.querySelectorAll(".igv-column > .igv-viewport")[at];
    const canvas = view.querySelector("canvas");
    const scale = canvas.width / canvas.getBoundingClientRect().width;
    const { left, width } = view.getBoundingClientRect();
    const from = Math.round((left - canvas.getBoundingClientRect().left) * scale);
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const seen = copy.getImageData(from, 0, Math.round(width * scale), canvas.height);
    let text = "";
    for (let i = 0; i < seen.data.length; i += 8192) text += String.fromCharCode(...seen.data.subarray(i, i + 8192));
    return [seen.width, seen.height, btoa(text)];
}"""


def labels(page: Page) -> list[str]:
    """What the rows are called, from top to bottom; empty for the ruler, the sequence and the genes."""
    found: list[str] = page.evaluate(_LABELS)
    return found


def pixels(page: Page, label: str) -> NDArray[np.uint8]:
    """The part on screen of the row whose label begins so, [height, width, RGBA]."""
    place = next(i for i, text in enumerate(labels(page)) if text.startswith(label))
    width, height, values = page.evaluate(_PIXELS, place)
    return np.frombuffer(b64decode(values), dtype=np.uint8).reshape(height, width, 4)


def painted(image: NDArray[np.uint8], colour: str, near: int = 40) -> NDArray[np.bool_]:
    """Which pixels have about this colour, [height, width]."""
    aim = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    distance = np.abs(image[:, :, :3].astype(int) - aim).max(axis=2)
    close: NDArray[np.bool_] = (distance <= near) & (image[:, :, 3] > 128)
    return close

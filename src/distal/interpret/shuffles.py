"""Shuffled sequences with the dinucleotides of the original; knows letters only.

A base shuffle would fill an element with CpGs, which promoters have and enhancers lack. Every letter's successors are
put in another order but the last one, which leads to the end, stays the last: so the walk uses each of them once, and
begins and ends with the same letters (Altschul and Erickson 1985, with the last edges kept).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distal.dna import Codes, N


def dinucleotide(codes: Codes, random: np.random.Generator) -> Codes:
    """`codes` uint8 [L] in another order, with as many of each pair of neighbouring letters."""
    if len(codes) < 2:
        return codes.copy()
    successors = [_mixed(codes[1:][codes[:-1] == letter], random) for letter in range(N + 1)]
    used = [0] * (N + 1)
    shuffled = np.empty_like(codes)
    letter = int(codes[0])
    for i in range(len(codes)):
        shuffled[i] = letter
        if i + 1 < len(codes):
            used[letter] += 1
            letter = int(successors[letter][used[letter] - 1])
    return shuffled


def _mixed(successors: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    return np.concatenate([random.permutation(successors[:-1]), successors[-1:]])

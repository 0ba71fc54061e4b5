"""DNA as text, codes and one-hot (numpy): knows the alphabet, not where a sequence comes from.

Codes are uint8: 0, 1, 2, 3 = A, C, G, T and 4 = anything else (N). Letters are read without regard to case:
soft-masking carries no meaning for the models.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
N = 4

_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
_ENCODE = bytes("ACGT".find(chr(byte).upper()) % (N + 1) for byte in range(256))
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


def encode(text: str | bytes) -> Codes:
    """Letters to codes, shape [L], read-only; upper and lower case alike, everything but ACGT becomes N (4)."""
    raw = text.encode("ascii", errors="replace") if isinstance(text, str) else text
    return np.frombuffer(raw.translate(_ENCODE), dtype=np.uint8)


def decode(codes: Codes) -> str:
    """Codes [L] to upper-case letters. Raises `ValueError` for a code above 4."""
    if codes.size and int(codes.max()) > N:
        raise ValueError(f"code {int(codes.max())} is not one of 0..4 (A, C, G, T, N)")
    return np.take(_LETTERS, codes).tobytes().decode("ascii")


def one_hot(codes: Codes, n: float = 0.0) -> NDArray[np.float32]:
    """Codes [..., L] to float32 [..., L, 4] in the order A, C, G, T.

    `n` is the value of all four channels at N: 0 (Enformer's training, the default) or 0.25 (DeepMind's usage
    notebook, Basenji's variant scoring).
    """
    table = np.vstack([np.eye(4, dtype=np.float32), np.full((1, 4), n, dtype=np.float32)])
    encoded: NDArray[np.float32] = np.take(table, codes, axis=0)
    return encoded


def reverse_complement(codes: Codes) -> Codes:
    """The other strand, read 5' to 3'; acts on the last axis. Applying it twice gives the input back."""
    return np.ascontiguousarray(np.take(_COMPLEMENT, codes)[..., ::-1])


def shift(codes: Codes, bases: int) -> Codes:
    """Move the sequence `bases` to the right (negative: left) in a window that stays; vacated bases become N.

    Acts on the last axis; nothing wraps around (Basenji's stochastic shift, zeros for the padding).
    """
    if bases == 0:
        return codes
    moved = np.full_like(codes, N)
    width = codes.shape[-1]
    if abs(bases) < width:
        if bases > 0:
            moved[..., bases:] = codes[..., : width - bases]
        else:
            moved[..., : width + bases] = codes[..., -bases:]
    return moved

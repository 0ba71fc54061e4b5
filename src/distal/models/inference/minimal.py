"""Convolutions of five taps with seven products for two outputs, not ten; knows one sequence and no layer.

Winograd's minimal filtering (1980; for networks: Lavin and Gray 2016, arXiv:1509.09308), with three taps and two taps
apart, since then no coefficient but 1 and ½ occurs and rounding grows by a third only. With d0 … d5 the six inputs that
outputs y0 and y1 see, and g0 … g4 the taps:

    p = (d1 + d2)·(g0 + g1 + g2)/2 + d4·(g3 + g4)        y0 = p + q + (d0 − d2)·g0 + (d3 − d4)·g3
    q = (d2 − d1)·(g0 − g1 + g2)/2                       y1 = p − q + (d3 − d1)·g2 + (d5 − d4)·g4
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from distal.models.inference.scratch import Scratch

_PIECE = 4096
"""Outputs computed together: their sums stay in a CPU's last cache."""
_WORTHWHILE = 1 << 25
"""Multiplications of one tap from which the products that are saved cost more than the sums that are added."""


@dataclass(frozen=True, eq=False)
class FiveTaps:
    """The taps, and what is made of them once, each [inputs, outputs]."""

    taps: Tensor
    """[5, inputs, outputs]"""
    even: Tensor
    """(g0 + g1 + g2) / 2"""
    odd: Tensor
    """(g0 − g1 + g2) / 2"""
    late: Tensor
    """g3 + g4"""
    bias: Tensor
    """[outputs]"""

    @classmethod
    def of(cls, taps: Tensor, bias: Tensor | None) -> FiveTaps:
        """From taps [5, inputs, outputs] and a bias [outputs]."""
        wide = taps.double()
        outer, late = wide[0] + wide[2], wide[3] + wide[4]
        even, odd = (outer + wide[1]) / 2, (outer - wide[1]) / 2
        bias = taps.new_zeros(taps.shape[2]) if bias is None else bias
        return cls(taps, even.to(taps), odd.to(taps), late.to(taps), bias)

    def pays(self, length: int) -> bool:
        """Whether `length` outputs are computed sooner like this than tap by tap."""
        return length % 2 == 0 and length * self.even.numel() >= _WORTHWHILE

    def __call__(self, x: Tensor, out: Tensor, scratch: Scratch) -> None:
        """[L + 4, inputs] to `out` [L, outputs]; L is even."""
        for start in range(0, len(out), _PIECE):
            piece = out[start : start + _PIECE]
            self._piece(x[start : start + len(piece) + 4], piece, scratch)

    def _piece(self, x: Tensor, out: Tensor, scratch: Scratch) -> None:
        half, (inputs, outputs) = len(out) // 2, self.even.shape
        u = scratch.take("inputs", (half, inputs), x)
        p, q = (scratch.take(name, (half, outputs), x) for name in ("sums", "differences"))
        d0, d1, d2, d3, d4, d5 = (x[first : first + 2 * half : 2] for first in range(6))
        g0, _, g2, g3, g4 = self.taps
        y0, y1 = out[0::2], out[1::2]
        torch.addmm(self.bias, torch.add(d1, d2, out=u), self.even, out=p).addmm_(d4, self.late)
        torch.mm(torch.sub(d2, d1, out=u), self.odd, out=q)
        torch.add(p, q, out=y0).addmm_(torch.sub(d0, d2, out=u), g0).addmm_(torch.sub(d3, d4, out=u), g3)
        torch.sub(p, q, out=y1).addmm_(torch.sub(d3, d1, out=u), g2).addmm_(torch.sub(d5, d4, out=u), g4)

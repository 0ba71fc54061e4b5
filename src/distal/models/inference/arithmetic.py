"""How matrix products are taken: exactly as the weights are, with bf16 operands, or as TF32 would; knows no layer.

Everything that is no matrix product is computed in the dtype of the weights (float32, or float64 for a slow oracle).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor


def _as_is(x: Tensor) -> Tensor:
    return x


def _to_bf16(x: Tensor) -> Tensor:
    return x.bfloat16()


def _through_bf16(x: Tensor) -> Tensor:
    return x.bfloat16().to(x.dtype)


def _through_tf32(x: Tensor) -> Tensor:
    """float32 rounded to TF32's 10 bits of mantissa, halves away from zero."""
    bits = x.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


@dataclass(frozen=True)
class Arithmetic:
    """What a matrix product does to its operands before, and to its result after."""

    name: str
    narrow: Callable[[Tensor], Tensor] = _as_is
    """Operand, in the dtype of the weights, to what is multiplied. Products are summed in float32 at least."""
    narrow_result: Callable[[Tensor], Tensor] = _as_is

    @property
    def exact(self) -> bool:
        """Whether operands are multiplied as they are."""
        return self.narrow is _as_is

    def matmul(self, x: Tensor, y: Tensor, out: Tensor | None = None) -> Tensor:
        """[..., M, K] and narrowed [..., K, N] -> [..., M, N] in the dtype of `x`, which `out` has too."""
        if self.exact:
            return torch.matmul(x, y, out=out)
        product = self.narrow_result(self.narrow(x) @ y)
        return product.to(x.dtype) if out is None else out.copy_(product)


EXACT = Arithmetic("exact")
TF32 = Arithmetic("tf32", _through_tf32)
"""An emulation, for reports: operands are rounded, the product is float32's. Weights must be float32."""


@cache
def bf16(device: str) -> Arithmetic:
    """bf16 operands, sums in float32, the result rounded to bf16, as tensor cores and AVX512-BF16 have it.

    A CPU without such instructions gets the same roundings around a float32 product, at the speed of float32; torch's
    own bf16 product is a hundred times slower there.
    """
    hardware = device != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if hardware:
        return Arithmetic("bf16", _to_bf16)
    return Arithmetic("bf16", _through_bf16, _through_bf16)

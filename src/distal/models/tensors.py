"""The named arrays of a foreign checkpoint, each to be taken exactly once; knows no format and no model.

Loaders take every array by its published name and call `finish`: what is missing, left over, of another shape or not
finite is the user's to hear about, never skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distal.errors import InputError

State = dict[str, Tensor]
Change = Callable[[Tensor], Tensor]
_NAMES_SHOWN = 3


def unchanged(x: Tensor) -> Tensor:
    """`x`."""
    return x


def reversed_axes(x: Tensor) -> Tensor:
    """TensorFlow's layout to torch's: [in, out] -> [out, in], [k, in, out] -> [out, in, k]."""
    return x.permute(*reversed(range(x.ndim)))


class Tensors:
    """Arrays of the file `source` by name."""

    def __init__(self, source: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.source = source
        self._arrays = arrays
        self._left = set(arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._arrays)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of `name`. Raises `InputError` when the file has no such tensor."""
        return tuple(self._get(name).shape)

    def take(self, name: str, change: Change = unchanged) -> Tensor:
        """A float32 copy of the tensor, changed into our layout.

        Raises `InputError` when it is missing, not floating point, not finite, or has a shape that `change` refuses.
        """
        array = self._get(name)
        if not np.issubdtype(array.dtype, np.floating):
            raise InputError(f"{self.source}: tensor {name} has type {array.dtype}; weights are floating point")
        copy = np.array(array, dtype=np.float32)
        if not np.isfinite(copy).all():
            raise InputError(f"{self.source}: tensor {name} holds values that are not finite; the file is damaged")
        self._left.discard(name)
        try:
            return change(torch.from_numpy(copy))
        except (IndexError, RuntimeError):
            raise InputError(f"{self.source}: tensor {name} has the impossible shape {copy.shape}") from None

    def ignore(self, names: Iterable[str]) -> None:
        """Leave `names` out on purpose."""
        self._left.difference_update(names)

    def finish(self, module: Callable[[], nn.Module], state: State) -> State:
        """`state`, once it is sure that nothing is left over and that it fits what `module` builds (on no memory)."""
        if self._left:
            raise InputError(f"{self.source} holds tensors that this model has no place for: {_some(self._left)}")
        with torch.device("meta"):
            wanted = module().state_dict()
        complete = {name: state.get(name, _counter(name)) for name in wanted}
        missing = [name for name, value in complete.items() if value is None]
        surplus = set(state) - set(wanted)
        if missing or surplus:
            raise InputError(f"{self.source}: the model needs {_some(missing or surplus)}, which the file cannot fill")
        for name, value in state.items():
            if value.shape != wanted[name].shape:
                raise InputError(
                    f"{self.source}: {name} would get shape {tuple(value.shape)}, "
                    f"the rest of the file asks for {tuple(wanted[name].shape)}"
                )
        return {name: value.contiguous() for name, value in complete.items() if value is not None}

    def _get(self, name: str) -> NDArray[Any]:
        try:
            return self._arrays[name]
        except KeyError:
            raise InputError(
                f"{self.source} has no tensor {name}; it is not a checkpoint of the kind it seems"
            ) from None


def _counter(name: str) -> Tensor | None:
    """Torch's batch norms count their updates; published checkpoints don't, and a fixed momentum doesn't ask."""
    return torch.zeros((), dtype=torch.int64) if name.endswith("num_batches_tracked") else None


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    rest = len(ordered) - _NAMES_SHOWN
    return ", ".join(ordered[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def count(tensors: Tensors, pattern: str) -> int:
    """How many i = 0, 1, … in a row have a tensor named `pattern` with ``{}`` filled by i."""
    i = 0
    while pattern.format(i) in tensors:
        i += 1
    return i

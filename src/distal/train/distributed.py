"""The processes of a run: who they are, what they share, and what they tell each other; knows torchrun, no training.

`torchrun` starts the same command on every device. Then either each process holds the whole model and gradients are
averaged (`ddp`), or each holds a part of every weight, gradient and moment, and blocks are put together when they are
needed (`fsdp`, FSDP2). A tensor that is held in parts is a `DTensor`, cut along its first axis.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from distal.models.layers import across_replicas


@dataclass(frozen=True, slots=True)
class World:
    """A process among all of a run."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of what every process has."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value / self.size

    def gathered(self, values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """What every process has, in their order; shapes must be the same."""
        if self.size == 1:
            return [values]
        device = torch.device("cuda") if distributed.get_backend() == "nccl" else torch.device("cpu")
        mine = torch.from_numpy(values).to(device)
        every = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(every, mine)
        return [tensor.cpu().numpy() for tensor in every]

    def wait(self) -> None:
        """Return when every process has come so far."""
        if self.size > 1:
            distributed.barrier()


ALONE = World()


def here() -> World:
    """The process that we are, as torchrun started it, or alone."""
    return World(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


@contextmanager
def joined(device: str) -> Iterator[tuple[World, str]]:
    """The processes of a run, ready to talk, and the name of this one's device: one GPU each, or the CPU.

    A process group that is there already is used, and left.
    """
    world = here()
    if world.size == 1:
        yield world, device
        return
    gpus = device.startswith("cuda")
    if gpus:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    if distributed.is_initialized():
        yield world, device
        return
    distributed.init_process_group("nccl" if gpus else "gloo")
    try:
        yield world, device
    finally:
        distributed.destroy_process_group()


def spread(model: nn.Module, parallel: str, world: World) -> nn.Module:
    """The module to call instead of `model`, so that all processes train it; batch norm sees the batches of all.

    With "fsdp" the blocks of every stack of `model` are cut up one by one, and what remains as one.
    """
    if world.size == 1:
        return model
    across_replicas(model, distributed.group.WORLD)
    device = next(model.parameters()).device
    if parallel == "fsdp":
        # max pooling does; nothing here changes a block's result in place
        warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
        mesh = init_device_mesh(device.type, (world.size,))
        stacks = (stack for stack in model.children() if isinstance(stack, nn.Sequential | nn.ModuleList))
        for block in (block for stack in stacks for block in stack):
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
        return model
    ids = [device.index] if device.type == "cuda" else None
    unused = True  # the heads whose turn it isn't
    return DistributedDataParallel(model, device_ids=ids, find_unused_parameters=unused)


def adding(module: nn.Module, last: bool) -> AbstractContextManager[object]:
    """For a backward pass whose gradients are added to those before; they are exchanged in the `last` one."""
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)
    elif isinstance(module, DistributedDataParallel) and not last:
        context: AbstractContextManager[object] = module.no_sync()
        return context
    return nullcontext()


def own(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor, sharing its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor put together; every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def cut_like(tensor: Tensor, like: Tensor) -> Tensor:
    """Of a whole tensor what this process holds, if it is held as `like` is."""
    tensor = tensor.to(own(like).device)
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)

"""Tensors on another device: a GPU, or what stands in for one on machines that have none.

Those stand on torch's device "meta", compute on the CPU, but refuse what a GPU's tensors refuse: to
meet tensors of the CPU, to become numpy arrays, to be drawn from a generator of the CPU. So the
whole path of ``--device cuda`` runs, and what was left behind on the CPU, or was never fetched from
the device, is found. Meta tensors have no data of their own that anything could read by mistake.
"""

import sys
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_any, tree_map_only

__all__ = ["DEVICE", "STANDS_IN", "is_there", "other_device"]

STANDS_IN = not torch.cuda.is_available()
DEVICE = "meta" if STANDS_IN else "cuda"
_MOVES = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}
_INDEXED = {  # by indices that may stay on the CPU
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put_.default,
    torch.ops.aten.index_put.default,
    torch.ops.aten._index_put_impl_.default,
}


def is_there(tensor):
    """Whether a tensor is on the other device, and has values there."""
    return tensor.device.type == DEVICE and isinstance(tensor, Elsewhere) == STANDS_IN


class Elsewhere(torch.Tensor):
    """A tensor of the CPU that says it is on the other device."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here):
        made = torch.Tensor._make_wrapper_subclass(
            cls, here.size(), strides=here.stride(), dtype=here.dtype, device=DEVICE
        )
        made.here = here
        return made

    def __repr__(self):
        return f"Elsewhere({self.here})"

    def tolist(self):
        return self.here.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def other_device():
    """A context within which tensors can be made on the other device, and moved to it."""
    return _stand_in() if STANDS_IN else nullcontext()


@contextmanager
def _stand_in():
    optimizers, is_enabled = sys.modules["torch.optim.optimizer"], torch.is_autocast_enabled
    with (
        # What torch knows of the types of devices, and must know of this one.
        patch.object(optimizers, "_get_fused_kernels_supported_devices", lambda: ["cpu", DEVICE]),
        patch.object(
            torch, "is_autocast_enabled", lambda kind: kind != DEVICE and is_enabled(kind)
        ),
        _Mode(),
    ):
        yield


class _Mode(TorchDispatchMode):
    """Sees what is made without a tensor of the other device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _run(func, args, kwargs):
    there = _any(args, kwargs, lambda leaf: isinstance(leaf, Elsewhere))
    wanted = there
    if kwargs.get("device") is not None:
        wanted = kwargs["device"].type == DEVICE
        kwargs = kwargs | {"device": torch.device("cpu")}
    together = (args[0], args[2:]) if func in _INDEXED else args
    if there and func not in _MOVES and _any(together, kwargs, _stays_on_the_cpu):
        raise RuntimeError(f"Expected all tensors to be on the same device, but {func} has two")
    if wanted and kwargs.get("generator") is not None:
        raise RuntimeError(f"Expected a {DEVICE!r} device type for generator but found 'cpu'")
    bare_args, bare_kwargs = tree_map_only(Elsewhere, lambda leaf: leaf.here, (args, kwargs))
    out = func(*bare_args, **bare_kwargs)
    if func._schema.is_mutable:
        written = zip((*args, *kwargs.values()), (*bare_args, *bare_kwargs.values()), strict=True)
        for before, bare in written:
            if out is bare:
                return before
    return tree_map_only(torch.Tensor, Elsewhere, out) if wanted else out


def _any(args, kwargs, condition):
    return tree_any(condition, (args, kwargs))


def _stays_on_the_cpu(leaf):
    is_tensor = isinstance(leaf, torch.Tensor) and not isinstance(leaf, Elsewhere)
    return is_tensor and leaf.dim() > 0

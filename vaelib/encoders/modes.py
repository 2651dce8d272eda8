"""Modules as they are evaluated, and exactly as they were afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["broken", "evaluated", "hidden", "modules_of", "seeded", "unwrapped"]

_DEEP = 3  # functions within functions


def unwrapped(model: Any) -> Any:  # noqa: ANN401
    """The model that torch.compile, DataParallel or DistributedDataParallel stand around.

    Args:
        model: any.

    Returns:
        What is inside; all else as it is.
    """
    while True:
        inside = getattr(model, "__dict__", {}).get("_torchdynamo_orig_callable")
        if isinstance(model, nn.Module):
            inside = getattr(model, "_orig_mod", None)
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inside = model.module
        if inside is None:
            return model
        model = inside


def modules_of(*things: Any) -> list[nn.Module]:  # noqa: ANN401
    """Modules that are things, hold them as methods, or are their attributes.

    Args:
        *things: models, their parts, methods, and partial functions that are handed some.

    Returns:
        Each module once.
    """
    found: dict[int, nn.Module] = {}
    given = list(things)
    for thing in given:
        if isinstance(thing, partial):
            given += [
                unwrapped(part) for part in (thing.func, *thing.args, *thing.keywords.values())
            ]
            continue
        owner = getattr(thing, "__self__", None)
        parts = [thing, owner]
        if not isinstance(thing, nn.Module | type) and not callable(thing):
            parts += list(getattr(thing, "__dict__", {}).values())
        elif not isinstance(owner, nn.Module | type) and owner is not None:
            parts += list(getattr(owner, "__dict__", {}).values())
        for part in parts:
            if isinstance(part, nn.Module):
                found |= {id(module): module for module in part.modules()}
    return list(found.values())


def hidden(function: Any, deep: int = _DEEP) -> dict[str, nn.Module]:  # noqa: ANN401
    """Modules that a function uses: of its closure, its defaults and its globals.

    Args:
        function: of Python; all else uses none.
        deep: functions within functions to look into.

    Returns:
        The name by which it uses each.
    """
    if isinstance(function, partial):
        parts: dict[Any, Any] = dict(enumerate(function.args)) | function.keywords
        parts[""] = function.func
    else:
        code = getattr(function, "__code__", None)
        if code is None:
            return {}
        cells = zip(code.co_freevars, function.__closure__ or (), strict=False)
        space = function.__globals__
        parts = {name: space[name] for name in code.co_names if name in space}
        for name, cell in cells:
            try:
                parts[name] = cell.cell_contents
            except ValueError:  # not bound yet
                continue
        parts |= dict(enumerate(function.__defaults__ or ())) | (function.__kwdefaults__ or {})
    found: dict[str, nn.Module] = {}
    for name, part in parts.items():
        whole = unwrapped(part)
        if isinstance(whole, nn.Module):
            found[str(name)] = whole
        elif isinstance(owner := getattr(whole, "__self__", None), nn.Module):
            found[str(name)] = owner
        elif deep:
            found |= hidden(whole, deep - 1)
    return found


@contextmanager
def evaluated(
    modules: Sequence[nn.Module], others: Sequence[nn.Module]
) -> Iterator[Callable[[], list[tuple[str, nn.Module]]]]:
    """Within it modules are in evaluation mode; afterwards flags and buffers are as they were.

    Args:
        modules: that are evaluated, each with its own flag.
        others: whose mode is left alone, but whose buffers are kept too.

    Yields:
        A function that gives the buffers of ``others`` that have changed while their module is in
        training mode, each by its name and module.
    """
    flags = [(module, module.training) for module in modules]
    ours = _buffers(modules)
    theirs = _buffers([part for other in others for part in other.modules()])
    for module in modules:
        module.training = False
    try:
        yield lambda: [
            (name, module)
            for name, module, buffer, kept in theirs
            if module.training and not _same(buffer, kept)
        ]
    finally:
        for module, training in flags:
            module.training = training
        with torch.no_grad():
            for _, _, buffer, kept in (*ours, *theirs):
                if not _same(buffer, kept):
                    buffer.copy_(kept)


def _buffers(modules: Sequence[nn.Module]) -> list[tuple[str, nn.Module, Tensor, Tensor]]:
    return [
        (name, module, buffer, buffer.detach().clone())
        for module in modules
        for name, buffer in module.named_buffers(recurse=False)
        if not buffer.is_meta
    ]


def _same(buffer: Tensor, kept: Tensor) -> bool:
    if buffer.shape != kept.shape or torch.equal(buffer, kept):
        return True  # another shape cannot be brought back
    floats = buffer.is_floating_point()
    return floats and torch.equal(buffer.nan_to_num(), kept.nan_to_num())


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it torch draws from a stream of its own; afterwards from where it was, on any device.

    Args:
        seed: of the stream.

    Yields:
        Nothing.
    """
    cuda = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=list(cuda)):
        torch.manual_seed(seed)
        yield


def broken(model: object) -> bool:
    """Whether parameters of a model are NaN or infinite.

    Args:
        model: any encoder.

    Returns:
        True where one is.
    """
    return not all(
        bool(p.isfinite().all())
        for module in modules_of(model)
        for p in module.parameters(recurse=False)
    )

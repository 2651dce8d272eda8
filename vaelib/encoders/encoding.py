"""Posteriors of other people's models, by what they return and not by where they come from.

No library is imported here. Understood are a callable or module that returns, or an object whose
``encode`` or ``encoder`` returns,

* a mapping, or an object with attributes, of mean and spread under the names of
  ``vaelib/encoders/names.py``, as pythae's models do (``embedding``, ``log_covariance``);
* a distribution: ``torch.distributions``' ``Normal``, shifted, scaled and ``Independent`` ones,
  alone or before other parts, as the encoders of scvi-tools do; a ``MultivariateNormal``, also of
  low rank; one for each input in a list; one among several, which ``part`` names;
* an object with ``latent_dist``, as the autoencoders of diffusers return;
* a pair of tensors, mean and spread, of which ``second`` says what the spread is;
* three tensors, mean, spread and z, or z, mean and spread, as encoders of Keras do: z tells which;
* z alone, under a name such as ``z``, ``latents`` or ``embedding``, or with ``second="z"``.

A model of scvi-tools is asked by its ``get_latent_representation``. Models in torch.compile,
DataParallel or DistributedDataParallel are taken out of it. One whose mean and spread are two
layers beside its ``encoder``, by such names as ``fc_mu`` and ``fc_logvar``, is called with both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vaelib.arguments.plain import as_count, as_seed, check_callable, shown
from vaelib.arguments.tensors import as_device
from vaelib.encoders.batches import Batches, batches_of, input_of, is_anndata, mapped, rows_of
from vaelib.encoders.laws import Part
from vaelib.encoders.modes import evaluated, modules_of, seeded
from vaelib.encoders.names import ALIASES, SECONDS
from vaelib.encoders.outputs import Choice, part_of
from vaelib.encoders.seen import line_of, seen
from vaelib.encoders.single_cell import as_scvi, of_scvi, of_scvi_module
from vaelib.encoders.sources import Source, source_of
from vaelib.encoders.spreads import posteriors
from vaelib.encoders.steady import check_same

__all__ = ["encode"]

_VIEWS = ("flat", "position", "map")
_CELLS = "of AnnData it is given X alone: call=lambda adata: ... is given them as they are"


def encode(
    model: Any,  # noqa: ANN401  # any encoder
    data: Any = None,  # noqa: ANN401  # in any form
    batch_size: int = 256,
    *,
    call: Callable[[Any], Any] | None = None,
    second: str = "auto",
    part: Choice = None,
    view: str = "flat",
    device: str | torch.device | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Tensor, Tensor]:
    """Encode data and bring the posteriors to the form that the audit takes.

    Args:
        model: an encoder, or what has one; see the module's text. Its modules are in evaluation
            mode for the call; afterwards each has its own mode and buffers again, after an error
            too.
        data: N inputs: a tensor or array of shape (N, ...), a table, a list of inputs, a tuple or
            dictionary of arrays of N rows, a Dataset, a DataLoader, or AnnData. Of a batch that is
            a tuple the first goes into the encoder, of a dictionary ``data``, ``x``, ``image`` or
            the like. Floats are brought to the type of the model's parameters. None, where a model
            of scvi-tools holds its own.
        batch_size: inputs at once, where the data are not in batches.
        call: from a batch as it comes, on the device, to what ``model`` would return: for
            conditions and covariates, as in ``lambda batch: model.encode(batch["x"], batch["c"])``.
        second: what the second of a bare pair is: ``"scale"``, ``"logvar"``, ``"logstd"`` or
            ``"variance"``; ``"z"`` for encoders that return z, and to draw one z of each
            posterior; ``"auto"`` takes names and distributions at their word, and asks otherwise.
        part: key or place of what is meant of several that the encoder returns, or ``"all"`` for
            distributions whose latents are z side by side.
        view: of spatial latents (B, C, H, W): ``"flat"``, one latent of C H W dimensions per image,
            ``"map"``, as they are, which :func:`vaelib.answers` answers per position and for the
            whole map, or ``"position"``, one of C dimensions per image and position, of which those
            of one image depend on each other.
        device: where to encode; None for where the module's parameters are, or where the data are
            if there are none.
        seed: of draws, those within the model too; torch's own state is as before afterwards.
        progress: told how many inputs are done, and of how many (as far as it is known).

    Returns:
        Means and scales, each of shape (N, D), ``"position"``: (N H W, C), ``"map"``: (N, C, H, W),
        float64, on the CPU, in the order in which the data come. Where there are no scales, means
        are z and scales are 0: for models without a spread, for z after a flow, and one z drawn of
        each posterior whose dimensions are correlated; of the last two a warning tells. Rows of
        inputs that gave no usable numbers are NaN, if at most 5 % are; a warning names them.

    Raises:
        TypeError: for data that are none, or an option of another kind.
        ValueError: for data or options that cannot be used, a model that raises an error or gives
            an input another posterior each time, and an ambiguous or unusable posterior.

    Example:
        >>> layer = torch.nn.Linear(4, 6)
        >>> mean, scale = encode(lambda x: layer(x).chunk(2, 1), torch.rand(10, 4), second="logvar")
        >>> mean.shape, bool((scale > 0).all())
        (torch.Size([10, 3]), True)
    """
    second = _checked(second, view, batch_size, part)
    check_callable(progress, "progress")
    seed, where = as_seed(seed), as_device(device)
    scvi = None if call is not None else as_scvi(model)
    if scvi is not None:
        parts, note = _of_cells(scvi, data, batch_size, second, seed)
        progress(len(parts[0].values[0]), len(parts[0].values[0]))
    else:
        if call is not None:
            check_callable(call, "call")
        source = source_of(model, call or of_scvi_module(model))
        batches = batches_of(data, batch_size)
        if source.z:
            second = "z"
        parts = _encoded(source, batches, second, part, where, seed, progress)
        note = source.note
    mean, scale, lost = posteriors(parts, second)
    note = note or next((one.note for one in parts if one.note), "")
    for said in filter(None, (note, lost)):
        warnings.warn(said, UserWarning, stacklevel=2)
    return _view(mean, view), _view(scale, view)


def _checked(second: str, view: str, batch_size: int, part: Choice) -> str:
    if isinstance(second, str):
        second = ALIASES.get(second, second)
    for name, value, known in (("second", second, SECONDS), ("view", view, _VIEWS)):
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")
    as_count(batch_size, "batch_size")
    if part is not None and (isinstance(part, bool) or not isinstance(part, str | int)):
        raise TypeError(f"part must be a key or a place, got {shown(part)}")
    return second


def _of_cells(
    model: Any,  # noqa: ANN401
    data: Any,  # noqa: ANN401
    batch_size: int,
    second: str,
    seed: int,
) -> tuple[list[Part], str]:
    with evaluated(modules_of(model), ()), seeded(seed), torch.no_grad():
        out, kind, note = of_scvi(model, data, batch_size)
    if kind == "z":
        second = "z"
    found = part_of(out, 0, second, None)
    return [replace(found, kind=kind, own=True) if found.kind == "unknown" else found], note


def _encoded(
    source: Source,
    batches: Batches,
    second: str,
    part: Choice,
    device: torch.device | None,
    seed: int,
    progress: Callable[[int, int], None],
) -> list[Part]:
    """What the encoder says of each batch."""
    parts: list[Part] = []
    done = 0
    others = list(source.others.values())
    with evaluated(source.modules, others) as changed, seeded(seed), torch.no_grad():
        for batch in batches.each():
            given = _prepared(source, batch, device)
            line = _CELLS if is_anndata(batch) and not source.whole else _way_on(given)
            rows = rows_of(given)
            found = _called(source, given, rows, second, part, line)
            if not parts:
                rest = given[: rows // 2] if batches.sliced and rows > 3 else given
                again = partial(_called, source, rest, rows_of(rest), second, part, line)
                check_same(found, again, rest)
                _check_buffers(source, changed())
            elif found.kind != parts[0].kind or any(
                a.shape[1:] != b.shape[1:]
                for a, b in zip(found.values, parts[0].values, strict=True)
            ):
                shapes = [tuple(one.values[0].shape[1:]) for one in (parts[0], found)]
                raise ValueError(
                    "the encoder must return latents of one shape and kind for all inputs, got "
                    f"{shapes[0]} and {shapes[1]} ({parts[0].kind}, {found.kind})"
                )
            parts.append(found)
            done += len(found.values[0])
            progress(done, batches.inputs or done)
    if not parts:
        raise ValueError(
            "data must hold at least 1 input, got no batch; has its iterator been used?"
        )
    return parts


def _prepared(source: Source, batch: Any, device: torch.device | None) -> Any:  # noqa: ANN401
    """On the device, floats in the type that the parameters have."""
    like = source.parameter
    where = device if like is None or device is not None else like.device

    def change(x: Tensor) -> Tensor:
        floats = x.is_floating_point() and like is not None
        return x.to(where, like.dtype) if floats and like is not None else x.to(where)

    given = mapped(batch if source.whole else input_of(batch), change)
    moves = not isinstance(given, Tensor | Mapping | tuple | list | type)
    if moves and where is not None and callable(getattr(given, "to", None)):
        return given.to(where)  # batches of graphs and the like
    return given


def _called(
    source: Source,
    given: Any,  # noqa: ANN401
    rows: int,
    second: str,
    part: Choice,
    line: str,
) -> Part:
    try:
        out = source.call(given)
    except Exception as error:  # whatever somebody's code raises
        raise ValueError(
            f"the encoder must take {seen(given)}, but raised {line_of(error)}; {line}"
        ) from error
    found = part_of(out, rows, second, part)
    first = found.values[0]
    if first.dim() < 2 or 0 in first.shape or (rows and len(first) != rows):
        raise ValueError(
            f"the encoder must return one row per input, got {seen(first)} for {rows} inputs"
            " (one row per image); pass call= with a function that returns (B, D)"
        )
    if found.kind in ("z", "three"):
        return found
    return replace(found, values=(first, _spread_as(found.values[1], first)))


def _way_on(given: Any) -> str:  # noqa: ANN401
    """The line that most likely works."""
    if isinstance(given, Tensor) and not given.is_floating_point():
        return "images of whole numbers are scaled first, as in encode(model, data.float() / 255)"
    if isinstance(given, Tensor):
        return (
            "if it wants more than x, such as a condition, hand over a DataLoader and "
            "call=lambda batch: model(*batch)"
        )
    return "say what goes in with call=lambda batch: model(batch[...])"


def _spread_as(spread: Tensor, mean: Tensor) -> Tensor:
    """A spread of fewer axes, or one for all dimensions, as many as there are means."""
    rows, shape = len(mean), tuple(mean.shape)
    if spread.shape == mean.shape:
        return spread
    fits = spread.dim() == 0 or tuple(spread.shape) == shape[1:]
    alike = spread.dim() == 1 and len(spread) == rows == shape[-1] and rows > 1
    rest = spread.dim() == len(shape) and all(
        a in (1, b) for a, b in zip(spread.shape, shape, strict=True)
    )
    if (fits and not alike) or rest:
        return spread.expand_as(mean)
    raise ValueError(
        "the encoder must return a mean and a spread of one shape, one row per image, got "
        f"{shape} and {tuple(spread.shape)} for {rows} images; "
        + ("spread[:, None] if it is one per image" if spread.dim() == 1 else "return both alike")
    )


def _check_buffers(source: Source, changed: list[tuple[str, nn.Module]]) -> None:
    for buffer, module in changed:
        name = next(key for key, one in source.others.items() if module in one.modules())
        raise ValueError(
            f"the encoder must not change while it encodes, got new values in {buffer} of a "
            "module that the function uses, now as before: it is training; call "
            f"{name}.eval() first, or hand over the module"
        )


def _view(values: Tensor, view: str) -> Tensor:
    if view == "map":
        return values
    if view == "flat":
        return values.flatten(1)
    if values.dim() < 3:
        raise ValueError(f"view 'position' needs spatial latents (B, C, ...), got {values.dim()}-D")
    return values.flatten(2).transpose(1, 2).flatten(0, 1)

"""Decoders of other people's models, by what they take and return.

Understood are a callable or module from z to x, and an object with ``decode`` or ``decoder``. It
may return a tensor, a distribution, whose mean is taken, or a mapping or object that has x under
one of the names of ``_NAMES``, as the models of pythae (``reconstruction``), diffusers
(``sample``) and scvi-tools (``px``) do. Modules are in evaluation mode for the call, and afterwards
as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from vaelib.arguments.plain import as_count, kind_of
from vaelib.encoders.modes import evaluated, hidden, modules_of, seeded, unwrapped
from vaelib.encoders.seen import line_of, seen

__all__ = ["Decode", "decoding"]

Decode = Callable[[Tensor], Tensor]
"""From z of shape (n, D) to x of shape (n, ...), float32, on the CPU."""

_NAMES = ("reconstruction", "recon_x", "recon", "x_recon", "x_hat", "px", "sample", "mean", "x")
_WRAP = "hand over a function that returns {} alone, such as lambda {}: {}({})[0]"


@dataclass(frozen=True)
class _Role:
    """What a function is called in errors, what it takes, what it returns."""

    name: str
    takes: str
    returns: str

    def refusal(self, wanted: str, out: object) -> ValueError:
        wrap = _WRAP.format(self.returns, self.takes, self.name, self.takes)
        return ValueError(f"the {self.name} must return {wanted}, got {seen(out)}; {wrap}")


_ROLES = {
    "decoder": _Role("decoder", "z", "x"),
    "features": _Role("features", "x", "features"),
}


def decoding(
    decoder: Any,  # noqa: ANN401
    batch_size: int = 256,
    seed: int = 0,
    what: str = "decoder",
) -> Decode:
    """A function that decodes any number of z, or takes the features of any number of x.

    Args:
        decoder: a callable or module; a decoder may also be an object with ``decode`` or
            ``decoder``.
        batch_size: z at once.
        seed: of draws within the decoder; torch's own state is afterwards as before.
        what: it is, ``"decoder"`` or ``"features"``.

    Returns:
        The function; it raises a ValueError for a decoder that raises an error, or returns what is
        no x, as many rows, or finite.

    Raises:
        ValueError: for what cannot be called.
    """
    as_count(batch_size, "batch_size")
    whole, role = unwrapped(decoder), _ROLES[what]
    call = _callable(whole, role)
    own = modules_of(whole, call)
    others = [] if own else list(hidden(call).values())
    like = next((p for m in (*own, *others) for p in m.parameters() if p.is_floating_point()), None)
    modules = own or [part for other in others for part in other.modules()]

    def decode(z: Tensor) -> Tensor:
        given = z.to(torch.get_default_dtype()) if like is None else z.to(like.device, like.dtype)
        with evaluated(modules, ()), seeded(seed), torch.no_grad():
            parts = [_of(call, part, role) for part in torch.split(given, batch_size)]
        if len({part.shape[1:] for part in parts}) > 1:
            raise ValueError(
                f"the {what} must return {role.returns} of one shape throughout, got "
                f"{' and '.join(sorted({str(tuple(part.shape[1:])) for part in parts}))}"
            )
        return torch.cat(parts)

    return decode


def _callable(model: Any, role: _Role) -> Callable[[Tensor], Any]:  # noqa: ANN401
    if isinstance(model, type):
        raise ValueError(
            f"{role.name} must be trained, got {kind_of(model)}; hand over an instance of it, or a "
            f"function from {role.takes} to {role.returns}"
        )
    for name in ("decode", "decoder") if role.name == "decoder" else ():
        part = getattr(model, name, None)
        if callable(part) and not isinstance(part, type):
            return part  # type: ignore[no-any-return]
    if not callable(model):
        also = ", or have decode" if role.name == "decoder" else ""
        raise ValueError(
            f"{role.name} must be a function or module from {role.takes} to {role.returns}{also}, "
            f"got {kind_of(model)}"
        )
    return model  # type: ignore[no-any-return]


def _of(call: Callable[[Tensor], Any], given: Tensor, role: _Role) -> Tensor:
    """What one batch becomes."""
    name = role.name
    try:
        out = call(given)
    except Exception as error:  # whatever somebody's code raises
        raise ValueError(
            f"the {name} must take {role.takes} as {str(given.dtype).removeprefix('torch.')} of "
            f"shape {tuple(given.shape)}, but raised {line_of(error)}"
        ) from error
    x = _numbers(out, role)
    if x.dim() < 2 or len(x) != len(given) or 0 in x.shape or x.is_complex():
        raise ValueError(
            f"the {name} must return a row of real numbers for each of {len(given)} "
            f"{role.takes}, got {seen(x)}"
        )
    x = x.detach().to("cpu", torch.float32)
    bad = int((~x.isfinite()).flatten(1).any(1).sum())
    if bad:
        raise ValueError(
            f"the {name} must return finite numbers, got NaN or infinity in {bad:,} of {len(x):,} "
            "rows"
        )
    return x


def _numbers(out: Any, role: _Role) -> Tensor:  # noqa: ANN401
    """The x in what a decoder returned."""
    if isinstance(out, Tensor):
        return out
    if isinstance(out, np.ndarray) and out.dtype.kind in "iuf":
        return torch.from_numpy(np.ascontiguousarray(out))
    if isinstance(out, Distribution):
        try:
            return out.mean
        except NotImplementedError:
            raise role.refusal("a distribution that has a mean", out) from None
    if isinstance(out, list | tuple):
        if len(out) == 1:
            return _numbers(out[0], role)
        raise role.refusal(f"{role.returns} alone", out)
    held = {name: part for name in _NAMES if _is_x(part := _part(out, name))}
    if not held:
        named = f"{role.returns}, a distribution, or {role.returns} under a name such as"
        raise role.refusal(f"{named} {', '.join(_NAMES[:4])}", out)
    return _numbers(next(iter(held.values())), role)


def _part(out: Any, name: str) -> Any:  # noqa: ANN401
    return out.get(name) if isinstance(out, Mapping) else getattr(out, name, None)


def _is_x(part: Any) -> bool:  # noqa: ANN401
    return isinstance(part, Tensor | np.ndarray | Distribution)

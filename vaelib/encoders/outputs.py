"""What an encoder returned, as the parts of a posterior."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor
from torch.distributions import Distribution

from vaelib.arguments.plain import shown
from vaelib.arguments.tensors import as_tensor
from vaelib.encoders.laws import Part, drawn, joined_laws, of_law, one_each
from vaelib.encoders.names import DRAWS, LAWS, MEANS, POINTS, SPREADS
from vaelib.encoders.seen import seen

__all__ = ["Choice", "part_of"]

Choice = str | int | None
"""Which of several posteriors: a key, a place, ``"all"``, or None where there is one."""


def part_of(out: Any, rows: int, second: str, part: Choice) -> Part:  # noqa: ANN401
    """Bring what an encoder returned for one batch to one form.

    Args:
        out: as it came.
        rows: inputs in the batch.
        second: as of :func:`vaelib.encode`.
        part: which of several.

    Returns:
        What it says.

    Raises:
        ValueError: for what cannot be understood, or is ambiguous.
    """
    out = _chosen(out, part)
    out = getattr(out, "latent_dist", out)
    if isinstance(out, Distribution):
        return drawn(out) if second == "z" else of_law(out)
    if _is_numbers(out):
        return _of_one(out, second)
    if isinstance(out, tuple | list):
        return _of_sequence(out, rows, second, part)
    if isinstance(out, Mapping):
        laws = {key: law for key, law in out.items() if isinstance(law, Distribution)}
        named = next((name for name in LAWS if name in laws), None)
        if named is not None or len(laws) == 1:
            law = laws[named] if named is not None else next(iter(laws.values()))
            return part_of(law, rows, second, None)
        if laws:
            return _of_laws(list(laws.values()), rows, part, out)
    return _of_names(out, second)


def _chosen(out: Any, part: Choice) -> Any:  # noqa: ANN401
    if part is None or part == "all":
        return out
    try:
        return out[part]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"part must be a key or place of what the encoder returns, got {shown(part)} of "
            f"{seen(out)}"
        ) from error


def _is_numbers(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, Tensor | np.ndarray):
        return True
    library = type(value).__module__.split(".")[0]
    return hasattr(value, "__array__") and library in ("tensorflow", "keras", "jax", "jaxlib")


def _number(value: Any) -> Tensor:  # noqa: ANN401
    numbers = value if isinstance(value, Tensor | np.ndarray) else np.asarray(value)
    return as_tensor(numbers, "what the encoder returns").double().cpu()


def _of_one(out: Any, second: str) -> Part:  # noqa: ANN401
    if second == "z":
        return Part((_number(out),), "z")
    raise ValueError(
        f"the encoder must return a pair of tensors, a distribution or named parts, got one "
        f"{seen(out)}; if it is z itself say second='z', if mean and log variance lie side by side "
        "pass call=lambda x: model(x).chunk(2, 1) with second='logvar'"
    )


def _of_sequence(out: Any, rows: int, second: str, part: Choice) -> Part:  # noqa: ANN401
    laws = [law for law in out if isinstance(law, Distribution)]
    if len(laws) == 1 and out[0] is laws[0]:
        return part_of(laws[0], rows, second, None)
    if laws and len(laws) == len(out):
        return _of_laws(laws, rows, part, out)
    if len(out) == 1:
        return part_of(out[0], rows, second, part)
    if second == "z" or not all(map(_is_numbers, out)) or len(out) not in (2, 3):
        line = "call=lambda x: model(x)[0]" + (" if z comes first" if second == "z" else "")
        raise ValueError(
            f"the encoder must return two tensors, got {len(out)} parts: {seen(out)}; pass a call "
            f"that returns mean and spread alone, or z alone, such as {line}"
        )
    values = tuple(_number(value) for value in out)
    return Part(values, "unknown" if len(values) == 2 else "three")


def _of_laws(laws: list[Distribution], rows: int, part: Choice, out: Any) -> Part:  # noqa: ANN401
    stacked = isinstance(out, tuple | list) and one_each(laws, rows)
    if not stacked and part != "all":
        some = next(iter(out)) if isinstance(out, Mapping) else 0
        raise ValueError(
            f"posteriors must be one for each input, got {seen(out)}: of several groups, levels or "
            f"inputs; say part={shown(some)} for one of them, part='all' if z is all side by side"
        )
    return joined_laws([of_law(law) for law in laws], stacked, out)


def _of_names(out: Any, second: str) -> Part:  # noqa: ANN401
    mean, draw, point = (_named(out, names) for names in (MEANS, DRAWS, POINTS))
    for kind, names in SPREADS.items():
        spread = _named(out, names)
        if mean is not None and spread is not None and second != "z":
            return Part((mean, spread), kind, z=draw)
    alone = draw if second == "z" else point
    sphere = [name for name in ("log_concentration", "concentration", "kappa") if _has(out, name)]
    if sphere and second != "z":
        raise ValueError(
            f"posteriors must have a density in space, got {sphere[0]} in {seen(out)}, as of a "
            "hyperspherical VAE: on a sphere N(0, I) is no prior, and its own has no density"
        )
    if alone is not None and not any(_has(out, name) for name in MEANS if name != "embedding"):
        return Part((alone,), "z")
    if alone is not None and second == "z":
        return Part((alone,), "z")
    raise ValueError(
        f"the encoder must return a pair of tensors, a distribution, or a mean and a spread, got "
        f"{seen(out)}; pass call=lambda x: (mean, spread) with second=, or use names as "
        f"{', '.join(MEANS[:3])} and {', '.join(names[0] for names in SPREADS.values())}"
    )


def _has(out: Any, name: str) -> bool:  # noqa: ANN401
    part = out.get(name) if isinstance(out, Mapping) else getattr(out, name, None)
    return _is_numbers(part)


def _named(out: Any, names: tuple[str, ...]) -> Tensor | None:  # noqa: ANN401
    for name in names:
        if _has(out, name):
            return _number(out[name] if isinstance(out, Mapping) else getattr(out, name))
    return None

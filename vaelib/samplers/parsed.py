"""A sampler from what a file holds: each text and each tensor is checked before it is used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vaelib.samplers.kinds import CELLS, KINDS, Tensors, candidate_of
from vaelib.samplers.sampler import About, Box, Sampler

__all__ = ["ALL", "FORMAT", "VERSION", "Refused", "about_of", "sampler_of"]

FORMAT = "vaebench.sampler"
VERSION = "1"
ALL = "all"
"""What the sampler of a file without conditions is called in it."""

_MOST = 1 << 20  # dimensions
_SLACK = 1e-6  # of sums and products that are 1


class Refused(ValueError):
    """What is wrong with a file that can be read."""


def about_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What a file says of itself.

    Args:
        metadata: of the file.

    Returns:
        The fields of version 1, each of its type.

    Raises:
        Refused: for another format or version, or fields that are not as they should be.
    """
    if metadata.get("format") != FORMAT:
        raise Refused("expected a sampler, got tensors that do not say they are one")
    if (version := metadata.get("version")) != VERSION:
        raise Refused(
            f"expected version {VERSION} of {FORMAT}, got {str(version)[:20]!r}; read it with the "
            "vaebench that wrote it"
        )
    try:
        about = json.loads(metadata["about"])
        _check_about(about)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Refused(
            f"expected the fields of {FORMAT} {VERSION}, got others "
            f"({type(error).__name__}: {' '.join(str(error).split())[:80]})"
        ) from error
    return dict(about)


def _check_about(about: dict[str, Any]) -> None:
    _need(type(about["dimensions"]) is int and 0 < about["dimensions"] <= _MOST, "dimensions")
    _need(isinstance(about["code"], str), "code")
    prior = about["prior"]
    if prior["name"] == "uniform":
        _need(_is_number(prior["low"]) and _is_number(prior["high"]), "prior")
        _need(prior["low"] < prior["high"], "prior")
    else:
        _need(prior == {"name": "normal"}, "prior")
    samplers = about["samplers"]
    _need(isinstance(samplers, dict) and len(samplers) > 0, "samplers")
    for name, part in samplers.items():
        _need(name == ALL or str(int(name)) == name, "samplers")
        for count in ("N", "n"):
            _need(type(part[count]) is int and part[count] >= 0, count)
        for gain in ("gain", "gauge_gain"):
            ok = part[gain] is None or (len(part[gain]) == 3 and all(map(_is_number, part[gain])))
            _need(ok, gain)
        _check_candidates(part["candidates"], about["dimensions"])
    _need(ALL not in samplers or len(samplers) == 1, "samplers")


def _check_candidates(rows: list[dict[str, Any]], dimensions: int) -> None:
    _need(len(rows) > 0 and len({row["name"] for row in rows}) == len(rows), "candidates")
    for row in rows:
        _need(isinstance(row["name"], str) and row["kind"] in KINDS, "candidates")
        _need(row["dimensions"] == dimensions, "dimensions")
        _need(_is_number(row["weight"]) and 0 <= row["weight"] <= 1, "weight")
        _need(row["gain"] is None or _is_number(row["gain"]), "gain")
    _need(abs(sum(row["weight"] for row in rows) - 1) < _SLACK, "weight")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(float(str(value)))


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def sampler_of(about: dict[str, Any], name: str, tensors: Tensors) -> Sampler:
    """One of the samplers of a file.

    Args:
        about: of :func:`about_of`.
        name: of the sampler.
        tensors: all of the file.

    Returns:
        The sampler.

    Raises:
        Refused: for tensors that are lacking, too many, or not what they should be.
    """
    part, dimensions = about["samplers"][name], about["dimensions"]
    own: dict[str, Tensors] = {}
    for key, value in tensors.items():
        owner, _, rest = key.partition("/")
        if owner not in about["samplers"] or not rest:
            raise Refused(f"expected tensors of its samplers, got {key[:60]!r}")
        if owner == name:
            where, _, field = rest.rpartition("/")
            own.setdefault(where, {})[field] = _numbers(key, value)
    candidates, rows = {}, part["candidates"]
    gauge = own.pop("", {})
    for k, row in enumerate(rows):
        given = own.pop(str(k), {})
        try:
            _CHECKS[row["kind"]](given, dimensions)
            _check_moved(given, dimensions)
        except (KeyError, ValueError, RuntimeError) as error:
            raise Refused(
                f"expected the tensors of a {row['kind']} in {name}/{k}, got others: "
                f"{str(error).strip(chr(39))[:100]}"
            ) from error
        candidates[row["name"]] = candidate_of(row["kind"], given, dimensions)
    if own:
        raise Refused(f"expected tensors of {len(rows)} candidates, got {next(iter(own))[:60]!r}")
    return Sampler(
        candidates,
        torch.tensor([float(row["weight"]) for row in rows], dtype=torch.float64),
        dimensions,
        box=_box(about["prior"]),
        gauge=_gauge(gauge, dimensions),
        about=About(
            part["N"],
            part["n"],
            part["gain"] and tuple(part["gain"]),
            part["gauge_gain"] and tuple(part["gauge_gain"]),
            {row["name"]: row["gain"] for row in rows if row["gain"] is not None},
            about["code"],
        ),
    )


def _box(prior: dict[str, Any]) -> Box | None:
    return Box(prior["low"], prior["high"]) if prior["name"] == "uniform" else None


def _numbers(key: str, value: Tensor) -> Tensor:
    if value.dtype != torch.float64:
        raise Refused(f"expected float64 in {key[:60]!r}, got {value.dtype}")
    if not bool(value.isfinite().all()):
        raise Refused(f"expected finite numbers in {key[:60]!r}, got others")
    return value


def _gauge(given: Tensors, dimensions: int) -> tuple[Tensor, Tensor] | None:
    if not given:
        return None
    try:
        _check_moved(given, dimensions)
        _only(given, "shift", "scale")
    except (KeyError, ValueError) as error:
        raise Refused("expected shift and scale of each dimension, got others") from error
    return given["shift"], given["scale"]


def _check_moved(given: Tensors, dimensions: int) -> None:
    if "shift" in given or "scale" in given:
        _shape(given, "shift", dimensions)
        _shape(given, "scale", dimensions)
        _need(bool((given["scale"] > 0).all()), "scale must be positive")


def _check_mixture(given: Tensors, dimensions: int) -> None:
    _only(given, "shares", "means", "factors", "directions", "shift", "scale")
    count = given["shares"].numel()
    inside = dimensions
    if "directions" in given:
        turn = given["directions"]
        _need(turn.dim() == 2 and 0 < turn.shape[1] <= dimensions, "shape of directions")
        inside = turn.shape[1]
        _shape(given, "directions", dimensions, inside)
        away = turn.T @ turn - torch.eye(inside, dtype=torch.float64)
        _need(float(away.abs().max()) < _SLACK, "directions must be orthonormal")
    _need(count > 0, "shares must not be empty")
    _shape(given, "shares", count)
    _shape(given, "means", count, inside)
    shares = given["shares"]
    _need(
        bool((shares >= 0).all()) and abs(float(shares.sum()) - 1) < _SLACK, "shares must sum to 1"
    )
    if given["factors"].dim() == 2:
        _shape(given, "factors", count, inside)
        _need(bool((given["factors"] > 0).all()), "factors must be positive")
    else:
        _shape(given, "factors", count, inside, inside)
        _lower(given["factors"])


def _check_copula(given: Tensors, dimensions: int) -> None:
    _only(given, "share", "low", "step", "height", "mass", "factor", "shift", "scale")
    _check_lines(given, dimensions)
    if "factor" in given:
        _shape(given, "factor", dimensions, dimensions)
        _lower(given["factor"])


def _check_radius(given: Tensors, dimensions: int) -> None:
    _only(given, "share", "low", "step", "height", "mass", "shift", "scale")
    _check_lines(given, 1)


def _check_lines(given: Tensors, lines: int) -> None:
    _shape(given, "share", lines)
    share = given["share"]
    _need(bool(((share >= 0) & (share < 1)).all()), "share must lie in [0, 1)")
    on = int((share > 0).sum())
    _shape(given, "low", on)
    _shape(given, "step", on)
    _shape(given, "height", CELLS, on)
    _shape(given, "mass", CELLS, on)
    if not on:
        return
    height, mass, step = given["height"], given["mass"], given["step"]
    _need(bool((step > 0).all()), "step must be positive")
    _need(bool((height >= 0).all()), "height must not be negative")
    grown = torch.cat([0 * mass[:1], ((height[1:] + height[:-1]) / 2 * step).cumsum(0)])
    _need(float((grown - mass).abs().max()) < _SLACK, "mass must be the integral of height")
    _need(float((mass[-1] - 1).abs().max()) < _SLACK, "mass must end at 1")
    _need(bool((height[0] == 0).all() and (height[-1] == 0).all()), "height must end at 0")


def _lower(factors: Tensor) -> None:
    _need(bool((factors.triu(1) == 0).all()), "factors must be lower triangular")
    _need(bool((factors.diagonal(dim1=-2, dim2=-1) > 0).all()), "factors must be regular")


def _only(given: Tensors, *names: str) -> None:
    if others := sorted(set(given) - set(names)):
        raise ValueError(f"{others[0][:40]!r} is none of them")


def _shape(given: Tensors, name: str, *shape: int) -> None:
    if name not in given:
        raise ValueError(f"{name} is lacking")
    if tuple(given[name].shape) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(given[name].shape)}")


_CHECKS = {"mixture": _check_mixture, "copula": _check_copula, "radius": _check_radius}

"""How latents of a file are best scaled for a second stage, in words and a line of code."""

from collections.abc import Sequence

import torch
from rich.console import Console

from bench.audit.archive import Archive
from bench.audit.maps import maps_of
from bench.audit.text import say
from bench.report.markdown import quantity
from bench.report.terminal import table
from vaelib.maps.scaling import Scaling, Step, scaling
from vaelib.seeding import stream

__all__ = ["scaling_of", "show_scaling"]

_WORTH = 0.01  # nats per position, below which a simpler way will do
_PASTED = 64  # channels whose constants are printed
_MATRIX = 8  # channels whose matrix is


def scaling_of(archive: Archive, factor: float | None = None, seed: int = 0) -> Scaling:
    """Measure ways to scale what a file held, at one z of each posterior.

    Args:
        archive: as it was read.
        factor: one that is in use.
        seed: of the z and the halves.

    Returns:
        What each way removes, and the constants.

    Raises:
        ValueError: for latents that cannot be scaled, or too few.
    """
    maps, _ = maps_of(archive, stream("z of a scaling", seed))
    return scaling(maps, factor=factor, seed=seed)


def show_scaling(found: Scaling, archive: Archive, console: Console) -> None:
    """Print what each way removes, what is advised, and the line that does it.

    Args:
        found: what was measured.
        archive: as it was read.
        console: standard output.
    """
    where = "position" if archive.places else "input"
    advised = _advised(found.steps)
    whole = found.steps[-1].removed.value
    say(console, _headline(found, advised, where), style="bold")
    heads = ["scaling", f"removes (nats per {where})", f"adds (nats per {where})", "share"]
    console.print(table(heads, [_cells(step, whole) for step in found.steps]))
    if found.crop:
        say(console, f"Covariance of positions: of {found.crop}; no scaling removes it.")
    for line in _code(found, advised, archive.places):
        say(console, f"    {line}")
    if archive.said:
        say(console, archive.said)
    say(
        console,
        f"Gains of Gaussians over N(0, I) on {found.inputs:,} inputs that they were not fitted to, "
        "± half the 95 % interval over inputs; what is not Gaussian is not seen: `vaebench audit`.",
    )


def _advised(steps: Sequence[Step]) -> str:
    """The simplest way to which the next adds hardly anything."""
    usual = [step for step in steps if step.name not in ("covariance of positions",)]
    usual = [step for step in usual if not step.name.startswith("your factor")]
    name = "none" if usual[0].removed.value < _WORTH else usual[0].name
    if len(usual) > 1 and usual[1].added.value - 1.96 * usual[1].added.standard_error > 0:
        name = usual[1].name if usual[1].added.value >= _WORTH else name
    return name


def _headline(found: Scaling, advised: str, where: str) -> str:
    steps = {step.name: step for step in found.steps}
    if advised == "none":
        text = f"No scaling is needed: one factor would remove {_nats(steps['one factor'])}"
    elif advised == "one factor":
        text = f"One factor of {found.factor:.4g} will do: it removes {_nats(steps['one factor'])}"
    else:
        text = (
            f"Shift and scale each channel: that removes {_nats(steps[advised])}, of which one "
            f"factor of {found.factor:.4g} removes {_nats(steps['one factor'])}"
        )
    text += f" of the mismatch with N(0, I), in nats per {where}."
    yours = next((step for step in found.steps if step.name.startswith("your factor")), None)
    if yours is not None:
        text += f" {yours.name[0].upper()}{yours.name[1:]}, removes {_nats(yours)}."
    last = found.steps[-1]
    if last.name == "covariance of positions" and last.added.value >= _WORTH:
        more = _nats(last, added=True)
        text += (
            f" What hangs together between positions, of {found.crop or 'these'}, is at least "
            f"{more} more, for the second stage to learn."
        )
    return text


def _nats(step: Step, *, added: bool = False) -> str:
    value, error = step.added if added else step.removed
    return quantity(value, 1.96 * error)


def _cells(step: Step, whole: float) -> list[str]:
    share = f"{step.removed.value / whole:.0%}" if whole >= _WORTH else "–"
    return [step.name, _nats(step), _nats(step, added=True), share]


def _code(found: Scaling, advised: str, places: tuple[int, ...]) -> list[str]:
    """What to paste."""
    channels = len(found.shift)
    if advised == "none":
        return []
    if advised == "one factor":
        return [f"z = {found.factor:.4g} * z"]
    if channels > _PASTED:
        return [
            f"# {channels} channels: z = (z - mean) / deviation, each over inputs and positions"
        ]
    last = len(places) < 2
    inner = "" if last else f".reshape(-1{', 1' * len(places)})"
    shift, scale = (_numbers(values) for values in (found.shift, found.scale))
    lines = [f"z = (z - torch.tensor({shift}){inner}) / torch.tensor({scale}){inner}"]
    if not last:
        lines[0] += "  # (N, C, …); of (N, …, C) without reshape"
    matrix = next((s for s in found.steps if s.name == "covariance of channels"), None)
    if matrix is not None and matrix.added.value >= _WORTH and channels <= _MATRIX:
        rows = "[" + ", ".join(_numbers(row) for row in found.matrix) + "]"
        lines.append(f"# or, for all that channels have in common, with W = torch.tensor({rows}):")
        axes = "(z - shift) @ W.T" if last else "torch.einsum('dc,nc...->nd...', W, z - shift)"
        lines.append(f"# {axes}")
    return lines


def _numbers(values: torch.Tensor) -> str:
    return "[" + ", ".join(f"{float(value):.4g}" for value in values) + "]"

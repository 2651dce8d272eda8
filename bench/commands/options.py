"""Options that several commands share, how help shows options, and what a shell completes."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import typer.core

from bench.commands.printing import console

__all__ = [
    "UNTRAINED",
    "App",
    "Device",
    "MatrixName",
    "Prior",
    "Results",
    "Version",
    "Workers",
    "Yes",
    "kinds",
]

_Does = TypeVar("_Does", bound=Callable[..., Any])

UNTRAINED = ("normal", "uniform")
"""Priors that an audit needs no model for."""


def _matrices(incomplete: str) -> list[str]:
    from bench.matrix.catalogue import matrices

    return matrices(incomplete)


def kinds(incomplete: str) -> list[str]:
    """Complete what may be listed.

    Args:
        incomplete: What was typed.

    Returns:
        Kinds that begin so.
    """
    from bench.matrix.catalogue import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def _priors(incomplete: str) -> list[str]:
    return [name for name in UNTRAINED if name.startswith(incomplete)]


def _devices(incomplete: str) -> list[str]:
    return [name for name in ("auto", "cpu", "cuda") if name.startswith(incomplete)]


def _say_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        number = version("vaebench")
    except PackageNotFoundError:  # run from its sources
        number = "not installed"
    console().print(f"vaebench {number}")
    raise typer.Exit


MatrixName = Annotated[
    str,
    typer.Argument(help="A shipped matrix or the path of a TOML file.", autocompletion=_matrices),
]
Results = Annotated[
    Path | None,
    typer.Option(
        help="Folder of all results.",
        show_default="the variable VAEBENCH_RESULTS, else vaebench-results",
    ),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Take on more than 100,000 cells, or 2²⁸ numbers of data or model."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.", autocompletion=_devices)]
Workers = Annotated[
    int | None, typer.Option(help="Processes at once.", show_default="one per core")
]
Prior = Annotated[str, typer.Option(help="normal, or uniform on a box.", autocompletion=_priors)]
Most = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Numbers that one array may hold; also lets a small file expand far.",
        show_default="134217728",
    ),
]
Mean = Annotated[str | None, typer.Option(metavar="KEY", help="Means in the file.")]
Spread = Annotated[str | None, typer.Option("--scale", metavar="KEY", help="Their spread.")]
SpreadIs = Annotated[
    str | None, typer.Option("--scale-is", help="What that is: std, var, logvar or logstd.")
]
Bare = Annotated[str | None, typer.Option("--z", metavar="KEY", help="Bare latents in the file.")]
Version = Annotated[
    bool,
    typer.Option(
        "--version", help="Say which version this is.", callback=_say_version, is_eager=True
    ),
]


def _plain_flags(parameters: list[Any]) -> list[Any]:
    """The parameters of a command; a flag takes no value, so help shows none."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters


class _Command(typer.core.TyperCommand):
    """A command whose flags are shown as flags."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401
        return _plain_flags(super().get_params(ctx))


class _Group(typer.core.TyperGroup):
    """All commands; its own flags are shown as flags, and an interruption is not kept silent."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:  # typer makes an exit of it that says nothing
            raise typer.Abort from error

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401
        return _plain_flags(super().get_params(ctx))


class App(typer.Typer):
    """An app of typer's, in whose help a flag is shown without the type of a value."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**({"cls": _Group} | options))

    def command(self, *names: Any, **options: Any) -> Callable[[_Does], _Does]:  # noqa: ANN401
        """Declare a command as typer does.

        Args:
            *names: Its name, where that is not the function's.
            **options: As typer takes them.

        Returns:
            A decorator.
        """
        declared: Callable[[_Does], _Does]
        declared = super().command(*names, **({"cls": _Command} | options))
        return declared

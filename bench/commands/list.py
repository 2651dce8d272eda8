"""What ``vaebench list`` does: names what a matrix may use."""

from rich.console import Console

from bench.errors import UserError, unknown
from bench.matrix.catalogue import KINDS, also, entries
from bench.report.terminal import table

__all__ = ["execute"]


def execute(kind: str | None, console: Console) -> int:
    """List the names of one kind, or of all.

    Args:
        kind: One of the catalogue's kinds; None for all.
        console: Standard output.

    Returns:
        The exit code, 0.

    Raises:
        UserError: For an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise UserError(unknown("list", f'kind "{kind}"', kind, KINDS))
    for name in [kind] if kind else KINDS:
        lines = []
        for entry, description in entries(name).items():
            said = [description.summary]
            said += [f"options: {description.options}"] if description.options else []
            said += [f"from {description.reference}"] if description.reference else []
            lines.append([entry, "\n".join(said)])
        console.print(table(["name", "what it is"], lines, title=name, caption=also(name)))
    return 0

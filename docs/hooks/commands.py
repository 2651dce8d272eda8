"""The page of every command and option, made of the commands themselves."""

import inspect
import re
import textwrap
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from bench.cli import app, main

_PAGE = "reference/commands.md"
_HEADS = ("what it does", "default")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the page."""
    files.append(File.generated(config, _PAGE, content=as_markdown()))
    return files


def as_markdown() -> str:
    """Every command with its arguments and options, in the order of the help."""
    group: Any = typer.main.get_command(app)
    parts = [
        "# Commands",
        "Made of the commands themselves; `vaebench COMMAND --help` shows the same. `vaebench` is "
        "also `python -m bench`. An option without a default is off, or not given.",
        _exit_codes(),
        "## vaebench",
        *_parameters(group),
    ]
    for name, command in group.commands.items():
        parts += [f"## vaebench {name}", *_prose(command.help), *_parameters(command)]
    return "\n\n".join(parts) + "\n"


def _exit_codes() -> str:
    """What the command line's own docstring says that it returns."""
    said = inspect.getdoc(main) or ""
    codes = re.search(r"The exit code: (.*?)\.?\s*\Z", said, re.S)
    if codes is None:
        raise ValueError("the docstring of bench.cli.main must end in 'The exit code: …'")
    return f"Exit codes: {' '.join(codes[1].split())}."


def _prose(text: str) -> list[str]:
    """A help text, what is typed in it as code."""
    parts: list[str] = []
    for part in re.split(r"\n\s*\n", textwrap.dedent(text.strip())):
        said, typed = re.fullmatch(r"(.*?)(vaebench .*)?", part, re.S).groups()
        if typed is None or said.strip() not in ("", "Example:", "For example:"):
            parts.append(part)
            continue
        parts += [said.strip()] if said.strip() else []
        code = f"    {' '.join(typed.split())}"
        if parts[-1].startswith("    "):
            parts[-1] += f"\n{code}"
        else:
            parts.append(code)
    return parts


def _parameters(command: Any) -> list[str]:  # noqa: ANN401
    """Tables of the arguments and of the options of one command."""
    context = command.make_context(command.name or "vaebench", [], resilient_parsing=True)
    every = [one for one in command.get_params(context) if not getattr(one, "hidden", False)]
    tables = []
    for kind in ("argument", "option"):
        rows = [_row(one, context) for one in every if one.param_type_name == kind]
        if not rows:
            continue
        shown = 3 if any(row[-1] for row in rows) else 2  # no column of nothing
        lines = [[kind, *_HEADS], ["---"] * 3, *rows]
        tables.append("\n".join(f"| {' | '.join(line[:shown])} |" for line in lines))
    return tables


def _row(one: Any, context: Any) -> list[str]:  # noqa: ANN401
    names = one.opts if one.param_type_name == "option" else [one.name]
    *others, last = [*names, *one.secondary_opts]
    shown = ", ".join(f"`{name}`" for name in [*others, f"{last} {_kind(one, context)}".strip()])
    if getattr(one, "multiple", False):
        shown += ", repeatable"
    cells = [shown, one.help or "", _default(one)]
    return [" ".join(cell.split()).replace("|", "\\|") for cell in cells]


def _kind(one: Any, context: Any) -> str:  # noqa: ANN401
    """What kind of value it takes; nothing for a flag."""
    if getattr(one, "is_flag", False):
        return ""
    named = one.metavar or getattr(one, "type", None)
    if named is None:
        named = one.display_type(context)
    return str(getattr(named, "name", named)).strip("<>").upper()


def _default(one: Any) -> str:  # noqa: ANN401
    """What holds where it is not given."""
    if one.required:
        return "required"
    if isinstance(one.show_default, str):
        return one.show_default
    known = one.default not in (None, False, ()) and not callable(one.default)
    return f"`{one.default}`" if known and not getattr(one, "is_flag", False) else ""

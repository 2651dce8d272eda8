"""Every module, object and path of ours that the prose, and strings in the code, name is there."""

import ast
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROSE = ("README.md", "CONTRIBUTING.md", "mkdocs.yml", "tox.ini", "docs/**/*.md")
CODE = ("bench/**/*.py", "vaelib/**/*.py", "docs/**/*.py", "examples/*.py", "tests/benchmarks/*.py")
FILES = sorted(path for pattern in (*PROSE, *CODE) for path in ROOT.glob(pattern))

NAME = re.compile(r"(?<![\w/.-])(?:bench|vaelib)(?:\.[A-Za-z_]\w*)+(?![\w/*])")
PATH = re.compile(r"(?<![\w-])(?:bench|vaelib|tests|docs|examples)/[\w*./-]*[\w*/]")
IMPORT = re.compile(r"from ((?:bench|vaelib)[\w.]*) import ([\w, ]+)")
SUFFIXES = (".py", ".md", ".toml")


def text_of(path):
    """A page as it is, of code the strings: its imports are checked by importing it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        nodes = ast.walk(ast.parse(text))
        strings = [node.value for node in nodes if isinstance(node, ast.Constant)]
        text = "\n".join(string for string in strings if isinstance(string, str))
    return text


def names_in(text):
    yield from (name for name in NAME.findall(text) if not name.endswith(SUFFIXES))
    for module, names in IMPORT.findall(text):
        yield from (f"{module}.{name.split()[0]}" for name in names.split(",") if name.strip())


def is_there(name):
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def missing(text):
    text = re.sub(r"https?://\S+", "", text)
    names = {name for name in names_in(text) if not is_there(name)}
    return names | {path for path in PATH.findall(text) if not any(ROOT.glob(path))}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_is_there(path):
    assert not missing(text_of(path))


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("`bench.analysis.gate.compare` in `bench/analysis/gate.py`, (../docs/ci.md)", set()),
        ("`bench.gate` in `bench/gate.py`.", {"bench.gate", "bench/gate.py"}),
        ("`bench/*sections.py`, [vaelib](vaelib.md)", {"bench/*sections.py"}),
        ("from vaelib.priors import Normal, Abnormal", {"vaelib.priors.Abnormal"}),
        ("https://github.com/someone/tests/nowhere", set()),
    ],
)
def test_what_is_not_there_is_found(text, absent):
    assert missing(text) == absent

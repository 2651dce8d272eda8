"""The audit that the README shows is the audit that its example gets."""

import functools
import re
from pathlib import Path

import pytest

from bench.cli import main
from vaelib.audits.audit import audit
from vaelib.stats.nulls import NormalNull

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
PROGRAM = re.search(r"```python\n(.*?)```", README, re.S)[1]
SHOWN = re.search(r"```text\n(.*?)```", README, re.S)[1]


def numbers(line):
    return [float(number.replace(",", "")) for number in NUMBER.findall(line)]


def test_what_is_shown_is_what_is_printed(tmp_path, monkeypatch, capsys):
    """Word for word; of numbers the last digits may differ between machines."""
    quick = functools.partial(audit, null_draws=2, null=NormalNull(draws=99), test_rows=100)
    monkeypatch.setattr("bench.audit.audit.audit", quick)
    monkeypatch.chdir(tmp_path)
    exec(compile(PROGRAM, "README.md", "exec"), {})
    assert main(["audit", "posterior.npz", "--fail-on", "no"]) == 1
    printed = {NUMBER.sub("#", line): line for line in capsys.readouterr().out.splitlines()}
    for line in SHOWN.splitlines():
        assert numbers(printed[NUMBER.sub("#", line)]) == pytest.approx(numbers(line), rel=0.05)

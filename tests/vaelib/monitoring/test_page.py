"""The page on monitoring: its plain loop runs, and its tables name what there is."""

import contextlib
import io
import re
from pathlib import Path

import torch

from tests.vaelib.monitoring.training import VAE, Adam, digits, epoch
from vaelib import Monitor

PAGE = (Path(__file__).parents[3] / "docs" / "monitor.md").read_text(encoding="utf-8")


def table(heading):
    """The first column of the table below a heading, in code."""
    rows = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    cells = [row.split("|")[1] for row in rows if row.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_plain_loop_runs_as_it_stands():
    code = re.search(r"## A plain loop\n\n```python\n(.*?)```", PAGE, re.S)[1]
    images, heldout = digits()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = VAE()
        optimizer = Adam(model, 2e-3)
        names = {"model": model, "heldout": heldout, "epochs": 3}
        names["train"] = lambda _: epoch(model, optimizer, images)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, "docs/monitor.md", "exec"), names)
    lines = printed.getvalue().splitlines()
    assert len(lines) == 4 and re.match(r"3: \d\.\d+ ± 0\.\d+, proved \d\.\d+$", lines[2])
    assert float(lines[3]) > 0 and names["monitor"].calls == 3


def test_every_number_and_alarm_has_its_row():
    g = torch.Generator().manual_seed(0)
    row = Monitor(every=1).observe(torch.randn(200, 2, generator=g), torch.ones(200, 2))
    assert table("The numbers") >= set(row) - {"epoch", "alarms"}
    said = Path(__file__).parents[3] / "vaelib" / "monitoring"
    texts = "".join(p.read_text(encoding="utf-8") for p in said.glob("*.py"))
    kinds = set(re.findall(r'note\(\s*"(\w+)"', texts))
    assert table("Alarms") - {"monitor"} == kinds and len(kinds) == 8

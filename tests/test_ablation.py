"""The ablation's own arithmetic."""

import pytest
import torch

from tests.ablation import Values, table, values
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.worlds.specified import WORLDS


def test_what_a_candidate_alone_sees_is_lost_without_it():
    """A shell is seen by the radius, and by nothing else of the stack."""
    shell = next(world for world in WORLDS if world.name == "shell")
    z = shell.draw(800, stream("ablation", 0))
    found = values(Posteriors(z[:500], torch.zeros_like(z[:500])), z[500:], 0)
    assert found.losses["radius"] > 0.8 * found.value > 0.4
    assert max(loss for name, loss in found.losses.items() if name != "radius") < 0.02
    assert "prior" not in found.losses


def test_the_table_gives_losses_in_percent_and_the_most_of_each():
    rows = [
        ("a", 0.5, [Values(0.4, 0.01, {"x": 0.1, "y": 0.0}), Values(0.3, 0.02, {"x": 0.2})]),
        ("b", None, [Values(0.2, 0.01, {"x": 0.01})]),
        ("c", 0.0, [Values(0.0, 0.01, {"x": 0.01})]),
    ]
    lines = [[cell.strip() for cell in line.split("|")] for line in table(rows).splitlines()]
    assert lines[0][4:-1] == ["x", "y"]
    assert lines[2][1:-1] == ["a", "0.500", "0.400 ± 0.010, 0.300 ± 0.020", "30.00", "0.00"]
    assert lines[3][1:-1] == ["b", "", "0.200 ± 0.010", "5.00", ""]
    assert lines[4][1:-1] == ["c", "0.000", "0.000 ± 0.010", "", ""]
    assert float(lines[5][4]) == pytest.approx(30)

"""Maps that are asked about from Python are answered as those of a file."""

import functools
import json

import numpy as np
import pytest
import torch

from bench.cli import main
from tests.vaelib.maps.fields import field
from vaelib import answers, audit, audit_samples, encode, repair
from vaelib.audits import audit as inner
from vaelib.maps.positions import CORRELATED, LOWER
from vaelib.stats.nulls import NormalNull

FEW = {"null": NormalNull(draws=19), "test_rows": 20}


def maps(n, rho, seed):
    """Means and scales of an encoder of maps, (N, C, H, W), whose z are correlated fields."""
    mean = 0.8 * field(n, rho, seed=seed).movedim(-1, 1)
    return mean, torch.full_like(mean, 0.6)


@pytest.fixture
def quick(monkeypatch):
    few = functools.partial(inner.audit, null_draws=1, **FEW)
    monkeypatch.setattr("vaelib.audits.answers.audit", few)
    monkeypatch.setattr("bench.audit.audit.audit", few)


def test_a_map_is_answered_per_position_and_as_a_whole(quick):
    mean, scale = maps(200, 0.9, 0)
    whole = encode(lambda x: (x, 0 * x + 0.6), mean, second="scale", view="map")
    assert torch.equal(whole[0], mean) and whole[0].shape == (200, 2, 4, 4)
    found = answers(*whole, maps(150, 0.9, 1))
    assert found.verdict == "no" and "Of one position:" in found.answer.sentence
    assert found.answer.sentence.startswith("Neighbouring positions correlate 0.5")
    assert [one.question for one in found][2:4] == ["positions", "channels"]
    assert found.asked.inputs == {"train": 200, "test": 150}
    assert "150 held-out inputs (200 training inputs) of 16 positions each, D = 2" in str(found)
    assert "positions: dependent; channels: undecided" in str(found)
    document = json.loads(found.to_json())
    assert document["inputs"] == {"train": 200, "test": 150}
    assert "16 positions of each of 200 inputs" in document["notes"][0]
    # never more inputs than there are
    assert {row.metric: row.value for row in found.rows}["certified_inputs"] == 150


def test_what_a_file_says_python_says(quick, tmp_path, capfd):
    (mean, scale), held = maps(120, 0.8, 0), maps(100, 0.8, 1)
    np.savez(
        tmp_path / "p.npz",
        mean=mean.numpy(),
        scale=scale.numpy(),
        heldout_mean=held[0].numpy(),
        heldout_scale=held[1].numpy(),
    )
    assert main(["audit", str(tmp_path / "p.npz"), "--json"]) == 0
    file = json.loads(capfd.readouterr().out)
    ours = json.loads(answers(mean, scale, held).to_json())
    same = ("certified_kl", "rate", "channel_mean", "channel_deviation", CORRELATED, LOWER)
    rows = [[row for row in one["rows"] if row["metric"] in same] for one in (ours, file)]
    assert rows[0] == rows[1] and len(rows[0]) == 12
    for name in ("verdict", "sentence", "advice", "inputs", "dimensions", "bracket"):
        assert ours[name] == file[name], name


def test_bare_maps_and_sequences():
    found = audit_samples(field(100, 0.9).movedim(-1, 1), **FEW)
    rows = {row.metric: row for row in found.rows}
    assert found.verdict == "no" and rows[LOWER].value > 1 and found.asked.positions == 16
    steps = field(100, 0.9, (6,), channels=3)
    found = audit_samples(steps, **FEW)
    assert found.asked.dimensions == 3 and found.asked.positions == 6
    (row,) = [row for row in found.rows if row.metric == CORRELATED]
    assert row.source == "steps" and row.value == pytest.approx(0.9, abs=0.05)


def test_a_map_without_places_is_a_vector():
    mean = torch.randn(60, 3, 1, 1)
    assert audit(mean, 0 * mean + 0.5, null_draws=1, **FEW).asked.dimensions == 3


def test_groups_of_maps_are_those_of_inputs():
    groups = torch.arange(60) // 2
    found = audit_samples(field(60, 0.0, (2, 2)).movedim(-1, 1), groups=groups, **FEW)
    assert {row.metric: row.value for row in found.rows}["certified_inputs"] == 30


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: answers(m, m[:, :1]), "mean and scale must have the same shape"),
        (lambda m: answers(m, m, (m[..., :2], m[..., :2])), r"maps of \(4, 4\) places like mean"),
        (lambda m: answers(m, m, (m[:, :, 0, 0], m[:, :, 0, 0])), r"\(4, 4\) .*, got none"),
        (lambda m: audit_samples(m, groups=torch.arange(3)), r"groups must .*shape \(40,\)"),
        (lambda m: repair(m, m.abs()), r"must have shape \(N, D\) to be repaired, got maps of"),
    ],
)
def test_maps_that_do_not_fit_are_one_sentence(call, said):
    with pytest.raises(ValueError, match=said) as caught:
        call(field(40, 0.0).movedim(-1, 1).abs())
    assert "\n" not in str(caught.value)

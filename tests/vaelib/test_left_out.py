"""Inputs that gave no numbers: the others are answered as if alone, and the sentence names them."""

import json
import warnings

import numpy as np
import pytest
import torch

from vaelib import (
    answers_by_condition,
    audit,
    audit_samples,
    encode,
    fit_density,
    price,
    read_latents,
    repair,
)
from vaelib.arguments.rows import bad_rows, few, of_both, usable
from vaelib.audits.prepared import LEFT_OUT
from vaelib.stats.nulls import NormalNull

FEW = {"null": NormalNull(draws=19), "test_rows": 20}
ABOUT = "what is said is about the inputs that gave numbers"


def normal(n, seed, dimensions=2):
    g = torch.Generator().manual_seed(seed)
    return 0.8 * torch.randn(n, dimensions, generator=g, dtype=torch.float64)


MEAN, HELD = normal(100, 0), normal(80, 1)
SCALE, WIDTH = torch.full_like(MEAN, 0.6), torch.full_like(HELD, 0.6)


def spoiled(values, rows, with_):
    values = values.clone()
    values[rows, 0] = with_
    return values


BAD = spoiled(MEAN, [7, 40], torch.nan)
WIDE = spoiled(WIDTH, [3], float(torch.tensor(120.0).double().exp()))  # a log variance of 240
KEPT, OTHERS = ~bad_rows(BAD), ~bad_rows(WIDE)


@pytest.mark.parametrize(
    ("value", "positive", "bad"),
    [(1e47, False, False), (-1e48, False, True), (np.inf, False, True), (np.nan, True, True),
     (0.0, True, False), (1e-47, True, False), (1e-49, True, True), (-1.0, True, False)],
)  # fmt: skip
def test_what_counts_as_a_number(value, positive, bad):
    values = torch.ones(3, 2).double()
    values[1, 1] = value
    assert bad_rows(values, positive).tolist() == [False, bad, False]


def test_a_share_of_one_in_twenty_may_be_left_out():
    mean = torch.zeros(40, 2)
    assert usable(spoiled(mean, [0, 39], torch.inf), mean + 1).said == "2 of 40 inputs (rows 0, 39)"
    with pytest.raises(ValueError, match=r"^scale of training inputs must .*3 of 40 inputs \(rows"):
        usable(mean, spoiled(mean + 1, [1, 2, 3], torch.nan), "training")
    assert few(torch.arange(200) < 7) == "7 of 200 inputs (rows 0, 1, 2, 3, 4, …)"
    assert of_both("1 of 40 inputs (row 7)", "").startswith("1 of 40 inputs (row 7) gave no usable")
    assert " is left out: " in of_both("1 of 40 inputs (row 7)", "") and of_both("", "") == ""


def test_a_position_takes_its_whole_input_with_it():
    z = spoiled(torch.zeros(400, 2), [45], torch.nan)
    kept = usable(z, None, positions=4)
    assert kept.said == "1 of 100 inputs (row 11)" and kept.lost == 4
    assert torch.nonzero(~kept.rows)[:, 0].tolist() == [44, 45, 46, 47]


def test_the_others_are_answered_as_if_alone_and_it_is_said_in_text_page_and_json(tmp_path):
    found = audit(BAD, SCALE, heldout=(HELD, WIDE), null_draws=1, **FEW)
    alone = audit(
        MEAN[KEPT], SCALE[KEPT], heldout=(HELD[OTHERS], WIDTH[OTHERS]), null_draws=1, **FEW
    )
    said = found.rows[-1].message
    assert said.startswith("2 of 100 training inputs (rows 7, 40) and 1 of 80 held-out inputs (row")
    assert said.endswith(ABOUT)
    assert (found.rows[-1].metric, found.rows[-1].value) == (LEFT_OUT, 3.0)
    assert list(found.rows[:-1]) == list(alone.rows)
    assert found.asked.inputs == {"train": 98, "test": 79}
    assert found.answer.sentence == f"{said}. {alone.answer.sentence}"
    assert said in str(found) and said in found.save(tmp_path / "page").read_text()
    document = json.loads(found.to_json())
    assert document["notes"] == [said] and said in document["sentence"]
    assert json.loads(alone.to_json())["notes"] == []


def test_bare_z_and_labels_are_left_out_together():
    groups = torch.arange(100) // 2
    found = audit_samples(BAD, groups=groups, **FEW)
    alone = audit_samples(MEAN[KEPT], groups=groups[KEPT], **FEW)
    assert list(found.rows[:-1]) == list(alone.rows)
    assert "2 of 100 inputs (rows 7, 40)" in found.answer.sentence


def test_conditions_are_those_of_the_others(monkeypatch):
    import functools

    from vaelib.audits.audit import audit as inner

    quick = functools.partial(inner, null_draws=1, **FEW)
    monkeypatch.setattr("vaelib.audits.answers.audit", quick)
    label = torch.arange(100) % 2
    found = answers_by_condition(BAD, SCALE, label)
    alone = answers_by_condition(MEAN[KEPT], SCALE[KEPT], label[KEPT])
    for name, one in found.items():
        assert list(one.rows[:-1]) == list(alone[name].rows)
        assert one.answer.sentence.startswith("2 of 100 inputs (rows 7, 40) gave")
    notes = json.loads(found.to_json())["notes"]
    assert len(notes) == 1 and notes[0].endswith(ABOUT)
    assert str(found).splitlines()[-1] == f"{notes[0]}."


def test_repair_and_price_say_it_too(monkeypatch):
    found = repair(BAD, SCALE, (HELD, WIDE))
    alone = repair(MEAN[KEPT], SCALE[KEPT], (HELD[OTHERS], WIDTH[OTHERS]))
    assert found.stack == alone.stack and str(found).splitlines()[-1].endswith(f"{ABOUT}.")
    with pytest.warns(UserWarning, match=r"2 of 100 inputs \(rows 7, 40\) gave no usable"):
        density = fit_density(BAD, SCALE)
    assert density.about.rows == 98

    def refuse(latents):
        raise ValueError("left out")

    monkeypatch.setitem(
        __import__("vaelib.samples.price", fromlist=["x"]).LATENT_SOURCES, "repaired", refuse
    )
    mean = normal(500, 2)
    given = spoiled(mean, [5], torch.nan)
    whole = price(lambda z: z, given, torch.full_like(mean, 0.6), spoiled(mean, [5], torch.nan))
    some = torch.arange(500) != 5
    alone = price(lambda z: z, mean[some], torch.full_like(mean[some], 0.6), mean[some])
    assert whole.cost == alone.cost
    assert whole.notes[0].startswith("1 of 500 inputs (row 5) gave no usable numbers")


@pytest.mark.parametrize("place", [0, 77])
def test_an_encoder_that_fails_for_few_is_warned_of_with_the_row(place):
    x = MEAN.float().index_fill(0, torch.tensor([place]), torch.nan)
    with pytest.warns(UserWarning, match=rf"1 of 100 inputs \(row {place}\) gave no usable"):
        mean, scale = encode(lambda x: (x, 0 * x - 1), x, 30, second="logvar")
    assert mean.shape == (100, 2) and bool(mean[place].isnan().all() & scale[place].isnan().all())
    rest = torch.arange(100) != place
    assert torch.equal(mean[rest], MEAN.float().double()[rest])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = encode(lambda x: (x, spoiled(0 * x - 1, [2], 300.0)), MEAN.float(), second="logvar")
    assert bad_rows(again[0]).nonzero().flatten().tolist() == [2]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_three_tensors_the_others_tell_which_is_the_draw(place):
    noise = torch.randn(100, 2, generator=torch.Generator().manual_seed(2))
    parts = [MEAN.float(), 2 * SCALE.float().log(), (MEAN + SCALE * noise).float()]
    parts[place] = spoiled(parts[place], [7, 40], torch.nan)
    with pytest.warns(UserWarning, match=r"2 of 100 inputs \(rows 7, 40\) gave no usable"):
        mean, scale = encode(lambda x: parts, MEAN.float(), 100)
    assert torch.equal(mean[KEPT], MEAN[KEPT].float().double()) and bool(mean[~KEPT].isnan().all())
    assert torch.allclose(scale[KEPT], SCALE[KEPT]) and bool(scale[~KEPT].isnan().all())


def test_a_row_without_numbers_hides_no_model_in_training():
    model = torch.nn.Dropout(0.5)
    with pytest.raises(ValueError, match="must give an input one posterior"):
        encode(lambda x: (model(x), 0 * x), BAD.float(), 100, second="logvar")


def test_a_file_gives_the_others_and_labels_of_these(tmp_path):
    logvar = (2 * SCALE.log()).numpy()
    logvar[50] = 240
    np.savez(
        tmp_path / "p.npz",
        mean=BAD.numpy(),
        logvar=logvar,
        heldout_mean=HELD.numpy(),
        heldout_logvar=2 * WIDTH.log().numpy(),
        conditions=np.arange(100),
        groups=np.arange(80),
        heldout_conditions=np.arange(80),
    )
    found = read_latents(tmp_path / "p.npz")
    kept = np.setdiff1d(np.arange(100), [7, 40, 50])
    assert torch.equal(found.train[0], MEAN[kept]) and found.conditions.tolist() == kept.tolist()
    assert len(found.heldout[0]) == len(found.groups) == len(found.heldout_conditions) == 80
    assert found.notes == (found.left_out,) and "3 of 100 training inputs (rows 7" in found.left_out
    assert found.rows.sum() == 97 and found.heldout_rows.all()


def test_a_map_of_a_file_is_left_out_whole(tmp_path):
    z = normal(200, 0, 16).reshape(200, 2, 4, 2).numpy()
    z[9, 1, 3, 0] = np.inf
    np.save(tmp_path / "z.npy", z)
    found = read_latents(tmp_path / "z.npy")
    assert found.z.shape == (199 * 8, 2) and found.groups.tolist()[72:80] == [10] * 8
    assert found.left_out.startswith("1 of 200 inputs (row 9) gave")

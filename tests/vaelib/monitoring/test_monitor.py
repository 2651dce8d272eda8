"""The monitor's calls: what is refused, what is kept, and that it goes on where it was."""

import io
import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from tests.elsewhere import DEVICE, other_device
from vaelib import AggregatePosterior, Monitor
from vaelib.monitoring.identities import Seen, is_evaluated, marks_of
from vaelib.priors import Normal, Uniform
from vaelib.stats import moments


def latents(seed=0, rows=200, dimensions=3, size=1.0):
    g = torch.Generator().manual_seed(seed)
    mean = size * torch.randn(rows, dimensions, generator=g)
    return mean, torch.full_like(mean, 0.5)


def with_value(value):
    mean, scale = latents()
    mean = mean.double()
    mean[3, 1] = value
    return mean, scale


def same(a, b):
    """Whether two rows are equal, NaN where the other is."""
    return a.keys() == b.keys() and all(
        a[name] == b[name] or (math.isnan(a[name]) and math.isnan(b[name])) for name in a
    )


WRONG = {
    "no table": (lambda m: m.observe("z", "s"), "mean must be a torch.Tensor or a NumPy array"),
    "one axis": (lambda m: m.observe(torch.ones(9), torch.ones(9)), r"mean must have shape \(B"),
    "two shapes": (
        lambda m: m.observe(latents()[0], latents(rows=100)[1]),
        r"scale must have the shape \(200, 3\) of mean, got \(100, 3\)",
    ),
    "log variances": (
        lambda m: m.observe(latents()[0], -latents()[1]),
        "scale must not be negative, got min -0.5; is it a log variance",
    ),
    "another D": (
        lambda m: (m.observe(*latents()), m.observe(*latents(dimensions=4))),
        "latents must have D = 3 as before, got 4",
    ),
    "another n": (
        lambda m: (m.observe(*latents()), m.observe(*latents(rows=201))),
        "inputs must be the 200 of the call before, in their order, got 201; give ids",
    ),
    "few": (
        lambda m: m.observe(*latents(rows=30)),
        "at least 20 inputs must be evaluated and as many fit, got 1. and 1. of 30; hand over",
    ),
    "ids of words": (
        lambda m: m.observe(*latents(), ids=["a"] * 200),
        "ids must hold integers",
    ),
    "ids for some": (
        lambda m: m.observe(*latents(), ids=torch.arange(9)),
        r"ids must be integers of shape \(200,\), one label per input",
    ),
    "ids that repeat": (
        lambda m: m.observe(*latents(), ids=torch.arange(200) // 2),
        "ids must name every input once between two calls, got 100 repeated",
    ),
    "ids at one call": (
        lambda m: (m.observe(*latents(), ids=torch.arange(200)), m.observe(*latents())),
        "ids must be given at every call or at none, got calls with before",
    ),
    "ids at one batch": (
        lambda m: (m.update(*latents(), ids=torch.arange(200)), m.update(*latents())),
        "ids must be given with every batch or with none, got both",
    ),
    "the same epoch": (
        lambda m: (m.observe(*latents(), epoch=4), m.observe(*latents(), epoch=4)),
        "epoch must rise from call to call, got 4 after 4",
    ),
    "no latents": (lambda m: m.compute(), "compute must follow update, got no latents"),
    "no reset": (
        lambda m: (m.update(*latents()), m.compute(), m.update(*latents())),
        "update must follow reset, got it after compute",
    ),
    "half a call": (
        lambda m: (m.update(*latents()), m.observe(*latents())),
        "observe is a whole call, got one begun by update",
    ),
    "after the end": (
        lambda m: (m.observe(*latents()), m.finish(), m.update(*latents())),
        "the run has ended by finish",
    ),
    "an end without a beginning": (lambda m: m.finish(), "finish ends a run, got one without"),
    "a gauge of nothing": (lambda m: m.gauge, "gauge is of a call, got none yet"),
    "no state": (lambda m: m.load_state_dict({}), "state must be one of Monitor.state_dict"),
    "another's state": (
        lambda m: m.load_state_dict(Monitor(seed=1).state_dict()),
        "state must be of a Monitor with seed=0, got one with 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_sentence(name):
    act, said = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=said) as caught:
        act(Monitor())
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prior": "laplace"}, "prior must be 'normal', .* got 'laplace'; vaelib.audit takes"),
        ({"prior": Uniform(3)}, "prior must be 'normal', .* got Uniform"),
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"every": 1.5}, "every must be an integer, got 1.5"),
        ({"fresh": "yes"}, "fresh must be True or False, got 'yes'"),
        ({"most": 39}, "most must be at least 40, got 39"),
        ({"alpha": 1.0}, "alpha must"),
        ({"seed": "0"}, "seed must be an integer"),
    ],
)
def test_a_wrong_setting_is_one_sentence(settings, said):
    with pytest.raises((ValueError, TypeError), match=said):
        Monitor(**settings)


def test_a_prior_knows_its_dimensions():
    with pytest.raises(ValueError, match="D = 4"):
        Monitor(Normal(4)).observe(*latents())


def test_a_refused_call_changes_nothing():
    tried, other = Monitor(), Monitor()
    for monitor in (tried, other):
        monitor.observe(*latents())
    for wrong in (latents(rows=201), latents(dimensions=4)):
        with pytest.raises(ValueError):
            tried.observe(*wrong)
    assert same(tried.observe(*latents(1)), other.observe(*latents(1)))


def test_fresh_inputs_must_be_new():
    monitor = Monitor(fresh=True)
    monitor.observe(*latents(), ids=torch.arange(200))
    monitor.observe(*latents(1), ids=torch.arange(200, 400))
    with pytest.raises(ValueError, match="inputs must be new .* fresh=True, got 1 that came"):
        monitor.observe(*latents(2), ids=torch.arange(399, 599))


def test_of_more_identities_than_are_kept_some_that_come_back_are_found():
    seen = Seen()
    for start in range(0, 100_000, 20_000):
        seen.add(marks_of(torch.arange(start, start + 20_000), 7))
    assert len(seen.marks) == 1 << 16
    assert seen.repeated(marks_of(torch.arange(100_000, 110_000), 7)) == 0
    again = seen.repeated(marks_of(torch.arange(50_000, 51_000), 7))
    assert 580 < again < 730  # 65,536 of 100,000


def test_an_input_is_on_one_side_for_ever():
    ids = torch.arange(10_000)
    first, later = is_evaluated(ids, 3), is_evaluated(ids.flip(0), 3).flip(0)
    assert torch.equal(first, later) and 4800 < int(first.sum()) < 5200
    other = is_evaluated(ids, 4)
    assert 4700 < int((first == other).sum()) < 5300


def test_nothing_fitted_to_evaluated_inputs_plays_on_them_later():
    """The evaluated inputs of early epochs are moved far away: later numbers do not change."""
    rows = []
    for away in (0.0, 3.0):
        monitor = Monitor(every=3)
        for epoch in range(3):
            mean, scale = latents(epoch)
            mean[is_evaluated(torch.arange(200), 0x5A17)] += away * (epoch < 2)
            row = monitor.observe(mean, scale)
        rows.append(row)
    names = ("gain", "lower", "log_e", "full_gain", "full_lower", "full_log_e")
    assert all(rows[0][name] == rows[1][name] for name in names)
    assert rows[0]["log_e_run"] != rows[1]["log_e_run"]


def test_batches_and_their_order_do_not_matter():
    mean, scale = latents(rows=5000)
    ids, order = torch.arange(5000), torch.randperm(5000)
    whole = Monitor(most=600).observe(mean, scale, ids)
    monitor = Monitor(most=600)
    for part in order.split(700):
        monitor.update(mean[part], scale[part], ids[part])
    assert same(monitor.compute(), whole)
    assert same(monitor.compute(), whole) and monitor.calls == 1
    monitor.reset()
    monitor.update(mean, scale, ids)
    assert monitor.compute()["epoch"] == 2


def test_memory_does_not_grow_with_inputs_or_calls():
    monitor, sizes = Monitor(most=200, fresh=True), []
    for _ in range(3):
        for seed in range(20):
            monitor.update(*latents(seed, rows=300), None)
        monitor.compute()
        saved = io.BytesIO()
        monitor.reset()
        torch.save(monitor.state_dict(), saved)
        sizes.append(len(saved.getvalue()))
    assert max(sizes) - min(sizes) < 1000 and max(sizes) < 60_000


@pytest.mark.parametrize("fresh", [False, True])
def test_a_resumed_run_goes_on_to_the_same_numbers(fresh):
    ids = [torch.arange(200) + 200 * k * fresh for k in range(5)]
    straight, before = Monitor(every=4, fresh=fresh), Monitor(every=4, fresh=fresh)
    for k in range(2):
        for monitor in (straight, before):
            monitor.observe(*latents(k, size=1 + k), ids[k])
    before.reset()
    before.update(*(part[:80] for part in latents(2)), ids[2][:80])
    saved = io.BytesIO()
    torch.save(before.state_dict(), saved)
    saved.seek(0)
    resumed = Monitor(every=4, fresh=fresh)
    resumed.load_state_dict(torch.load(saved, weights_only=True))
    resumed.update(*(part[80:] for part in latents(2)), ids[2][80:])
    assert same(resumed.compute(), straight.observe(*latents(2), ids[2]))
    for k in (3, 4):
        args = (*latents(k, size=0.01), ids[k])
        assert same(resumed.observe(*args), straight.observe(*args))
    assert same(resumed.finish(), straight.finish())
    assert resumed.alarms == straight.alarms and {a.kind for a in resumed.alarms} == {"collapse"}
    with pytest.raises(ValueError, match="ended"):
        resumed.observe(*latents(5), ids[4])


def test_what_is_described_is_what_the_statistics_say():
    mean, scale = latents(size=0.8)
    row = Monitor().observe(mean, scale)
    q = AggregatePosterior(mean, scale)
    assert row["active_units"] == moments.active_units(q)
    assert row["second_moment"] == pytest.approx(moments.second_moment(q))
    assert row["variance_law"] == pytest.approx(moments.variance_law(q))
    rate = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, scale), torch.distributions.Normal(0, 1)
    )
    assert row["rate"] == pytest.approx(float(rate.sum(1).mean()), rel=1e-5)
    assert row["log_n"] == pytest.approx(math.log(200)) and row["saturated"] == 0
    narrow = Monitor().observe(mean, 0.01 * scale)
    assert narrow["rate"] > narrow["log_n"] and narrow["saturated"] == 1


def test_the_gauge_names_the_dimension():
    mean, scale = latents()
    monitor = Monitor()
    row = monitor.observe(mean + torch.tensor([0.0, 0.0, 0.7]), scale)
    centre, squares = monitor.gauge
    assert int(centre.abs().argmax()) == 2 and row["gauge_mean"] == float(centre.abs().max())
    spread = (squares - centre.square() - 1).abs().max()
    assert row["gauge_variance"] == pytest.approx(float(spread))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_any_type_will_do_and_no_graph_is_kept(kind):
    mean, scale = (part.to(kind) for part in latents())
    wanted = Monitor().observe(mean.double(), scale.double())
    monitor = Monitor()
    assert same(monitor.observe(mean.requires_grad_(), scale), wanted)
    parts = [monitor.state_dict()["given"][name] for name in ("mean", "scale")]
    assert not any(part.requires_grad for part in parts)


def test_tensors_elsewhere_are_fetched():
    mean, scale = latents()
    monitor = Monitor()
    with other_device():
        monitor.update(mean.to(DEVICE), scale.to(DEVICE))
    assert same(monitor.compute(), Monitor().observe(mean, scale))


def test_arrays_and_deterministic_encoders_will_do():
    mean = latents()[0].numpy()
    row = Monitor().observe(mean, np.zeros_like(mean))
    assert row["rate"] == math.inf and row["saturated"] == 1 and abs(row["gain"]) < 0.1


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        mean, logvar = self.head(self.body(x)).chunk(2, 1)
        return {"mu": mean, "logvar": logvar}


def test_watching_leaves_flags_buffers_and_random_states_as_they_were():
    model = Encoder().train()
    model.body[1].eval()
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    flags = [part.training for part in model.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    monitor, x = Monitor(every=1), torch.rand(200, 6, generator=torch.Generator().manual_seed(0))
    first = monitor.watch(model, x)
    monitor.finish()
    assert "full_gain" in first
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1]) and states[2] == random.getstate()
    assert flags == [part.training for part in model.modules()]
    assert all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
    assert all(part.grad is None for part in model.parameters())


def test_threads_are_as_before_after_the_full_stack():
    before = torch.get_num_threads()
    Monitor(every=1).observe(*latents())
    assert torch.get_num_threads() == before


def test_the_full_stack_plays_every_so_often_and_at_the_end():
    monitor = Monitor(every=2)
    rows = [monitor.observe(*latents(k)) for k in range(3)]
    assert ["full_gain" in row for row in rows] == [False, True, False]
    end = monitor.finish()
    assert "full_gain" in end and same({n: end[n] for n in rows[2]}, rows[2])


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e60])
def test_latents_that_are_no_numbers_raise_an_alarm_and_no_error(value):
    monitor = Monitor(every=1)
    mean, scale = (values.double() for values in latents())
    monitor.observe(mean, scale)
    mean[:11, 1] = value
    row = monitor.observe(mean, scale)
    assert math.isnan(row["gain"]) and "full_gain" not in row and "rate" not in row
    (alarm,) = monitor.alarms
    assert alarm.kind == "divergence" and alarm.epoch == 2
    assert "11 of 200 inputs are NaN" in alarm.text
    assert math.isnan(monitor.finish()["gain"])


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e60])
def test_few_latents_that_are_no_numbers_are_left_out_and_told_of_until_none_are(value):
    ids = torch.arange(200)
    (mean, scale), (spoiled, _) = latents(), with_value(value)
    kept = (spoiled.abs() < 1e48).all(1)
    assert kept.sum() == 199
    monitor, alone = Monitor(every=1), Monitor(every=1)
    row = monitor.observe(spoiled, scale, ids)
    assert row | {"alarms": 0.0} == alone.observe(mean[kept], scale[kept], ids[kept])
    assert row["alarms"] == 1 and "full_gain" in row
    diverged = monitor.observe(spoiled + math.nan, scale, ids)
    assert math.isnan(diverged["gain"]) and diverged["alarms"] == 2
    assert monitor.observe(spoiled, scale, ids)["alarms"] == 2
    assert monitor.observe(mean, scale, ids)["alarms"] == 2
    assert monitor.observe(spoiled, scale, ids)["alarms"] == 3
    assert [one.kind for one in monitor.alarms] == ["left_out", "divergence", "left_out"]


def test_so_few_inputs_that_none_can_be_left_out_are_a_divergence():
    mean, scale = latents()
    ids = torch.arange(200)
    monitor = Monitor()
    evaluated = is_evaluated(ids, monitor.seed ^ 0x5A17)
    some = torch.cat([ids[evaluated][:20], ids[~evaluated][:40]])
    mean[some[0]] = math.nan
    row = monitor.observe(mean[some], scale[some], some)
    assert math.isnan(row["gain"]) and [one.kind for one in monitor.alarms] == ["divergence"]


def test_a_constant_dimension_and_repeats_prove_nothing():
    mean, scale = latents()
    monitor = Monitor(every=1)
    row = monitor.observe(torch.cat([mean, 0 * mean[:, :1]], 1), torch.zeros(200, 4))
    assert math.isnan(row["gain"]) and monitor.alarms[-1].kind == "constant"
    assert "dimensions 3" in monitor.alarms[-1].text
    twice = Monitor(every=1)
    row = twice.observe(2 * mean[torch.arange(200) // 2], scale)
    assert row["lower"] == 0 and row["log_e"] <= 0 and "full_gain" not in row
    assert twice.alarms[-1].kind == "repeats" and "50% of the inputs" in twice.alarms[-1].text
    assert twice.observe(2 * mean, scale)["lower"] > 0

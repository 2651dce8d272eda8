"""Alarms: of real models that train badly, with the epoch, and of numbers that are made up."""

import re

import pytest
import torch

from tests.vaelib.monitoring.training import VAE, Adam, digits, epoch, trained
from vaelib import Monitor
from vaelib.monitoring.alarms import APART, POINTED, Watch


def test_a_model_that_trains_well_raises_none():
    monitor = trained(Monitor(), beta=1.0, rate=2e-3, epochs=8)
    assert monitor.alarms == () and monitor.last["active_units"] == 8


def test_without_a_kl_term_the_rate_explodes_and_it_is_told_from_when_on():
    monitor, rows = Monitor(), []
    train, heldout = digits()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = VAE(0.0)
        optimizer = Adam(model, 5e-3)
        for number in range(10):
            rows.append(monitor.watch(model, heldout, epoch=number))
            epoch(model, optimizer, train)
    (alarm,) = monitor.alarms
    wrong = [row["rate"] > 8 * POINTED and row["lower"] > 8 * APART for row in rows]
    assert (alarm.kind, alarm.epoch) == ("unbound", wrong.index(True))
    assert f"from epoch {alarm.epoch} on" in alarm.text and "has the KL term its" in alarm.text
    assert 3 <= alarm.epoch <= 5 and all(wrong[alarm.epoch :])


@pytest.mark.parametrize(("beta", "rate"), [(4.0, 5e-3), (1.0, 5e-3), (0.1, 5e-3)])
def test_a_kl_term_of_any_common_weight_raises_no_alarm(beta, rate):
    assert trained(Monitor(), beta=beta, rate=rate, epochs=12).alarms == ()


def test_points_far_from_the_prior_are_told_of_and_points_that_match_are_not():
    far, near = Monitor(), Monitor()
    for number in range(6):
        g = torch.Generator().manual_seed(number)
        z = torch.randn(200, 3, generator=g)
        far.observe(0.12 * z, 0 * z)
        near.observe(z, 0 * z)
        assert bool(far.alarms) == (number >= 4)
    assert [alarm.kind for alarm in far.alarms] == ["unbound"] and far.alarms[0].epoch == 1
    assert "posteriors are points, and KL(q‖p) is at least" in far.alarms[0].text
    assert near.alarms == ()


def test_what_is_told_of_ends_where_one_of_both_does_and_a_state_remembers():
    watch = Watch()
    for number, (rate, lower) in enumerate([(30, 12)] * 4 + [(30, 7)] + [(30, 12)] * 5):
        watch.look_at_ends(number, rate, lower, 8)
        again = Watch()
        again.load(watch.state())
        watch = again
    assert [(alarm.kind, alarm.epoch) for alarm in watch.alarms] == [("unbound", 5)]
    watch.look_at_ends(10, 20.0, 12.0, 8)
    assert not watch.on("unbound")


def test_a_beta_too_large_collapses():
    (alarm,) = trained(Monitor(), beta=100.0, rate=2e-3, epochs=6).alarms
    assert (alarm.kind, alarm.epoch) == ("collapse", 0)
    assert "from epoch 0 on none of 8 dimensions is active yet" in alarm.text


def test_a_beta_that_grows_too_large_collapses_at_an_epoch_and_units_fall():
    train, heldout = digits()
    monitor, actives = Monitor(), []
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = VAE()
        optimizer = Adam(model, 4e-3)
        for number in range(14):
            model.beta = 1.0 if number < 6 else 100.0
            epoch(model, optimizer, train)
            actives.append(monitor.watch(model, heldout, epoch=number)["active_units"])
    assert max(actives[:6]) == 8 and actives[-1] == 0
    alarm = next(alarm for alarm in monitor.alarms if alarm.kind == "collapse")
    first = next(e for e in range(6, 14) if not any(actives[e:]))
    assert alarm.epoch == first and f"from epoch {first} on" in alarm.text
    assert "any more" in alarm.text


def test_a_learning_rate_too_high_explodes():
    alarms = trained(Monitor(), beta=1.0, rate=1.0, epochs=2).alarms
    alarm = next(alarm for alarm in alarms if alarm.kind == "explosion")
    assert alarm.epoch in (1, 2) and f"at epoch {alarm.epoch} E|z|²/D is" in alarm.text


def test_a_training_that_ends_in_nan_is_told_of_and_goes_on():
    monitor = trained(Monitor(), beta=1.0, rate=0.5, epochs=3, momenta=False)
    (alarm,) = monitor.alarms
    assert (alarm.kind, alarm.epoch) == ("divergence", 1)
    assert "at epoch 1 the inputs cannot be encoded" in alarm.text and "finite" in alarm.text
    assert monitor.last == {"epoch": 3.0, "alarms": 1.0}
    assert monitor.finish()["epoch"] == 3


def test_a_few_inputs_without_numbers_are_an_alarm_and_no_warning():
    monitor, (_, heldout) = Monitor(), digits()
    monitor.watch(VAE(), heldout.index_fill(0, torch.tensor([4, 5]), torch.nan))
    (alarm,) = monitor.alarms
    assert alarm.kind == "left_out" and "the latents of 2 of 597 inputs are NaN" in alarm.text


def test_a_model_that_cannot_be_encoded_at_all_is_an_error():
    monitor = Monitor()
    with pytest.raises(ValueError, match="the encoder must take"):
        monitor.watch(VAE(), torch.zeros(100, 9))
    assert monitor.alarms == () and monitor.last == {}


def looked(active, second=None):
    watch = Watch()
    for number, units in enumerate(active):
        watch.look(number, units, 8, 1.0 if second is None else second[number])
    return [(alarm.kind, alarm.epoch) for alarm in watch.alarms]


def test_one_dip_is_no_alarm_and_what_comes_back_is_told_of_again():
    assert looked([8, 0, 8, 3, 8]) == []
    assert looked([8, 0, 0, 8, 0, 0]) == [("collapse", 1), ("collapse", 4)]
    assert looked([8, 8, 4, 4, 4]) == [("units", 2)]
    assert looked([0, 0, 0, 0, 1]) == []
    assert looked([0, 0, 0, 0, 0]) == [("collapse", 0)]
    assert looked([0, 1, 0, 0, 2, 8]) == []  # a beginning
    assert looked([0, 1, 0, 0, 0, 0, 0]) == [("collapse", 2)]


def test_a_variance_that_grows_is_told_of_once():
    assert looked([8] * 5, [1.0, 3.0, 11.0, 40.0, 90.0]) == [("explosion", 2)]
    assert looked([8] * 5, [1.0, 11.0, 6.0, 12.0, 4.0]) == [("explosion", 1)]
    watch = Watch()
    for number, second in enumerate([1.0, 4.0, 40.0]):
        watch.look(number, 8, 8, second)
    assert re.search(r"E\|z\|²/D is 40, .* 10 times what it was at 1:", watch.alarms[0].text)


def test_alarms_are_at_most_a_hundred():
    found = looked([8] * 500, [20.0, 1.0] * 250)
    assert len(found) == 100 and found[-1] == ("explosion", 498)

"""An audit computes on the threads that are fastest, and leaves them as they were."""

import os

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from vaelib import answers, answers_by_condition, audit, audit_samples, fit_density
from vaelib.asking import threads
from vaelib.asking.threads import FEW, fastest, on_threads
from vaelib.stats.nulls import NormalNull

QUICK = {"null_draws": 1, "null": NormalNull(draws=19), "test_rows": 20}


def counts():
    return torch.get_num_threads(), sorted(pool["num_threads"] for pool in threadpool_info())


@pytest.fixture
def two():
    """Two threads everywhere, as a caller has who set nothing on two cores."""
    with threadpool_limits(limits=2):
        torch.set_num_threads(2)
        yield counts()
    torch.set_num_threads(1)


def test_a_block_has_its_threads_and_what_was_there_comes_back(two):
    with on_threads(1):
        assert counts() == (1, [1] * len(two[1]))
    assert counts() == two
    with pytest.raises(KeyError), on_threads(1):
        raise KeyError
    assert counts() == two and two[0] == 2


@pytest.mark.parametrize(
    ("inputs", "most", "expected"), [(1, 8, 1), (FEW, 8, 1), (FEW + 1, 8, 4), (FEW + 1, 3, 3)]
)
def test_few_inputs_have_one_thread_and_many_the_idle_cores(inputs, most, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
    assert fastest(inputs, most) == expected


MEAN = np.random.default_rng(0).standard_normal((40, 2))
SCALE = np.full((40, 2), 0.5)
CALLS = {
    "audit": lambda tell: audit(MEAN, SCALE, progress=tell, **QUICK),
    "answers": lambda tell: answers(MEAN, SCALE, progress=tell),
    "audit_samples": lambda tell: audit_samples(MEAN, test_rows=20, progress=tell),
    "answers_by_condition": lambda tell: answers_by_condition(
        MEAN, SCALE, np.arange(40) % 2, progress=tell
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_question_is_measured_on_one_thread(name, two):
    seen = []
    CALLS[name](lambda *step: seen.append(counts()))
    assert seen and {max(torch_, *pools) for torch_, pools in seen} == {1}
    assert counts() == two


def test_an_error_leaves_the_threads_too(two):
    def fail(*step):
        raise KeyError

    for call in CALLS.values():
        with pytest.raises(KeyError):
            call(fail)
        assert counts() == two


def test_no_more_threads_than_torch_was_given(monkeypatch):
    """One here, whatever there is: what a caller has set is the most."""
    asked = []
    monkeypatch.setattr("vaelib.asking.found.fastest", lambda *a: asked.append(a) or 1)
    monkeypatch.setattr("vaelib.asking.density.fastest", lambda *a: asked.append(a) or 1)
    audit(MEAN, SCALE, heldout=(MEAN[:30], SCALE[:30]), **QUICK)
    fit_density(MEAN, SCALE)
    assert asked == [(40, 1), (40, 1)]


def test_the_command_line_counts_the_same_cores():
    from bench.run import resources

    assert resources.idle_cores is threads.idle_cores and resources.cores is threads.cores

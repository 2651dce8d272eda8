"""Every public function, called badly: an answer or one sentence; ``tests/faults/calls.py``."""

import inspect

import pytest

from tests.faults.calls import (
    FORMS,
    HOSTILE,
    TENSORS_ALONE,
    arguments,
    called,
    differences,
    fault,
    faults,
    functions,
)

FUNCTIONS = functions()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_hostile_call_gives_an_answer_or_one_sentence(name):
    called(FUNCTIONS[name], arguments(name, FUNCTIONS[name]))
    assert faults(name, FUNCTIONS[name], seed=0) == {}


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - set(TENSORS_ALONE)))
def test_numbers_do_not_depend_on_the_form_they_come_in(name):
    assert differences(name, FUNCTIONS[name], seed=0) == {}


@pytest.mark.parametrize("name", TENSORS_ALONE)
def test_what_is_called_in_loops_takes_tensors_and_says_so(name):
    found = differences(name, FUNCTIONS[name])
    assert all(
        said.endswith("must be a torch.Tensor, got ndarray; convert it first")
        for said in (found.values())
    )
    refused = {form for form in FORMS if "array" in form}
    assert {call.split("=")[1][:-1] for call in found} == refused


@pytest.mark.parametrize(
    "broken",
    [
        lambda z: 1 / 0,
        lambda z: z + None,
        lambda z: float("abc"),
        lambda z: [][0],
    ],
)
def test_the_sweep_sees_what_is_no_sentence_of_the_package(broken):
    assert fault(broken, {"z": HOSTILE["zeros"]()})


def test_every_argument_is_tried():
    for name, function in FUNCTIONS.items():
        given = arguments(name, function)
        assert given.keys() == inspect.signature(function).parameters.keys()

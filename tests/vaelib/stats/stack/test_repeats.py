"""Equal rows: repeats and copies are told from draws of a law with atoms."""

import pytest
import torch

from vaelib.seeding import stream
from vaelib.stats.stack.repeats import (
    at_atoms,
    copied_rows,
    distinct_rows,
    lone_rows,
    repeated_rows,
)
from vaelib.worlds.world import normal


def test_repeats_are_counted():
    z = torch.arange(10.0)[:, None]
    assert repeated_rows(z, z) == 0
    assert repeated_rows(torch.cat([z, z[:5]])) == pytest.approx(1 / 3)
    scale = torch.arange(15.0)[:, None]
    assert repeated_rows(torch.cat([z, z[:5]]), scale) == 0
    twice_and_five_times = torch.cat([z, z[:5], z[:1], z[:1], z[:1]])
    assert repeated_rows(twice_and_five_times) == pytest.approx(8 / 18)
    assert repeated_rows(twice_and_five_times, atoms=True) == pytest.approx(4 / 18)
    assert repeated_rows(z.repeat(5, 1), atoms=True) == pytest.approx(36 / 50)
    assert repeated_rows(z[:2].repeat(50, 1), atoms=True) == 0
    zeros = torch.tensor([[0.0], [-0.0]])
    assert repeated_rows(zeros) == 0.5


@pytest.mark.parametrize(("inputs", "times"), [(20, 25), (12, 50), (5, 200), (4, 400)])
def test_as_many_z_of_each_input_are_no_draws_of_a_law(inputs, times):
    z = normal(inputs, 2, stream("repeats", 0)).repeat(times, 1)
    assert repeated_rows(z, atoms=True) == pytest.approx(1 - 1 / times)


@pytest.mark.parametrize("values", [2, 3, 5, 12])
def test_draws_of_few_values_are_no_repeats(values):
    """Of 200 samples one may be as even; with equal chances, which is where they are evenest."""
    generator, wrong = stream("repeats", 1), 0
    atoms = normal(values, 2, generator)
    for _ in range(200):
        drawn = atoms[torch.randint(values, (1000,), generator=generator)]
        wrong += repeated_rows(drawn, atoms=True) > 0
    assert wrong <= 2


def test_distinct_rows_are_counted_but_for_the_commonest():
    z = normal(50, 2, stream("repeats", 2))
    assert distinct_rows(z) == 50
    assert distinct_rows(z[:12].repeat(50, 1)) == 50 + 11
    assert distinct_rows(torch.zeros(70, 3)) == 70
    assert distinct_rows(torch.cat([z, torch.zeros(30, 2, dtype=z.dtype)])) == 80
    assert distinct_rows(z[:1].repeat(9, 1), torch.arange(9.0)) == 9


def test_what_equals_several_training_rows_lies_at_an_atom():
    train = torch.tensor([[3.0], [1.0], [2.0], [1.0]])
    z = torch.tensor([[1.0], [2.0], [5.0], [1.0 + 1e-7]])
    assert at_atoms(z, train).tolist() == [True, False, False, False]


def test_lone_rows_keep_their_order():
    z = torch.tensor([[3.0], [1.0], [2.0], [1.0]])
    assert lone_rows(z).tolist() == [[3.0], [2.0]]
    assert lone_rows(torch.zeros(4, 2)).shape == (0, 2)


@pytest.mark.parametrize("dimensions", [1, 2, 8])
@pytest.mark.parametrize(("n", "copies"), [(50, 25), (100, 20), (1000, 1000), (1000, 30)])
def test_exact_copies_are_proved(dimensions, n, copies):
    generator = stream("repeats", 3)
    train, heldout = normal(1000, dimensions, generator), normal(n, dimensions, generator)
    heldout[:copies] = train[:copies]
    assert copied_rows(train, heldout) == pytest.approx(copies / n)


def test_draws_of_other_laws_with_atoms_are_no_copies():
    """Whatever the two laws: an atom of one may be rare in the other."""
    generator = stream("repeats", 4)
    atoms = normal(400, 2, generator)
    for chance in (1.0, 5.0):
        weights = torch.rand(2, 400, generator=generator) ** chance
        wrong = 0
        for _ in range(200):
            train, heldout = (
                atoms[torch.multinomial(w, 300, replacement=True, generator=generator)]
                for w in weights
            )
            wrong += copied_rows(train, heldout) > 0
        assert wrong <= 2
    assert copied_rows(torch.zeros(30, 2), torch.zeros(30, 2)) == 0

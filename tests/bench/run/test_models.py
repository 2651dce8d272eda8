import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.run.cell import run_block
from bench.run.model_store import is_stored, trained
from bench.run.models import dataset_of
from tests.bench.fakes import Clock, job_of
from tests.bench.run.test_cell import VALUES, without_time
from vaelib.sealed import CacheWarning, identity_of, packed, unpacked

TRAINING = {"steps": 10, "batch_size": 64, "learning_rate": 1e-3}
DATA = dataset_of(VALUES["dataset"])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The folder of all results, whose simulated nulls the tests share."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def job(results, tmp_path):
    return job_of(
        VALUES | {"training": TRAINING},
        results / tmp_path.name,
        block=(0, 1, 2),
        cells={"cell0": 0, "cell2": 2},
        trains="hash",
    )


@pytest.fixture
def calls(monkeypatch):
    """How often training ran."""
    from bench.run import models as module

    made = []
    train = module.train

    def counted(*arguments):
        made.append(len(arguments[0]))
        return train(*arguments)

    monkeypatch.setattr(module, "train", counted)
    return made


def test_a_stored_model_is_the_trained_one_to_the_bit(job, calls):
    first, second = (trained(job, DATA, DATA.x) for _ in range(2))
    assert calls == [3]
    assert first.keys() == second.keys() == {"cell0", "cell2"}
    for one, other in zip(first.values(), second.values(), strict=True):
        state, again = one.model.state_dict(), other.model.state_dict()
        assert state.keys() == again.keys()
        assert all(torch.equal(state[name], again[name]) for name in state)
        assert torch.equal(one.outcome.losses, other.outcome.losses)
        assert torch.equal(one.split.train, other.split.train)
        assert (one.seed, one.seconds) == (other.seed, other.seconds)
        assert not other.model.training


def test_a_second_measurement_gives_the_same_record_without_training(job, calls, monkeypatch):
    clock = Clock(tick=1.0)
    for module in ("cell", "models"):
        monkeypatch.setattr(f"bench.run.{module}.time", clock)
    first, second = run_block(job), run_block(job)
    assert calls == [3]
    assert without_time(first) == without_time(second)
    for one, other in zip(first, second, strict=True):
        assert one.stages["training"] == 3 / 2  # the clock was read twice on the way
        assert other.stages["training"] == 1 / 2  # and now not at all
        assert one.stages | {"training": 0.0} == other.stages | {"training": 0.0}
        assert one.seconds == other.seconds  # with the training of then
        assert other.seconds == 1 / 3 + sum(other.stages.values()) - 1 / 2


def test_other_code_or_a_missing_model_trains_the_whole_block(job, calls):
    other = replace(job, trains="other")
    assert not is_stored(job, 0)
    trained(job, DATA, DATA.x)
    assert is_stored(job, 0) and not is_stored(job, 1) and not is_stored(other, 0)
    trained(other, DATA, DATA.x)
    assert is_stored(other, 0) and not is_stored(job, 0)
    trained(replace(other, cells={"cell1": 1, "cell2": 2}), DATA, DATA.x)
    trained(replace(job, trains=""), DATA, DATA.x)
    assert calls == [3] * 4


def test_only_what_decides_the_training_names_a_model(job):
    trained(job, DATA, DATA.x)
    values = job.configuration
    quality = values["quality"] | {"bound_inputs": 7}
    assert is_stored(replace(job, configuration=values | {"quality": quality}), 0)
    assert is_stored(replace(job, cells={"other": 0}, device="cuda", cost=3.0), 0)
    for change in (
        {"configuration": values | {"latent_dim": 3}},
        {"block": (0, 1)},
        {"data": "other"},
    ):
        assert not is_stored(replace(job, **change), 0)


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    path.write_bytes(data)


def of_other_shapes(path):
    identity = identity_of(path)
    arrays = unpacked(path.read_bytes(), identity)
    arrays.pop(next(name for name in arrays if name.startswith("state.")))
    path.write_bytes(packed(arrays, identity))


def multiplied(path):
    arrays = dict(np.load(path))
    states = {name: 1.5 * array for name, array in arrays.items() if name.startswith("state.")}
    np.savez(path, **arrays | states)


def multiplied_in_place(path):
    """As `multiplied`, with the old seal."""
    with zipfile.ZipFile(path) as archive:
        seal = archive.comment
    multiplied(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = seal


def swapped(path):
    (other,) = set(path.parent.glob("*.npz")) - {path}
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)


DAMAGES = [empty, truncated, flipped, of_other_shapes, multiplied, multiplied_in_place, swapped]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_trained_again(job, calls, damage):
    def states():
        found = trained(job, DATA, DATA.x).values()
        return [value for one in found for value in one.model.state_dict().values()]

    first = states()
    path = next(job.results.glob("models/*.npz"))
    damage(path)
    with pytest.warns(CacheWarning, match="set aside as .*corrupt and trained again: "):
        second = states()
    assert path.with_name(f"{path.name}.corrupt").is_file()
    for again in (second, states()):
        assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert calls == [3, 3]


def test_a_model_that_cannot_be_kept_is_measured_all_the_same(job, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vaelib.sealed.write_atomically", full)
    with pytest.warns(CacheWarning, match="cannot be kept and will be computed again: No space"):
        assert trained(job, DATA, DATA.x).keys() == job.cells.keys()


@pytest.mark.filterwarnings("ignore")
def test_what_diverged_is_not_stored(job):
    training = TRAINING | {"learning_rate": 1e12}
    broken = replace(job, configuration=job.configuration | {"training": training})
    assert {record.status for record in run_block(broken)} == {"diverged"}
    assert not is_stored(broken, 0)


def test_options_that_are_lists_select_a_data_set():
    with pytest.raises(TypeError, match="unexpected keyword argument 'classes'"):
        dataset_of({"name": "digits", "classes": [1, 2]})

import dataclasses
import json

import pytest
import torch

from bench.calibration.experiments import EXPERIMENTS, AuditedEncoder, Estimation, Excess, Level
from bench.calibration.finished import Finished
from bench.calibration.run import SUBJECTS
from bench.calibration.task import Task
from vaelib.seeding import stream


def all_tasks(quick):
    return [task for subject in SUBJECTS.values() for task in subject.tasks(quick)]


@pytest.mark.parametrize("quick", [True, False])
def test_tasks_come_back_from_json(quick):
    tasks = all_tasks(quick)
    assert {type(task.experiment) for task in tasks} == set(EXPERIMENTS.values())
    assert [Task.from_dict(json.loads(json.dumps(task.to_dict()))) for task in tasks] == tasks


@pytest.mark.parametrize(
    ("experiment", "name"),
    [
        (Estimation("rate", "somewhere"), "estimators rate: somewhere"),
        (Excess(2, 200, 0.05), "excess 2|200|0.05"),
        (Level("ks_test", 100, 2, 199), "levels ks_test|100|2|199"),
        (Level("ks_test", 100, 2, None), "levels ks_test|100|2|shipped"),
        (AuditedEncoder(2, 100, 1.0), "intervals matched encoder, D = 2, N = 100"),
        (AuditedEncoder(4, 100, 1.5), "intervals 1.5 times as wide, D = 4, N = 100"),
    ],
)
def test_streams_keep_their_names(experiment, name):
    """Those that the committed tables were drawn from."""
    drawn = torch.rand(3, generator=Task(experiment, 10, part=3, again=1).generator)
    assert drawn.equal(torch.rand(3, generator=stream(f"validate {name} 3", 1)))


@pytest.mark.parametrize("quick", [True, False])
def test_every_experiment_has_streams_of_its_own(quick):
    tasks = all_tasks(quick)
    names = {(t.experiment.subject, t.experiment.name, t.part) for t in tasks}
    assert len(names) == len(tasks)


def without(settings, key):
    return {name: value for name, value in settings.items() if name != key}


TASK = Task(Excess(2, 200, 0.5), 20).to_dict()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (TASK | {"colour": "red"}, "Task: expected the keys .*'colour'"),
        (without(TASK, "part"), "Task: expected the keys .*'part'"),
        (TASK | {"kind": "Level"}, "Level: expected the keys .*'null_draws'"),
        (TASK | {"kind": "Excesses"}, "expected a kind of .*'Excess'.* got 'Excesses'"),
        (without(TASK, "kind"), "expected a kind of .* got None"),
        (TASK | {"experiment": TASK["experiment"] | {"N": 3}}, "Excess: expected the keys .*'N'"),
    ],
)
def test_what_is_no_task_is_refused(entries, message):
    with pytest.raises(ValueError, match=message):
        Task.from_dict(entries)


def test_finished_tasks_are_found_again_and_lines_that_are_none_are_not(tmp_path):
    path = tmp_path / "cache" / "finished.jsonl"
    first, second = Task(Excess(2, 200, 0.5), 20), Task(Level("ks_test", 100, 2, 199), 5, part=1)
    rows = {first: [{"value": 1.0}], second: [{"value": 2.0}, {"value": 3.0}]}
    assert dict(Finished(path).keep(rows.items())) == rows
    with open(path, "a") as file:
        foreign = json.loads(path.read_text().splitlines()[0])
        foreign["task"] |= {"colour": "red", "repetitions": 21}
        file.write(json.dumps(foreign) + "\n")
        file.write('{"code": "cut off')
    third = dataclasses.replace(first, repetitions=21)
    finished = Finished(path)
    assert finished.of([second, third, first]) == rows
    finished.forget()
    assert Finished(path).of([first]) == {}

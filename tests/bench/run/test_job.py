import json

import pytest

from bench.run.job import Job
from tests.bench.fakes import job


def test_a_job_crosses_processes_as_plain_data(tmp_path):
    one = job(folder=tmp_path, metrics=("mine:metric",), trains="hash", data="print", cost=2.5)
    plain = json.loads(json.dumps(one.to_dict()))
    assert Job.from_dict(plain) == one


def test_no_path_of_a_job_depends_on_where_its_worker_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = job(folder="results").to_dict()
    monkeypatch.chdir("/")
    assert Job.from_dict(plain).results == tmp_path / "results"


@pytest.mark.parametrize("change", [{"colour": "red"}, {"code": None}])
def test_keys_that_no_job_has_and_keys_that_lack_are_refused(tmp_path, change):
    plain = job(folder=tmp_path).to_dict()
    for key, value in change.items():
        plain.pop(key) if value is None else plain.update({key: value})
    with pytest.raises(ValueError, match=f"other or absent ones: {next(iter(change))}; is the"):
        Job.from_dict(plain)


def test_what_is_done_is_left_out(tmp_path):
    one = job(folder=tmp_path, seeds=3)
    first, *rest = one.cells
    assert one.without([first]).cells.keys() == set(rest)
    assert one.without(one.cells) is None
    assert one.without([]) == one

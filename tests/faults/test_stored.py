"""A share of the attacks on what a finished run has stored; all of them: ``tox -e attack``."""

import pytest

from tests.faults import baselines, kills, plugins, states

KILLED = ("SIGKILL",)
HARMFUL = ("changes draws before nulls",)
ALTERED = (
    "a sealed record that cannot be",
    "swapped files",
    "doubled numbers",
    "tables",
    "a table without records",
    "arrays without records",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a small matrix that has run, for all cases, with the cache beside its results."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("VAEBENCH_CACHE", raising=False)
        yield tmp_path_factory.mktemp("attack")


@pytest.mark.parametrize("seed", range(len(baselines.KINDS)))
def test_a_baseline_passes_only_where_it_may(seed, folder):
    outcome = baselines.try_case(seed, folder)
    assert outcome.sound, outcome


@pytest.mark.parametrize("kind", ALTERED)
def test_what_is_stored_and_altered_gives_the_same_rows_or_one_line(kind, folder):
    outcome = states.try_case(list(states.KINDS).index(kind), folder)
    assert outcome.sound, outcome
    assert [path.name for path in folder.iterdir()] == ["finished"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KILLED)
def test_a_run_that_was_killed_is_resumed_to_the_same_rows(kind, folder):
    outcome = kills.try_case(list(kills.KINDS).index(kind), folder)
    assert outcome.sound, outcome


@pytest.mark.slow
@pytest.mark.parametrize("kind", HARMFUL)
def test_a_component_that_does_harm_changes_no_row_beside_it(kind, folder):
    outcome = plugins.try_case(list(plugins.KINDS).index(kind), folder)
    assert outcome.sound, outcome

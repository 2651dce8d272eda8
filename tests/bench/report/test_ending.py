"""The last lines on a terminal: the answer of the page, the largest effects, the cost, the path."""

import re
from pathlib import Path

import pandas as pd

from bench.analysis.results import Results
from bench.report.answer import answer
from bench.report.change_section import largest
from bench.report.cost_section import cost
from bench.report.ending import ending
from tests.bench.analysis.test_changes import rows
from tests.bench.synthetic import synthetic_rows

PAGE = Path("r/m.md")


def studies(**gains):
    """One study for each key, which has a level for each gain."""
    parts = [
        rows(levels, key).assign(study=key, **{other: "" for other in gains if other != key})
        for key, levels in gains.items()
    ]
    return Results("m", pd.concat(parts, ignore_index=True))


GAINS = {
    "depth": {1: 0.9, 2: 0.6},
    "width": {1: 0.3, 2: 0.31},
    "beta": {1: 0.3, 4: 0.9},
    "steps": {1: 0.3, 2: 0.345},
    "draws": {1: 0.3, 2: 0.1},
}


def test_what_helps_is_named_before_what_harms_with_intervals():
    results = studies(**GAINS)
    found = [(study, one.word) for study, one in largest(results, 3)]
    assert found == [("depth", "closer"), ("draws", "closer"), ("beta", "further")]
    lines = ending(results, PAGE)
    effects = [line for line in lines if "→" in line]
    number = r"-?\d\.\d+ ± \d\.\d+"
    for line, (study, last) in zip(
        effects, [("depth", "2"), ("draws", "2"), ("beta", "4")], strict=True
    ):
        shown = rf"{study}, 1 → {last}: gain {number} nats, (further|closer); Fréchet {number}"
        assert re.fullmatch(shown, line), line


def test_the_same_change_of_two_studies_is_named_once():
    twice = rows(GAINS["depth"], "depth").assign(study="depth; and again")
    assert [study for study, _ in largest(Results("m", twice), 3)] == ["depth"]


def test_it_is_what_the_page_says_in_plain_letters_and_the_path_is_last():
    frame = synthetic_rows()
    results = Results("synthetic", frame.assign(dataset="fashion_mnist"))
    first, *lines, costs, path = ending(results, PAGE)
    assert path == "r/m.md"
    assert lines[0] == answer(results).replace("`", "").replace("\\", "")
    assert "fashion_mnist" in lines[0] and results.costs
    assert costs == cost(results).replace("`", "")
    assert first == "no result: failed latent_dim-6 seed 3; diverged encoder_hidden-1000 seed 7"


def test_what_has_not_run_is_named_and_of_much_that_lacks_some():
    frame = synthetic_rows(3)
    frame = frame[frame["status"].eq("ok")]
    missing = frame["config"].isin(["latent_dim-3", "latent_dim-4"]) & frame["seed"].eq(0)
    frame = frame.assign(status=frame["status"].mask(missing, "missing"))
    left = Results("m", frame, unrun=("a", "b", "c", "d"))
    assert ending(left, PAGE)[0] == (
        "no result: missing latent_dim-3 seed 0; missing latent_dim-4 seed 0; missing a; "
        "missing b; missing c; 1 more"
    )


def test_without_studies_and_images_there_is_the_answer_and_the_path():
    one = rows({1: 0.3}, "depth").assign(study="")
    results = Results("m", one[one["metric"] != "frechet"])
    assert len(ending(results, PAGE)) == 2 and ending(results, PAGE)[-1] == "r/m.md"
    assert ending(Results("m", one[:0]), PAGE) == ["No cell was run.", "r/m.md"]

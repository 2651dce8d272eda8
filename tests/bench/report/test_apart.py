"""What stands below the leaderboard, and what is said of its training and its studies."""

import re

import pytest

from bench.analysis.results import Results
from bench.report.apart import collapsed_section, training_note
from bench.report.markdown import COLUMNS, WIDTH
from bench.report.reading import pointer, reading
from tests.bench.analysis.test_steps import rows, steps_of
from tests.bench.synthetic import synthetic_rows


def of(frame):
    return Results("synthetic", frame)


def names(part):
    return re.findall(r"^\| `(\w+)`", part, re.M)


def test_the_untrained_stand_apart_from_the_collapsed():
    frame = rows(
        {
            "early": (10, {"objective": "elbo"}, 0, -20.0),
            "base": (90, {"objective": "elbo"}, 2, -20.0),
            "heavy": (90, {"objective": "beta"}, 0, -20.0),
        }
    )
    text = "\n".join(collapsed_section(of(frame), "test", []))
    early, dead = text.split("### Untrained")[1].split("### Collapsed")
    assert names(early) == ["early"] and names(dead) == ["heavy"]
    assert re.search(r"`early` .* 6 of 6 .* `base` \|", early)
    assert "more steps" in early and "looks the same" in dead


def test_no_heading_is_empty():
    assert collapsed_section(of(steps_of(2, 2)), "test", []) == []
    (heading, *_) = collapsed_section(of(steps_of(0, 2)), "test", [])
    assert heading == "### Untrained"
    assert "### Untrained" not in collapsed_section(of(steps_of(0, 0)), "test", [])


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (4, "90 steps (`long`) instead of 10 (`short`) raise the ELBO by 4"),
        (-4, "lower the ELBO by 4"),
        (0.1, "change the ELBO by 0.1 ± 0 nats per input, less than its margin"),
    ],
)
def test_the_training_is_told_of(gain, said):
    configs = {"short": (10, {}, 2, -20.0), "long": (90, {}, 2, -20.0 + gain)}
    (note,) = training_note(of(rows(configs)), "test")
    assert note.startswith("**Training**: ") and said in note
    assert training_note(of(rows({"alone": configs["short"]})), "test") == []


def test_many_comparisons_are_counted():
    configs = {
        f"c{d}s{steps}": (steps, {"latent_dim": d}, 2, -20.0) for d in range(5) for steps in (1, 9)
    }
    (note,) = training_note(of(rows(configs)), "test")
    assert note.count("instead of") == 3 and "2 more comparisons" in note


def test_every_configuration_is_listed_with_its_studies_and_levels():
    results = of(synthetic_rows(2))
    text = "\n".join(reading(results)).split("## Configurations")[1].split("\n## ")[0]
    lines = [re.split(r" +\| +", line.strip("| ")) for line in text.splitlines() if "`" in line]
    pairs = {
        (study, config) for study, part in results.studies.items() for config in part.configurations
    }
    assert {(study, config.strip("`")) for config, study, _ in lines} == pairs
    assert ["`base`", "latent size", "2"] in lines and [
        "`base`",
        "encoder depth",
        "200-200",
    ] in lines
    alone = results.part(results.rows.drop(columns=["latent_dim"]))
    assert re.search(r"`latent_dim-3` +\| latent size +\| – +\|", "\n".join(reading(alone)))
    wide = [line for line in text.splitlines() if line.startswith("|")]
    assert max(map(len, wide)) <= WIDTH and wide[0].count("|") - 1 <= COLUMNS


def test_one_study_needs_no_list():
    both = of(synthetic_rows(2))
    assert "columns.md#configurations" in pointer(both)
    one = both.part(both.rows[both.rows["study"].str.contains("latent")].assign(study="sizes"))
    assert pointer(one) == "" and "## Configurations" not in reading(one)

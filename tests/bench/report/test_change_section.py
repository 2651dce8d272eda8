"""What helps, in a table that a reader understands."""

import pytest

from bench.analysis.results import Results
from bench.report.change_section import change_section, change_tables
from tests.bench.analysis.test_changes import rows


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("bound for reconstruction alone", "bound for reconstruction alone"),
        ("bound for reconstruction alone at 16 dimensions", "bound for … at 16 dimensions"),
        ("a b c d e f g h i j k l m n o p q r s t u", "a b c d e f g h … m n o p q r s t u"),
        ("x" * 40, "x" * 35 + "…"),
    ],
)
def test_names_of_studies_are_not_cut_inside_a_word(name, shown):
    results = Results("m", rows({1: 0.9, 2: 0.6}, "depth").assign(study=name))
    assert f"| {shown} " in change_tables(results)[0]


def test_objectives_are_explained_where_they_are_levels():
    for levels, explained in [(("elbo", "ae"), True), (("elbo", "mmd"), False)]:
        gains = dict(zip(levels, (0.3, 9.0), strict=True))
        results = Results("m", rows(gains, "objective"))
        assert ("**ae**: for reconstruction alone" in change_section(results)[-1]) == explained

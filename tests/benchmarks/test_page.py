from dataclasses import replace

import pytest

from tests.benchmarks.findings import Finding, Gap, Growth, Quantity
from tests.benchmarks.growth_figure import growth_figure
from tests.benchmarks.page import page

MET = Finding("product", "a loop", [0.41, 0.4, 0.5], noise=0.05, target=0.5, cause="Slow exp.")
MISSED = replace(MET, ratios=[0.51, 0.52, 0.53])
FAILED = replace(MET, ratios=[0.6, 0.52, 0.7])
MEMORY = Quantity("peak", 210.0, "MB", target=200, cause="All at once.")
SIZES = [10, 100, 1000]
LINEAR = Growth("sum of many", "N", "sum", SIZES, [1e-3, 1e-2, 1e-1], [0.2, 0.1, 0.3])


def test_the_page_names_what_was_missed_and_why():
    text = page([MET, replace(MISSED, what="sum"), MEMORY])
    assert "| product | a loop | 0.41" in " ".join(text.split())
    assert "- sum: 0.52 instead of 0.5. Slow exp." in text
    assert "- peak: 210 MB instead of 200 MB. All at once." in text
    assert "- product" not in text
    assert text == page([MET, replace(MISSED, what="sum"), MEMORY])


def test_a_page_without_misses_has_no_such_section():
    text = page([MET])
    assert not any(word in text for word in ("Missed", "Other", "grows", "GPU", "Not measured"))


def test_only_more_than_the_noise_fails_a_check():
    assert [f.worse_than_noise for f in (MET, MISSED, FAILED)] == [False, False, True]
    assert not replace(FAILED, target=None).worse_than_noise
    assert not replace(FAILED, accepted=0.7).worse_than_noise
    assert replace(FAILED, accepted=0.5).worse_than_noise
    assert MEMORY.worse_than_noise and not replace(MEMORY, noise=0.1).worse_than_noise


def test_rows_of_a_gpu_stand_apart():
    text = page([MET, replace(MET, what="on it", device="a card")])
    first, second = text.split("## On a GPU")
    assert "on it" not in first and "a card" in second and "product" not in second


def test_a_gap_is_named_once():
    assert page([MET, Gap("GPU: no card"), Gap("GPU: no card")]).count("- GPU: no card.\n") == 1


def test_exponents_are_slopes_and_memory_has_a_least():
    assert LINEAR.time_exponent == pytest.approx(1)
    assert LINEAR.memory_exponent == pytest.approx(0, abs=1e-12)
    square = replace(LINEAR, megabytes=[2.0, 200.0, 20_000.0])
    assert square.memory_exponent == pytest.approx(2)
    row = " ".join(page([MET, square]).split())
    assert "| sum of many | N | 10 | 1,000 | 1.00 | 2.00 | 2e+04 MB |" in row
    assert "performance/figures/growth.png" in row


def test_the_figure_has_a_column_for_each_axis():
    figure = growth_figure([LINEAR, replace(LINEAR, name="more"), replace(LINEAR, axis="M")])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["N", "M", "", ""]
    assert len(figure.axes[0].containers) == 2 and len(figure.axes[1].containers) == 1

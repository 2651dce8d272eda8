from dataclasses import replace

import pytest

from tests.benchmarks.findings import Finding, Gap, Growth, Quantity
from tests.benchmarks.growth_figure import growth_figure
from tests.benchmarks.names import AGAINST, GROUPS, REST, WHAT, group_of, what
from tests.benchmarks.page import RESULTS, figure_of, pages, write_pages
from tests.benchmarks.runs import Run, here, load_all, save

MET = Finding("product", "a loop", [0.41, 0.4, 0.5], noise=0.05, target=0.5, cause="Slow exp.")
MISSED = replace(MET, ratios=[0.51, 0.52, 0.53])
FAILED = replace(MET, ratios=[0.6, 0.52, 0.7])
MEMORY = Quantity("peak", 210.0, "MB", target=200, cause="All at once.")
SIZES = [10, 100, 1000]
LINEAR = Growth("sum of many", "N", "sum", SIZES, [1e-3, 1e-2, 1e-1], [0.2, 0.1, 0.3])


def run(*found, processor="Fast(R) CPU 9 @ 2 GHz", time="2026-02-01T00:00:00+00:00"):
    return Run(processor, time, "abc", "Python 3", list(found))


def flat(text):
    return " ".join(text.split())


FIRST, FAST = "performance.md", "performance/fast-9.md"


def test_the_pages_name_what_was_missed_and_why():
    runs = [run(MET, replace(MISSED, what="sum"), MEMORY)]
    text = pages(runs)[FIRST]
    assert "| product | a loop | 0.41 | 0.5 | yes |" in flat(text)
    assert "- sum, against a loop: 0.52 on Fast 9 instead of 0.5. Slow exp." in text
    assert "- peak: 210 MB on Fast 9 instead of 200 MB. All at once." in text
    assert "product," not in text.split("## Missed targets")[1]
    assert "**Of 3 targets 1 are met wherever they were measured, 0 on some" in text
    assert "| product | a loop | 0.41 (0.4 to 0.5) | 0.5 | yes |" in flat(pages(runs)[FAST])
    assert pages(runs) == pages(runs)


def test_pages_without_misses_have_no_such_section():
    text = "".join(pages([run(MET)]).values())
    assert not any(word in text for word in ("Missed", "grows\n", "GPU", "Not measured", "stand\n"))


def test_each_processor_has_its_page_and_the_latest_run_its_rows():
    gone = replace(MET, what="what is not measured any more", ratios=[9.0])
    old = run(MISSED, gone, processor="Slow", time="2026-01-01T00:00:00+00:00")
    explains = replace(MET, what="its part", target=None)
    text = pages([run(MET, replace(MET, what="new"), explains), old])
    assert list(text) == [FIRST, FAST, "performance/slow.md"]
    assert "| product | a loop | 0.41 to 0.52 | 0.5 | 1 of 2 |" in flat(text[FIRST])
    assert "| new | a loop | 0.41 | 0.5 | yes |" in flat(text[FIRST])
    assert "[Slow](performance/slow.md): 0 of 1 targets met." in text[FIRST]
    assert "its part" not in text[FIRST] and "| its part | a loop | 0.41" in flat(text[FAST])
    assert "| product | a loop | 0.52 (0.51 to 0.53) | 0.5 | no |" in flat(
        text["performance/slow.md"]
    )
    assert gone.what not in "".join(text.values())


def test_only_more_than_the_noise_fails_a_check():
    assert [f.worse_than_noise for f in (MET, MISSED, FAILED)] == [False, False, True]
    assert not replace(FAILED, target=None).worse_than_noise
    assert not replace(FAILED, accepted=0.7).worse_than_noise
    assert replace(FAILED, accepted=0.5).worse_than_noise
    assert MEMORY.worse_than_noise and not replace(MEMORY, noise=0.1).worse_than_noise


ON_A_CARD = (
    replace(MET, what="on it", device="a card"),
    replace(MEMORY, what="of it", device="a card"),
)


def test_a_card_has_rows_of_its_own_and_a_processor_without_one_no_gap():
    card = run(*ON_A_CARD, processor="a card", time="2026-03-01T00:00:00+00:00")
    text = pages([card, run(MET, MEMORY, Gap("GPU: no card"))])
    first, second = text[FIRST].split("## On a GPU")
    assert "on it" not in first and "of it" not in first
    assert "| on it | a loop | 0.41 | 0.5 | yes |" in flat(second)
    assert "| of it | 210 MB | 200 MB | no |" in flat(second)
    assert "- of it: 210 MB on a card instead of 200 MB. All at once." in second
    assert "| product | a loop | 0.41 | 0.5 | yes |" in flat(first)
    assert "| on it | a loop | 0.41 (0.4 to 0.5) | 0.5 | yes |" in flat(
        text["performance/a-card.md"]
    )
    assert "no card" not in "".join(text.values())


def test_what_was_found_on_a_card_is_a_run_of_the_card():
    processor, card = here([MET, *ON_A_CARD, LINEAR, Gap("GPU: no card")])
    assert processor.found == [MET, LINEAR, Gap("GPU: no card")] and not processor.on_gpu
    assert card.found == list(ON_A_CARD) and card.on_gpu
    assert (card.processor, card.slug) == ("a card", "a-card")


def test_a_gap_is_named_once():
    text = pages([run(MET, Gap("GPU: no card"), Gap("GPU: no card"))])[FAST]
    assert text.count("- GPU: no card.\n") == 1


def test_the_page_says_where_when_and_how_noisy():
    assert (
        "Fast(R) CPU 9 @ 2 GHz: 2026-02-01, abc; Python 3. Two timings of a reference differ by "
        "5 %, at most by 8 %."
    ) in pages([run(MET, replace(MET, what="a"), replace(MET, what="b", noise=0.08))])[FAST]


def test_exponents_are_slopes_and_memory_has_a_least():
    assert LINEAR.time_exponent == pytest.approx(1)
    assert LINEAR.memory_exponent == pytest.approx(0, abs=1e-12)
    square = replace(LINEAR, megabytes=[2.0, 200.0, 20_000.0])
    assert square.memory_exponent == pytest.approx(2)
    text = flat(pages([run(MET, square)])[FAST])
    assert "| sum of many | N | 10 to 1,000 | 1.00 | 2.00 | 2e+04 MB |" in text
    assert "(figures/growth-fast-9.png)" in text


def test_runs_come_back_as_they_were_the_latest_first(tmp_path):
    (now,) = here([MET, MEMORY, LINEAR, Gap("GPU: no card")])
    old = run(MET, time="2020-01-01T00:00:00+00:00")
    for kept in (now, run(FAILED), old):
        save(kept, tmp_path)  # the second and the third are of one processor
    assert load_all(tmp_path) == [now, old]
    assert figure_of(old) == "figures/growth-fast-9.png"


def test_the_figure_has_a_column_for_each_axis():
    more = [replace(LINEAR, name="more"), replace(LINEAR, name="most")]
    figure = growth_figure([LINEAR, *more, replace(LINEAR, axis="M")])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["N", "M", "", ""]
    assert len(figure.axes[0].containers) == 3 and len(figure.axes[1].containers) == 1


def test_the_committed_pages_are_what_the_committed_runs_give():
    """`python -m tests.benchmarks.page` writes them again."""
    folder = RESULTS.with_suffix("")
    texts = pages(load_all(folder))
    assert {RESULTS, *folder.glob("*.md")} == {RESULTS.parent / file for file in texts}
    for file, text in texts.items():
        assert text.encode() == (RESULTS.parent / file).read_bytes(), file


def test_pages_and_figures_are_written_from_runs_that_were_kept(tmp_path):
    save(run(MET, LINEAR), tmp_path / "speed")
    write_pages(tmp_path / "speed.md")
    assert "(speed/fast-9.md)" in (tmp_path / "speed.md").read_text()
    text = (tmp_path / "speed" / "fast-9.md").read_text()
    assert "(../speed.md)" in text and "(figures/growth-fast-9.png)" in text
    assert (tmp_path / "speed" / "figures" / "growth-fast-9.png").stat().st_size > 5000


def test_short_names_are_told_and_mean_one_thing():
    assert not set(AGAINST) & set(WHAT)
    named = replace(MET, what=f"x: {WHAT['floor']}", reference=AGAINST["loop"])
    text = pages([run(named)])[FIRST]
    assert "| x: floor | loop | 0.41 | 0.5 | yes |" in flat(text)
    assert f"- **floor**: {WHAT['floor']}.\n- **loop**: {AGAINST['loop']}.\n" in text
    assert all(what(replace(MET, what=full)) == name for name, full in WHAT.items())


def test_every_row_of_the_committed_runs_has_its_group():
    runs = load_all(RESULTS.with_suffix(""))
    results = [one for each in runs for one in each.found if isinstance(one, Finding | Quantity)]
    assert {group_of(one) for one in results} == set(GROUPS)
    assert group_of(MET) == REST

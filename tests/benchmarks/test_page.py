from dataclasses import replace

from tests.benchmarks.page import Finding, page

MET = Finding("product", "a loop", [0.41, 0.4, 0.5], noise=0.05, target=0.5, cause="Slow exp.")
MISSED = replace(MET, ratios=[0.51, 0.52, 0.53])
FAILED = replace(MET, ratios=[0.6, 0.52, 0.7])


def test_the_page_names_what_was_missed_and_why():
    text = page([MET, replace(MISSED, what="sum")])
    assert "| product | a loop | 0.41" in " ".join(text.split())
    assert "- sum: 0.52 instead of 0.5. Slow exp." in text
    assert "- product" not in text
    assert text == page([MET, replace(MISSED, what="sum")])


def test_a_page_without_misses_has_no_such_section():
    assert "Missed" not in page([MET])


def test_only_more_than_the_noise_fails_a_check():
    assert [f.worse_than_noise for f in (MET, MISSED, FAILED)] == [False, False, True]
    assert not replace(FAILED, target=None).worse_than_noise

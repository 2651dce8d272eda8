from xml.etree import ElementTree

from bench.analysis.gate import Comparison, compare
from bench.report.gate_page import junit, line, page, sentence
from tests.bench.analysis.test_gate import changed, draws


def found():
    before, after = draws(shift=1.5, where=("base",))
    return compare(changed(after, "a", status="failed", message="a | b\nc"), before)


def test_every_comparison_stands_in_the_page_worst_first():
    comparisons = found()
    text = page(comparisons, "ci", "results/ci/rows.csv")
    rows = [row for row in text.splitlines() if row.startswith("|")][2:]
    assert len(rows) == len(comparisons)
    assert f"**{line(comparisons)}.**" in text and "1 FAILED" in line(comparisons)
    assert rows[-1].split("|")[1].strip() == "OK" or "OK" not in line(comparisons)
    assert r"a \| b" in text and len({row.replace(r"\|", "").count("|") for row in rows}) == 1


def test_junit_has_a_case_for_each_with_the_reason():
    comparisons = found()
    suite = ElementTree.fromstring(junit(comparisons, "ci"))
    assert int(suite.get("tests")) == len(suite.findall("testcase")) == len(comparisons)
    for tag, verdicts in (("error", {"FAILED"}), ("skipped", {"INCONCLUSIVE"})):
        messages = [case.find(tag).get("message") for case in suite if case.find(tag) is not None]
        assert len(messages) == sum(one.verdict in verdicts for one in comparisons)
        assert all(message.split(":")[0] in verdicts for message in messages)


def test_sentences_say_what_would_decide():
    known = {"config": "a", "metric": "elbo", "source": "", "split": "test"}
    numbers = {
        "worsening": 0.4,
        "low": -0.1,
        "high": 0.7,
        "margin": 0.5,
        "unit": "nats per input",
        "test": "paired",
    }
    one = Comparison(**known, verdict="INCONCLUSIVE", **numbers, seeds=5, needed=12)
    assert "worse by 0.4 nats per input" in sentence(one)
    assert sentence(one).endswith("S = 5; about 12 seeds would decide")
    assert Comparison(**known, verdict="NEW", message="no").message == "no"
    assert line([]) == "no comparison"

"""What the README shows is what its example gets, and its brackets are those of the rows."""

import functools
import re
from pathlib import Path

import pytest

from bench.analysis.changes import changes
from bench.analysis.replicates import t_interval
from bench.analysis.results import Results
from bench.cli import main
from bench.report.answer import ends
from bench.report.markdown import quantity
from vaelib.audits.audit import audit
from vaelib.stats.nulls import NormalNull

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
PROGRAM = re.search(r"```python\n(.*?)```", README, re.S)[1]
SHOWN = re.search(r"```text\n(.*?)```", README, re.S)[1]


def numbers(line):
    return [float(number.replace(",", "")) for number in NUMBER.findall(line)]


def test_what_is_shown_is_what_is_printed(tmp_path, monkeypatch, capsys):
    """Word for word; of numbers the last digits may differ between machines."""
    quick = functools.partial(audit, null_draws=2, null=NormalNull(draws=99), test_rows=100)
    monkeypatch.setattr("bench.audit.audit.audit", quick)
    monkeypatch.chdir(tmp_path)
    exec(compile(PROGRAM, "README.md", "exec"), {})
    assert main(["audit", "posterior.npz", "--fail-on", "no"]) == 1
    printed = {NUMBER.sub("#", line): line for line in capsys.readouterr().out.splitlines()}
    for line in SHOWN.splitlines():
        assert numbers(printed[NUMBER.sub("#", line)]) == pytest.approx(numbers(line), rel=0.05)


def told(matched):
    """Both ends of a bracket as texts print them: without a zero before the point."""
    return [end.removeprefix("0") or "0" for end in NUMBER.findall(ends(matched))]


def test_what_helps_on_mnist_is_what_its_studies_changed():
    results = Results.read(ROOT / "results" / "mnist")
    text = " ".join(README.split())
    head = (ROOT / "bench" / "matrix" / "shipped" / "mnist.toml").read_text(encoding="utf-8")
    found = {study: next(changes(part.rows)) for study, part in results.studies.items()}
    for study in ("encoder depth", "training steps", "beta"):
        one = found[study]
        assert one.word == "closer"
        size = quantity(abs(one.kl.mean), one.kl.half_width).replace("0.", ".")
        assert f"by {size}" in text and f"by {size}" in head
    assert found["encoder width"].word == "no change"
    gains = results.rows.query("metric == 'certified_kl' and split == 'test'")
    gains = gains.pivot_table(index="seed", columns="config", values="value")
    third = gains["encoder-hidden-500-500-500"] - gains["base"]
    mean, half = (float(one[0]) for one in t_interval(third.to_numpy()[:, None]))
    assert f"the third adds {mean:.3f} ± {half:.3f}".replace("0.", ".") in text
    (match,) = results.matches
    lower = {one.config: told(one)[0] for one in match.configurations}
    ends_of = {one.config: told(one) for one in match.configurations}
    assert min(lower, key=lambda config: float(lower[config])) == "prior-vampprior"
    low, high = ends_of["prior-vampprior"]
    assert f"with a VampPrior KL(q‖p) lies between {low} and {high} nats" in text
    cost = results.costs["prior-vampprior"].cost
    assert f"cost {cost.mean:.3f} ± {cost.half_width:.3f}.".replace("0.", ".") in text
    costs = [results.costs[name].cost.mean for name in ("base", "latent_dim-32")]
    two, most = (f"{cost:.3f}".removeprefix("0") for cost in costs)
    assert f"the prior's cost does not: {two} at D = 2, {most} at D = 32" in text
    assert f"an autoencoder without a bound exceeds {lower['objective-ae']}." in text
    assert f"None of {len(ends_of)} configurations" in text and match.count("yes") == 0
    assert f"still proved to exceed {lower['objective-beta-4']};" in head


@pytest.mark.parametrize("name", ["ci", "digits", "fashion", "mnist", "mnist5k"])
def test_the_brackets_that_texts_quote_are_those_of_the_first_sentence_of_a_page(name):
    (match,) = Results.read(ROOT / "results" / name).matches
    base, *_ = match.configurations
    low, high = told(base)
    text = " ".join(README.split())
    head = (ROOT / "bench" / "matrix" / "shipped" / f"{name}.toml").read_text(encoding="utf-8")
    head = " ".join(head.partition("[matrix]")[0].replace("#", " ").split())
    assert f"between {low} and {high} nats" in head
    if name == "mnist":
        assert f"KL(q‖p) lies between {low} and {high} nats" in text
    lower = {one.config: told(one)[0] for one in match.configurations}
    larger = [end for config, end in lower.items() if re.fullmatch(r"latent_dim-\d+", config)]
    if name in ("fashion", "mnist5k"):
        listed = f"{', '.join(larger[:-1])} and {larger[-1]} at D = "
        assert f"above {listed.partition(' at')[0]}" in head
    if name == "mnist":
        listed = f"it is proved to exceed {', '.join(larger[:-1])} and {larger[-1]} at D = "
        assert listed in text and listed.replace("it is", "is") in head
    if name == "digits":
        assert f"at D = 4 to 16 above {min(larger)};" in head


def rows(text):
    lines = [line for line in text.splitlines() if line.startswith("| [")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_its_table_is_that_of_the_results():
    index = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    shown = [[cell.replace("](results/", "](") for cell in row] for row in rows(README)]
    assert len(shown) == 3 and all(row in rows(index) for row in shown)


def test_what_replicates_and_what_blurring_costs_is_what_the_pages_say():
    text = " ".join(README.split())
    page = (ROOT / "results" / "replication.md").read_text(encoding="utf-8")
    count, same = re.search(r"Of (\d+) claims that mnist makes, too, (\d+) have", page).groups()
    assert (count, same) == ("11", "9") and "where nine of eleven findings are the same" in text
    index = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    blurred = re.search(r"blurred ones 0(\.\d+) from real ones", index)[1]
    assert f"on MNIST blurred real images lie {blurred} away" in text


def test_it_is_read_in_a_minute():
    assert len(README.splitlines()) <= 130

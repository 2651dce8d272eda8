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
    gains = results.rows.query("metric == 'certified_kl' and split == 'test'")
    gains = gains.pivot_table(index="seed", columns="config", values="value")

    def size(first, last="base"):
        """Of the gain's change from one configuration to another, as texts print it."""
        mean, half = t_interval((gains[last] - gains[first]).to_numpy()[:, None])
        return quantity(abs(float(mean[0])), float(half[0])).replace("0.", ".")

    one_layer, one_epoch = "encoder-hidden-500", "training-steps-422"
    assert f"q matches worse, by {size(one_layer)} and {size(one_epoch)} nats." in text
    assert f"by {size(one_layer, 'encoder-hidden-500-500-500')} from one hidden" in head
    assert f"by {size(one_epoch, 'training-steps-8440')} from 1 to 20 epochs" in " ".join(
        head.replace("#", " ").split()
    )
    assert f"by {size('objective-beta-0_25', 'objective-beta-4')} from beta .25" in head
    assert [one.word for one in changes(results.studies["encoder width"].rows)] == ["no change"] * 2
    (match,) = results.matches
    base = match.configurations[0]
    ends = [
        quantity(one.mean, one.half_width).replace("0.", ".")
        for one in (base.lower, base.upper, base.gain)
    ]
    assert f"at least {ends[0]} nats, the mean of eight proved ends" in text
    assert f"by the upper end {ends[1]} (95 % over the seeds)" in text
    assert f"KL(q‖p), {ends[2]} for that network;" in text
    lower = {one.config: told(one)[0] for one in match.configurations}
    ends_of = {one.config: told(one) for one in match.configurations}
    assert min(lower, key=lambda config: float(lower[config])) == "prior-vampprior"
    low, high = ends_of["prior-vampprior"]
    assert f"With a VampPrior, q lies {low} to {high} nats from that prior: undecided." in text
    told_of = results.costs["base"]
    rungs = {name: f"{rung.mean:.3f}".lstrip("0-") for name, rung in told_of.rungs.items()}
    assert (
        f"the prior lie {rungs['prior']} from real ones in Fréchet distance, those of q itself "
        f"{rungs['aggregate']}, other real images {rungs['floor']}, blurred ones {rungs['blur']}: "
    ) in text
    cost, won = (
        f"{one.mean:.3f} ± {one.half_width:.3f}".replace("0.", ".")
        for one in (told_of.cost, told_of.won)
    )
    assert (
        f"the prior costs {cost}, where .02 would matter." in text
        and f"it wins {won} back." in text
    )
    rungs = results.costs["latent_dim-16"].rungs
    far, near = (f"{rungs[name].mean:.3f}".removeprefix("0") for name in ("prior", "repaired"))
    assert f"of the prior lie {far} from real ones, of a fitted density {near}." in text
    assert f"an autoencoder (no KL term) exceeds {lower['objective-ae']}." in text
    assert f"None of {len(ends_of)} configurations" in text and match.count("yes") == 0
    assert f"still proved to exceed {lower['objective-beta-4']};" in head


@pytest.mark.parametrize("name", ["ci", "digits", "fashion", "mnist", "mnist5k"])
def test_the_brackets_that_texts_quote_are_those_of_the_first_sentence_of_a_page(name):
    (match,) = Results.read(ROOT / "results" / name).matches
    base, *_ = match.configurations
    low, high = told(base)
    head = (ROOT / "bench" / "matrix" / "shipped" / f"{name}.toml").read_text(encoding="utf-8")
    head = " ".join(head.partition("[matrix]")[0].replace("#", " ").split())
    assert f"between {low} and {high} nats" in head
    lower = {one.config: told(one)[0] for one in match.configurations}
    larger = [end for config, end in lower.items() if re.fullmatch(r"latent_dim-\d+", config)]
    if name in ("fashion", "mnist5k"):
        listed = f"{', '.join(larger[:-1])} and {larger[-1]} at D = "
        assert f"above {listed.partition(' at')[0]}" in head
    if name == "mnist":
        assert f"is proved to exceed {', '.join(larger[:-1])} and {larger[-1]} at D = " in head
    if name == "digits":
        assert f"at D = 4 to 16 above {min(larger)};" in head


def rows(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_its_tables_are_those_of_the_results():
    """All lines, rules beside: what helps, and what is found on other data."""
    index = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    shown = [[cell.replace("](results/", "](") for cell in row] for row in rows(README)]
    shown = [row for row in shown if "---" not in row[0]]
    assert len(shown) == 2 + 6 + 3 and [row for row in shown if row not in rows(index)] == []


def test_what_replicates_is_what_the_pages_say():
    text = " ".join(README.split())
    page = (ROOT / "results" / "replication.md").read_text(encoding="utf-8")
    count, same = re.search(r"Of (\d+) claims that mnist makes, too, (\d+) have", page).groups()
    assert (count, same) == (
        "11",
        "9",
    ) and "where nine of eleven claims get the same verdict" in text
    assert "have the same verdict; d-depth, h do not" in page
    assert "all but depth and the fitted mixture;" in text


def test_it_is_read_in_a_minute():
    assert len(README.splitlines()) <= 130

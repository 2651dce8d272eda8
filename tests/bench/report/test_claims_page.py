"""The pages of verdicts say what the findings say."""

import math
import shutil
from dataclasses import replace

import pytest

from bench.analysis.claims import Finding
from bench.analysis.results import Results
from bench.commands.report import write_pages
from bench.errors import DamagedError, DamagedWarning
from bench.matrix.claims import Claim
from bench.matrix.files import shipped
from bench.matrix.language import load
from bench.metrics.registry import METRICS
from bench.report.claims_page import answers, claims_page, claims_section, sentence, word
from tests.bench.synthetic import paged, synthetic_rows

MATRIX = """# Does it?
[matrix]
name = "synthetic"
[[study]]
name = "latent size"
grid = { latent_dim = [2, 3, 4] }
[[claim]]
id = "e-joint"
says = "more dimensions match better"
study = "latent size"
metric = "second_moment"
expect = "decreasing"
margin = 0.05
[[claim]]
id = "f"
says = "samples from the prior are worse"
metric = "frechet"
source = "prior"
expect = "greater"
reference = 0.1
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    place, rows = tmp_path_factory.mktemp("written"), synthetic_rows()
    few = rows["config"].isin(["base", "latent_dim-3", "latent_dim-4"])
    paged(place, "synthetic", rows[few], MATRIX)
    return place


@pytest.fixture
def results(written, tmp_path):
    return shutil.copytree(written, tmp_path, dirs_exist_ok=True)


def test_the_pages_of_a_matrix_with_claims(results):
    page = (results / "synthetic-claims.md").read_text()
    findings = Results.read(results / "synthetic").findings
    assert [finding.verdict for finding in findings] == [
        "absent within the margin",
        "larger than the margin",
    ]
    assert "Of 2 claims, 1 larger than the margin, 1 absent within the margin." in page
    assert "### e-joint: more dimensions match better" in page
    assert "[synthetic-claims.md](synthetic-claims.md)" in (results / "synthetic.md").read_text()
    index = (results / "README.md").read_text()
    told = " ".join(index.split())
    assert "| more dimensions match better | absent | – |" in told and "Other pages" not in index
    assert sentence(findings[0]) in page
    text = (results / "synthetic.md").read_text()
    assert "\n* **absent within the margin**: more dimensions match better (e-joint; " in text


def test_the_same_rows_give_the_same_bytes(results):
    page = results / "synthetic-claims.md"
    before = page.read_bytes()
    write_pages(results, "synthetic")
    assert page.read_bytes() == before


def test_without_a_matrix_or_claims_there_is_no_page(results):
    (results / "synthetic" / "matrix.toml").write_text("nonsense")
    with pytest.raises(DamagedError, match="expected the matrix in .*synthetic/matrix.toml, got"):
        Results.read(results / "synthetic")
    with pytest.warns(DamagedWarning, match="expected the matrix in .*synthetic/matrix.toml, got"):
        damaged = Results.read(results / "synthetic", whole=False)
    assert damaged.findings == [] and answers([damaged]) == []


def finding(expect="decreasing", effect=-0.2, reason="", seeds=10, first=0, **fields):
    known = {"id": "d", "says": "s", "study": "depth", "metric": "marginal_kl_excess"}
    said = {"verdict": "larger than the margin", "present": True}
    said = {key: fields.pop(key, value) for key, value in said.items()}
    claim = Claim(**known | {"expect": expect, "margin": 0.05} | fields)
    return Finding(
        claim,
        METRICS[claim.metric],
        **said,
        configurations=("a", "b"),
        decisive="b",
        effect=effect,
        half_width=0.05,
        at_most=effect + 0.1,
        at_most_half_width=0.03,
        used=tuple(range(first, first + seeds)),
        p_value=1e-9,
        p_holm=1e-9,
        reason=reason,
    )


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            finding(),
            "Along depth, from `a` to `b`, excess given scale (diagnostic) on test inputs falls by "
            "0.200 ± 0.050 nats (S = 10); expected: falls by more than 0.05.",
        ),
        (finding(effect=0.2), "rises by 0.200 ± 0.050 nats"),
        (finding(effect=0.02), "changes by 0.020 ± 0.050 nats"),
        (
            finding("equivalent"),
            "`b` differs from `a` in excess given scale (diagnostic) on test inputs by -0.200",
        ),
        (finding("greater", 0.2, reference=0.1), "For `b`, of 2 configurations the one that"),
        (finding("less", 0.2, source="gauge_fixed"), "(gauge fixed) is 0.200 ± 0.050 nats"),
        (finding("less", 0.2), "expected: below 0 by more than 0.05"),
        (
            finding("brackets apart", 0.3, metric="certified_kl"),
            "The KL of `b` exceeds that of `a` on test inputs by at least 0.300 ± 0.050 nats and "
            "at most 0.400 ± 0.030 nats (S = 10); expected: the later to be worse by more than "
            "0.05.",
        ),
        (
            finding("brackets apart", 0.3, metric="certified_kl", worse="first"),
            "The KL of `a` exceeds that of `b` on test inputs by at least 0.300 ± 0.050 nats and",
        ),
        (
            replace(finding("brackets apart", 0.3, metric="certified_kl"), at_most=math.nan),
            "by at least 0.300 ± 0.050 nats (S = 10)",
        ),
        (finding(reason="saturated"), "Not decided: saturated."),
        (finding(reason="not measured", seeds=0), "Not tested: not measured."),
    ],
)
def test_sentences(found, text):
    assert text in sentence(found)
    page = claims_page("m", [found])
    assert page.count("Larger than the margin") == 2  # the verdict and how to read it


def cells_of(found):
    """Of the one row of a page's table, by the heads of its columns."""
    lines = claims_page("m", [found]).splitlines()
    heads, line = (next(one for one in lines if f"| {what} " in one) for what in ("id", "d "))
    return dict(zip(*([c.strip() for c in one.split("|")] for one in (heads, line)), strict=True))


def test_brackets_apart_are_called_a_bracket_and_not_the_gain_of_their_metric():
    found = finding("brackets apart", 0.3, metric="certified_kl")
    assert "The KL of" in sentence(found) and "gain" not in sentence(found)
    assert "gain" in sentence(finding(metric="certified_kl"))


def test_the_excess_is_called_a_diagnostic_wherever_a_page_of_claims_names_it():
    page = claims_page("m", [finding()])
    named = [line for line in page.splitlines() if "xcess given scale" in line]
    assert len(named) == 2, "in its sentence, and in how to read it"
    assert all("diagnostic" in line for line in named)


def test_the_effect_of_a_table_is_the_number_that_decides():
    known = {"metric": "certified_kl", "worse": "first"}
    least, most = "-8.450 ± 0.050", "-8.350 ± 0.030"
    for verdict, present, shown in [
        ("opposite", False, f"≤ {most}"),
        ("larger than the margin", True, f"≥ {least}"),
        ("smaller than the margin", True, f"{least} to {most}"),
        ("smaller than the margin", False, f"≤ {most}"),
        ("inconclusive", False, f"{least} to {most}"),
    ]:
        found = finding("brackets apart", -8.45, verdict=verdict, present=present, **known)
        assert cells_of(found)["effect"] == shown


def test_the_configuration_that_decides_is_named_where_there_are_several():
    known = {"metric": "certified_kl", "worse": "first", "verdict": "opposite", "present": False}
    pair = finding("brackets apart", -8.45, **known)
    several = replace(pair, configurations=("a", "b", "c"))
    assert "; of 2 compared, `b` is the one that decides (S = 10)" in sentence(several)
    assert "(d, by `b`; ≤ -8.350" in claims_section("m", [several])[-1]
    for one in (pair, finding(), finding("equivalent", effect=0.01)):
        assert "decides" not in sentence(one) and ", by " not in claims_section("m", [one])[-1]


def test_a_value_of_one_seed_is_no_bound():
    one = replace(finding(), half_width=math.nan, at_most=-0.2, at_most_half_width=float("nan"))
    assert not one.bounded and one.deciding[1:] == ()


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (finding(), "Exploratory, decided on seeds 0-9."),
        (finding(seeds=0, reason="not measured"), "Exploratory."),
        (
            finding(fixed="abc1234def", from_seed=10, first=10),
            "Fixed by commit abc1234, decided on seeds 10-19.",
        ),
        (
            finding(fixed="abc1234def", seeds=0, reason="not measured"),
            "Fixed by commit abc1234, and no seed has decided it yet.",
        ),
    ],
)
def test_a_claim_says_whether_it_was_made_before_its_seeds(found, text):
    page = claims_page("m", [found])
    assert text in page
    assert ("exploratory: nothing shows that it" in page) == (found.claim.fixed is None)


def test_the_head_counts_what_is_exploratory():
    fixed, free = finding(fixed="abc1234"), finding()
    heads = [
        claims_page("m", found).splitlines()[2] for found in ([free] * 2, [fixed, free], [fixed])
    ]
    assert heads == [
        "**Of 2 claims, 2 larger than the margin.** All are exploratory: nothing shows that "
        "they were fixed before results were seen.",
        "**Of 2 claims, 2 larger than the margin.** One of them is exploratory: nothing shows "
        "that it was fixed before results were seen.",
        "**Of 1 claim, 1 larger than the margin.** Each was fixed by a commit before the seeds "
        "that decide it were run.",
    ]


@pytest.mark.parametrize(
    ("verdict", "present", "said"),
    [
        ("larger than the margin", True, "larger than the margin"),
        ("smaller than the margin", True, "smaller than the margin, but present"),
        ("smaller than the margin", False, "smaller than the margin"),
        ("inconclusive", True, "inconclusive, but present"),
        ("opposite", False, "opposite"),
    ],
)
def test_words(verdict, present, said):
    assert word(finding(verdict=verdict, present=present)) == said


def test_both_ends_of_one_question_say_whether_their_margins_agree():
    sides = [
        ("greater", {"id": "f", "source": "prior", "against": "aggregate"}),
        ("less", {"id": "h-gmm", "source": "gmm", "against": "prior"}),
    ]
    pair = [finding(expect, metric="frechet", **fields) for expect, fields in sides]
    assert "Claims f and h-gmm have the same margin, 0.05: equal" in claims_page("m", pair)
    pair[1] = finding("less", metric="frechet", **sides[1][1], margin=0.0)
    assert "have different margins (f 0.05, h-gmm 0)" in claims_page("m", pair)
    assert "Claims f and" not in claims_page("m", pair[:1])


@pytest.mark.parametrize("name", shipped())
def test_what_the_prior_costs_and_what_is_won_back_have_one_margin(name):
    """(f) and (h) judge one number from two ends: equal effects get equal words."""
    claims = [claim for claim in load(name).claims if claim.against is not None]
    assert len({(claim.metric, claim.margin) for claim in claims}) <= 1

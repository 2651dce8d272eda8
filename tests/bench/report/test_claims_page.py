"""The pages of verdicts say what the findings say."""

import pytest

from bench.analysis.claims import Finding
from bench.analysis.results import Results
from bench.commands.report import write_pages
from bench.matrix.language import Claim
from bench.metrics.registry import METRICS
from bench.report.claims_page import answers, claims_page, sentence
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
metric = "marginal_kl_excess"
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


@pytest.fixture
def results(tmp_path):
    rows = synthetic_rows()
    few = rows["config"].isin(["base", "latent_dim-3", "latent_dim-4"])
    paged(tmp_path, "synthetic", rows[few], MATRIX)
    return tmp_path


def test_the_pages_of_a_matrix_with_claims(results):
    page = (results / "synthetic-claims.md").read_text()
    findings = Results.read(results / "synthetic").findings
    assert [finding.verdict for finding in findings] == ["refuted", "supported"]
    assert "Of 2 claims, 1 supported, 1 refuted." in page
    assert "### e-joint: more dimensions match better" in page
    assert "[synthetic-claims.md](synthetic-claims.md)" in (results / "synthetic.md").read_text()
    index = (results / "README.md").read_text()
    assert "### (e) With more latent dimensions" in index and "### (f)" in index
    assert "### (d)" not in index and "Other pages" not in index
    assert sentence(findings[0]) in page and sentence(findings[0]) in index


def test_the_same_rows_give_the_same_bytes(results):
    page = results / "synthetic-claims.md"
    before = page.read_bytes()
    write_pages(results, "synthetic")
    assert page.read_bytes() == before


def test_without_a_matrix_or_claims_there_is_no_page(results):
    (results / "synthetic" / "matrix.toml").write_text("nonsense")
    damaged = Results.read(results / "synthetic")
    assert damaged.findings == [] and answers([damaged]) == []


def finding(expect="decreasing", effect=-0.2, reason="", seeds=10, **fields):
    known = {"id": "d", "says": "s", "study": "depth", "metric": "marginal_kl_excess"}
    claim = Claim(**known | {"expect": expect, "margin": 0.05} | fields)
    numbers = {"effect": effect, "half_width": 0.05, "seeds": seeds, "p_value": 1e-9}
    names = {"configurations": ("a", "b"), "decisive": "b"}
    return Finding(
        claim, METRICS[claim.metric], "supported", **names, **numbers, p_holm=1e-9, reason=reason
    )


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            finding(),
            "Along depth, from `a` to `b`, excess given scale on test inputs falls by 0.200 ± "
            "0.050 nats (S = 10); expected: falls by more than 0.05.",
        ),
        (finding(effect=0.2), "rises by 0.200 ± 0.050 nats"),
        (finding(effect=0.02), "changes by 0.020 ± 0.050 nats"),
        (
            finding("equivalent"),
            "`b` differs from `a` in excess given scale on test inputs by -0.200",
        ),
        (finding("greater", 0.2, reference=0.1), "For `b`, of 2 configurations the one that"),
        (finding("less", 0.2, source="gauge_fixed"), "(gauge fixed) is 0.200 ± 0.050 nats"),
        (finding("less", 0.2), "expected: below 0 by more than 0.05"),
        (finding(reason="saturated"), "Not decided: saturated."),
        (finding(reason="not measured", seeds=0), "Not tested: not measured."),
    ],
)
def test_sentences(found, text):
    assert text in sentence(found)
    assert claims_page("m", [found]).count("Supported") == 2  # the verdict and how to read it

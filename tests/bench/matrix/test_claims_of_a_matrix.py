import pytest

from bench.errors import MatrixError
from tests.bench.matrix.examples import EXAMPLE

MISTAKES = [
    (
        EXAMPLE.replace('id = "d"', 'id = "d 1"'),
        'claim 1.id: should be 1 to 64 letters, digits, - and _, got "d 1"',
    ),
    (
        EXAMPLE.replace('says = "a', 'say = "a'),
        'claim 1.say: unknown key, did you mean "says"? '
        "Known: against, expect, id, margin, metric, reference, says, source, split, study",
    ),
    (
        EXAMPLE.replace('study = "encoder depth"', 'study = "encoder width"'),
        'claim d.study: unknown study "encoder width", did you mean "encoder depth"? '
        "Known: encoder depth",
    ),
    (
        EXAMPLE.replace("decreasing", "shrinking"),
        "claim 1.expect: should be 'increasing', 'decreasing', 'equivalent', 'greater' or 'less', "
        'got "shrinking"',
    ),
    (
        EXAMPLE + 'split = "tset"\n',
        "claim 1.split: should be 'train' or 'test', got \"tset\"",
    ),
    (
        EXAMPLE.replace("0.05", "-0.05"),
        "claim 1.margin: should be greater than or equal to 0, got -0.05",
    ),
    (
        EXAMPLE.replace("0.05", "0").replace("decreasing", "equivalent"),
        "claim d.margin: expected more than 0 to show equivalence, got 0.0",
    ),
    (
        EXAMPLE + EXAMPLE[EXAMPLE.index("[[claim]]") :],
        'claim 2.id: "d" is taken by an earlier claim',
    ),
    (
        EXAMPLE.replace("[[200], [200, 200], [200, 200, 200]]", "[[200]]"),
        "claim d.study: expected a study of two or more configurations, got 1",
    ),
    (
        EXAMPLE.replace('study = "encoder depth"', ""),
        "claim d.study: expected a study of two or more configurations, got none",
    ),
    (
        EXAMPLE + "reference = 0.1\n",
        "claim d.reference: expected none where a metric is decreasing, got 0.1",
    ),
    (
        EXAMPLE + 'source = "gm"\n',
        'claim d.source: unknown source "gm", did you mean "gmm"? Known: aggregate, blur, floor, '
        "flow, gauge_fixed, gmm, highest_decile, lowest_decile, marginals, prior, "
        "reconstruction, repaired, training, two_stage",
    ),
    (
        EXAMPLE + 'source = "gmm"\nagainst = "gmm"\n',
        'claim d.against: expected another source than "gmm"',
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_in_a_claim_is_one_sentence(read, text, sentence):
    with pytest.raises(MatrixError) as caught:
        read(text)
    assert str(caught.value) == sentence


def test_unknown_metrics_list_the_known_ones(read):
    with pytest.raises(MatrixError) as caught:
        read(EXAMPLE.replace("_kl_excess", "_kl_exces"), metrics={"rate", "marginal_kl_excess"})
    assert str(caught.value) == (
        'claim d.metric: unknown metric "marginal_kl_exces", did you mean "marginal_kl_excess"? '
        "Known: marginal_kl_excess, rate"
    )

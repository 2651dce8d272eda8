import json

import pytest

from bench.errors import MatrixError
from bench.matrix.registry import FAMILIES
from tests.bench.matrix.examples import HERE, NEEDY, SHORT, TOY


def test_values_are_typed_and_plain(read):
    base = read(
        SHORT + f'[base]\nprior = {{ name = "{TOY}", width = 2, mode = "hard", depth = 4 }}'
    ).base
    assert base["prior"] == {
        **{"name": TOY, "width": 2.0, "sizes": [1, 2], "mode": "hard", "depth": 4},
        "anything": True,
    }
    assert type(base["prior"]["width"]) is float
    default = read(SHORT + f'[base]\nprior = {{ name = "{TOY}" }}').base["prior"]
    assert type(default["width"]) is float and default["depth"] is None
    assert json.loads(json.dumps(base)) == base


PRIORS = ", ".join(sorted(FAMILIES["prior"]))
IMPORT = 'or an import path "package.module:Attribute"'
MISTAKES = [
    (
        SHORT + "[base]\nlatent_dim = 0",
        "base.latent_dim: should be greater than or equal to 1, got 0",
    ),
    (SHORT + "[base]\nlatent_dim = [2]", "base.latent_dim: should be a valid integer, got [2]"),
    (
        SHORT + '[base]\nprior = "normal"',
        'base.prior: expected a table such as { name = "normal" }, got "normal"',
    ),
    (SHORT + "[base]\nprior.name = 3", "base.prior.name: expected text, got 3"),
    (
        SHORT + '[base]\nprior.name = "nromal"',
        'base.prior.name: unknown prior "nromal", did you mean "normal"? '
        f"Known: {PRIORS}; {IMPORT}",
    ),
    (
        SHORT + '[base]\nprior.name = "nowhere.at_all:Prior"',
        'base.prior.name: cannot import "nowhere.at_all:Prior" '
        "(ModuleNotFoundError: No module named 'nowhere')",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:Tyo"',
        f'base.prior.name: cannot import "{HERE}:Tyo" '
        f"(AttributeError: module '{HERE}' has no attribute 'Tyo')",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:EXAMPLE"',
        f'base.prior.name: expected a class or a function at "{HERE}:EXAMPLE", got str',
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", widht = 3 }}',
        'base.prior.widht: unknown key, did you mean "width"? '
        "Known: anything, depth, mode, name, sizes, width",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", width = "3" }}',
        'base.prior.width: should be a valid number, got "3"',
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", width = true }}',
        "base.prior.width: should be a valid number, got true",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", sizes = [1, "200"] }}',
        'base.prior.sizes: should be a valid integer, got [1, "200"]',
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", sizes = {[*range(99)]} }}\nlatent_dim = true',
        "base.latent_dim: should be a valid integer, got true",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", mode = {[*range(99)]} }}',
        "base.prior.mode: should be 'soft' or 'hard', "
        "got [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", depth = "x" }}',
        'base.prior.depth: should be a valid integer, got "x"',
    ),
    (
        SHORT + f'[base]\nprior.name = "{NEEDY}"',
        "base.prior.components: missing, and it has no default",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:Callback"',
        "base.prior: Callback: a matrix cannot set its options (NameError: name 'Undefined' is not "
        "defined)",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:Opaque"',
        "base.prior: Opaque: a matrix cannot set generator (TOML holds no torch._C.Generator)",
    ),
    (SHORT + "[base]\ntraining = 3", "base.training: expected a table { … }, got 3"),
    (
        SHORT + "[base]\ntraining.steps = 1000000000000000000",
        "base.training.steps: expected at most 100,000,000, got 1,000,000,000,000,000,000; no "
        "machine ends more",
    ),
    (
        SHORT + "[base]\nquality.sbc_draws = 1000001",
        "base.quality.sbc_draws: expected at most 1,000,000, got 1,000,001; no machine ends more",
    ),
    (SHORT + "[base]\ntraining.steps = 0", "base.training: steps must be positive, got 0"),
    (
        SHORT + '[base]\nquality = { sources = ["prior", "agregate"] }',
        'base.quality.sources: unknown "agregate", did you mean "aggregate"? '
        "Known: aggregate, flow, gmm, prior, reconstruction, repaired, two_stage",
    ),
    (
        SHORT + '[base]\nquality = { features = "vgg" }',
        "base.quality: features must be one of classifier, pca, pretrained, got 'vgg'",
    ),
    (
        SHORT + '[base]\nquality = { source = ["prior"] }',
        'base.quality.source: unknown key, did you mean "sources"? '
        "Known: bound_inputs, features, sbc_draws, sources",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_in_a_component_is_one_sentence(read, text, sentence):
    with pytest.raises(MatrixError) as caught:
        read(text)
    assert str(caught.value) == sentence

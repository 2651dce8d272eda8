import hashlib
import itertools
import re

import pytest

from bench.errors import MatrixError
from bench.matrix.language import Configuration, Matrix
from bench.metrics.registry import METRICS
from tests.bench.matrix.examples import (
    KEYS,
    NEEDY,
    SHORT,
    TOY,
    names,
    study,
)


def test_configurations_of_two_studies_and_the_base_stand_once(read):
    matrix = read(
        SHORT
        + study('grid = { latent_dim = [2, 4], "objective.beta" = [1, 2] }', "both")
        + study("grid = { latent_dim = [4, 8] }", "size")
        + study('zip = { "objective.beta" = [2.0, 4.0], latent_dim = [4, 8] }', "together")
    )
    assert [s.configurations for s in matrix.studies] == [
        ("base", "objective-beta-2", "latent_dim-4", "latent_dim-4--objective-beta-2"),
        ("latent_dim-4", "latent_dim-8"),
        ("latent_dim-4--objective-beta-2", "objective-beta-4--latent_dim-8"),
    ]
    assert len(set(names(matrix))) == len(names(matrix)) == 6
    by_name = {c.name: c for c in matrix.configurations}
    assert by_name["latent_dim-4"].studies == ("both", "size")
    assert by_name["latent_dim-4--objective-beta-2"].studies == ("both", "together")
    assert by_name["latent_dim-8"].varied == {"latent_dim": 8, "objective.beta": 1.0}


def test_a_new_name_keeps_the_options_that_fit(read):
    toy = SHORT + f'[base]\nprior = {{ name = "{TOY}", width = 7, depth = 2 }}\n'
    names_only = read(toy + study(f'grid = {{ "prior.name" = ["normal", "{TOY}"] }}'))
    base, normal = names_only.configurations
    assert (base.varied, normal.varied) == ({"prior.name": TOY}, {"prior.name": "normal"})
    assert "width" not in normal.values["prior"] and normal.name == "prior-normal"
    assert base.values["prior"]["depth"] == 2

    both = f'zip = {{ "prior.components" = [5, 6], "prior.name" = ["{NEEDY}", "{NEEDY}"] }}'
    for configuration in read(toy + study(both)).configurations[1:]:
        assert configuration.values["prior"]["width"] == 7.0  # Needy has it, and no depth
        assert set(configuration.values["prior"]) == {"name", "components", "width"}

    whole = f'grid = {{ prior = [{{ name = "{NEEDY}", components = 3 }}] }}'
    replaced = read(toy + study(whole)).configurations[1]
    assert replaced.values["prior"] == {"name": NEEDY, "components": 3, "width": 3.0}
    assert replaced.varied == {"prior": replaced.values["prior"]}
    assert replaced.name.endswith("Needy-components-3")  # its width is the default


def test_an_overridden_name_keeps_only_what_fits(read):
    given = SHORT + f'[base]\nprior = {{ name = "{TOY}", width = 7, depth = 2 }}'
    for order in ([0, 1], [1, 0]):
        texts = [f'prior.name="{NEEDY}"', "prior.components=5"]
        assert read(given, overrides=[texts[i] for i in order]).base["prior"] == {
            **{"name": NEEDY, "components": 5, "width": 7.0}
        }
    assert read(given, overrides=['prior={name="normal"}']).base["prior"]["name"] == "normal"


def test_names_are_safe_short_and_unique(read):
    values = ", ".join(
        [f'"{"x" * 200}{end}"' for end in "ab"] + ['"a.b"', '"a-b"', '"a_b"', '"A_B"']
    )
    tables = ", ".join(f'{{ name = "{TOY}", anything = {v} }}' for v in ("1", "true", "1.0"))
    matrix = read(
        SHORT
        + study(f'grid = {{ "encoder.activation" = [{values}] }}')
        + study(f"grid = {{ prior = [{tables}] }}", "untyped")
        + study('grid = { "encoder.hidden" = [[], [3]], "objective.beta" = [0, 1e-5, 0.25] }', "z")
    )
    found = names(matrix)
    assert len({name.lower() for name in found}) == len(found) == 1 + 6 + 3 + 6
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in found)
    assert found.count("base") == 1 and matrix.configurations[0].name == "base"
    assert "encoder-activation-a-b" in found
    assert "encoder-hidden-none--objective-beta-0_25" in found
    assert "encoder-hidden-3--objective-beta-1e-05" in found


def test_names_survive_a_new_order_of_studies(read):
    blocks = [
        study('grid = { "objective.beta" = [1, 2], latent_dim = [2, 4] }', "one"),
        study('grid = { latent_dim = [4, 8], "objective.beta" = [2, 4] }', "two"),
        study(f'grid = {{ prior = [{{ name = "{TOY}" }}], latent_dim = [4] }}', "three"),
        study(f'zip = {{ latent_dim = [4], "prior.name" = ["{TOY}"] }}', "four"),
    ]
    matrices = [read(SHORT + "".join(order)) for order in itertools.permutations(blocks)]
    known = [{c.id: c.name for c in matrix.configurations} for matrix in matrices]
    assert all(each == known[0] for each in known)
    assert len(known[0]) == len(set(known[0].values())) == 8


def test_cell_ids_are_pinned():
    values = {"dataset": {"name": "digits"}, "latent_dim": 2, "objective": {"beta": 0.5}}
    only = Configuration("base", values, (), {})
    matrix = Matrix("m", "", 2, 5, 60.0, (), METRICS, values, (), (), (only,))
    cells = matrix.cells(lambda dataset: "f00d")
    text = (
        '{"block":5,"data":"f00d","seed":1,"values":'
        '{"dataset":{"name":"digits"},"latent_dim":2,"objective":{"beta":0.5}}}'
    )
    assert cells[1].id == hashlib.sha256(text.encode()).hexdigest()[:16] == "226bb1d4969635dd"
    assert only.id == "8256642f0628"
    assert [(cell.configuration, cell.seed) for cell in cells] == [(only, 0), (only, 1)]


def test_an_option_that_came_later_changes_no_id_at_what_it_was_before():
    def ids(**training):
        values = {"dataset": {}, "training": {"steps": 5} | training}
        one = Configuration("base", values, (), {})
        matrix = Matrix("m", "", 1, 5, 60.0, (), METRICS, values, (), (), (one,))
        return one.id, matrix.cells(lambda dataset: "f00d")[0].id

    assert ids(precision="float32") == ids()
    assert not set(ids(precision="bfloat16")) & set(ids())


def test_an_encoder_that_is_not_calibrated_leaves_every_id(read):
    values = read(SHORT).base
    assert values["quality"]["sbc_draws"] == 0
    quality = {name: value for name, value in values["quality"].items() if name != "sbc_draws"}
    one, before = (
        Configuration("base", v, (), {}) for v in (values, values | {"quality": quality})
    )
    assert one.id == before.id
    more = values | {"quality": quality | {"sbc_draws": 1000}}
    assert Configuration("base", more, (), {}).id != one.id


MISTAKES = [
    (
        SHORT + "[base]\nenocder = {}",
        f'base.enocder: unknown key, did you mean "encoder"? Known: {KEYS}',
    ),
    (
        SHORT + '[base]\n"x\\ny" = 3',
        f"base.x y: unknown key. Known: {KEYS}",
    ),
    (SHORT + "[study]", "study: expected tables [[study]], got {}"),
    ("study = [3]\n" + SHORT, "study 1: expected a table { … }, got 3"),
    (SHORT + "[[study]]\ngrid = {}", "study 1.name: missing, and it has no default"),
    (
        SHORT + '[[study]]\nname = " "',
        'study 1.name: should be one line of printable text, got " "',
    ),
    (
        SHORT + study("gird = {}"),
        'study 1.gird: unknown key, did you mean "grid"? Known: grid, name, zip',
    ),
    (SHORT + study("grid = 3"), "study 1.grid: should be a table, got 3"),
    (SHORT + study(""), 'study "s": expected either grid (product) or zip (together), got neither'),
    (
        SHORT + study("grid = {}\nzip = {}"),
        'study "s": expected either grid (product) or zip (together), got both',
    ),
    (
        SHORT + study("grid = {}"),
        'study "s": grid: expected at least one key with its values, got none',
    ),
    (
        SHORT + study("grid = { latent_dim = [2] }") * 2,
        'study 2.name: "s" is taken by an earlier study',
    ),
    (
        SHORT + study("grid = { latent_dim = 2 }"),
        'study "s": latent_dim: expected a list of values, got 2',
    ),
    (
        SHORT + study("grid = { latent_dim = [] }"),
        'study "s": latent_dim: expected a list of values, got []',
    ),
    (
        SHORT + study("grid = { encoder.hidden = [[2]] }"),
        'study "s": encoder: expected a list of values; quote a dotted key: "encoder.hidden"',
    ),
    (
        SHORT + study('grid = { "enocder.hidden" = [[2]] }'),
        f'study "s": enocder: unknown key, did you mean "encoder"? Known: {KEYS}',
    ),
    (
        SHORT + study('grid = { "latent_dim.size" = [2] }'),
        'study "s": latent_dim.size: expected the key latent_dim alone, it has no options',
    ),
    (
        SHORT + study('grid = { "encoder.hidden" = [200, 300] }'),
        'study "s": encoder.hidden: should be a valid array, got 200',
    ),
    (
        SHORT + study('grid = { "training.steps" = [10, 0] }'),
        'study "s": training: steps must be positive, got 0',
    ),
    (
        SHORT + study('grid = { prior = [3], "prior.name" = ["normal"] }'),
        'study "s": prior: expected a table { … }, got 3',
    ),
    (
        SHORT + study("grid = { latent_dim = [2, 4, 2] }"),
        'study "s": expected distinct configurations, got {"latent_dim": 2} twice',
    ),
    *(
        (
            SHORT + study("grid = { latent_dim = [2, 4] }", name),
            f'study 1.name: should {reason}, got "{name}"',
        )
        for name, reason in (
            ("--help", "not begin with -, which begins an option"),
            ("README", "be called like no other page of the results"),
            ("index", "be called like no other page of the results"),
        )
    ),
    (
        SHORT + study('zip = { latent_dim = [2, 4], "objective.beta" = [1, 2, 3] }'),
        'study "s": zip: expected lists of one length, got [2, 3]',
    ),
    (
        SHORT
        + study(
            f'grid = {{ latent_dim = {[*range(1, 1001)]}, "objective.beta" = {[*range(101)]} }}'
        ),
        'study "s": expected at most 1,000,000 cells in all, got 101,000 configurations with 10 '
        "seeds",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_in_a_study_is_one_sentence(read, text, sentence):
    with pytest.raises(MatrixError) as caught:
        read(text)
    assert str(caught.value) == sentence

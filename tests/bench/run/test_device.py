"""The whole path on another device: nothing stays behind on the CPU; the numbers are the same."""

from dataclasses import replace

import pytest
import torch

from bench.run import cell
from bench.run.cell import run_block
from bench.run.model_store import trained
from bench.run.models import dataset_of
from tests.bench.fakes import job_of
from tests.bench.run.test_cell import VALUES
from tests.elsewhere import DEVICE, STANDS_IN, is_there, other_device
from vaelib.audits.audit import audit
from vaelib.likelihoods import LIKELIHOODS
from vaelib.networks import DECODERS, ENCODERS
from vaelib.objectives import OBJECTIVES
from vaelib.priors import PRIORS
from vaelib.samples.latent_samplers import LATENT_SOURCES, FlowSampler, TwoStageSampler
from vaelib.stats.nulls import NormalNull
from vaelib.training import Training

TRAINING = {"steps": 3, "batch_size": 64, "learning_rate": 1e-3}
# A GPU rounds sums differently, and shares of neighbours jump.
CLOSE = {"rel": 1e-3, "abs": 1e-6} if STANDS_IN else {"rel": 0.05, "abs": 0.02}
CONV = {
    "encoder": {"name": "conv", "channels": [4, 8], "hidden": 16},
    "decoder": {"name": "conv", "channels": [8, 4], "hidden": 16},
}


def changes():
    """Every component of every kind, one at a time."""
    for name in PRIORS:
        yield {"prior": {"name": name}}
    for name in OBJECTIVES:
        yield {"objective": {"name": name}}
    for name in LIKELIHOODS:
        yield {"likelihood": {"name": name}}
    for kind, names in (("encoder", ENCODERS), ("decoder", DECODERS)):
        yield from ({kind: CONV[kind]} for name in names if name == "conv")


@pytest.mark.parametrize("change", list(changes()), ids=str)
def test_every_component_trains_on_another_device_and_gives_the_same_model(change):
    values = VALUES | {"training": TRAINING} | change
    data = dataset_of(values["dataset"])
    job = job_of(values, "unused", block=(0, 1), cells={"a": 0, "b": 1})
    with other_device():
        x = data.x.to(DEVICE)
        there = trained(job, data, x)
        for replicate in there.values():
            model, points = replicate.model, x[replicate.split.test]
            assert replicate.outcome.diverged_at is None
            assert all(map(is_there, model.parameters()))
            mean, scale = model.posterior(points)
            with torch.no_grad():
                prior = model.resolved_prior()
                assert is_there(model.log_likelihood(points, mean))
                model.decode(prior.sample(10, torch.Generator().manual_seed(0)).to(x))
                if not (scale == 0).all():
                    prior.rate(mean.double(), scale.double(), mean)
    for replicate, other in zip(trained(job, data, data.x).values(), there.values(), strict=True):
        for here, away in zip(replicate.model.parameters(), other.model.parameters(), strict=True):
            torch.testing.assert_close(away.cpu(), here, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"quality": VALUES["quality"] | {"sources": [*LATENT_SOURCES, "reconstruction"]}},
        CONV | {"prior": {"name": "vampprior", "components": 5}},
    ],
    ids=["all sources", "conv and vampprior"],
)
def test_a_cell_measured_on_another_device_has_the_same_rows(change, tmp_path, monkeypatch):
    def audited(mean, scale, prior, heldout, **options):
        assert {value.device.type for value in (mean, scale, *heldout)} == {device}
        options |= {"null": NormalNull(draws=19), "null_draws": 5, "test_rows": 50}
        return audit(mean, scale, prior, heldout, **options)

    monkeypatch.setattr(cell, "audit", audited)
    # No option shortens these: they are part of what the sources are.
    monkeypatch.setattr(FlowSampler, "_STEPS", 50)
    monkeypatch.setattr(TwoStageSampler, "_TRAINING", Training(steps=50))
    job = job_of(VALUES | change, tmp_path / "matrix")
    device = DEVICE
    with other_device():
        (there,) = run_block(replace(job, device=device))
    device = "cpu"
    (here,) = run_block(replace(job, device=device))
    assert there.status == here.status == "ok"
    assert len(there.measurements) == len(here.measurements)
    for ours, theirs in zip(here.measurements, there.measurements, strict=True):
        expected = {
            name: pytest.approx(value, **CLOSE) if isinstance(value, float) else value
            for name, value in vars(ours).items()
        }
        assert vars(theirs) == expected

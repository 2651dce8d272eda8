"""What other libraries call, by these libraries: those of `tox -e callbacks` where they are."""

import ast
import logging
import math
import sys
import warnings
from pathlib import Path

import pytest
import torch

from tests.test_imports import at_import
from tests.vaelib.monitoring.training import VAE, digits
from vaelib import Monitor
from vaelib.monitoring.callbacks import (
    lightning_callback,
    pythae_callback,
    scalars,
    tensorboard_log,
    torchmetric,
)

FOLDER = Path(__file__).parents[3] / "vaelib" / "monitoring"
REASON = "comes with the extra `callbacks`"


def batches(seed, rows=100):
    g = torch.Generator().manual_seed(seed)
    mean = torch.randn(rows, 3, generator=g)
    return [(part, torch.full_like(part, 0.5)) for part in mean.split(40)]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_no_library_is_imported_before_it_is_asked_for(path):
    nodes = list(at_import(ast.parse(path.read_text(encoding="utf-8"))))
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in nodes if isinstance(n, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert tops <= {"numpy", "torch", "vaelib"} and "torch.utils.tensorboard" not in names


@pytest.mark.parametrize("make", [lightning_callback, pythae_callback])
def test_what_is_no_monitor_or_no_log_is_refused(make):
    with pytest.raises(TypeError, match="monitor must be a Monitor, got int"):
        make(3, None)
    with pytest.raises(TypeError, match="log must be a function"):
        make(Monitor(), None, log=3)


def test_a_dictionary_holds_finite_numbers_of_python():
    numbers = scalars({"epoch": 2.0, "gain": 0.5, "lower": math.nan, "rate": math.inf}, "q/")
    assert numbers == {"q/gain": 0.5} and type(numbers["q/gain"]) is float


def test_torchmetrics_updates_computes_resets_and_saves():
    metrics = pytest.importorskip("torchmetrics")
    plain, metric = Monitor(), torchmetric(Monitor())
    both = metrics.MetricCollection({"match": metric})
    for seed in range(3):
        for mean, scale in batches(seed):
            plain.update(mean, scale)
            both.update(mean, scale)
        wanted, found = plain.compute(), both.compute()
        assert {name: float(found[name]) for name in wanted} == wanted
        assert float(both.compute()["epoch"]) == seed + 1
        plain.reset()
        both.reset()
    again = torchmetric(Monitor())
    again.load_state_dict(metric.state_dict())
    for mean, scale in batches(3):
        again.update(mean, scale)
        plain.update(mean, scale)
    assert {name: float(value) for name, value in again.compute().items()} == plain.compute()
    with pytest.raises(NotImplementedError, match="a batch alone is no epoch"):
        again(*batches(4)[0])


def test_torchmetrics_takes_identities():
    pytest.importorskip("torchmetrics")
    metric, plain = torchmetric(Monitor()), Monitor()
    for k, (mean, scale) in enumerate(batches(0)):
        metric.update(mean, scale, torch.arange(len(mean)) + 40 * k)
        plain.update(mean, scale, torch.arange(len(mean)) + 40 * k)
    assert float(metric.compute()["gain"]) == pytest.approx(plain.compute()["gain"])


def test_tensorboard_writes_an_event_file(tmp_path):
    pytest.importorskip("tensorboard", reason=REASON)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    monitor, rows = Monitor(), []
    with SummaryWriter(tmp_path) as writer:
        log = tensorboard_log(writer)
        for seed in range(2):
            rows.append(monitor.observe(*whole(seed)))
            log(scalars(rows[-1]), int(rows[-1]["epoch"]))
    read = EventAccumulator(str(tmp_path))
    read.Reload()
    events = read.Scalars("match/gain")
    assert [event.step for event in events] == [1, 2]
    assert [event.value for event in events] == pytest.approx([row["gain"] for row in rows])
    with pytest.raises(TypeError, match="writer must have add_scalar, got str"):
        tensorboard_log("runs")


def whole(seed):
    mean, scale = zip(*batches(seed), strict=True)
    return torch.cat(mean), torch.cat(scale)


@pytest.mark.filterwarnings("ignore")
def test_lightning_logs_stops_and_resumes(tmp_path):
    pytest.importorskip("lightning", reason=REASON)
    import lightning.pytorch as pl
    from lightning.pytorch.loggers import CSVLogger

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    train, heldout = digits()

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.vae = VAE()
            self.modes = []

        def encode(self, x):
            return self.vae.encode(x)

        def training_step(self, batch, _):
            self.modes.append(self.training)
            return self.vae.loss(batch[0])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 2e-3)

    def fitted(monitor, epochs, checkpoint=None):
        pl.seed_everything(0, verbose=False)
        told = []
        callback = lightning_callback(monitor, heldout, log=lambda row, e: told.append((e, row)))
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            callbacks=[callback],
            logger=CSVLogger(tmp_path, name=f"{epochs}"),
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
            log_every_n_steps=1,
        )
        loader = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(train), batch_size=100, shuffle=False
        )
        model = Module()
        trainer.fit(model, loader, ckpt_path=checkpoint)
        return trainer, model, told

    whole, part = Monitor(every=2), Monitor(every=2)
    trainer, model, told = fitted(whole, 3)
    assert [epoch for epoch, _ in told] == [0, 1, 2, 3, 3] and whole.finished
    assert all(model.modes) and "match/full_gain" in told[-1][1]
    assert float(trainer.callback_metrics["match/gain"]) == pytest.approx(whole.last["gain"])
    trainer.logger.save()
    text = next((tmp_path / "3").rglob("metrics.csv")).read_text()
    assert "match/lower" in text.splitlines()[0]
    stopped, _, _ = fitted(part, 2)
    assert part.finished
    saved = tmp_path / "after.ckpt"
    stopped.save_checkpoint(saved)
    resumed = Monitor(every=2)
    _, _, told = fitted(resumed, 3, saved)
    assert [epoch for epoch, _ in told] == [3, 3]
    assert resumed.calls == whole.calls == 4


@pytest.mark.filterwarnings("ignore")
def test_pythae_trains_with_a_monitor(tmp_path):
    pytest.importorskip("pythae", reason=REASON)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pythae.models import VAE as PythaeVAE
        from pythae.models import VAEConfig
        from pythae.pipelines import TrainingPipeline
        from pythae.trainers import BaseTrainerConfig
    train, heldout = digits()
    train, heldout = (x.reshape(-1, 1, 8, 8) for x in (train, heldout))
    model = PythaeVAE(VAEConfig(input_dim=(1, 8, 8), latent_dim=4))
    settings = BaseTrainerConfig(
        output_dir=str(tmp_path),
        num_epochs=2,
        per_device_train_batch_size=100,
        no_cuda=True,
    )
    monitor, told = Monitor(), []
    callback = pythae_callback(monitor, heldout, log=lambda row, epoch: told.append((epoch, row)))
    pipeline = TrainingPipeline(model=model, training_config=settings)
    pipeline(train_data=train, eval_data=heldout[:100], callbacks=[callback])
    assert [epoch for epoch, _ in told] == [0, 1, 2, 2] and monitor.finished
    assert "match/full_lower" in told[-1][1] and monitor.last["active_units"] >= 0

"""Every option of Lightning's Trainer and each of its callbacks works, or is refused in one line.

Both are found by introspection, so that one which a new Lightning brings fails here until it is
listed. All cases together take over a minute and are slow; a sample of them is not.
"""

import csv
import inspect
import math
import re
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer, callbacks

# The values to try; several ranks, nodes and devices are tested with real processes
OPTIONS = {
    "accelerator": ["cpu", "auto", "gpu"],
    "strategy": ["auto", "ddp", "fsdp"],
    "devices": ["1", "auto"],
    "num_nodes": ["1", "0"],
    "precision": ["32-true", "64-true", "bf16-mixed", "bf16-true", "16-mixed", "16-true"],
    "logger": ["true", "false", "CSVLogger", "TensorBoardLogger"],
    "callbacks": ["null", "[]"],  # for each of Lightning's see below
    "fast_dev_run": ["true", "2"],
    "max_epochs": ["0", "1", "-1"],
    "min_epochs": ["1", "9"],
    "max_steps": ["3", "0"],
    "min_steps": ["1", "99"],
    "max_time": ["00:00:10:00", "nonsense"],
    "limit_train_batches": ["2", "0.5", "0"],
    "limit_val_batches": ["1", "0.5", "0"],
    "limit_test_batches": ["1", "0"],
    "limit_predict_batches": ["1", "0"],
    "overfit_batches": ["1", "0.5"],
    "val_check_interval": ["1", "0.5", "2", "99"],
    "check_val_every_n_epoch": ["2", "null", "9"],
    "num_sanity_val_steps": ["0", "2", "-1"],
    "log_every_n_steps": ["1", "0"],
    "enable_checkpointing": ["true", "false"],
    "enable_progress_bar": ["true", "false"],
    "enable_model_summary": ["true", "false"],
    "accumulate_grad_batches": ["2", "99"],
    "gradient_clip_val": ["1", "0.5"],
    "gradient_clip_algorithm": ["norm", "value", "nonsense"],
    "deterministic": ["true", "warn"],
    "benchmark": ["true", "false"],
    "inference_mode": ["true", "false"],
    "use_distributed_sampler": ["true", "false"],
    "profiler": ["simple", "advanced", "pytorch", "nonsense"],
    "detect_anomaly": ["true"],
    "barebones": ["true"],
    "plugins": ["null", "LightningEnvironment"],
    "sync_batchnorm": ["true"],
    "reload_dataloaders_every_n_epochs": ["1"],
    "default_root_dir": ["elsewhere"],
    "enable_autolog_hparams": ["true", "false"],
    "model_registry": ["null", "a-model"],
}
# The arguments that each needs
CALLBACKS = {
    "BackboneFinetuning": {},
    "BaseFinetuning": {},
    "BasePredictionWriter": {},
    "BatchSizeFinder": {"max_trials": "2"},
    "Callback": {},
    "Checkpoint": {},
    "DeviceStatsMonitor": {"cpu_stats": "false"},
    "EMAWeightAveraging": {"decay": "0.9"},
    "EarlyStopping": {"monitor": "val_loss"},
    "GradientAccumulationScheduler": {"scheduling": "{0: 2}"},
    "LambdaCallback": {},
    "LearningRateFinder": {"num_training_steps": "5"},
    "LearningRateMonitor": {},
    "ModelCheckpoint": {"monitor": "val_loss"},
    "ModelPruning": {"pruning_fn": "l1_unstructured"},
    "ModelSummary": {"max_depth": "2"},
    "OnExceptionCheckpoint": {"dirpath": "rescued"},
    "ProgressBar": {},
    "RichModelSummary": {},
    "RichProgressBar": {},
    "SpikeDetection": {},
    "StochasticWeightAveraging": {"swa_lrs": "0.01", "swa_epoch_start": "1"},
    "TQDMProgressBar": {},
    "ThroughputMonitor": {"batch_size_fn": "builtins.len"},
    "Timer": {"duration": "00:00:10:00"},
    "WeightAveraging": {},
}
SAMPLE = {
    *("--trainer.check_val_every_n_epoch=2", "--trainer.limit_val_batches=0"),
    *("--trainer.gradient_clip_val=1", "--trainer.profiler=simple", "--trainer.max_steps=3"),
    *("EarlyStopping", "EMAWeightAveraging", "LearningRateFinder", "ModelCheckpoint"),
}


def stock_callbacks():
    found = (getattr(callbacks, name) for name in dir(callbacks))
    return {c.__name__ for c in found if inspect.isclass(c) and issubclass(c, Callback)}


def test_every_trainer_option_is_covered():
    assert OPTIONS.keys() == inspect.signature(Trainer).parameters.keys()


def test_every_stock_callback_is_covered():
    assert CALLBACKS.keys() == stock_callbacks()


def cases():
    for option, values in OPTIONS.items():
        for value in values:
            text = f"--trainer.{option}={value}"
            yield text, [text]
    for name, arguments in CALLBACKS.items():
        path = f"lightning.pytorch.callbacks.{name}"
        own = [f"--trainer.callbacks.{key}={value}" for key, value in arguments.items()]
        yield name, [f"--trainer.callbacks+={path}", *own]


def each(name, options):
    return pytest.param(options, id=name, marks=[] if name in SAMPLE else [pytest.mark.slow])


@pytest.fixture
def as_it_was():
    """Undoes what an option sets for the whole process."""
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = benchmark


@pytest.mark.usefixtures("as_it_was")
@pytest.mark.parametrize("options", [each(*case) for case in cases()])
def test_every_combination_works_or_is_refused_in_one_line(run_cli, options):
    few = ("--data.batch_size", "125")  # four steps an epoch
    if "--trainer.max_epochs=-1" in options:
        few += ("--trainer.max_steps", "6")  # for it has no end of its own
    status, output, problems = run_cli("fit", *few, *options)
    assert status in (0, 2), problems
    if status == 2:
        assert re.fullmatch(r"error: [^\n]+\n", problems)
        assert not re.search(r"0x[0-9a-f]{6}|Traceback|<class", problems), problems
        return
    assert "Traceback" not in problems
    assert not re.search(r"\bnan\b", output), output
    for path in Path("tb_logs").glob("*/*/metrics.csv"):
        with path.open(newline="") as file:
            values = [float(v) for row in csv.DictReader(file) for v in row.values() if v]
        assert values
        assert all(map(math.isfinite, values))

"""What holds on a CUDA device, through the real program; skipped where there is none."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_leaves

from lit_mnist.data.augment import RandomAffine, affine, elastic_offsets
from lit_mnist.main import main
from tests.conftest import CONFIGS, SMALL, equal_weights
from tests.models.test_ensemble import PATTERN
from tests.stopping import STOP_AT, assert_same_end, checkpoint, folder, stopped
from tests.warm import CLI

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
GPU = ("--trainer.accelerator", "gpu", "--trainer.devices", "1")
CPU = ("--trainer.accelerator", "cpu")
SYSTEMS = sorted(path.stem for path in Path(CONFIGS).glob("*.yaml") if path.stem != "ensemble")


def probabilities(place):
    """The rows of a run's predictions.csv as numbers."""
    with (place / "predictions.csv").open() as file:
        return torch.tensor(
            [[float(cell) for cell in row[3:]] for row in list(csv.reader(file))[1:]]
        )


@pytest.mark.parametrize("config", SYSTEMS)
def test_each_config_trains_and_answers_as_on_a_cpu(run_cli, config):
    status, said, problems = run_cli("fit", *GPU, "--name", "run", config=config)
    assert status == 0, problems
    assert torch.cuda.get_device_name() in said + problems
    answers = []
    for device in (GPU, CPU):
        status, _, problems = run_cli("test", *device, "--name", "run", config=config)
        assert status == 0, problems
        answers.append(probabilities(folder("run")))
    torch.testing.assert_close(*answers, atol=0.02, rtol=0)  # the first with bfloat16


def test_the_same_command_gives_the_same_bits(run_cli):
    for name in ("one", "two"):
        status, _, problems = run_cli("fit", *GPU, "--name", name, config="simple_augmented")
        assert status == 0, problems
    assert equal_weights(folder("one"), folder("two"))


@pytest.mark.parametrize("config", ["dense", "deep", "small"])
def test_a_run_that_is_stopped_within_an_epoch_goes_on_to_the_same_bits(
    run_cli, monkeypatch, config
):
    same = (*GPU, STOP_AT, "--every_n_train_steps", "3")
    assert run_cli("fit", *same, "--name", "whole", config=config)[0] == 0
    stopped(run_cli, monkeypatch, "5", "fit", *same, "--name", "cut", config=config)
    assert run_cli("fit", *same, "--name", "cut", config=config)[0] == 0
    assert_same_end(folder("whole"), folder("cut"))


def test_a_run_of_a_gpu_goes_on_without_one(run_cli, monkeypatch):
    stopped(run_cli, monkeypatch, "10", "fit", *GPU, STOP_AT, "--name", "cut")
    status, _, problems = run_cli("fit", *CPU, STOP_AT, "--name", "cut")
    assert status == 0, problems


def test_its_checkpoints_load_where_there_is_none(run_cli):
    status, _, problems = run_cli("fit", *GPU, "--every_n_train_steps", "3", "--name", "run")
    assert status == 0, problems
    for path in (folder("run") / "checkpoints").iterdir():
        content = tree_leaves(torch.load(path, weights_only=True))
        assert {one.device.type for one in content if isinstance(one, torch.Tensor)} == {"cpu"}


@two_gpus
def test_two_of_them_take_the_steps_of_one(small_data, here):
    # by NCCL; saves within the epoch, for which ranks gather what they have
    steps = ("--trainer.max_epochs", "1", "--every_n_train_steps", "3", "--data.batch_size", "60")
    exact = ("--trainer.precision", "32-true", "--trainer.accelerator", "gpu")
    model = ("--config", f"{CONFIGS}/dense.yaml", "--model", "tests.no_dropout.OwnScores")
    data = ("--data.dataset", SMALL, "--data.data_dir", str(small_data), *model)
    weights = []
    for count in ("1", "2"):
        own = (*steps, *exact, *data, "--trainer.devices", count, "--name", f"on{count}")
        for command in ("fit", "test"):
            done = subprocess.run(
                [sys.executable, CLI, command, *own],
                env={**os.environ, "PYTHONPATH": str(Path(CLI).parent)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        weights.append(checkpoint("last", folder(f"on{count}"))["state_dict"])
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=1e-4, rtol=1e-3)


def test_a_committee_answers_as_on_a_cpu(trained, members, no_pictures):
    given = ("--config", f"{CONFIGS}/ensemble.yaml", "--model.checkpoints", PATTERN)
    answers = []
    for device in (GPU, CPU):
        assert main(["test", *given, *members[4:], *device]) == 0
        answers.append(probabilities(Path("tb_logs/ensemble/committee_3")))
    torch.testing.assert_close(*answers, atol=1e-3, rtol=0)  # TF32 may be on


def test_members_train_in_processes_of_their_own(full_size, call):
    status, _, problems = call("committee", "--members", "5", *GPU, "--name", "there")
    assert status == 0, problems
    assert len(list(Path("tb_logs", "there").glob("seed_*/results.json"))) == 5


def test_the_augmentation_is_that_of_a_cpu():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(50, 1, 28, 28, generator=generator)
    drawn = {
        "theta_deg": torch.rand(50, generator=generator) * 20 - 10,
        "shift_rows_px": torch.rand(50, generator=generator) * 5 - 2.5,
        "shift_cols_px": torch.rand(50, generator=generator) * 5 - 2.5,
        "zoom_rows": 1.1 - torch.rand(50, generator=generator) / 5,
        "zoom_cols": 1.1 - torch.rand(50, generator=generator) / 5,
        "shear_deg": torch.rand(50, generator=generator) * 20 - 10,
        "offsets_px": elastic_offsets(torch.randn(50, 2, 7, 7, generator=generator)),
    }
    there = affine(images.cuda(), **{name: value.cuda() for name, value in drawn.items()})
    torch.testing.assert_close(there.cpu(), affine(images, **drawn), atol=1e-4, rtol=0)
    assert RandomAffine(shear=10, elastic=0.7)(images.cuda()).is_cuda

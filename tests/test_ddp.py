"""Real processes on gloo: 1, 2 and 3 ranks agree."""

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lit_mnist.main import main
from tests import warm
from tests.conftest import CONFIGS, SMALL


@pytest.fixture
def launch(small_data, here, capsys, monkeypatch, no_pictures):
    monkeypatch.syspath_prepend(Path(__file__).parent)

    def call(command, ranks, *options, config="simple_plateau"):
        place = ("--trainer.accelerator", "cpu", "--trainer.devices", str(ranks))
        strategy = ("--trainer.strategy", "ddp") if ranks > 1 else ()
        arguments = [
            *(warm.CLI, command, "--config", f"{CONFIGS}/{config}.yaml"),
            *("--data.dataset", SMALL, "--data.data_dir", str(small_data)),
            *("--trainer.max_epochs", "2", "--data.batch_size", "66", *place, *strategy, *options),
        ]
        if ranks == 1:  # which needs no process of its own
            status = main(arguments[1:])
            return SimpleNamespace(returncode=status, stdout=capsys.readouterr().out, stderr="")
        paths = {"PYTHONPATH": str(Path(__file__).parent)}
        status, output, problems = warm.run(arguments, **paths)
        return SimpleNamespace(returncode=status, stdout=output, stderr=problems)

    return call


def folder(name):
    return Path("tb_logs", name, "seed_42")


def checkpoint(name):
    return torch.load(folder(name) / "checkpoints" / "last.ckpt", weights_only=True)


def test_three_ranks_test_exactly_as_one(launch):
    done = launch("fit", 1, "--name", "a")
    assert done.returncode == 0, done.stderr
    said, tables = {}, {}
    for ranks in (1, 3):
        done = launch("test", ranks, "--name", "a", "--data.eval_batch_size", "7")
        assert done.returncode == 0, done.stderr
        said[ranks] = json.loads((folder("a") / "results.json").read_text())
        tables[ranks] = (folder("a") / "predictions.csv").read_text().splitlines()
        assert done.stdout.count("test_acc") == 1
    assert said[1]["test_errors"] == said[3]["test_errors"]
    assert said[1]["test_images"] == said[3]["test_images"] == 101
    assert said[1]["test_loss"] == pytest.approx(said[3]["test_loss"], rel=1e-5)
    alone, together = (said[ranks]["calibration"] for ranks in (1, 3))
    assert together["val_images"] == alone["val_images"] == 100
    assert together["temperature"] == pytest.approx(alone["temperature"], rel=1e-3)
    for one, other in zip(alone["abstention"], together["abstention"], strict=True):
        assert other["threshold"] == pytest.approx(one["threshold"], abs=1e-4)
        assert other["val_errors"] == one["val_errors"]
    heads = {r: [line.split(",")[:3] for line in table] for r, table in tables.items()}
    assert heads[1] == heads[3]


def test_two_ranks_keep_the_best_of_a_net_with_batch_norm(launch):
    # each rank's running statistics are its own until DDP validates with those of the first
    done = launch("fit", 2, "--trainer.max_epochs", "1", config="fast")
    assert done.returncode == 0, done.stderr
    found = json.loads((folder("fast") / "results.json").read_text())
    best = torch.load(folder("fast") / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == found["best_epoch"] == 0
    last = checkpoint("fast")["state_dict"]
    assert all(torch.equal(value, last[name]) for name, value in best["state_dict"].items())


def test_ranks_share_what_is_unfrozen_and_what_a_module_logs_or_warn(launch):
    # the shares of 500 and of 100 images are not equal on three ranks
    own = ("--model", "no_dropout.OwnScores", "--trainer.callbacks", "no_dropout.Unfreeze")
    more = ("--trainer.precision", "32-true", "--trainer.max_epochs", "3")
    losses = []
    for ranks in (1, 3):
        done = launch("fit", ranks, *own, *more, "--name", f"on{ranks}", config="dense")
        assert done.returncode == 0, done.stderr
        with (folder(f"on{ranks}") / "metrics.csv").open(newline="") as file:
            losses.append([float(row["val_loss"]) for row in csv.DictReader(file)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    one, three = (checkpoint(f"on{ranks}")["state_dict"] for ranks in (1, 3))
    for key, value in one.items():
        torch.testing.assert_close(three[key], value, atol=1e-5, rtol=1e-4)
    warned = re.findall(r"self\.log\('(\w+)', ..., sync_dist=True\)", done.stderr)
    assert warned == ["val_acc"]


def test_any_number_of_ranks_takes_the_steps_of_one(launch):
    # no augmentation and no dropout, so that nothing but rounding may differ; the last batch,
    # 500 - 7 * 66 = 38 images, cannot be divided among three ranks
    model = ("--model", "no_dropout.LinearModule", "--trainer.max_epochs", "1")
    exact = ("--trainer.precision", "32-true")  # whatever suits this machine
    for name, ranks in (("one", 1), ("two", 2), ("three", 3)):
        done = launch("fit", ranks, "--name", name, *model, *exact, config="dense")
        assert done.returncode == 0, done.stderr
    one = checkpoint("one")
    for name in ("two", "three"):
        other = checkpoint(name)
        assert one["global_step"] == other["global_step"] == 8
        for key, value in one["state_dict"].items():
            torch.testing.assert_close(other["state_dict"][key], value, atol=1e-5, rtol=1e-4)


def test_a_batch_that_cannot_be_divided_is_refused(launch):
    done = launch("fit", 2, "--data.batch_size", "61")
    assert done.returncode == 2
    assert re.fullmatch(r"error: --data\.batch_size 61 [^\n]+\n", done.stderr)  # not by each rank
    assert "a multiple of 2, or fewer --trainer.devices" in done.stderr

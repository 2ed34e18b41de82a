"""What a user's CheckpointIO writes can be read again, or is refused at the first save."""

import gzip
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.plugins.io import AsyncCheckpointIO, CheckpointIO, TorchCheckpointIO

from lit_mnist.main import main
from lit_mnist.models import DenseModule
from lit_mnist.runs import digests, entries
from tests.fitting import fitted
from tests.stopping import RUN, checkpoint


class Plain(CheckpointIO):
    """As Lightning's documentation shows one."""

    saved = 0

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        self.saved += 1
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.save(checkpoint, path)

    def load_checkpoint(self, path, map_location=None, weights_only=None):
        return torch.load(path, map_location=map_location, weights_only=weights_only)

    def remove_checkpoint(self, path):
        os.remove(path)


class Below(TorchCheckpointIO):
    """Calls Lightning's own."""

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        super().save_checkpoint(checkpoint, path, storage_options)


class Zipped(Plain):
    """Of another format."""

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with gzip.open(path, "wb") as file:
            torch.save(checkpoint, file)


class Slowly(Plain):
    """Writes the second half of each file on a thread of its own."""

    thread = None

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        super().save_checkpoint(checkpoint, path)
        content, file = Path(path).read_bytes(), Path(path)
        file.write_bytes(content[: len(content) // 2])
        self.thread = threading.Timer(0.5, file.write_bytes, [content])
        self.thread.start()

    def teardown(self):
        self.thread.join()


class Beside(AsyncCheckpointIO):
    """Writes the other format beside the training."""

    def __init__(self):
        super().__init__(Zipped())


class Numbers(DenseModule):
    """Saves a NumPy number."""

    def on_save_checkpoint(self, checkpoint):
        checkpoint["mine"] = np.float64(1.5)


class Asks(DenseModule):
    """Asks the plugin, which is still the user's."""

    def on_train_end(self):
        print(f"{self.trainer.strategy.checkpoint_io.saved} saved")


def plugin(kind):
    return "--trainer.plugins", f"{__name__}.{kind.__name__}"


@pytest.mark.parametrize("kind", [Plain, Below])
def test_what_a_plugin_of_ones_own_writes_is_read_again(run_cli, kind):
    options = ("--model", f"{__name__}.Numbers", *plugin(kind))
    fitted(run_cli("fit", *options, "--trainer.max_epochs", "1"))
    saved = checkpoint("last")
    assert type(saved["mine"]) is float
    assert entries.get(saved, entries.WEIGHTS) == digests.of_weights(saved["state_dict"])
    assert "resum" in fitted(run_cli("fit", *options))
    assert run_cli("test", *options)[0] == 0


def test_a_file_that_a_thread_has_not_written_yet_is_waited_for(run_cli):
    fitted(run_cli("fit", *plugin(Slowly), "--trainer.max_epochs", "1"))
    assert checkpoint("last")["epoch"] == 0


def test_the_plugin_is_still_the_users(run_cli):
    output = fitted(run_cli("fit", "--model", f"{__name__}.Asks", *plugin(Plain)))
    assert "4 saved" in output


class ReadOnly(Plain):
    """Gives what saves by a property."""

    @property
    def save_checkpoint(self):
        return super().save_checkpoint


def test_a_method_that_cannot_be_replaced_is_refused_in_one_line(run_cli):
    status, _, problems = run_cli("fit", *plugin(ReadOnly))
    assert status == 2
    assert problems.startswith("error: --trainer.plugins ReadOnly: its save_checkpoint cannot be ")
    assert problems.count("\n") == 1


@pytest.mark.parametrize(("kind", "name"), [(Zipped, "Zipped"), (Beside, "Zipped")])
def test_another_format_is_refused_at_the_first_save(run_cli, kind, name):
    status, output, problems = run_cli("fit", *plugin(kind), "--trainer.max_epochs", "9")
    assert status == 2
    assert problems.startswith(f"error: --trainer.plugins {name}: nothing could resume from ")
    assert problems.endswith(f"or leave {name} out\n")
    assert "epoch 3" not in output
    assert not list((RUN / "checkpoints").glob("*"))
    assert "epoch 1" in fitted(run_cli("fit"))


def test_a_users_own_file_may_be_of_any_format(run_cli):
    nothing = ("--trainer.enable_checkpointing", "false")
    fitted(run_cli("fit", "--model", f"{__name__}.Exports", *plugin(Zipped), *nothing))
    with gzip.open("mine.ckpt") as file:
        assert "state_dict" in torch.load(file, weights_only=True)


class Exports(DenseModule):
    """Saves a file of its own."""

    def on_train_end(self):
        self.trainer.save_checkpoint(Path("mine.ckpt").resolve())


def test_a_committee_refuses_it_with_its_first_member(members, here, capsys, in_process):
    assert main(["committee", *members, "--members", "2", *plugin(Zipped)]) == 2
    problems = capsys.readouterr().err
    assert "error: --trainer.plugins Zipped: " in problems
    assert json.loads(next(Path("tb_logs").rglob("results.json")).read_text())["status"]

"""What `fit` prints if there is no best checkpoint, and how it says to test."""

import json
import math
import os
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from lit_mnist.commands.fit_messages import why_no_best
from lit_mnist.main import main
from lit_mnist.models import DenseModule
from tests.conftest import SMALL


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"val_loss": 0.1, "val_acc": 0.9}, "the weights changed after each validation"),
        ({"val_loss": 0.1, "val_acc": math.nan}, "the model logs no number as val_acc"),
        ({"val_loss": math.nan, "val_acc": math.nan}, "nothing was validated"),
    ],
)
def test_the_reason_for_a_missing_best_checkpoint_is_given(row, message):
    run = SimpleNamespace(history=lambda: [row], last=Path("last.ckpt"), exists=lambda: True)
    assert why_no_best(run).startswith(message)
    run.exists = lambda: False
    assert why_no_best(run) == "no checkpoint was kept"


class OwnNames(DenseModule):
    """Logs its validation under names of its own."""

    def validation_step(self, batch, batch_idx):
        self.log("v/loss", self.score(batch, self(batch.images), self.val_scores))


def test_a_validation_under_other_names_is_one(run_cli):
    named = ("--model", f"{__name__}.OwnNames", "--trainer.max_epochs", "1")
    status, output, problems = run_cli("fit", *named)
    assert status == 0, problems
    assert (
        "the model logs no number as val_acc, by which the best is chosen, so there is no best"
        in output
    )


@pytest.mark.parametrize(
    ("options", "given", "own"),
    [
        ((), (), "best"),
        ((), ("--ckpt_path", "null"), "best"),
        (("--trainer.limit_val_batches", "0"), (), "last"),
    ],
)
def test_what_is_printed_tests_the_run_although_its_config_names_where_it_began(
    run_cli, capsys, options, given, own
):
    assert run_cli("fit", *options, "--name", "start", "--trainer.max_epochs", "1")[0] == 0
    start = "tb_logs/start/seed_42/checkpoints/last.ckpt"
    Path("from.yaml").write_text(f"ckpt_path: {start}\n")
    same = ("--config", "from.yaml", "--name", "new", *options)
    status, output, problems = run_cli("fit", *same, *given)
    assert status == 0, problems
    line = re.search(r"next: \S.*? (test .*)", output).group(1)
    assert main(shlex.split(line)) == 0
    capsys.readouterr()
    results = json.loads(Path("tb_logs/new/seed_42/results.json").read_text())
    assert results["test_checkpoints"] == [f"checkpoints/{own}.ckpt"]
    problems = run_cli("validate", "--config", "from.yaml", "--name", "new")[2]
    told = f"{start}: not of tb_logs/new/seed_42; --ckpt_path {own} takes its {own}.ckpt\n"
    assert problems == told


@pytest.fixture
def piped(small_data, here):
    """A pipe that holds a config."""
    reading, writing = os.pipe()
    data = f"{{dataset: {SMALL}, data_dir: {small_data}, batch_size: 60}}"
    trainer = "{max_epochs: 1, accelerator: cpu}"
    os.write(writing, f"model: DenseModule\ndata: {data}\ntrainer: {trainer}\n".encode())
    os.close(writing)
    yield f"/dev/fd/{reading}"
    os.close(reading)


def test_a_config_that_is_a_pipe_gives_no_name(piped, capsys):
    assert main(["fit", "--config", piped]) == 2
    assert (
        capsys.readouterr().err
        == "error: --config: a pipe gives the run no name; add --name NAME\n"
    )
    assert not Path("tb_logs").exists()


def test_what_is_printed_does_not_read_a_pipe_again(piped, capsys, no_pictures):
    assert main(["fit", "--config", piped, "--name", "mine"]) == 0
    line = re.search(r"next: \S.*? (test .*)", capsys.readouterr().out).group(1)
    assert line == "test --config tb_logs/mine/seed_42/config.yaml"
    assert main(shlex.split(line)) == 0
    assert "test_acc" in json.loads(Path("tb_logs/mine/seed_42/results.json").read_text())


def test_no_limit_is_to_be_raised_where_a_callback_has_ended_the_run(run_cli):
    stops = ("--model", "tests.recipes.AsksAfterValidation", "--name", "stopped")
    assert run_cli("fit", *stops)[0] == 0
    output = run_cli("fit", *stops)[1]
    assert output.endswith("ended by a callback.\nTo start afresh, add --fresh.\n")
    assert run_cli("fit", "--trainer.max_epochs", "1")[0] == 0
    again = "\nTo train on, raise that limit; to start afresh, add --fresh.\n"
    assert again in run_cli("fit", "--trainer.max_epochs", "1")[1]


def test_a_user_s_model_checkpoint_that_is_not_used_is_not_spoken_of(run_cli, recwarn):
    keeps = ("--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.filename", "mine")
    assert run_cli("fit", "--trainer.max_epochs", "1", *keeps)[0] == 0
    recwarn.clear()
    status, _, problems = run_cli("validate", *keeps)
    assert (status, "dirpath" in problems) == (0, False)
    assert not [one for one in recwarn if "dirpath" in str(one.message)]


@pytest.mark.parametrize(("wanted", "told"), [("17", False), ("18", False), ("19", True)])
def test_a_minimum_of_steps_that_the_epochs_end_before_is_told(run_cli, wanted, told):
    """Two epochs of nine steps."""
    status, output, _ = run_cli("fit", "--trainer.min_steps", wanted)
    assert status == 0
    line = (
        f"\n--trainer.min_steps {wanted} is not reached: --trainer.max_epochs 2 ended training"
        " after 18 steps; raise it to train on\n"
    )
    assert (line in output) == told
    assert ("is not reached" in output) == told

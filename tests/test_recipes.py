"""Recipes and callbacks of a user, and Trainer options, through the real program."""

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lit_mnist
from lit_mnist.data import MNISTDataModule
from lit_mnist.main import main
from lit_mnist.runs.folder import COLUMNS
from tests import kept
from tests.conftest import equal_weights
from tests.fitting import callback, column, fitted, recipe, rows
from tests.no_dropout import LinearModule
from tests.recipes import Late
from tests.trained import contents


def test_an_epoch_schedule_is_stepped_by_lightning(run_cli, shared):
    kept.fitted(shared, run_cli, *recipe("Cosine"), "--trainer.max_epochs", "4")
    expected = [0.002, 0.001707107, 0.001, 0.000292893]  # 0.001 (1 + cos(pi epoch / 4))
    assert column("lr", "Cosine") == pytest.approx(expected, rel=1e-5)


def test_a_step_schedule_is_stepped_and_hooks_need_no_super_call(run_cli):
    fitted(run_cli("fit", *recipe("OneCycle"), "--trainer.max_epochs", "4"))
    adam = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 0.01, total_steps=36)
    rates = []
    for _ in range(36):
        rates.append(adam.param_groups[0]["lr"])
        adam.step()
        schedule.step()
    # what metrics.csv tells is the rate of an epoch's last step, of nine
    assert column("lr", "OneCycle") == pytest.approx(rates[8::9], rel=1e-5)
    losses = column("train_loss", "OneCycle")
    assert losses == sorted(losses, reverse=True)
    assert {row["train_acc"] for row in rows("OneCycle")} == {""}  # which nobody has measured


def test_a_module_without_an_optimizer_has_no_rate(run_cli):
    once = (*recipe("NoOptimizer"), "--trainer.max_epochs", "1")
    fitted(run_cli("fit", *once))
    assert [row["lr"] for row in rows("NoOptimizer")] == [""]
    fitted(run_cli("test", *once))
    fitted(run_cli("fit", *recipe("NoOptimizer")))


def test_the_rate_is_that_of_the_optimizer_in_use(run_cli):
    one_step = ("--trainer.limit_train_batches", "1", "--trainer.max_epochs", "2")
    fitted(run_cli("fit", *callback("tests.recipes.NewOptimizer"), *one_step))
    assert column("lr") == [0.001, 0.005]


def test_arguments_passed_to_super_take_effect(run_cli):
    fitted(run_cli("fit", *recipe("Tenth"), "--trainer.max_epochs", "1"))
    assert column("lr", "Tenth") == [0.001]


@pytest.mark.parametrize("name", ["Cosine", "Fixed"])
def test_a_recipe_resumes_bit_identically(run_cli, shared, name):
    kept.fitted(shared, run_cli, *recipe(name), "--trainer.max_epochs", "4")
    for epochs in ("1", "3", "4"):
        parts = ("--name", "parts", "--trainer.max_epochs", epochs)
        fitted(run_cli("fit", *recipe(name), *parts))
    folders = (Path("tb_logs", place, "seed_42") for place in (name, "parts"))
    assert equal_weights(*folders, name="last")
    for key in ("train_loss", "train_acc", "val_loss", "lr"):
        assert column(key, name) == column(key, "parts")


def test_weight_averaging_resumes_bit_identically(run_cli):
    average = callback("EMAWeightAveraging", decay=0.9)
    fitted(run_cli("fit", *average, "--name", "whole"))
    for epochs in ("1", "2"):
        fitted(run_cli("fit", *average, "--trainer.max_epochs", epochs))
    folders = [Path("tb_logs", place, "seed_42") for place in ("whole", "dense")]
    assert equal_weights(*folders, name="last")


def test_the_last_checkpoint_holds_the_final_weight_average(run_cli, capsys):
    average = callback("StochasticWeightAveraging", swa_lrs=0.01, swa_epoch_start=1)
    output = fitted(run_cli("fit", *average, "--trainer.max_epochs", "3"))
    assert re.search(r"last.ckpt holds .* StochasticWeightAveraging set at the end", output)
    run = Path("tb_logs/dense/seed_42")
    assert "Unable to serialize" not in (run / "config.yaml").read_text()
    line = re.search(r"next: \S.*? (test .*)", output).group(1)
    assert main(shlex.split(line)) == 0
    known = json.loads((run / "results.json").read_text())
    assert known["test_checkpoints"] == ["checkpoints/last.ckpt"]
    told = "best.ckpt lacks the weights that were set at the end, such as an average: they are in"
    for command in ("validate", "test"):
        problems = run_cli(command)[2]
        assert f"{told} {run}/checkpoints/last.ckpt; --ckpt_path last takes the last" in problems
    lit_mnist.load(run)  # as `export` and `demo` do
    assert f"{told} {run}/checkpoints/last.ckpt; taking {run}/chec" in capsys.readouterr().err
    fitted(run_cli("fit", "--fresh"))
    assert told not in run_cli("validate")[2]


def test_other_callbacks_see_the_current_epoch_s_loss(run_cli):
    output = fitted(run_cli("fit", *callback("tests.recipes.Watching")))
    seen = [float(line.split()[2]) for line in output.splitlines() if line.startswith("seen")]
    assert seen == column("train_loss")


def test_logged_values_have_columns_of_their_own(run_cli):
    options = (*callback("LearningRateMonitor"), "--trainer.check_val_every_n_epoch", "2")
    output = fitted(run_cli("fit", *recipe("OddModule"), *options))
    assert "steps 50: an epoch has only 9 batches, so few or no values of noise are" in output
    own = ["started", "highest", "noise", "lr-Adam"]
    assert sorted(rows("OddModule")[0]) == sorted([*COLUMNS, *own])
    assert list(rows("OddModule")[0])[: len(COLUMNS)] == list(COLUMNS)
    assert column("started", "OddModule") == [0, 1]
    assert column("lr-Adam", "OddModule") == column("lr", "OddModule")
    mean, highest = column("train_loss", "OddModule"), column("highest", "OddModule")
    assert all(one < other for one, other in zip(mean, highest, strict=True))


def test_what_a_module_does_at_the_end_of_an_epoch_and_of_training_counts(run_cli):
    output = fitted(run_cli("fit", *recipe("Finishing"), "--trainer.max_epochs", "2"))
    assert [(row["train_acc"], row["lr"]) for row in rows("Finishing")] == [("0.5", "0.25")] * 2
    assert "last.ckpt holds the weights that Finishing set at the end" in output
    last = torch.load("tb_logs/Finishing/seed_42/checkpoints/last.ckpt", weights_only=True)
    assert (last["state_dict"]["net.1.weight"] == 0.5).all()


def test_numpy_numbers_are_saved_as_plain_numbers(run_cli):
    state = callback("tests.recipes.NumpyState")
    fitted(run_cli("fit", *state, "--trainer.max_epochs", "1"))
    last = Path("tb_logs/dense/seed_42/checkpoints/last.ckpt")
    assert torch.load(last, weights_only=True)["callbacks"]["NumpyState"] == {"best": 0.5}
    assert "resuming after epoch 0" in fitted(run_cli("fit", *state))


@pytest.mark.parametrize("name", ["OddState", "LateOddState"])
def test_state_that_cannot_be_loaded_is_refused_before_it_is_saved(run_cli, name):
    status, output, problems = run_cli("fit", *callback(f"tests.recipes.{name}"))
    assert status == 2
    told = rf"error: .*callbacks.{name}.best is a builtins.object[^\n]*\n"
    assert re.fullmatch(told, problems)
    assert ("epoch   0" in output) == (name == "LateOddState")
    assert not list(Path("tb_logs").rglob("*.ckpt"))
    assert Path("tb_logs").exists() == (name == "LateOddState")


def test_a_fresh_start_with_such_a_state_leaves_the_run_as_it_is(run_cli, shared):
    kept.fitted(shared, run_cli)
    before = contents(Path("tb_logs/dense/seed_42/checkpoints"))
    assert run_cli("fit", "--fresh", *callback("tests.recipes.OddState"))[0] == 2
    assert contents(Path("tb_logs/dense/seed_42/checkpoints")) == before


@pytest.mark.parametrize("algorithm", ["norm", "value"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradient_clipping_equals_pytorch_s(run_cli, small_data, precision, algorithm):
    linear = ("--model", "tests.no_dropout.LinearModule", "--trainer.max_epochs", "1")
    clip = ("--trainer.gradient_clip_val", "0.01", "--trainer.gradient_clip_algorithm", algorithm)
    fitted(run_cli("fit", *linear, *clip, "--trainer.precision", precision, "--name", "clipped"))
    last = torch.load("tb_logs/clipped/seed_42/checkpoints/last.ckpt", weights_only=True)

    data = MNISTDataModule(small_data, "KMNIST", batch_size=60, seed=42)
    data.setup("fit")
    torch.manual_seed(42)
    net = LinearModule().net
    adam = torch.optim.Adam(net.parameters(), eps=1e-7)
    clips = {"norm": nn.utils.clip_grad_norm_, "value": nn.utils.clip_grad_value_}
    for batch in data.train_dataloader():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            logits = net(batch.images.unsqueeze(1) / 255)
        adam.zero_grad()
        nn.functional.cross_entropy(logits.float(), batch.labels).backward()
        clips[algorithm](net.parameters(), 0.01)
        adam.step()
    for name, weights in net.state_dict().items():
        assert torch.allclose(last["state_dict"][f"net.{name}"], weights, rtol=1e-4, atol=1e-6)


def test_a_user_s_checkpoint_may_not_replace_best_or_last(run_cli):
    for name, options in (
        ("best", {"filename": "best"}),
        ("last", {"filename": "last"}),
    ):
        taken = callback("ModelCheckpoint", monitor="val_loss", **options)
        status, _, problems = run_cli("fit", *taken)
        assert status == 2
        assert re.fullmatch(rf"error: [^\n]+/{name}\.ckpt, which is [^\n]+\n", problems)
    assert not list(Path("tb_logs").rglob("*.ckpt"))


class OtherNames(LinearModule):
    """Logs the scores of its evaluation under names of its own."""

    def validation_step(self, batch, batch_idx):
        self.log("val/right", (self(batch.images).argmax(1) == batch.labels).float().sum() / 4)

    def test_step(self, batch, batch_idx):
        self.log("test/images", float(len(batch.labels)), reduce_fx="sum")
        self.log("test/half", 0.5)

    def val_dataloader(self):
        raise AssertionError


def test_a_loader_of_a_module_s_own_is_said_not_to_be_called(run_cli):
    own = ("--model", f"{__name__}.OtherNames", "--trainer.max_epochs", "1")
    told = "OtherNames.val_dataloader is not called: the images are those of --data"
    for command, expected in (("fit", 1), ("validate", 1), ("test", 0)):
        status, _, problems = run_cli(command, *own)
        assert status == 0
        assert problems.count(told) == expected
        assert "train_dataloader" not in problems


def test_scores_under_a_module_s_own_names_are_shown(run_cli):
    own = ("--model", f"{__name__}.OtherNames", "--trainer.max_epochs", "1")
    fitted(run_cli("fit", *own))
    (row,) = rows()
    assert f"last.ckpt: val/right {float(row['val/right']):.4f}\n" in fitted(
        run_cli("validate", *own)
    )
    assert "last.ckpt: test/images 101.0000  test/half 0.5000\n" in fitted(run_cli("test", *own))


def test_late_layers_extra_checkpoint_entries_and_a_logits_test_step(run_cli, small_data):
    late = (*recipe("Late"), "--trainer.max_epochs", "1")
    fitted(run_cli("fit", *late))
    fitted(run_cli("fit", *late[:-1], "2"))
    assert "no scores were logged" in fitted(run_cli("test", *late[:-1], "2"))

    run = Path("tb_logs/Late/seed_42")
    data = MNISTDataModule(small_data, "KMNIST")
    data.setup("test")
    predicted = lit_mnist.load(run, [Late]).predict(data.test_set.images).probabilities
    with (run / "predictions.csv").open(newline="") as file:
        written = [[float(row[f"p{digit}"]) for digit in range(10)] for row in csv.DictReader(file)]
    assert predicted == pytest.approx(np.array(written), abs=1e-6)
    loss = nn.functional.nll_loss(torch.tensor(written).log(), data.test_set.labels.long())
    results = json.loads((run / "results.json").read_text())
    assert results["test_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_requested_output_is_printed(run_cli, caplog):
    options = callback("EarlyStopping", monitor="val_loss", verbose="true")
    options += ["--trainer.enable_model_summary", "true", "--trainer.profiler", "simple"]
    status, output, problems = run_cli("fit", *options)
    assert status == 0
    problems += output + caplog.text
    for expected in ("Metric val_loss improved", "Trainable params", "run_training_epoch"):
        assert expected in problems
    for noise in ("available: ", "Tip: ", "`Trainer.fit` stopped"):
        assert noise not in problems


def test_only_real_validations_count(run_cli):
    every = ("--trainer.check_val_every_n_epoch", "2", "--trainer.max_epochs", "6")
    plateau = ("--model.plateau", "true", "--model.patience", "2")
    output = fitted(run_cli("fit", *every, *plateau))
    assert "best val_acc 1.0000 at epoch 1;" in output
    validated = [row["val_acc"] != "" for row in rows()]
    assert validated == [False, True, False, True, False, True]
    # val_acc is 1 at epochs 1, 3 and 5: the second without an improvement is the last
    assert column("lr") == [0.001] * 6


def test_a_value_that_is_called_as_a_measured_column_is_kept_beside_it(run_cli):
    fitted(run_cli("fit", *recipe("LogsSeconds")))
    assert column("logged_seconds", "LogsSeconds") == [1234.5] * 2
    assert max(column("seconds", "LogsSeconds")) < 1000
    assert column("logged_epoch", "LogsSeconds") == [1, 2]
    assert column("epoch", "LogsSeconds") == [0, 1]
    assert [*rows("LogsSeconds")[0]][7:] == ["logged_seconds", "logged_epoch"]


def test_a_value_has_the_digits_of_its_precision(run_cli):
    fitted(run_cli("fit", *recipe("LogsDoubles"), "--trainer.max_epochs", "1"))
    assert [rows("LogsDoubles")[0][name] for name in ("double", "single")] == [
        *("1.23456789012345", "1.234568")
    ]


def test_a_run_without_checkpoints_is_reported(run_cli):
    output = fitted(run_cli("fit", "--trainer.enable_checkpointing", "false"))
    assert "no checkpoint was kept" in output
    assert "next: tensorboard" in output
    assert len(rows()) == 2
    assert not list(Path("tb_logs").rglob("*.ckpt"))


def test_no_checkpoint_of_the_start_is_kept_either(run_cli):
    fitted(run_cli("fit", "--trainer.max_epochs", "1"))
    start = "tb_logs/dense/seed_42/checkpoints/last.ckpt"
    more = ("--trainer.max_epochs", "2", "--trainer.enable_checkpointing", "false")
    output = fitted(run_cli("fit", "--name", "more", "--ckpt_path", start, *more))
    assert "no checkpoint was kept, so there is nothing to test" in output
    assert not [*Path("tb_logs/more").rglob("*.ckpt")]


def test_a_timer_callback_is_accepted(run_cli):
    fitted(run_cli("fit", *callback("Timer", duration="00:01:00:00"), "--trainer.max_epochs", "1"))


def test_barebones_is_refused(run_cli):
    status, _, problems = run_cli("fit", "--trainer.barebones", "true")
    assert status == 2
    assert re.fullmatch(r"error: --trainer.barebones: [^\n]+\n", problems)


def test_sums_are_exact_in_half_precision(run_cli):
    fitted(run_cli("fit", "--trainer.precision", "bf16-true", "--trainer.max_epochs", "1"))
    fitted(run_cli("test"))


def test_a_suggested_rate_is_used(run_cli, caplog):
    sweep = callback("LearningRateFinder", num_training_steps=18, early_stop_threshold="null")
    cycle = ("--data.batch_size", "20", "--model.one_cycle", "true")
    assert "epoch   1" in fitted(run_cli("fit", *sweep, *cycle))
    rate = float(re.search(r"Learning rate set to (\S+)", caplog.text).group(1))
    assert 1e-8 < rate != 0.001
    adam = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=50)
    rates = [schedule.get_last_lr()[0]]
    for _ in range(49):
        adam.step()
        schedule.step()
        rates += schedule.get_last_lr()
    assert column("lr") == pytest.approx(rates[24::25], rel=1e-5)


@pytest.mark.parametrize("name", ["BackboneFinetuning", "BaseFinetuning"])
def test_a_callback_unfit_for_the_model_is_reported(run_cli, name):
    status, _, problems = run_cli("fit", "--trainer.callbacks", name)
    assert status == 2
    assert problems.count("\n") == 1
    assert "--trainer.callbacks: finetuning cannot work with this model" in problems

"""Checkpoints from anywhere, given to each command: one line, exit status 2, nothing lost."""

import os
import re
import sys
from pathlib import Path

import pytest
import torch
import trained
from conftest import CONFIGS, SMALL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trained import BEST, LAST, change

from lit_mnist import checkpoints
from lit_mnist.errors import UserError
from lit_mnist.main import main

ON = ("--trainer.max_epochs", "3")


@pytest.fixture(scope="module")
def runs(small_data, tmp_path_factory):
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("trained")
    options = ["--config", f"{CONFIGS}/simple_plateau.yaml", "--trainer.max_epochs", "2"]
    options += ["--data.dataset", SMALL, "--data.data_dir", str(small_data)]
    options += ["--data.batch_size", "60", "--trainer.accelerator", "cpu"]
    assert main(["fit", *options, "--log_dir", str(folder / "tb_logs")]) == 0
    return folder / "tb_logs"


@pytest.fixture
def command(run_cli, runs, here):
    """The command line, in a folder with the trained run."""
    trained.copy(runs, here)
    return lambda name, *options: run_cli(name, *options, config="simple_plateau")


def refused(outcome, *words):
    status, _, problems = outcome
    assert status == 2
    assert re.fullmatch(r"error: [^\n]+\n", problems)
    for word in words:
        assert word in problems


def put(*path):
    """Gives a change that sets the last of `path`, or removes the one before ... if that is it."""
    *way, key, value = path

    def action(checkpoint):
        for step in way:
            checkpoint = checkpoint[step]
        if value is ...:
            del checkpoint[key]
        else:
            checkpoint[key] = value

    return action


def first_weight(action):
    def change_weights(checkpoint):
        weights = checkpoint["state_dict"]
        name = next(iter(weights))
        weights[name] = action(weights[name])

    return change_weights


ADAM = ("optimizer_states", 0, "state", 0)
LOOP = ("loops", "fit_loop")
BROKEN = {  # what a whole network may lack to be trained on, and how it is told
    "no optimizer": (put("optimizer_states", ...), "optimizer_states is missing"),
    "no optimizers": (put("optimizer_states", []), "optimizer_states has not 1 items"),
    "no moments": (put(*ADAM, ...), "optimizer_states.0.state.0 is missing"),
    # PyTorch's fused Adam would write behind the end of it
    "short moments": (put(*ADAM, "exp_avg", torch.zeros(3)), "exp_avg is no tensor (10, 1, 5, 5)"),
    "moments of text": (put(*ADAM, "exp_avg", "x"), "exp_avg is no tensor"),
    "moments of integers": (
        put(*ADAM, "exp_avg", torch.zeros(10, 1, 5, 5, dtype=torch.int64)),
        "exp_avg holds no finite numbers",
    ),
    "moments of NaN": (
        put(*ADAM, "exp_avg", torch.full((10, 1, 5, 5), torch.nan)),
        "exp_avg holds no finite numbers",
    ),
    "rate of NaN": (put("optimizer_states", 0, "param_groups", 0, "lr", torch.nan), "lr is no"),
    "one beta": (put("optimizer_states", 0, "param_groups", 0, "betas", (0.9,)), "betas has not 2"),
    "no schedule": (put("lr_schedulers", []), "lr_schedulers has not 1 items"),
    "schedule of text": (put("lr_schedulers", 0, "best", "x"), "lr_schedulers.0.best is no number"),
    "no loops": (put("loops", ...), "loops is missing"),
    "loops of a list": (put("loops", []), "its loops is of another type"),
    "no progress": (put(*LOOP, "epoch_progress", ...), "epoch_progress is missing"),
    "epochs of text": (
        put(*LOOP, "epoch_progress", "current", "processed", "x"),
        "processed is no number",
    ),
    "a place of text": (
        put(*LOOP, "state_dict", {"combined_loader": [{"epoch": 0, "step": "x"}]}),
        "step is no number",
    ),
    "sums of text": (put("train_scores", ["x"]), "train_scores has not 4 items"),
    "rows of text": (put("callbacks", "History", "rows", "x"), "rows are no rows"),
    "rows of others": (put("callbacks", "History", "rows", [{"a": 1}]), "rows are not those"),
    "no epoch": (put("epoch", ...), "epoch is missing"),
    "no weight": (put("state_dict", "net.0.bias", ...), "weights do not fit"),
}


@pytest.mark.parametrize(("action", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_last_checkpoint_is_named_and_passed_over_or_refused(command, action, said):
    change(LAST, action)
    status, output, problems = command("fit", *ON)
    assert (status, problems) == (0, "")
    line = next(line for line in output.splitlines() if "last.ckpt" in line)
    assert said in line
    assert "going on from best.ckpt" in line
    assert torch.load(LAST, weights_only=True)["epoch"] == 2


def test_if_both_are_broken_nothing_is_touched(command):
    for path in (LAST, BEST):
        change(path, put(*ADAM, "exp_avg", torch.zeros(3)))
    before = trained.contents()
    refused(command("fit", *ON), "last.ckpt: damaged", "exp_avg", "--fresh")
    assert trained.contents() == before


def test_a_version_that_is_none_is_told_when_lightning_finds_it(command):
    for path in (LAST, BEST):
        change(path, put("pytorch-lightning_version", "x"))
    refused(command("fit", *ON), "checkpoint", "InvalidVersion", "--fresh")


UNFIT = {  # what no command takes for a network, and how it is told
    "a shape": (first_weight(lambda w: w[:1]), "do not fit SimpleConvModule"),
    "integers": (first_weight(lambda w: w.long()), "do not fit SimpleConvModule"),
    "complex": (first_weight(lambda w: w.cfloat()), "is no weight"),
    "sparse": (first_weight(lambda w: w.to_sparse()), "sparse"),
    "no numbers at all": (first_weight(lambda w: w.to("meta")), "meta"),
    "a view": (first_weight(lambda w: torch.zeros(1).expand(10**9, 10**3)), "only a part"),
    "NaN": (first_weight(lambda w: w * torch.nan), "not all finite"),
    "infinity": (first_weight(lambda w: w / 0), "not all finite"),
    "text": (first_weight(lambda w: "x"), "is no weight"),
    "a number as a name": (put("state_dict", 5, torch.zeros(1)), "5 is no weight"),
    "one more": (put("state_dict", "y", torch.zeros(1)), "do not fit SimpleConvModule"),
    "hyperparameters of text": (put("hyper_parameters", "x"), "hyper_parameters"),
    "another framework": (lambda c: {"model": c["state_dict"], "epoch": 3}, "no Lightning"),
    "weights alone": (lambda c: dict(c["state_dict"]), "no Lightning"),
}


@pytest.mark.parametrize(("action", "said"), UNFIT.values(), ids=UNFIT)
def test_what_is_no_network_of_ours_is_refused_by_every_command(command, action, said):
    other = Path("other.ckpt")
    other.write_bytes(BEST.read_bytes())
    change(other, action)
    before = trained.contents()
    for name in ("test", "validate", "predict"):
        refused(command(name, "--ckpt_path", str(other)), "other.ckpt", said)
    refused(command("fit", "--name", "new", "--ckpt_path", str(other)), "other.ckpt", said)
    members = f"--model.checkpoints=['{BEST}', '{other}']"
    ensemble = command("test", "--model", "EnsembleModule", members)
    refused(ensemble, "other.ckpt", "" if "do not fit" in said else said)
    assert trained.contents() == before


NO_FILES = {
    "nothing": lambda path: None,
    "empty": Path.touch,
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "text": lambda path: path.write_text("hello"),
    "itself": lambda path: path.symlink_to(path),
    "no end": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_of_torch_is_refused_at_once(command, make):
    other = Path("other.ckpt")
    make(other)
    for name in ("fit", "test"):
        refused(command(name, "--name", "new", "--ckpt_path", str(other)), "other.ckpt")
    members = f"--model.checkpoints=['{BEST}', '{other}']"
    refused(command("test", "--model", "EnsembleModule", members), "other.ckpt")


def test_a_name_in_a_checkpoint_is_never_imported(command, here, monkeypatch):
    (here / "spy_module.py").write_text("raise SystemExit('imported')\nclass Spy: pass\n")
    monkeypatch.syspath_prepend(here)
    for path in (LAST, BEST):
        for key in ("_class_path", "_instantiator"):
            change(path, put("hyper_parameters", key, "spy_module.Spy"))
        change(path, put("callbacks", "spy_module.Spy", {"x": 1}))
        change(path, put("MNISTDataModule", "_class_path", "spy_module.Spy"))
        change(path, put("datamodule_hyper_parameters", {"_instantiator": "spy_module.Spy"}))
    for name in ("validate", "test"):
        assert command(name)[0] == 0
        assert command(name, "--ckpt_path", str(LAST))[0] == 0
    assert command("fit", *ON)[0] == 0
    assert command("fit", "--name", "new", "--ckpt_path", str(BEST), *ON)[0] == 0
    assert "spy_module" not in sys.modules


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_gives_a_checkpoint_or_one_line(runs, here, data):
    file = next(runs.rglob("best.ckpt"))
    raw = bytearray(file.read_bytes())
    # The pickle is at the start and the directory at the end; between them are the numbers
    places = st.integers(0, 8000) | st.integers(len(raw) - 4000, len(raw) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        raw[place] = byte
    (here / "a.ckpt").write_bytes(raw[: data.draw(st.none() | st.integers(0, len(raw)))])
    try:
        checkpoint = checkpoints.read(here / "a.ckpt")
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert all(weights.isfinite().all() for weights in checkpoint["state_dict"].values())

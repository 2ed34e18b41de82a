"""Hostile checkpoints, given to each command: one line, exit status 2, nothing lost."""

import os
import re
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints, entries
from tests import trained
from tests.trained import BEST, LAST, change, put

ON = ("--trainer.max_epochs", "3")


@pytest.fixture
def command(run_cli, trained_runs, here):
    """The command line, in a folder with the trained run."""
    trained.copy(trained_runs, here)
    return lambda name, *options: run_cli(name, *options, config="simple_plateau")


def refused(outcome, *words):
    status, _, problems = outcome
    assert status == 2
    assert re.fullmatch(r"error: [^\n]+\n", problems)
    for word in words:
        assert word in problems


def first_weight(action):
    def change_weights(checkpoint):
        weights = checkpoint["state_dict"]
        name = next(iter(weights))
        weights[name] = action(weights[name])

    return change_weights


ADAM = ("optimizer_states", 0, "state", 0)
# PyTorch's fused Adam would write behind the end of it
SHORT = put(*ADAM, "exp_avg", torch.zeros(3))


@pytest.mark.parametrize(
    ("action", "message"),
    [(SHORT, "exp_avg is not a tensor"), (put("loops", []), "its loops is of another type")],
)
def test_a_broken_last_checkpoint_is_reported_and_skipped(command, action, message):
    change(LAST, action)
    status, output, problems = command("fit", *ON)
    assert (status, problems) == (0, "")
    line = next(line for line in output.splitlines() if "last.ckpt" in line)
    assert message in line
    assert "resuming from best.ckpt" in line
    assert torch.load(LAST, weights_only=True)["epoch"] == 2


def test_if_both_checkpoints_are_broken_nothing_changes(command):
    for path in (LAST, BEST):
        change(path, SHORT)
    before = trained.contents()
    refused(command("fit", *ON), "last.ckpt: damaged", "exp_avg", "--fresh")
    new = command("fit", "--name", "new", "--ckpt_path", str(LAST), *ON)
    refused(new, "last.ckpt: damaged", "exp_avg")
    assert trained.contents() == before


def test_an_invalid_lightning_version_is_reported(command):
    for path in (LAST, BEST):
        change(path, put("pytorch-lightning_version", "x"))
    refused(command("fit", *ON), "checkpoint", "InvalidVersion", "--fresh")


UNFIT = {  # weights that every command refuses, and the message
    "a shape": (first_weight(lambda w: w[:1]), "do not fit SimpleConvModule"),
    "integers": (first_weight(lambda w: w.long()), "do not fit SimpleConvModule"),
    "complex": (first_weight(lambda w: w.cfloat()), "do not fit SimpleConvModule"),
    "sparse": (first_weight(lambda w: w.to_sparse()), "sparse"),
    "no numbers at all": (first_weight(lambda w: w.to("meta")), "meta"),
    "a view": (first_weight(lambda w: torch.zeros(1).expand(10**9, 10**3)), "only a part"),
    "NaN": (first_weight(lambda w: w * torch.nan), "not all finite"),
    "infinity": (first_weight(lambda w: w / 0), "not all finite"),
    "text": (first_weight(lambda w: "x"), "is not a weight"),
    "a number as a name": (put("state_dict", 5, torch.zeros(1)), "5 is not a weight"),
    "one more": (put("state_dict", "y", torch.zeros(1)), "do not fit SimpleConvModule"),
    "hyperparameters of text": (put("hyper_parameters", "x"), "hyper_parameters"),
    "another framework": (lambda c: {"model": c["state_dict"], "epoch": 3}, "no Lightning"),
    "weights alone": (lambda c: dict(c["state_dict"]), "no Lightning"),
}


@pytest.mark.parametrize(("action", "message"), UNFIT.values(), ids=UNFIT)
def test_unfit_weights_are_refused_by_fit_test_and_predict(command, action, message):
    other = Path("other.ckpt")
    other.write_bytes(BEST.read_bytes())
    change(other, action)
    before = trained.contents()
    refused(command("test", "--ckpt_path", str(other)), "other.ckpt", message)
    members = f"--model.checkpoints=['{BEST}', '{other}']"
    ensemble = command("test", "--model", "EnsembleModule", members)
    refused(ensemble, "other.ckpt", "" if "do not fit" in message else message)
    assert trained.contents() == before


@pytest.mark.parametrize("name", ["fit", "validate", "predict"])
def test_unfit_weights_are_refused_by_the_other_commands(command, name):
    change(BEST, UNFIT["NaN"][0])
    refused(command(name, "--name", "new", "--ckpt_path", str(BEST)), "not all finite")


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
def test_files_not_written_by_torch_are_refused_at_once(command, make):
    other = Path("other.ckpt")
    make(other)
    refused(command("fit", "--name", "new", "--ckpt_path", str(other)), "other.ckpt")
    members = f"--model.checkpoints=['{BEST}', '{other}']"
    refused(command("test", "--model", "EnsembleModule", members), "other.ckpt")


def test_a_name_in_a_checkpoint_is_never_imported(command, here, monkeypatch):
    (here / "spy_module.py").write_text("raise SystemExit('imported')\nclass Spy: pass\n")
    monkeypatch.syspath_prepend(here)
    for path in (LAST, BEST):
        for key in ("_class_path", "_instantiator"):
            change(path, put("hyper_parameters", key, "spy_module.Spy"))
        change(path, put(entries.MODEL_CLASS, "spy_module.Spy"))
        change(path, put(entries.MODEL_OPTIONS, "class_path", "spy_module.Spy"))
        change(path, put("callbacks", "spy_module.Spy", {"x": 1}))
        change(path, put("MNISTDataModule", "_class_path", "spy_module.Spy"))
        change(path, put("datamodule_hyper_parameters", {"_instantiator": "spy_module.Spy"}))
    status, problems = command("validate", "--ckpt_path", str(LAST))[::2]
    assert status == 2
    assert "trained with spy_module.Spy" in problems
    assert command("fit", *ON)[0] == 0
    longer = ("--trainer.max_epochs", "5")
    assert command("fit", "--name", "new", "--ckpt_path", str(BEST), *longer)[0] == 0
    assert "spy_module" not in sys.modules


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_is_read_or_reported_in_one_line(trained_runs, here, data):
    file = next(trained_runs.rglob("best.ckpt"))
    raw = bytearray(file.read_bytes())
    # The pickle is at the start and the directory at the end; between them are the numbers
    places = st.integers(0, 8000) | st.integers(len(raw) - 4000, len(raw) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        raw[place] = byte
    (here / "a.ckpt").write_bytes(raw[: data.draw(st.none() | st.integers(0, len(raw)))])
    try:
        checkpoint = checkpoints.read(here / "a.ckpt")
    except UserError:
        return
    assert all(weights.isfinite().all() for weights in checkpoint["state_dict"].values())

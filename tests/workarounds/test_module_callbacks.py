"""Callbacks that a module's own `configure_callbacks` returns."""

import contextlib
import re

import pytest
from lightning.fabric.utilities import spike
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel

from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule
from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpointing import checkpoints_of
from lit_mnist.workarounds import applied
from tests.fitting import fitted, recipe
from tests.stopping import folder


def trainer(*callbacks):
    return Trainer(accelerator="cpu", logger=False, callbacks=list(callbacks), fast_dev_run=True)


@pytest.mark.parametrize(("changed", "place"), [(False, -1), (True, -4)])
def test_upstream_still_saves_ours_before_the_state_of_a_module_s_checkpoint(
    tmp_path, changed, place
):
    class Bringing(BoringModel):
        def configure_callbacks(self):
            return ModelCheckpoint(tmp_path / "own")

    trained = trainer(*checkpoints_of(Run(tmp_path)))
    with applied.module_callbacks() if changed else contextlib.nullcontext():
        trained.fit(Bringing())
    assert type(trained.callbacks[place]) is ModelCheckpoint


def test_a_module_s_callbacks_are_resumed_as_if_there_had_been_no_stop(run_cli):
    fitted(run_cli("fit", *recipe("Keeping"), "--name", "whole", "--trainer.max_epochs", "3"))
    for epochs in ("1", "2", "3"):
        parts = ("--name", "parts", "--trainer.max_epochs", epochs)
        fitted(run_cli("fit", *recipe("Keeping"), *parts))
    whole, parts = (folder(name) / "checkpoints" for name in ("whole", "parts"))
    names = {path.name for path in whole.iterdir()}
    assert {path.name for path in parts.iterdir()} == names
    assert len(names) == 3  # of the best by accuracy, of the best by loss, and the last


def test_a_module_s_spike_detection_is_no_hindrance_to_an_evaluation(run_cli):
    fitted(run_cli("fit", *recipe("Keeping"), "--trainer.max_epochs", "1"))
    for command in ("validate", "test"):
        assert run_cli(command, *recipe("Keeping"))[0] == 0


WRONG = {
    "one of Fabric": (spike.SpikeDetection, r"object of lightning\.fabric\S+\.SpikeDetection;"),
    "none": (lambda: [None], r"an object of builtins\.NoneType;"),
    "a class": (lambda: [Callback], r"the class lightning\.pytorch\S+\.Callback;"),
    "two with one state": (
        lambda: [EarlyStopping("val_loss"), EarlyStopping("val_loss")],
        r"Found more than one stateful callback of type `EarlyStopping`;",
    ),
}


@pytest.mark.parametrize(("brought", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("base", [BoringModel, DenseModule])
def test_what_is_no_callback_is_refused(here, base, brought, message):
    class Bringing(base):
        def configure_callbacks(self):
            return brought()

    with (
        applied.module_callbacks(),
        pytest.raises(UserError, match=rf"Bringing\.configure_callbacks.* {message} "),
    ):
        trainer().fit(Bringing())


def test_a_wrong_one_is_refused_in_one_line(run_cli):
    status, _, problems = run_cli("fit", *recipe("BringsNone"))
    assert status == 2
    assert re.fullmatch(r"error: BringsNone\.configure_callbacks returns [^\n]+\n", problems)

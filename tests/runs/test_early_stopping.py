"""A run that EarlyStopping has ended goes on with more patience, and with nothing else."""

import json

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason as Reason

from lit_mnist.errors import UserError
from lit_mnist.runs.folder import Run
from lit_mnist.runs.limits import Ends
from lit_mnist.runs.resume import resume_point
from tests.fitting import callback, fitted, recipe
from tests.stopping import results
from tests.trained import contents

LOSS, ACC = EarlyStopping("val_loss"), EarlyStopping("val_acc", mode="max")


def early(patience, **options):
    options = {"monitor": "val_acc", "mode": "max", "patience": patience} | options
    return ("fit", *callback("EarlyStopping", **options), "--trainer.max_epochs", "6")


def refused(outcome):
    status, _, problems = outcome
    assert status == 2
    (line,) = problems.splitlines()
    return line


def test_less_patience_than_a_run_was_ended_by_is_refused(run_cli):
    fitted(run_cli(*early(2, min_delta=2.0)))
    before = contents()
    assert results()["epochs"] == 3
    line = refused(run_cli(*early(1, min_delta=2.0)))
    assert f"made with other options (patience of {ACC.state_key}: 2, now 1)" in line
    over = f"To train on, give {ACC.state_key} a patience over 2; to start afresh, add --fresh."
    assert over in fitted(run_cli(*early(2, min_delta=2.0)))
    assert contents() == before
    fitted(run_cli(*early(3, min_delta=2.0)))
    assert results()["epochs"] == 4


def test_less_patience_of_the_module_is_refused(run_cli, monkeypatch):
    monkeypatch.setattr("tests.recipes.Patient.waits", 2)
    fitted(run_cli("fit", *recipe("Patient")))
    monkeypatch.setattr("tests.recipes.Patient.waits", 1)
    assert f"patience of {ACC.state_key}: 2, now 1" in refused(run_cli("fit", *recipe("Patient")))


def test_more_patience_is_refused_if_a_threshold_has_ended_the_run(run_cli):
    fitted(run_cli(*early(2, stopping_threshold=0.0)))
    before = contents()
    line = refused(run_cli(*early(3, stopping_threshold=0.0)))
    assert line == (
        f"error: patience of {ACC.state_key}: 2, now 3: has no effect, as EarlyStopping has ended"
        " the run by its stopping_threshold; choose another --name"
    )
    done = fitted(run_cli(*early(2, stopping_threshold=0.0)))
    assert done.endswith("ended by EarlyStopping.\nTo start afresh, add --fresh.\n")
    assert contents() == before


def state(waited, patience, reason=Reason.NOT_STOPPED):
    stopped = 2 if reason != Reason.NOT_STOPPED else 0
    own = {"wait_count": waited, "patience": patience, "stopped_epoch": stopped}
    return LOSS.state_dict() | own | {"stopping_reason": reason.value}


STOPPED = state(3, 3, Reason.PATIENCE_EXHAUSTED)


@pytest.fixture
def resumed(tmp_path):
    """Returns a function that resumes a run of three epochs with states of two callbacks."""

    def resume(loss, acc, *patience, status="complete", timer=None, **limits):
        run = Run(tmp_path / "a" / "seed_1")
        run.best.parent.mkdir(parents=True, exist_ok=True)
        config = {"trainer": {"max_epochs": 9, "callbacks": []}}
        run.config_yaml.write_text(json.dumps(config))
        run.update_results(status=status, ended_by="EarlyStopping")
        states = {LOSS.state_key: loss, ACC.state_key: acc}
        torch.save({"state_dict": {}, "epoch": 2, "global_step": 27, "callbacks": states}, run.last)
        ends = Ends(patience=dict(zip(states, patience, strict=True)))
        kind = {"class_path": "lightning.pytorch.callbacks.Timer", "init_args": {"duration": timer}}
        trainer = config["trainer"] | limits | {"callbacks": [kind] if timer else []}
        return resume_point(run, {"trainer": trainer}, ends=ends).ended

    return resume


def test_all_that_have_stopped_must_be_given_more_patience(resumed):
    ended = resumed(STOPPED, STOPPED, 3, 3)
    assert ended.why == "ended by EarlyStopping"
    parts = [f"{one.state_key} a patience over 3" for one in (LOSS, ACC)]
    assert ended.remedy == "give " + " and ".join(parts)
    assert resumed(STOPPED, STOPPED, 4, 4) is None
    assert resumed(STOPPED, state(1, 3), 4, 3) is None
    for now in ((4, 3), (3, 4)):
        with pytest.raises(UserError, match=r"has ended the run; give EarlyStopping.*over 3"):
            resumed(STOPPED, STOPPED, *now)
    with pytest.raises(UserError, match=r"val_acc.*: 3, now 9: has no effect.*val_loss.* over 3$"):
        resumed(STOPPED, state(1, 3), 3, 9)


def test_more_patience_is_more_than_the_wait_to_a_minimum(resumed):
    waited = state(7, 3, Reason.PATIENCE_EXHAUSTED)
    with pytest.raises(UserError, match="a patience over 7"):
        resumed(waited, state(0, 3), 5, 3)
    assert resumed(waited, state(0, 3), 8, 3) is None
    assert resumed(waited, state(0, 3), 5, 3, min_epochs=8) is None


@pytest.mark.parametrize(
    ("reason", "option"),
    [
        (Reason.NON_FINITE_METRIC, "check_finite"),
        (Reason.DIVERGENCE_THRESHOLD, "divergence_threshold"),
    ],
)
def test_no_patience_undoes_another_stop(resumed, reason, option):
    assert resumed(state(0, 3, reason), STOPPED, 3, 3).remedy == ""
    with pytest.raises(UserError, match=f"by its {option}; choose another --name"):
        resumed(state(0, 3, reason), STOPPED, 9, 9)


def test_neither_more_epochs_nor_another_timer_undo_a_stop(resumed):
    for change in ({"max_epochs": 12}, {"timer": "00:09:00:00"}):
        with pytest.raises(UserError, match="has no effect, as EarlyStopping has ended the run"):
            resumed(STOPPED, state(0, 3), 3, 3, **change)


def test_less_patience_for_a_killed_run_is_refused_as_its_earlier_waits_are_not_known(resumed):
    killed = {"status": "running"}
    assert resumed(state(0, 3), state(2, 3), 3, 4, **killed) is None
    for waited in (0, 2):
        with pytest.raises(UserError, match=r"val_acc.*: 3, now 1"):
            resumed(state(0, 3), state(waited, 3), 3, 1, **killed)


@pytest.mark.parametrize("damaged", [{"patience": "3"}, {"stopping_reason": [1]}, {}])
def test_a_state_that_is_damaged_or_without_patience_is_not_compared(resumed, damaged):
    assert resumed(damaged, [], 3, 3, status="running") is None

"""Plans: the state of a run, computed without changing it."""

import json
from pathlib import Path

import pytest
import torch

from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import committee_plans, plans
from lit_mnist.commands.sweep import Sweep
from lit_mnist.errors import UserError
from lit_mnist.runs.folder import Run

RUN = Path("tb_logs/dense/seed_42")


def planned(*args):
    return plans.plan(RunSpec.from_args(args))


def cut_back(epochs):
    """Rewrites `last.ckpt` as one with this number of finished epochs."""
    path = RUN / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] = epochs
    torch.save(content, path)
    Run(RUN).update_results(status="interrupted")


def test_planning_writes_nothing(members, here):
    plan = planned(*members, "--seed_everything", "7")
    assert (plan.config["seed_everything"], plan.label) == (7, "dense/seed_7")
    assert (plan.complete, plan.epochs_left) == (False, 3)
    assert not list(here.iterdir())


def test_a_trained_and_tested_run_is_recognised(members, trained):
    plan = planned(*members)
    assert (plan.complete, plan.epochs_left, plan.tested) == (True, 0, True)
    more = planned(*members, "--trainer.max_epochs", "8")
    assert (more.complete, more.epochs_left) == (False, 5)
    afresh = planned(*members, "--fresh")
    assert (afresh.complete, afresh.epochs_left) == (False, 3)


def test_a_run_without_a_limit_has_no_epochs_left(members, here):
    assert planned(*members, "--trainer.max_epochs", "-1").epochs_left == 0


def test_an_interrupted_run_has_epochs_left(members, trained):
    cut_back(1)
    plan = planned(*members)
    assert (plan.complete, plan.epochs_left) == (False, 2)


def test_a_run_killed_after_its_last_epoch_has_its_end_left(members, trained):
    cut_back(3)
    plan = planned(*members)
    assert (plan.complete, plan.epochs_left) == (False, 0)


@pytest.mark.parametrize("lost", ["predictions.csv", "results.json", "weights"])
def test_a_test_of_other_weights_or_without_predictions_is_invalid(members, trained, lost):
    if lost == "weights":
        other = Path("tb_logs/dense/seed_43/checkpoints/best.ckpt")
        other.replace(RUN / "checkpoints" / "best.ckpt")
    else:
        (RUN / lost).unlink()
    assert not planned(*members).tested


def test_an_updated_plan_reflects_changes_in_the_folder(members, trained):
    plan = planned(*members)
    assert plan.tested
    (RUN / "predictions.csv").unlink()
    assert plan.tested
    assert not plans.updated(plan).tested
    cut_back(1)
    again = plans.updated(plan)
    assert (again.complete, again.epochs_left) == (False, 2)
    assert (again.spec, again.run, again.config) == (plan.spec, plan.run, plan.config)


def test_runs_without_validation_form_a_committee(members, trained, monkeypatch, capsys):
    for number in (42, 43):
        Path(f"tb_logs/dense/seed_{number}/checkpoints/best.ckpt").unlink()
    own = seeds(members, 42, 43)
    assert [plan.complete for plan in own] == [True, True]
    assert committee_plans.plan(own).spec.settings["model.checkpoints"] == [
        f"tb_logs/dense/seed_{number}/checkpoints/last.ckpt" for number in (42, 43)
    ]
    monkeypatch.setattr(plans, "test", lambda _: None)
    committee_plans.test(own, "probabilities")
    assert capsys.readouterr().err == "".join(
        f"{one.run.best}: was deleted or moved; taking {one.run.last}\n" for one in own
    )


def test_several_devices_train_but_one_process_tests(members, here):
    plan = planned(*members, "--trainer.devices", "2", "--trainer.strategy", "ddp")
    assert int(plan.config["trainer"]["devices"]) == 1
    assert plan.config["trainer"]["strategy"] == "auto"
    assert plan.spec.typed[-4:] == ("--trainer.devices", "2", "--trainer.strategy", "ddp")


def test_other_options_are_refused(members, trained):
    with pytest.raises(UserError, match=r"dense/seed_42 was made with other options"):
        planned(*members, "--model.lr", "0.5")
    other = RunSpec.from_args([*members, "--model.lr", "0.5", "--seed_everything", "42"])
    assert plans.first_seed(other) == 42  # whatever lies in its folder


def test_options_refused_by_lightning_are_reported_before_training(members, here):
    with pytest.raises(UserError, match="--trainer: You have passed invalid value -3"):
        planned(*members, "--trainer.overfit_batches", "-3")


def seeds(members, *numbers):
    return [planned(*members, "--seed_everything", str(number)) for number in numbers]


def test_a_committee_inherits_folder_name_and_data_of_its_members(members, trained, no_pictures):
    own = seeds([*members, "--data.eval_batch_size", "7"], 42, 44)
    plan = committee_plans.plan(own, "logits")
    assert plan.label == "dense/committee_2"
    assert not plan.tested
    settings = plan.spec.settings
    assert settings["model.average"] == "logits"
    assert settings["model.checkpoints"] == [
        f"tb_logs/dense/seed_{k}/checkpoints/best.ckpt" for k in (42, 44)
    ]
    for key in ("dataset", "data_dir", "eval_batch_size", "split_seed", "download"):
        assert settings[f"data.{key}"] == own[0].config["data"][key]
    assert settings["trainer.accelerator"] == "cpu"
    plans.test(plan)
    assert Path("tb_logs/dense/committee_2/predictions.csv").exists()


def test_unusual_names_are_kept_for_the_committee(members, trained, no_pictures):
    Path("tb_logs/dense").rename("tb_logs/1e3")
    for path in Path("tb_logs/1e3").glob("seed_*/config.yaml"):
        path.write_text(path.read_text().replace("name: dense", "name: '1e3'"))
    own = seeds([*members, "--name", "1e3"], 42, 43)
    assert committee_plans.plan(own).label == "1e3/committee_2"
    committee_plans.test(own, "probabilities")
    assert Path("tb_logs/1e3/committee_2/predictions.csv").exists()


def test_a_committee_counts_as_tested_only_with_the_same_weights(members, trained):
    own = seeds(members, 42, 43, 44)
    assert committee_plans.plan(own).tested
    assert committee_plans.plan(own, "probabilities").tested
    assert not committee_plans.plan(own, "vote").tested
    path = Path("tb_logs/dense/committee_3/results.json")
    results = json.loads(path.read_text())
    del results["test_weights_sha256"]
    path.write_text(json.dumps(results))
    assert not committee_plans.plan(own).tested


@pytest.mark.parametrize("part", ["0", "1", "0.5"])
def test_limit_test_batches_is_refused_before_training(members, here, part):
    with pytest.raises(UserError, match=f"limit_test_batches {part}: would test only some"):
        planned(*members, "--trainer.limit_test_batches", part)
    assert planned(*members, "--trainer.limit_test_batches", "1.0").epochs_left == 3


def test_a_run_without_checkpoints_is_refused_before_training(members, here):
    with pytest.raises(UserError, match="enable_checkpointing false: leaves no weights to test"):
        planned(*members, "--trainer.enable_checkpointing", "false")
    assert planned(*members, "--trainer.enable_checkpointing", "true").epochs_left == 3


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("max_epochs", "0", "--trainer.max_epochs 0: there is nothing to train"),
        ("max_steps", "0", "--trainer.max_steps 0: there is nothing to train"),
        ("limit_train_batches", "0", "--trainer.limit_train_batches 0: there is nothing"),
        ("max_time", "00:00:00:00", "--trainer.max_time 0:00:00: there is nothing to train"),
    ],
)
def test_a_limit_of_zero_is_refused_before_training(members, here, option, value, message):
    with pytest.raises(UserError) as error:
        planned(*members, f"--trainer.{option}", value)
    assert message in str(error.value)


def test_a_sweep_refuses_a_limit_of_zero_before_its_first_trial(members, here):
    (here / "space.yaml").write_text("model.lr: {log: [0.1, 0.2]}\n")
    spec = RunSpec.from_args([*members, "--trainer.max_steps", "0"])
    with pytest.raises(UserError, match=r"max_steps 0: there is nothing to train"):
        Sweep.of(spec, Path("space.yaml"), 2)


def test_an_existing_run_may_have_been_trained_with_an_equal_limit(members, trained):
    assert planned(*members, "--trainer.limit_train_batches", "1.0").complete


def test_the_last_seed_that_there_is_can_be_a_member_s():
    spec = RunSpec(("dense",))
    assert [one.settings for one in plans.seeded(spec, 2**32 - 2, 2)] == [
        {"seed_everything": 2**32 - 2},
        {"seed_everything": 2**32 - 1},
    ]
    with pytest.raises(UserError, match="take 4294967294 or less"):
        plans.seeded(spec, 2**32 - 1, 2)

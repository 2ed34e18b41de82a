"""Plans: what is known of a run before anything is done to it."""

import json
from pathlib import Path

import pytest
import torch

from lit_mnist.commands import plans
from lit_mnist.errors import UserError
from lit_mnist.runs.folder import Run

RUN = Path("tb_logs/dense/seed_42")


def cut_back(epochs):
    """Makes `last.ckpt` one of so many finished epochs."""
    path = RUN / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] = epochs
    torch.save(content, path)
    Run(RUN).update_results(status="interrupted")


def test_a_plan_does_nothing(members, here):
    plan = plans.plan([*members, "--seed_everything", "7"])
    assert (plan.seed, plan.label) == (7, "dense/seed_7")
    assert (plan.complete, plan.epochs_left) == (False, 3)
    assert not list(here.iterdir())


def test_a_trained_and_tested_run_is_known_as_such(members, trained):
    plan = plans.plan(members)
    assert (plan.complete, plan.epochs_left, plan.tested) == (True, 0, True)
    more = plans.plan([*members, "--trainer.max_epochs", "8"])
    assert (more.complete, more.epochs_left) == (False, 5)
    afresh = plans.plan([*members, "--fresh"])
    assert (afresh.complete, afresh.epochs_left) == (False, 3)


def test_a_run_without_an_end_counts_no_epochs(members, here):
    assert plans.plan([*members, "--trainer.max_epochs", "-1"]).epochs_left == 0


def test_an_interrupted_run_has_epochs_left(members, trained):
    cut_back(1)
    plan = plans.plan(members)
    assert (plan.complete, plan.epochs_left) == (False, 2)


@pytest.mark.parametrize("lost", ["predictions.csv", "results.json", "weights"])
def test_a_test_of_other_weights_or_without_predictions_is_none(members, trained, lost):
    if lost == "weights":
        other = Path("tb_logs/dense/seed_43/checkpoints/best.ckpt")
        other.replace(RUN / "checkpoints" / "best.ckpt")
    else:
        (RUN / lost).unlink()
    assert not plans.plan(members).tested


def test_several_devices_train_and_one_process_tests(members, here):
    plan = plans.plan([*members, "--trainer.devices", "2", "--trainer.strategy", "ddp"])
    assert int(plan.options["trainer"]["devices"]) == 1
    assert plan.options["trainer"]["strategy"] == "auto"


def test_other_options_are_refused(members, trained):
    with pytest.raises(UserError, match=r"dense/seed_42 was made with other options"):
        _ = plans.plan([*members, "--model.lr", "0.5"]).complete


def test_a_committee_takes_over_place_name_and_data_of_its_members(members, trained, hard_data):
    own = [*members, "--seed_everything", "42", "--data.eval_batch_size", "7"]
    planned = [plans.plan([*own[:-4], "--seed_everything", str(k), *own[-2:]]) for k in (42, 44)]
    plan = plans.committee(planned, "logits")
    assert plan.label == "dense/committee_2"
    options = plan.options
    assert options["model"]["init_args"]["average"] == "logits"
    assert options["model"]["init_args"]["checkpoints"] == [
        f"tb_logs/dense/seed_{k}/checkpoints/best.ckpt" for k in (42, 44)
    ]
    for key in ("dataset", "data_dir", "eval_batch_size", "split_seed", "download"):
        assert options["data"][key] == planned[0].options["data"][key]
    assert options["trainer"]["accelerator"] == "cpu"
    assert not plan.tested


def test_odd_names_reach_the_committee(members, trained):
    Path("tb_logs/dense").rename("tb_logs/1e3")
    planned = [
        plans.plan([*members, "--name", "1e3", "--seed_everything", s]) for s in ("42", "43")
    ]
    assert plans.committee(planned, None).label == "1e3/committee_2"


def test_a_committee_is_tested_once_its_very_weights_are(members, trained):
    planned = [plans.plan([*members, "--seed_everything", s]) for s in ("42", "43", "44")]
    assert plans.committee(planned, None).tested
    assert plans.committee(planned, "probabilities").tested
    assert not plans.committee(planned, "vote").tested
    path = Path("tb_logs/dense/committee_3/results.json")
    said = json.loads(path.read_text())
    del said["test_weights_sha256"]
    path.write_text(json.dumps(said))
    assert not plans.committee(planned, None).tested

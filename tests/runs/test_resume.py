"""Where a run resumes, and which options prevent it."""

import json

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping

from lit_mnist.errors import UserError
from lit_mnist.runs import entries, limits
from lit_mnist.runs.config_changes import differences
from lit_mnist.runs.folder import Run
from lit_mnist.runs.resume import resume_point

STEPS = 7
CONFIG = {"name": "a", "model": {"init_args": {"lr": 0.1}}, "trainer": {"max_epochs": 5}}


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "a" / "seed_1")
    run.best.parent.mkdir(parents=True)
    run.file("config.yaml").write_text(json.dumps(CONFIG))
    torch.save({"state_dict": {}, "epoch": 1, "global_step": STEPS}, run.best)
    torch.save({"state_dict": {}, "epoch": 2, "global_step": STEPS}, run.last)
    return run


def with_epochs(count):
    return CONFIG | {"trainer": {"max_epochs": count}}


def test_differences_are_named_with_both_values():
    now = {"model": {"init_args": {"lr": 0.2}}, "data": {"batch_size": 86}}
    assert differences(CONFIG, now) == ["model.init_args.lr: 0.1, now 0.2"]
    assert differences(CONFIG, CONFIG) == []


@pytest.mark.parametrize(
    ("before", "now", "line"),
    [
        ({"a": 1}, {"b": 2}, "{'a': 1}, now {'b': 2}"),
        ({}, {"b": 2}, "{}, now {'b': 2}"),
        (None, 0.3, "not set, now 0.3"),
        (None, {"b": 2}, "not set, now {'b': 2}"),
        (None, {"class_path": "x.Y", "init_args": {"a": 1}}, "not set, now x.Y"),
        ({"class_path": "x.Y", "init_args": {"a": 1}}, None, "x.Y, now not set"),
        ({"class_path": "x.Y"}, {"class_path": "x.Z"}, ".class_path: x.Y, now x.Z"),
        ({"class_path": "x.Y"}, {"class_path": "x.Y", "init_args": {"new": 1}}, ""),
    ],
)
def test_values_that_are_dicts_or_objects_are_compared(before, now, line):
    found = differences(
        {"model": {"init_args": {"o": before}}}, {"model": {"init_args": {"o": now}}}
    )
    assert [one.removeprefix("model.init_args.o").removeprefix(": ") for one in found] == (
        [line] if line else []
    )


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [(None, 1.0, True), (1.0, 1, False), (1, 1, True), (0, 0.0, True), (0.5, 0.25, False)],
)
def test_a_limit_of_1_0_differs_from_1(before, now, same):
    for option in ("limit_train_batches", "val_check_interval"):
        found = differences({"trainer": {option: before}}, {"trainer": {option: now}})
        assert (found == []) is same


@pytest.mark.parametrize(
    ("option", "before", "now", "same"),
    [
        ("precision", 32, "32-true", True),
        ("precision", "bf16", "bf16-mixed", True),
        ("precision", "16", "16-true", False),
        ("enable_checkpointing", None, True, True),
        ("benchmark", False, None, True),
        ("benchmark", True, None, False),
        ("gradient_clip_algorithm", "norm", None, True),
    ],
)
def test_spellings_of_the_same_value_are_the_same(option, before, now, same):
    found = differences({"trainer": {option: before}}, {"trainer": {option: now}})
    assert (found == []) is same


@pytest.mark.parametrize(
    "free",
    [
        *("trainer.devices", "trainer.strategy", "data.data_dir", "trainer.max_time"),
        *("trainer.limit_test_batches", "trainer.inference_mode", "name", "data.layout"),
    ],
)
def test_hardware_and_paths_may_differ(free):
    *groups, key = free.split(".")
    before, now = {key: 1}, {key: 2}
    for group in groups:
        before, now = {group: before}, {group: now}
    assert differences(before, now) == []


def test_resumes_from_the_last_epoch(run):
    assert resume_point(run, CONFIG) == (run.last, 3, 0, STEPS, None, "", False, "")


def test_is_complete_at_its_limit(run):
    point = resume_point(run, with_epochs(3))
    assert point.ended.why == "--trainer.max_epochs 3 is reached"


def test_is_complete_after_early_stopping(run):
    run.update_results(status="complete", ended_by="EarlyStopping")
    assert resume_point(run, CONFIG).ended.why == "ended by EarlyStopping"
    run.update_results(ended_by="a callback")
    assert resume_point(run, with_epochs(9)).ended is None


def test_refuses_more_epochs_after_early_stopping(run):
    run.update_results(status="complete", ended_by="EarlyStopping")
    with pytest.raises(UserError, match=r"max_epochs: 5, now 9: has no effect.*out, give it more"):
        resume_point(run, with_epochs(9))


@pytest.mark.parametrize("ended_by", ["MyStop", "Timer"])
def test_refuses_more_epochs_after_another_callback_s_stop(run, ended_by):
    run.update_results(status="complete", ended_by=ended_by)
    with pytest.raises(UserError, match=f"has no effect, as {ended_by} has ended the run"):
        resume_point(run, with_epochs(9))


@pytest.mark.parametrize("ended_by", limits.OPTIONS)
def test_a_run_that_a_lowered_limit_has_ended_goes_on_to_its_own(run, ended_by):
    run.update_results(status="complete", ended_by=ended_by)
    assert resume_point(run, with_epochs(3)).ended.why == "--trainer.max_epochs 3 is reached"
    assert resume_point(run, with_epochs(5)).ended is None


class Stop(EarlyStopping):
    """A user's own."""


@pytest.mark.parametrize("kind", ["lightning.pytorch.callbacks.EarlyStopping", f"{__name__}.Stop"])
@pytest.mark.parametrize("form", [lambda one: one, lambda one: [one]])
def test_callbacks_are_compared_in_every_form(run, form, kind):
    def with_patience(patience, **others):
        callback = {"class_path": kind, "init_args": {"patience": patience} | others}
        return CONFIG | {"trainer": {"max_epochs": 5, "callbacks": form(callback)}}

    run.file("config.yaml").write_text(json.dumps(with_patience(1)))
    run.update_results(status="complete", ended_by=kind.rpartition(".")[2])
    assert resume_point(run, with_patience(1)).ended.why.startswith("ended by")
    assert resume_point(run, with_patience(2)).ended is None
    for other in (with_patience(1, mode="max"), CONFIG | {"trainer": {"callbacks": None}}):
        with pytest.raises(UserError, match=r"trainer\.callbacks"):
            resume_point(run, other)


def test_refuses_to_raise_a_limit_while_another_is_reached(run):
    trainer = {"max_epochs": 3, "max_steps": 900}
    run.file("config.yaml").write_text(json.dumps(CONFIG | {"trainer": trainer | {"max_steps": 7}}))
    with pytest.raises(UserError, match=r"max_steps: 7, now 900: has no effect.*raise --trainer"):
        resume_point(run, CONFIG | {"trainer": trainer})


def test_more_patience_resumes(run):
    def with_patience(patience):
        stopping = {
            "class_path": "lightning.pytorch.callbacks.EarlyStopping",
            "init_args": {"patience": patience},
        }
        return CONFIG | {"trainer": {"max_epochs": 5, "callbacks": [stopping]}}

    run.file("config.yaml").write_text(json.dumps(with_patience(1)))
    run.update_results(status="complete", ended_by="EarlyStopping")
    assert resume_point(run, with_patience(1)).ended.why == "ended by EarlyStopping"
    assert resume_point(run, with_patience(2)).ended is None


def test_a_minimum_that_is_raised_resumes_and_comes_before_a_limit_of_time(run):
    def with_minimum(**options):
        return CONFIG | {"trainer": {"max_epochs": 5, "max_time": "00:00:00:00"} | options}

    run.file("config.yaml").write_text(json.dumps(with_minimum()))
    run.update_results(status="complete", ended_by="max_time")
    assert "max_time" in resume_point(run, with_minimum(min_epochs=3)).ended.why
    assert resume_point(run, with_minimum(min_epochs=4)).ended is None
    assert resume_point(run, with_minimum(min_steps=STEPS + 1)).ended is None
    run.update_results(status="interrupted", ended_by="SIGINT")
    assert resume_point(run, with_minimum(min_epochs=4)).ended is None


def test_resumes_without_a_limit(run):
    assert resume_point(run, with_epochs(-1)).ended is None


def test_refuses_fewer_epochs_than_finished(run):
    with pytest.raises(UserError, match="3 done, now 2"):
        resume_point(run, with_epochs(2))


def test_says_what_it_was_trained_on(run):
    known = {"dataset": "MNIST", "data_sha256": "d1", "split_sha256": "s1"}
    for own in ({"MNISTDataModule": known}, {"AModuleOfMine": known}):
        torch.save({"state_dict": {}, "epoch": 2} | own, run.last)
        assert resume_point(run, CONFIG).data_sha256 == "d1"


def test_skips_a_damaged_checkpoint(run, capsys):
    run.last.write_bytes(b"PK")
    assert resume_point(run, CONFIG) == (run.best, 2, 0, STEPS, None, "", False, "")
    line = capsys.readouterr().out
    assert "last.ckpt: damaged" in line
    assert "resuming from best.ckpt" in line


def test_refuses_if_no_checkpoint_is_intact(run):
    for path in (run.last, run.best):
        path.write_bytes(b"PK")
    with pytest.raises(UserError, match=r"last\.ckpt: damaged.*--fresh"):
        resume_point(run, CONFIG)


def test_starts_from_scratch_without_a_checkpoint(tmp_path):
    assert resume_point(Run(tmp_path / "b" / "seed_1"), CONFIG) is None


@pytest.mark.parametrize("name", ["results.json", "config.yaml"])
def test_a_damaged_config_is_reported(run, name):
    run.file(name).write_text("{[")
    with pytest.raises(UserError, match=f"{name}: damaged"):
        resume_point(run, CONFIG)


@pytest.mark.parametrize(
    "damage", [b"[1]", b"\xff\xfe", b"[" * 100_000, b"&a [*a]", b"null"], ids=str
)
@pytest.mark.parametrize("name", ["results.json", "config.yaml"])
def test_a_config_that_is_not_text_is_reported(run, name, damage):
    run.file(name).write_bytes(damage)
    with pytest.raises(UserError, match=f"{name}: damaged"):
        resume_point(run, CONFIG)


def test_a_config_without_trainer_options_is_accepted(run):
    run.file("config.yaml").write_text("{1: 2}")
    run.update_results(status="complete")
    assert resume_point(run, CONFIG) == (run.last, 3, 0, STEPS, None, "", False, "")


def test_a_checkpoint_with_a_fault_is_skipped(run, capsys):
    point = resume_point(run, CONFIG, lambda saved: "stale" if saved["epoch"] == 2 else "")
    assert point == (run.best, 2, 0, STEPS, None, "", False, "")
    assert "last.ckpt: stale; resuming from best.ckpt" in capsys.readouterr().out


def test_a_last_checkpoint_that_lacks_something_is_skipped_unless_the_run_has_ended(run, capsys):
    lacking = torch.load(run.last) | {entries.LACKS: "end of epoch"}
    torch.save(lacking, run.last)
    assert resume_point(run, with_epochs(3)).ended.why == "--trainer.max_epochs 3 is reached"
    assert resume_point(run, CONFIG) == (run.best, 2, 0, STEPS, None, "", False, "")
    assert "last.ckpt: saved after a batch, before the validation" in capsys.readouterr().out
    run.best.unlink()
    with pytest.raises(UserError, match=r"last\.ckpt: saved after a batch"):
        resume_point(run, CONFIG)


def test_an_only_checkpoint_that_lacks_something_is_no_hindrance_in_the_first_epoch(run, capsys):
    run.last.unlink()
    fit = {
        "epoch_progress": {"current": {"processed": 0}},
        "state_dict": {"combined_loader": [{"epoch": 0, "step": 3}]},
    }
    lacking = {"state_dict": {}, "loops": {"fit_loop": fit}, entries.LACKS: "gradients"}
    torch.save(lacking, run.best)
    assert resume_point(run, CONFIG) is None
    assert "without its gradients; starting again" in capsys.readouterr().out
    rows = ["epoch,val_acc\n", "0,0.9\n", "1,0.9\n"]
    run.metrics_csv.write_text("".join(rows[:2]))  # killed before that epoch's last.ckpt
    assert resume_point(run, CONFIG) is None
    for status, more in (("complete", rows[:2]), ("running", rows)):  # last.ckpt was removed
        run.update_results(status=status)
        run.metrics_csv.write_text("".join(more))
        with pytest.raises(UserError, match=r"best\.ckpt: saved between the batches"):
            resume_point(run, CONFIG)
    run.metrics_csv.unlink()
    fit["epoch_progress"]["current"]["processed"] = 1
    torch.save(lacking, run.best)
    with pytest.raises(UserError, match=r"best\.ckpt: saved between the batches"):
        resume_point(run, CONFIG)


def test_describes_the_resume_point(run):
    assert str(resume_point(run, CONFIG)) == f"resuming after epoch 2 from {run.last}"
    fit = {
        "epoch_progress": {"current": {"processed": 3}},
        "state_dict": {"combined_loader": [{"epoch": 3, "step": 17}]},
    }
    torch.save({"state_dict": {}, "epoch": 3, "loops": {"fit_loop": fit}}, run.last)
    point = resume_point(run, CONFIG)
    assert point == (run.last, 3, 17, 0, None, "", False, "")
    assert str(point) == f"resuming after step 17 of epoch 3 from {run.last}"
    fit["epoch_progress"]["current"]["processed"] = 4  # the epoch has ended since
    torch.save({"state_dict": {}, "epoch": 3, "loops": {"fit_loop": fit}}, run.last)
    assert resume_point(run, CONFIG) == (run.last, 4, 0, 0, None, "", False, "")


@pytest.mark.parametrize("content", [None, "{}"])
def test_without_a_config_options_are_taken_from_the_checkpoint(run, content, capsys):
    config = run.file("config.yaml")
    config.unlink() if content is None else config.write_text(content)
    for path in (run.best, run.last):
        checkpoint = torch.load(path)
        checkpoint["hyper_parameters"] = {"lr": 0.1, "_class_path": "own.Net"}
        torch.save(checkpoint, path)
    assert resume_point(run, CONFIG) == (run.last, 3, 0, STEPS, None, "", False, "")
    message = "config.yaml: missing; the model and its options are compared with last.ckpt"
    assert message in capsys.readouterr().out
    other = CONFIG | {"model": {"class_path": "own.Other", "init_args": {"lr": 0.2}}}
    with pytest.raises(UserError) as error:
        resume_point(run, other, fault=lambda _: "its weights do not fit the model")
    assert "model.class_path: own.Net, now own.Other; model.init_args.lr: 0.1, now 0.2" in str(
        error.value
    )


@pytest.mark.parametrize("content", ["", "- 1", "a: {"])
def test_a_damaged_config_can_be_removed(run, content):
    run.file("config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"config.yaml: damaged; restore it, or remove it \(fit"):
        resume_point(run, CONFIG)

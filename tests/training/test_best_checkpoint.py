"""The score of the best checkpoint belongs to its weights, whatever callbacks and modules do."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback

from lit_mnist.models import DenseModule
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run
from lit_mnist.training.best_checkpoint import BestCheckpoint
from tests.fitting import column, fitted
from tests.stopping import folder, results

HERE = "tests.training.test_best_checkpoint"


class Average(Callback):
    """Has an average of its own validated, and keeps it to itself."""

    def on_fit_start(self, trainer, pl_module):
        self.average = [one.detach().clone() for one in pl_module.parameters()]

    def on_train_batch_end(self, trainer, pl_module, *_):
        for average, one in zip(self.average, pl_module.parameters(), strict=True):
            average.lerp_(one.detach(), 0.1)

    def swap(self, pl_module):
        for average, one in zip(self.average, pl_module.parameters(), strict=True):
            kept = average.clone()
            average.copy_(one.data)
            one.data.copy_(kept)

    def on_validation_start(self, trainer, pl_module):
        self.swap(pl_module)

    def on_validation_end(self, trainer, pl_module):
        self.swap(pl_module)


class LaterAverage(Average):
    def on_validation_start(self, trainer, pl_module):
        """Not yet."""

    def on_validation_end(self, trainer, pl_module):
        """Before."""

    def on_validation_epoch_start(self, trainer, pl_module):
        self.swap(pl_module)

    def on_validation_epoch_end(self, trainer, pl_module):
        self.swap(pl_module)


class Records(DenseModule):
    """Records its best accuracy in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("record", torch.tensor(0.0))

    def on_validation_epoch_end(self):
        self.record.copy_(torch.maximum(self.record, self.val_scores.compute().acc))


def recipe(name):
    return ("--model", f"{HERE}.{name}", "--name", name)


@pytest.mark.parametrize("interval", ["9", "4"])
@pytest.mark.parametrize("kind", ["Average", "LaterAverage"])
def test_an_average_that_no_checkpoint_holds_has_no_score_in_one(run_cli, kind, interval):
    options = (f"--trainer.callbacks+={HERE}.{kind}", "--trainer.val_check_interval", interval)
    output = fitted(run_cli("fit", *options))
    assert "best.ckpt is not written: net.1.weight is not what it was" in output
    assert not (folder("dense") / "checkpoints" / "best.ckpt").exists()
    assert "best_val_acc" not in results()
    assert checkpoints.scores(checkpoints.read(folder("dense") / "checkpoints" / "last.ckpt")) == {}


class SavesAnAverage(Average):
    """Saves its average in the place of the weights that are validated."""

    def on_validation_start(self, trainer, pl_module):
        """Has the weights themselves validated."""

    on_validation_end = on_validation_start

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        names = [name for name, _ in pl_module.named_parameters()]
        checkpoint["state_dict"].update(zip(names, self.average, strict=True))


class ModuleSavesAnAverage(DenseModule):
    """The same in the module's own hook, which is the last."""

    def on_save_checkpoint(self, checkpoint):
        super().on_save_checkpoint(checkpoint)
        checkpoint["state_dict"]["net.1.weight"] = 0.9 * checkpoint["state_dict"]["net.1.weight"]


class Renames(DenseModule):
    """Saves its weights under other names, in half precision."""

    def on_save_checkpoint(self, checkpoint):
        super().on_save_checkpoint(checkpoint)
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {f"own.{name}": one.half() for name, one in weights.items()}

    def on_load_checkpoint(self, checkpoint):
        named = checkpoint["state_dict"].items()
        checkpoint["state_dict"] = {name.removeprefix("own."): one.float() for name, one in named}


@pytest.mark.parametrize(
    "options",
    [(f"--trainer.callbacks+={HERE}.SavesAnAverage",), recipe("ModuleSavesAnAverage")],
    ids=["a callback", "the module"],
)
def test_what_hooks_put_into_a_checkpoint_has_no_score_of_other_weights(run_cli, options):
    output = fitted(run_cli("fit", *options, "--name", "own", "--trainer.max_epochs", "2"))
    place = folder("own") / "checkpoints"
    assert output.count("best.ckpt is not written: net.1.weight is not what it was") == 1
    assert not (place / "best.ckpt").exists()
    assert "best_val_acc" not in results(folder("own"))
    assert checkpoints.scores(checkpoints.read(place / "last.ckpt")) == {}


class FailsOnce(Callback):
    """Fails where the first checkpoint is saved, that of the best."""

    failed = False

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        if not self.failed:
            self.failed = True
            raise RuntimeError("not now")


def test_what_is_saved_after_a_failure_to_save_the_best_is_not_taken_for_it(run_cli):
    added = ("SavesAnAverage", "FailsOnce")
    options = [f"--trainer.callbacks+={HERE}.{one}" for one in added]
    rescue = ("--trainer.callbacks+=OnExceptionCheckpoint", "--trainer.callbacks.dirpath", ".")
    with pytest.raises(RuntimeError, match="not now"):
        run_cli("fit", *options, *rescue)
    (rescued,) = Path().glob("*.ckpt")
    saved = checkpoints.read(rescued)
    assert (saved["global_step"], checkpoints.scores(saved)) == (9, {})


def test_ranks_decide_once_whether_the_best_is_saved(tmp_path):
    asked = []
    strategy = SimpleNamespace(reduce_boolean_decision=lambda sound: not asked.append(sound))
    best = BestCheckpoint(Run(tmp_path))
    for unchecked in (True, False):
        best.unchecked = unchecked
        for _ in range(2):  # as if a user's own program had applied the work-arounds, too
            best.check_weights(SimpleNamespace(strategy=strategy), {"state_dict": {}})
        assert asked == [True]


def test_weights_saved_in_another_form_keep_their_score(run_cli):
    fitted(run_cli("fit", *recipe("Renames"), "--trainer.max_epochs", "2"))
    known = results(folder("Renames"))["best_val_acc"]
    best = checkpoints.read(folder("Renames") / "checkpoints" / "best.ckpt")
    assert checkpoints.scores(best)["val_acc"] == pytest.approx(known)


def test_a_changed_buffer_is_named(run_cli):
    output = fitted(run_cli("fit", *recipe("Records"), "--trainer.max_epochs", "1"))
    assert "best.ckpt is not written: record is not what it was during validation" in output
    assert "keep a record in a metric or an attribute" in output


@pytest.mark.parametrize("added", [[], [f"--trainer.callbacks+={HERE}.Average"]])
def test_a_score_is_saved_only_with_its_weights_whoever_saves_them(run_cli, added):
    fitted(run_cli("fit", *added, "--trainer.callbacks+=tests.recipes.Saves"))
    known = {
        path.name: checkpoints.scores(checkpoints.read(path)).get("epoch")
        for path in Path().glob("*.ckpt")
    }
    assert known == {
        "9.validated.ckpt": None,  # not yet
        "9.ended.ckpt": None if added else 0,
        "18.validated.ckpt": None,
        "18.ended.ckpt": None if added else 1,
    }


def test_an_old_score_is_not_that_of_later_weights_if_no_step_was_counted(run_cli):
    options = (
        "--model",
        "tests.recipes.RawSteps",
        "--name",
        "RawSteps",
        "--trainer.max_epochs",
        "3",
    )
    fitted(run_cli("fit", *options, "--trainer.check_val_every_n_epoch", "2"))
    place = folder("RawSteps") / "checkpoints"
    scores = [
        checkpoints.scores(checkpoints.read(place / f"{one}.ckpt")) for one in ("best", "last")
    ]
    assert (scores[0]["epoch"], scores[1]) == (1, {})


def test_better_scores_of_an_average_that_is_updated_after_them_are_told(run_cli):
    average = ("--trainer.callbacks+=EMAWeightAveraging", "--trainer.callbacks.decay", "0.9")
    late = (*average, "--trainer.callbacks.update_starting_at_epoch", "1")
    output = fitted(run_cli("fit", *late, "--trainer.max_epochs", "3"))
    scores = column("val_acc", "dense")
    assert max(scores) > scores[0]  # or there is nothing to tell
    assert results()["best_epoch"] == 0
    remedy = "EMAWeightAveraging updates its average after the validation if it does so by epoch"
    assert remedy in output
    assert "average weights by WeightAveraging" not in output
    told = (
        f"{folder('dense')}/checkpoints/best.ckpt is of epoch 0, with val_acc {scores[0]:.4f}:"
        f" later epochs scored up to {max(scores):.4f}, but their weights changed after the"
        " validation"
    )
    last = f"{told}; --ckpt_path last takes the last\n"
    assert last in output
    assert run_cli("test", *late)[2] == last
    assert run_cli("test", *late, "--ckpt_path", "last")[2] == ""
    same = (*late, "--trainer.max_epochs", "3")
    fitted(run_cli("fit", *same, "--seed_everything", "43"))
    outcome = run_cli("committee", *same, "--members", "2", "--skip_test")
    assert f"{told}\n" in outcome[2], outcome
    by_step = (*average, "--trainer.callbacks.update_starting_at_step", "9", "--name", "by_step")
    output = fitted(run_cli("fit", *by_step, "--trainer.max_epochs", "3"))
    assert results(folder("by_step"))["best_val_acc"] == max(column("val_acc", "by_step"))
    assert "changed after" not in output

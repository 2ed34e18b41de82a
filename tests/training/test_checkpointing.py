"""The callbacks that write checkpoints, as a user's code finds them."""

from lightning.pytorch import Trainer

from lit_mnist.runs.folder import Run
from lit_mnist.training.best_checkpoint import BestCheckpoint
from lit_mnist.training.checkpointing import checkpoints_of
from tests.test_recipes import fitted, recipe
from tests.test_stopping import STOP_AT, checkpoint, folder, no_nan, results, stopped


def test_the_trainer_s_checkpoint_callback_is_that_of_the_best(tmp_path):
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=checkpoints_of(Run(tmp_path)))
    assert isinstance(trainer.checkpoint_callback, BestCheckpoint)
    assert trainer.checkpoint_callback.best_model_path == ""


def test_a_score_that_is_no_number_is_never_the_best_nor_told(run_cli):
    fit = ("fit", *recipe("ScoresNaN"), "--trainer.max_epochs")
    output = fitted(run_cli(*fit, "1"))
    assert "the model logs no number as val_acc" in output
    place = folder("ScoresNaN")
    assert not (place / "checkpoints" / "best.ckpt").exists()
    output += fitted(run_cli(*fit, "3"))
    assert "best val_acc 0.5000 at epoch 1" in output
    assert (results(place)["best_epoch"], results(place)["best_val_acc"]) == (1, 0.5)
    status, text, problems = run_cli("validate", *recipe("ScoresNaN"))
    assert (status, "val_acc is not a number  val_loss 1.0000" in text) == (0, True)
    output += fitted(run_cli("test", *recipe("ScoresNaN"))) + text + problems
    assert results(place)["test_loss"] > 0  # that of the program's own predictions
    no_nan(output, (place / "metrics.csv").read_text(), (place / "results.json").read_text())


def test_a_run_of_which_lightning_counts_no_step_is_saved_within_its_epochs(run_cli, monkeypatch):
    fit = ("fit", *recipe("RawSteps"), STOP_AT, "--every_n_train_steps", "3")
    stopped(run_cli, monkeypatch, "8", *fit)
    saved = checkpoint("last", folder("RawSteps"))
    batches = saved["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"]
    assert (saved["global_step"], batches) == (0, 6)

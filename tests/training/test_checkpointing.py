"""The callbacks that write checkpoints, as a user's code finds them."""

from lightning.pytorch import Trainer

from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpointing import BestCheckpoint, checkpoints_of


def test_the_trainer_s_checkpoint_callback_is_that_of_the_best(tmp_path):
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=checkpoints_of(Run(tmp_path)))
    assert isinstance(trainer.checkpoint_callback, BestCheckpoint)
    assert trainer.checkpoint_callback.best_model_path == ""

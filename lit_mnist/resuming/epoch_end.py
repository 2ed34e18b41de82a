"""Makes up for what follows a step, when a run is resumed right behind it."""

from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.trainer import call

from lit_mnist import trainers


def validate_if_due(loop: _FitLoop) -> None:
    """Makes up for a validation behind the step of the checkpoint, which Lightning would leave out.

    Then Lightning, or `end_cut_short`, goes on as from a checkpoint of the validation's end.

    Args:
        loop: The loop, at the beginning of its run.
    """
    if not trainers.validation_due(loop.trainer):
        return
    trainer, epoch = loop.trainer, loop.epoch_loop
    _end_batch(loop)
    call._call_lightning_module_hook(trainer, "on_validation_model_zero_grad")
    trainer.validating = True
    epoch.val_loop.restarting = False
    epoch.val_loop.run()
    trainer.training = True
    trainer._logger_connector._first_loop_iter = False
    epoch.update_restart_stage()


def end_cut_short(loop: _FitLoop) -> None:
    """Does what follows the last step of training, if the checkpoint was saved right behind it.

    `LastCheckpoint` saves there, and again after the validation that may follow. Then the step's
    values are logged, and the hooks of the epoch's end are called: not by Lightning, which finds
    nothing left to train.

    Args:
        loop: The loop, at the beginning of its run.
    """
    epoch = loop.epoch_loop
    if not (loop.restarted_mid_epoch and trainers.ends_within_epoch(loop.trainer)):
        return
    if epoch.restarted_on_train_batch_end:
        _end_batch(loop)
    epoch._skip_next_val = True  # `validate_if_due` has made up for it
    loop.restarting = False
    loop.trainer._logger_connector._first_loop_iter = False  # as behind a batch
    epoch.on_advance_end(loop._data_fetcher)  # type: ignore[arg-type] # there is one by now
    loop.on_advance_end()
    for one in (epoch, loop):
        one.on_iteration_done()


def _end_batch(loop: _FitLoop) -> None:
    """Ends the step's batch, as Lightning does at once."""
    connector, epoch = loop.trainer._logger_connector, loop.epoch_loop
    stepped = epoch._batches_that_stepped
    epoch.reset()
    epoch._batches_that_stepped = stepped  # `on_advance_end` counts it
    connector._first_loop_iter = False
    connector.on_batch_end()
    connector.update_train_step_metrics()

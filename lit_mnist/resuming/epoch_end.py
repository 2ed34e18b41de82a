"""Ends an epoch that training cuts short, when a run is resumed just before that end."""

from lightning.pytorch.loops.fit_loop import _FitLoop

from lit_mnist import trainers


def end_cut_short(loop: _FitLoop) -> None:
    """Does what follows the last step of training, if the checkpoint was saved right behind it.

    `LastCheckpoint` saves there, and again after the validation that may follow. Then the step's
    values are logged, and the hooks of the epoch's end are called: not by Lightning, which finds
    nothing left to train.

    Args:
        loop: The loop, at the beginning of its run.
    """
    trainer, epoch = loop.trainer, loop.epoch_loop
    if not (loop.restarted_mid_epoch and trainers.ends_within_epoch(trainer)):
        return
    connector, stepped = trainer._logger_connector, epoch._batches_that_stepped
    validated = not epoch.restarted_on_train_batch_end
    epoch.reset()
    epoch._batches_that_stepped = stepped  # the end of the batch, below, counts it
    loop.restarting = False
    connector._first_loop_iter = False  # as behind a batch
    if validated:
        epoch._skip_next_val = True
    else:
        connector.on_batch_end()
        connector.update_train_step_metrics()
    epoch.on_advance_end(loop._data_fetcher)  # type: ignore[arg-type] # there is one by now
    loop.on_advance_end()
    for one in (epoch, loop):
        one.on_iteration_done()

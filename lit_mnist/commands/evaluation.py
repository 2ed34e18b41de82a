"""How much of a set validate, test and predict read: something, and whether all of it."""

from lightning.pytorch import Trainer

from lit_mnist.errors import UserError


def refuse_nothing(trainer: Trainer, stage: str) -> None:
    """Refuses a limit that leaves no image to be read.

    Args:
        trainer: With the limits that the user has set.
        stage: val, test or predict.

    Raises:
        UserError: Naming the option.
    """
    option, done = f"limit_{stage}_batches", {"val": "validated", "test": "tested"}
    if getattr(trainer, option) == 0:
        raise UserError(
            f"--trainer.{option} 0: no image would be {done.get(stage, 'read')}; leave it out"
        )


def scores(trainer: Trainer, stage: str) -> str:
    """Says the scores of a pass that has ended, and of how much, if it was not all.

    Args:
        trainer: Which has evaluated.
        stage: val or test.
    """
    metrics = trainer.callback_metrics
    text = "  ".join(f"{name} {metrics[name]:.4f}" for name in (f"{stage}_acc", f"{stage}_loss"))
    loader = trainer.val_dataloaders if stage == "val" else trainer.test_dataloaders
    read = trainer.num_val_batches if stage == "val" else trainer.num_test_batches
    done, there = int(read[0]), len(loader)  # type: ignore[arg-type] # the data module's
    return text if done == there else f"{text}  (of {done} of {there} batches)"

"""What a checkpoint says that it lacks; most cases are in `tests/test_recipes_resumed.py`."""

from types import SimpleNamespace

import pytest
from lightning.pytorch.trainer.states import TrainerStatus

from lit_mnist.resuming.lacks import Lacks
from lit_mnist.runs import entries


@pytest.mark.parametrize(
    ("processed", "validating", "lacks"),
    [(4, False, None), (3, False, "end of step"), (4, True, "end of step")],
)
def test_a_checkpoint_saved_within_a_step_says_so(processed, validating, lacks):
    batches = SimpleNamespace(ready=4, started=4, processed=processed, completed=4)
    loop = SimpleNamespace(batch_progress=SimpleNamespace(current=batches))
    trainer = SimpleNamespace(
        fit_loop=SimpleNamespace(_should_accumulate=lambda: False, epoch_loop=loop),
        state=SimpleNamespace(status=TrainerStatus.INTERRUPTED),
        validating=validating,
        callbacks=[],
    )
    checkpoint = {}
    Lacks().on_save_checkpoint(trainer, None, checkpoint)
    assert checkpoint.get(entries.LACKS) == lacks

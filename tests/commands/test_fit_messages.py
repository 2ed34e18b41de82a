"""What `fit` prints if there is no best checkpoint."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from lit_mnist.commands.fit_messages import why_no_best
from lit_mnist.models import DenseModule


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"val_loss": 0.1, "val_acc": 0.9}, "the weights changed after each validation"),
        ({"val_loss": 0.1, "val_acc": math.nan}, "the model logs no number as val_acc"),
        ({"val_loss": math.nan, "val_acc": math.nan}, "nothing was validated"),
    ],
)
def test_the_reason_for_a_missing_best_checkpoint_is_given(row, message):
    run = SimpleNamespace(history=lambda: [row], last=Path("last.ckpt"))
    assert why_no_best(run).startswith(message)


class OwnNames(DenseModule):
    """Logs its validation under names of its own."""

    def validation_step(self, batch, batch_idx):
        self.log("v/loss", self.score(batch, self(batch.images), self.val_scores))


def test_a_validation_under_other_names_is_one(run_cli):
    named = ("--model", f"{__name__}.OwnNames", "--trainer.max_epochs", "1")
    status, output, problems = run_cli("fit", *named)
    assert status == 0, problems
    assert (
        "the model logs no number as val_acc, by which the best is chosen, so there is no best"
        in output
    )

"""Which stop of EarlyStopping counts; other runs are in test_stopping."""

from lit_mnist.models import DenseModule
from tests.fitting import callback
from tests.stopping import assert_same_end, folder, results


class Counting(DenseModule):
    """Logs for each epoch what exceeds the epoch before, unless the epoch is cut short."""

    def training_step(self, batch, batch_idx):
        count = 1.0 + self.current_epoch
        self.log("count", count, on_step=False, on_epoch=True, reduce_fx="sum")
        return super().training_step(batch, batch_idx)


def test_a_stop_that_has_seen_a_part_of_an_epoch_does_not_hold_if_the_limit_is_raised(run_cli):
    options = callback("EarlyStopping", monitor="count", mode="max", patience="0")
    options += ["--trainer.callbacks.check_on_train_epoch_end", "true"]
    options += ["--model", f"{__name__}.Counting", "--trainer.max_steps"]
    for name, every in (("whole", ("16",)), ("parts", ("10", "16"))):  # 9 are an epoch
        for steps in every:
            status, _, problems = run_cli("fit", "--name", name, *options, steps)
            assert (status, results(folder(name))["ended_by"]) == (0, "max_steps"), problems
    assert_same_end(folder("whole"), folder("parts"))

"""Where `fit` begins if the user names a checkpoint."""

from pathlib import Path

from tests.fitting import fitted
from tests.stopping import RATE, RUN, folder, results


def test_the_best_weights_are_found_through_a_link_to_the_last(run_cli):
    fitted(run_cli("fit", *RATE, "--trainer.max_epochs", "4"))
    best = results()["best_epoch"]
    assert best < 3
    Path("link.ckpt").symlink_to(RUN / "checkpoints" / "last.ckpt")
    start = ("--name", "new", "--ckpt_path", "link.ckpt", "--trainer.limit_val_batches", "0")
    fitted(run_cli("fit", *RATE, *start, "--trainer.max_epochs", "5"))
    assert results(folder("new"))["best_epoch"] == best

"""What a training that goes on leaves of the run's test."""

from lit_mnist.runs.folder import Run
from lit_mnist.runs.tested import NEVER, doubt
from tests.fitting import callback, fitted
from tests.stopping import RUN, results


def test_a_training_without_a_batch_keeps_the_test(run_cli):
    stops = callback("tests.recipes.StopsAResume")
    fitted(run_cli("fit", *stops, "--trainer.max_epochs", "1"))
    fitted(run_cli("test", *stops))
    before = results()
    fitted(run_cli("fit", *stops))
    assert doubt(Run(RUN)) == ""
    after = results()
    for field in ("epochs", "test_acc", "calibration", "novelty", "best_val_acc"):
        assert after[field] == before[field]
    assert (after["status"], after["ended_by"]) == ("complete", "a callback")
    assert list((RUN / "final").glob("*.test"))


def test_a_training_of_a_batch_drops_the_test(run_cli):
    fitted(run_cli("fit", "--trainer.max_epochs", "1"))
    fitted(run_cli("test"))
    fitted(run_cli("fit"))
    assert doubt(Run(RUN)) == NEVER
    assert not {"test_acc", "calibration", "novelty"} & results().keys()
    assert not list((RUN / "final").glob("*.test"))

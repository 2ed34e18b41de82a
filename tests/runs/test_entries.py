"""Our entries in checkpoints beside a user's of the same names, and those of version 0.1."""

import lit_mnist
from lit_mnist.runs import entries
from tests.recipes import OwnEntries
from tests.test_recipes import fitted, recipe
from tests.test_stopping import STOP_AT, assert_same_end, checkpoint, folder, stopped

CUT = (STOP_AT, "--every_n_train_steps", "3")


def test_entries_of_a_module_may_have_the_names_of_ours(run_cli, monkeypatch):
    own = (*recipe("OwnEntries"), *CUT)
    fitted(run_cli("fit", *own))
    stopped(run_cli, monkeypatch, "14", "fit", *own, "--name", "cut")
    ours = {name.removeprefix("lit_mnist.") for name in checkpoint("last", folder("cut"))}
    states = checkpoint("last", folder("cut"))["callbacks"]
    assert all(states[name]["saves"] > 1 for name in ("metrics", "best", "last"))
    assert {"train_scores", "generators", "frozen", "optimization"} <= ours
    fitted(run_cli("fit", *own, "--name", "cut"))
    assert_same_end(folder("OwnEntries"), folder("cut"))
    fitted(run_cli("test", *own))
    lit_mnist.load(folder("cut"), [OwnEntries])


def test_the_entries_of_version_0_1_have_no_prefix():
    checkpoint = {"train_scores": [1], "frozen": {}, "callbacks": {"metrics": {"rows": []}}}
    assert entries.get(checkpoint, entries.SCORES) == [1]
    assert entries.state(checkpoint, entries.METRICS) == {"rows": []}
    assert entries.get(checkpoint, entries.FROZEN) is None  # a module's own

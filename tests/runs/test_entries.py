"""Our entries in checkpoints beside a user's of the same names, and those of older versions."""

import lit_mnist
from lit_mnist.runs import entries
from tests import kept
from tests.recipes import OwnEntries
from tests.test_recipes import fitted, recipe
from tests.test_stopping import RUN, STOP_AT, assert_same_end, checkpoint, folder, stopped
from tests.trained import change

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


def plain(named):
    return {key.removeprefix("lit_mnist."): value for key, value in named.items()}


def test_a_run_whose_entries_have_no_prefix_resumes_bit_identically(run_cli, shared, monkeypatch):
    kept.fitted(shared, run_cli)
    stopped(run_cli, monkeypatch, "14", "fit", *CUT, "--name", "cut")
    path = folder("cut") / "checkpoints" / "last.ckpt"
    change(path, lambda new: plain(new | {"callbacks": plain(new["callbacks"])}))
    old = checkpoint("last", folder("cut"))
    assert entries.get(old, entries.SCORES) is old["train_scores"]
    assert entries.state(old, entries.METRICS) is old["callbacks"]["metrics"]
    status, _, problems = run_cli("fit", *CUT, "--name", "cut")
    assert (status, problems) == (0, "")
    assert_same_end(RUN, folder("cut"))

"""Our entries in checkpoints beside a user's of the same names, and those of version 0.1."""

import lit_mnist
from lit_mnist.runs import entries
from tests import kept
from tests.fitting import fitted, recipe
from tests.recipes import OwnEntries
from tests.stopping import RUN, STOP_AT, assert_same_end, checkpoint, folder, stopped
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


def as_in_0_1(new):
    """A checkpoint with nothing of ours but what version 0.1 had."""
    named = {name: value for name, value in new.items() if not name.startswith("lit_mnist.")}
    states = {key: one for key, one in new["callbacks"].items() if key[:10] != "lit_mnist."}
    states["metrics"] = new["callbacks"][entries.METRICS]
    own = {"frozen": "a user's, whose name is that of a later entry of ours"}
    return named | own | {"train_scores": new[entries.SCORES], "callbacks": states}


def test_a_run_of_version_0_1_resumes_bit_identically(run_cli, shared, monkeypatch):
    kept.fitted(shared, run_cli)
    stopped(run_cli, monkeypatch, "14", "fit", *CUT, "--name", "cut")
    change(folder("cut") / "checkpoints" / "last.ckpt", as_in_0_1)
    assert entries.get(checkpoint("last", folder("cut")), entries.FROZEN) is None
    status, _, problems = run_cli("fit", *CUT, "--name", "cut")
    assert (status, problems) == (0, "")
    assert_same_end(RUN, folder("cut"))

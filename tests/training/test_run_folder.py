"""What a training leaves of an earlier one: of its test, its reports and exports."""

import errno
from typing import ClassVar

import pytest
import torch
from lightning.pytorch import Callback

from lit_mnist import files
from lit_mnist.export import formats, model_card
from lit_mnist.main import main
from lit_mnist.runs.folder import Run
from lit_mnist.runs.tested import NEVER, why_untested
from tests.fitting import callback, fitted
from tests.stopping import RUN, results


def test_a_training_without_a_batch_keeps_the_test(run_cli):
    stops = callback("tests.recipes.StopsAResume")
    fitted(run_cli("fit", *stops, "--trainer.max_epochs", "1"))
    fitted(run_cli("test", *stops))
    before = results()
    fitted(run_cli("fit", *stops))
    assert why_untested(Run(RUN)) == ""
    after = results()
    for field in ("epochs", "test_acc", "calibration", "novelty", "best_val_acc"):
        assert after[field] == before[field]
    assert (after["status"], after["ended_by"]) == ("complete", "a callback")
    assert list((RUN / "final").glob("*.test"))


def test_a_training_of_a_batch_drops_the_test(run_cli):
    fitted(run_cli("fit", "--trainer.max_epochs", "1"))
    fitted(run_cli("test"))
    fitted(run_cli("fit"))
    assert why_untested(Run(RUN)) == NEVER
    assert not {"test_acc", "calibration", "novelty"} & results().keys()
    assert not list((RUN / "final").glob("*.test"))


def test_a_fresh_run_tells_which_files_are_of_an_earlier_one_and_keeps_them(run_cli):
    fitted(run_cli("fit", "--trainer.max_epochs", "1"))
    assert main(["export", str(RUN), "--format", "safetensors"]) == 0
    assert main(["report", str(RUN)]) == 0
    kept = [RUN / name for name in ("MODEL_CARD.md", "model.safetensors", "report.html")]
    before = [path.read_bytes() for path in kept]
    told = "MODEL_CARD.md, model.safetensors, report.html in "

    fresh = run_cli("fit", "--fresh", "--trainer.max_epochs", "1")
    resumed = run_cli("fit", "--trainer.max_epochs", "2")

    fitted(fresh), fitted(resumed)
    assert f"{told}{RUN}: still of an earlier run; export and report write them anew" in fresh[1]
    assert "of an earlier run" not in resumed[1]
    assert [path.read_bytes() for path in kept] == before


def no_room(path="", _=None):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda patch: patch.setattr(files, "write_json", no_room),
        lambda _: (RUN / "results.json").write_text("no JSON"),
    ],
    ids=["full", "damaged"],
)
def test_an_error_is_told_though_it_cannot_be_recorded(spoil, run_cli, monkeypatch):
    def save(checkpoint, path):
        spoil(monkeypatch)
        no_room()

    monkeypatch.setattr(torch, "save", save)
    status, _, problems = run_cli("fit", "--trainer.max_epochs", "1")
    assert status == 2
    best = RUN.absolute() / "checkpoints" / "best.ckpt"
    assert problems == f"error: {best}: No space left on device; make room or choose another\n"


def test_reports_and_exports_are_known_by_their_usual_names(tmp_path):
    exports = {f"model{one.suffix}" for one in formats.FORMATS.values()}
    usual = {model_card.NAME, *exports, "report.html"}
    for name in (*usual, "notes.txt"):
        (tmp_path / name).touch()
    assert {path.name for path in Run(tmp_path).exports_and_reports()} == usual


class Looks(Callback):
    """Looks at the run's results at each step: what they are then, those of a killed run stay."""

    seen: ClassVar = []

    def on_train_batch_end(self, *_):
        self.seen.append(results())


LOOKS = f"--trainer.callbacks+={__name__}.Looks"


def test_a_resumed_run_has_not_ended_yet(run_cli):
    fitted(run_cli("fit", LOOKS, "--trainer.max_epochs", "1"))
    assert results()["ended_by"] == "max_epochs"
    Looks.seen.clear()
    fitted(run_cli("fit", LOOKS, "--trainer.max_epochs", "2"))
    assert Looks.seen[0]["status"] == "running"
    assert "ended_by" not in Looks.seen[0]
    assert Looks.seen[0]["best_epoch"] == 0


def test_a_resumed_run_without_its_best_weights_has_no_best_score(run_cli):
    fitted(run_cli("fit", LOOKS, "--trainer.max_epochs", "1"))
    assert results()["best_epoch"] == 0
    (RUN / "checkpoints" / "best.ckpt").unlink()
    Looks.seen.clear()
    fitted(run_cli("fit", LOOKS, "--trainer.max_epochs", "2"))
    assert not [name for name in Looks.seen[0] if name.startswith("best_")]
    assert results()["best_epoch"] == 1

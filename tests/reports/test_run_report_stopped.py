"""A test that is stopped while it writes leaves no test that is put together from two."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from lit_mnist.main import main
from lit_mnist.reports.committee_table import markdown
from lit_mnist.reports.run_report import EvaluationReport
from lit_mnist.runs import ledger, tested, tested_files
from lit_mnist.runs.folder import Run
from tests.conftest import CONFIGS
from tests.runs.test_tested import COMMITTEE, FOLDER, replace_weights, results

OF_TEST = ("test_acc", "test_acc_ci95", "test_loss", "test_errors", "calibration", "cascade")


class Stopped(BaseException):
    """As if the process were killed."""


@pytest.fixture
def stop_after(monkeypatch):
    """Stops the program once it has put this many files in place."""
    replace = Path.replace

    def call(count):
        done = []

        def counting(self, target):
            moved = replace(self, target)
            done.append(target)
            if len(done) == count:
                raise Stopped
            return moved

        monkeypatch.setattr(Path, "replace", counting)
        return done

    return call


@pytest.fixture
def each_stop(stop_after, capsys):
    """Yields results.json and the row of `runs` for each place at which a test can be stopped."""

    def states(argv, folder):
        shutil.copytree(folder, "before")
        for count in range(1, 40):
            stop_after(count)
            try:
                assert main(argv) == 0
            except Stopped:
                ended = False
            else:
                ended = True
            stop_after(-1)
            capsys.readouterr()
            assert main(["runs", "--json"]) == 0
            listed = json.loads(capsys.readouterr().out)
            row = next(row for row in listed if folder == Path("tb_logs", row["run"]))
            yield results(folder), row
            if ended:
                return
            shutil.rmtree(folder)
            shutil.copytree("before", folder)
        pytest.fail("the test never ended")

    return states


def check(states, before):
    """Returns how many states hold the test before, no test, and the new one: each is whole."""
    *stopped, (after, _) = states
    assert before["test_weights_sha256"] != after["test_weights_sha256"]
    counts = [0, 0, 1]
    for found, row in stopped:
        whole = next(
            (
                place
                for place, one in enumerate((before, None, after))
                if one and found.get("test_weights_sha256") == one["test_weights_sha256"]
            ),
            1,
        )
        counts[whole] += 1
        if whole == 1:
            assert not set(OF_TEST) & found.keys()
            assert row["test_acc"] is None
            assert row["problem"] == "its test was not finished; test it again"
        else:
            one = (before, None, after)[whole]
            expected = {name: one.get(name) for name in (*OF_TEST, "test_checkpoints")}
            assert {name: found.get(name) for name in expected} == expected
            assert row["test_acc"] == (None if whole == 0 else one["test_acc"])
    return counts


def test_a_stopped_test_of_other_weights_is_none(trained, members, no_pictures, each_stop):
    last = FOLDER / "checkpoints" / "last.ckpt"
    replace_weights(shutil.copy(FOLDER / "checkpoints" / "best.ckpt", last))
    before = results()
    states = each_stop(["test", *members, "--ckpt_path", "last"], FOLDER)
    counts = check(states, before)
    assert counts[0] == 1  # with the new table in place, so that no score is shown
    assert counts[1] >= 3  # the pictures among them
    assert tested.why_untested(Run(FOLDER)) == ""


def test_a_stopped_test_of_another_average_is_none(trained, members, no_pictures, each_stop):
    before = results(COMMITTEE)
    at = members.index("--data.dataset")
    argv = [
        *("test", "--config", f"{CONFIGS}/ensemble.yaml", "--name", "dense", *members[at : at + 4]),
        *("--model.checkpoints", "tb_logs/dense/seed_*/checkpoints/best.ckpt"),
        *("--model.average", "logits", "--trainer.accelerator", "cpu"),
    ]

    def states():
        for found, row in each_stop(argv, COMMITTEE):
            config = yaml.safe_load((COMMITTEE / "config.yaml").read_text())
            if "test_average" in found:
                average = config["model"]["init_args"]["average"]
                assert found["test_average"] == found["average"] == average
                assert (COMMITTEE / "report.md").read_text() == markdown(found)
            yield found, row

    counts = check(states(), before)
    assert counts[0] == 1
    assert counts[1] >= 6
    assert tested.why_untested(Run(COMMITTEE)) == ""


@pytest.fixture
def replace_at(monkeypatch):
    """Replaces a checkpoint when a test comes to one of its hooks, as `fit` elsewhere would."""

    def call(hook, path):
        original = getattr(EvaluationReport, hook)

        def replacing(self, trainer, module):
            replace_weights(path)
            return original(self, trainer, module)

        monkeypatch.setattr(EvaluationReport, hook, replacing)

    return call


SHOWN = "final/events.out.tfevents.*.test"  # by TensorBoard, of a test
REPLACED = f"{FOLDER}/checkpoints/best.ckpt: gone or replaced since it was read"


def test_weights_replaced_before_the_trainer_reads_them_are_not_tested(
    trained, members, replace_at, capsys
):
    looks = len(ledger.read(FOLDER).looks)
    replace_at("on_test_start", FOLDER / "checkpoints" / "best.ckpt")
    assert main(["test", *members]) == 2
    assert f"error: {REPLACED}; run test again" in capsys.readouterr().err
    assert len(ledger.read(FOLDER).looks) == looks  # no image was read


def test_a_test_of_weights_that_were_replaced_meanwhile_is_not_recorded(
    trained, members, replace_at, capsys
):
    before = results()
    replace_at("on_test_epoch_end", FOLDER / "checkpoints" / "best.ckpt")
    assert main(["test", *members]) == 0
    assert f"{REPLACED}: nothing is recorded except a line in" in capsys.readouterr().out
    assert results() == before
    assert ledger.read(FOLDER).looks[-1]["weights_sha256"] == before["test_weights_sha256"]
    assert tested.why_untested(Run(FOLDER)) == tested_files.CHANGED


def test_a_test_whose_weights_are_replaced_at_its_end_is_not_finished(
    trained, members, no_pictures, monkeypatch, capsys
):
    monkeypatch.setattr(
        EvaluationReport, "curves", lambda *_: replace_weights(FOLDER / "checkpoints" / "best.ckpt")
    )
    assert list(FOLDER.glob(SHOWN))  # of the test before
    assert main(["test", *members]) == 2
    assert f"error: {REPLACED}; run test again" in capsys.readouterr().err
    assert not set(OF_TEST) & results().keys()
    assert not list(FOLDER.glob(SHOWN))
    assert main(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    row = next(row for row in listed if row["run"] == "dense/seed_42")
    assert row["test_acc"] is None
    assert row["problem"].startswith("its test was not finished; test it again")


def test_a_table_of_another_test_is_not_taken_for_this_one_s(
    trained, members, no_pictures, monkeypatch
):
    monkeypatch.setattr(
        EvaluationReport, "write", lambda *_: (FOLDER / "predictions.csv").write_text("another's")
    )
    assert main(["test", *members]) == 0
    assert tested.why_untested(Run(FOLDER)) == "its predictions.csv is not that of its test"

"""What `committee` says of members and a committee that are tested already, and does again."""

from pathlib import Path

from lit_mnist.data import read
from lit_mnist.data.datasets import DATASETS
from lit_mnist.reports.run_report import EvaluationReport
from lit_mnist.runs import tested
from lit_mnist.runs.folder import Run
from tests.conftest import SMALL
from tests.runs.test_tested import FOLDER, replace_weights

OWN = Run(Path("tb_logs/dense/committee_3"))


def reads():
    """How often the test set was read, by results.json and by the ledger."""
    return OWN.results()["test_reads"], OWN.file("ledger.csv").read_text().count("\n") - 1


def test_lost_votes_and_pictures_are_named_with_what_writes_them_again(call):
    votes = OWN.votes.read_bytes()
    for path in (OWN.votes, OWN.file("confusion.png")):
        path.unlink()
    status, output, problems = call("committee", "--members", "3")
    assert status == 0
    assert f"{OWN.folder} is tested" in output
    assert problems == (
        f"{OWN.folder}: votes.csv, confusion.png are gone; remove its predictions.csv, and the"
        " same command reads the test set again and writes all\n"
    )
    assert reads() == (1, 1)
    OWN.predictions.unlink()
    status, _, problems = call("committee", "--members", "3")
    assert (status, problems) == (0, "")
    assert OWN.votes.read_bytes() == votes
    assert OWN.file("confusion.png").exists()
    assert reads() == (2, 2)


def test_the_test_files_are_not_opened_with_skip_test(call, monkeypatch):
    opened, original = [], read.read_bytes
    monkeypatch.setattr(read, "read_bytes", lambda path: opened.append(path.name) or original(path))
    read._file_sha256.cache_clear()
    assert Path("tb_logs/dense/seed_42/predictions.csv").exists()  # all are tested
    status, output, problems = call("committee", "--members", "3", "--skip_test")
    assert (status, problems) == (0, "")
    assert "val_acc" in output
    assert set(opened) == set(DATASETS[SMALL].files["train"])
    assert call("committee", "--members", "3")[0] == 0  # which looks for changed test images
    assert set(opened) == set(DATASETS[SMALL].all_files)


def test_a_member_is_tested_again_whose_weights_were_replaced_meanwhile(call, monkeypatch):
    best = FOLDER / "checkpoints" / "best.ckpt"
    replace_weights(best)
    ends = EvaluationReport.on_test_epoch_end
    with monkeypatch.context() as patch:

        def replacing(report, trainer, module):
            if report.run.folder == FOLDER:
                replace_weights(best)
            ends(report, trainer, module)

        patch.setattr(EvaluationReport, "on_test_epoch_end", replacing)
        call("committee", "--members", "3")
    assert tested.why_untested(Run(FOLDER)) != ""
    _, output, _ = call("committee", "--members", "3")
    assert f"{FOLDER}: its test is not recorded" not in output
    assert tested.why_untested(Run(FOLDER)) == ""

"""The page about runs agrees with the runs' files."""

import base64
import csv
import html
import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_mnist.main import main
from lit_mnist.reports import page, page_facts
from lit_mnist.runs.folder import Run

COMMITTEE = Path("tb_logs/dense/committee_3")
MEMBER = Path("tb_logs/dense/seed_42")


def report(*runs, output=None):
    options = ["--output", str(output)] if output else []
    return main(["report", *map(str, runs), *options])


def results(folder):
    return json.loads((folder / "results.json").read_text())


def figures(text):
    return re.findall(r'data-figure="([^"]+)">([^<]*)<', text)


def test_figures_are_those_of_the_run(trained):
    assert report(COMMITTEE) == 0
    shown, known = dict(figures((COMMITTEE / "report.html").read_text())), results(COMMITTEE)
    assert shown["test accuracy"] == f"{100 * known['test_acc']:.2f} %"
    assert shown["test errors"] == str(known["test_errors"])
    assert shown["test loss"] == f"{known['test_loss']:.4f}"
    low, high = known["test_acc_ci95"]
    assert shown["95 % interval"] == f"{100 * low:.2f} to {100 * high:.2f} %"


def test_errors_are_sorted_by_confidence_with_all_votes(trained):
    facts = page_facts.read(COMMITTEE)
    with (COMMITTEE / "predictions.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] != row["prediction"]]
    sure = {int(row["index"]): float(row[f"p{row['prediction']}"]) for row in rows}
    wrong = facts.test.indices[facts.test.wrong]
    assert set(wrong) == sure.keys()
    assert [sure[index] for index in wrong] == sorted(sure.values(), reverse=True)
    assert facts.test.votes.shape == (101, 3)
    errors = [(facts.test.votes[:, k] != facts.test.answers.labels).sum() for k in range(3)]
    assert errors == [member["test_errors"] for member in results(COMMITTEE)["members"]]


def test_the_page_is_reproducible_and_self_contained(trained):
    for name in ("one.html", "two.html"):
        assert report(COMMITTEE, MEMBER, output=name) == 0
    text = Path("one.html").read_bytes()
    assert text == Path("two.html").read_bytes()
    assert len(text) < 5_000_000
    addresses = re.findall(rb"(?:src|href)=\"([^\"]{0,12})", text)
    assert {address[:5] for address in addresses if address[:1] != b"#"} <= {b"data:"}
    assert b"url(http" not in text


def test_tests_of_other_images_are_told(trained):
    note = "tested on different images, so that their test scores cannot be compared"
    other = MEMBER.with_name("seed_43")
    assert report(MEMBER, other, output="page.html") == 0
    assert note not in Path("page.html").read_text()
    Run(other).update_results(test_data_sha256="0" * 64)
    assert report(MEMBER, other, output="page.html") == 0
    assert Path("page.html").read_text().count(note) == 1


def test_without_a_test_only_validation_figures_are_shown(trained):
    member = Run(MEMBER)
    known = {key: value for key, value in member.results().items() if not key.startswith("test_")}
    member.file("results.json").write_text(json.dumps(known))
    assert report(MEMBER) == 0
    text = (MEMBER / "report.html").read_text()
    assert "Validation figures only" in text
    assert dict(figures(text))["best validation accuracy"].endswith(" % of 100")
    assert "test accuracy" not in dict(figures(text))
    assert "Confusion matrix" not in text


def test_a_test_of_other_weights_is_not_shown(trained):
    shutil.copyfile("tb_logs/dense/seed_43/checkpoints/best.ckpt", MEMBER / "checkpoints/best.ckpt")
    assert report(COMMITTEE) == 0
    text = (COMMITTEE / "report.html").read_text()
    assert "its weights are no longer those that were tested" in text
    assert "test accuracy" not in dict(figures(text))


def test_members_that_were_trained_on_have_no_old_figures(trained):
    known = results(COMMITTEE)["members"][0]
    cells = f"<td>{known['run']}</td><td>{known['epoch']}</td><td>{known['val_acc']:.4f}</td>"
    assert report(COMMITTEE) == 0
    assert cells in (COMMITTEE / "report.html").read_text()
    shutil.copy(
        Run(Path("tb_logs/dense/seed_43")).best, Run(MEMBER).best
    )  # as if training had continued
    assert report(COMMITTEE) == 0
    text = (COMMITTEE / "report.html").read_text()
    assert "Validation figures only: its weights are no longer those that were tested" in text
    assert f"<td>{known['run']}</td><td></td><td></td><td></td><td></td>" in text


def test_a_run_without_its_config_is_shown(trained):
    (MEMBER / "config.yaml").unlink()
    assert report(MEMBER) == 0
    assert "test accuracy" in dict(figures((MEMBER / "report.html").read_text()))


def test_a_run_s_name_is_escaped(trained):
    name = 'a"><script>alert(1)<'
    shutil.copytree(MEMBER, Path("tb_logs") / name)
    assert report(Path("tb_logs") / name, output="odd.html") == 0
    text = Path("odd.html").read_text()
    assert name not in text
    assert html.escape(name, quote=True).replace("&quot;", "&#34;") in text


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda run: run.predictions.write_text("index,label\n1"), "test_predictions"),
        (lambda run: run.file("results.json").write_text("{"), "results.json: damaged"),
        (lambda run: run.update_results(calibration={"temperature": 1.0}), "results.json lacks"),
        (lambda run: run.file("metrics.csv").write_text("epoch,lr\nx,y\n"), "metrics.csv: damaged"),
        (lambda run: run.file("config.yaml").write_text("- 1"), "config.yaml: damaged"),
        (lambda run: run.file("config.yaml").write_text("data: 1"), "config.yaml: damaged"),
    ],
)
def test_a_damaged_file_is_reported(trained, capsys, damage, problem):
    damage(Run(COMMITTEE if problem == "test_predictions" else MEMBER))
    status = report(COMMITTEE if problem == "test_predictions" else MEMBER, output="page.html")
    errors = capsys.readouterr().err
    if problem == "test_predictions":  # a test that no longer counts is left out, with a message
        assert status == 0
        assert "is not that of its test" in Path("page.html").read_text()
        return
    assert status == 2
    assert problem in errors
    assert errors.count("\n") == 1
    assert not Path("page.html").exists()


@pytest.mark.parametrize("vote", ["x", "10", "-1"])
def test_votes_that_are_no_classes_are_reported(trained, capsys, vote):
    votes = Run(COMMITTEE).votes
    votes.write_text(f"index,label,prediction,member_0\n0,1,2,{vote}\n")
    assert report(COMMITTEE, output="page.html") == 2
    assert capsys.readouterr().err == f"error: {votes}: damaged; test the committee again\n"


@pytest.mark.parametrize("line", [b"2026-01-01T00", b"\xff\0,\xfe", b"1,2,3,4,5,6", b"a,b,c,d,e"])
def test_a_damaged_line_of_the_ledger_is_told_and_hides_nothing(trained, capsys, line):
    ledger = COMMITTEE / "ledger.csv"
    ledger.write_bytes(ledger.read_bytes() + line + b"\n")
    before = ledger.read_bytes()
    assert report(COMMITTEE, MEMBER, output="page.html") == 0
    problem = f"{ledger}: damaged in line 3; such a line stays, and counts\n"
    assert capsys.readouterr().err == problem
    assert "<td>damaged</td>" in Path("page.html").read_text()
    assert ledger.read_bytes() == before


def test_folders_without_a_run_and_foreign_outputs_are_refused(trained, capsys):
    Path("notes.html").write_text("mine")
    for runs, output in (([Path("tb_logs")], "x.html"), ([MEMBER], "notes.html"), ([MEMBER], ".")):
        assert report(*runs, output=output) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert Path("notes.html").read_text() == "mine"
    assert report(MEMBER, output="page.html") == 0
    assert report(MEMBER, output="page.html") == 0  # its own may be replaced


def test_a_run_whose_results_are_lost_is_not_called_none(trained, capsys):
    (MEMBER / "results.json").unlink()
    assert report(MEMBER) == 2
    problem = f"error: {MEMBER}/results.json: missing; the same fit command writes it again\n"
    assert capsys.readouterr().err == problem


def test_a_pipe_is_refused_without_waiting_for_its_writer(trained, capsys):
    os.mkfifo("pipe.html")
    assert report(MEMBER, output="pipe.html") == 2
    message = "error: --output pipe.html: is no regular file; choose another name\n"
    assert capsys.readouterr().err == message


def test_an_image_is_kept_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    png = base64.b64decode(page.data_uri(image).partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), image)

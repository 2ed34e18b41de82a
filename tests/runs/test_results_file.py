"""`results.json` with entries of the wrong kind is refused where it is read, whoever reads it."""

import json
from pathlib import Path

import pytest

from lit_mnist.errors import UserError
from lit_mnist.main import main
from lit_mnist.runs.folder import Run

RUN, OTHER = Path("tb_logs/dense/seed_42"), Path("tb_logs/dense/seed_43")
WRONG = {
    "text for a number": {"test_acc": "0.9"},
    "null for a number": {"best_val_acc": None},
    "one limit": {"test_acc_ci95": [0.9]},
    "a list for a mapping": {"versions": ["torch"]},
    "numbers for paths": {"test_checkpoints": [1]},
    "a list for a hash": {"test_data_sha256": ["a"]},
    "a number for members": {"members": 5},
    "a member that is none": {"members": [{"run": "a", "val_acc": "high"}]},
    "scores that are none": {"calibration": {"test": {"nll": "low"}}},
    "rows that are none": {"calibration": {"abstention": [{"threshold": [1]}]}},
    "thresholds that are none": {"cascade": {"thresholds": 0.9}},
    "a score out of fold that is none": {"out_of_fold": {"acc_ci95": "0.9 to 1"}},
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_an_entry_of_the_wrong_kind_is_named(tmp_path, content):
    (tmp_path / "results.json").write_text(json.dumps({"status": "complete"} | content))
    (name,) = content
    message = rf"results\.json: damaged, its entry {name} is of the wrong kind; remove it"
    with pytest.raises(UserError, match=message):
        Run(tmp_path).results()


def test_unknown_entries_and_null_where_nothing_is_known_are_kept(tmp_path):
    content = {"mine": [1], "test_average": None, "members": [{"val_acc": None, "epoch": None}]}
    (tmp_path / "results.json").write_text(json.dumps(content))
    assert Run(tmp_path).results() == content


@pytest.mark.parametrize("command", ["report", "compare", "runs"])
def test_every_command_tells_it_in_a_line(here, capsys, command):
    for run in (RUN, OTHER):
        run.mkdir(parents=True)
        (run / "predictions.csv").write_text("index,label,prediction,p0\n0,1,1,1.0\n")
    (RUN / "results.json").write_text('{"versions": ["torch"]}')
    named = {"report": [RUN], "compare": [RUN, OTHER], "runs": ["tb_logs"]}[command]
    status = main([command, *map(str, named)])
    output, problems = capsys.readouterr()
    assert f"{RUN}/results.json: damaged, its entry versions is of the wrong kind" in (
        output if command == "runs" else problems
    )
    assert (status, problems.count("\n")) == ((0, 0) if command == "runs" else (2, 1))

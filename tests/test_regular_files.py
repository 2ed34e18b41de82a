"""A folder or a pipe in the place of a run's file: one line that names it, exit status 2."""

import os
import re
from pathlib import Path

import pytest

from lit_mnist.main import main

COMMITTEE, MEMBER = Path("tb_logs/dense/committee_3"), Path("tb_logs/dense/seed_42")
# Which commands read or replace a file of a single run; fit, test and validate refuse all of them
READERS = {
    "config.yaml": ("report", "committee", "runs"),
    "results.json": ("report", "compare", "committee", "export", "runs"),
    "metrics.csv": ("report", "runs"),
    "predictions.csv": ("report", "compare", "committee"),
    "ledger.csv": ("report",),
    "out_of_fold.csv": ("audit",),
    "checkpoints/best.ckpt": ("export", "committee", "runs"),
    "checkpoints/last.ckpt": (),
}
KINDS = {"pipe": os.mkfifo, "folder": os.mkdir}


def arguments(command, members):
    return {
        "report": ["report", str(MEMBER), "--output", "page.html"],
        "compare": ["compare", str(MEMBER), "tb_logs/dense/seed_43"],
        "committee": ["committee", *members, "--members", "3"],
        "export": ["export", str(MEMBER)],
        "audit": ["audit", str(MEMBER)],
        "runs": ["runs"],
    }.get(command, [command, *members, "--trainer.max_epochs", "4"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_no_command_waits_for_a_pipe_or_fails_late_at_a_folder(
    trained, members, in_process, capsys, name, kind
):
    path = MEMBER / name
    if path.exists():
        path.unlink()
    KINDS[kind](path)
    for command in ("fit", "test", "validate", *READERS[name]):
        status = main(arguments(command, members))
        output, problems = capsys.readouterr()
        if command == "runs":  # which lists the others
            assert (status, str(path) in output) == (0, True), (command, output)
        else:
            assert status == 2, (command, output)
            assert re.fullmatch(rf"error: {path}: is no regular file; [^\n]+\n", problems), command


@pytest.mark.parametrize("name", ["votes.csv", "results.json", "ledger.csv"])
def test_a_committee_s_own_files_are_no_pipes_either(trained, members, in_process, capsys, name):
    (COMMITTEE / name).unlink()
    os.mkfifo(COMMITTEE / name)
    assert main(["report", str(COMMITTEE), "--output", "page.html"]) == 2
    assert f"{COMMITTEE / name}: is no regular file" in capsys.readouterr().err
    again = ["committee", *members, "--members", "3", "--average", "logits"]
    assert main(again) == 2
    assert f"{COMMITTEE / name}: is no regular file" in capsys.readouterr().err


@pytest.mark.parametrize("place", [MEMBER, MEMBER.parent, MEMBER.parents[1]])
def test_a_folder_that_is_a_link_to_nowhere_is_told(here, members, capsys, place):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to("gone")
    for command in ("fit", "test"):
        assert main(arguments(command, members)) == 2
        told = rf"error: {place}: is a link to gone, which is not there; [^\n]+\n"
        assert re.fullmatch(told, capsys.readouterr().err)
    assert not Path("gone").exists()

"""The results of a committee are not replaced by those of another of its size."""

import json
import shutil
from pathlib import Path

import pytest

from lit_mnist.main import main
from tests.conftest import CONFIGS
from tests.trained import contents

COMMITTEE = Path("tb_logs/dense/committee_3")


@pytest.fixture
def refused(trained, capsys):
    """Runs a command that must change no file; gives its problem."""

    def call(*options):
        before = contents(trained)
        assert main([*options]) == 2
        assert contents(trained) == before
        problem = capsys.readouterr().err
        assert problem.count("\n") == 1
        return problem

    return call


def named(paths, *options):
    """A test of these members in the folder of the committee of three."""
    files = json.dumps([f"tb_logs/dense/seed_{path}.ckpt" for path in paths])
    given = ("--config", f"{CONFIGS}/ensemble.yaml", *options, "--name", "dense")
    return "test", *given, "--model.checkpoints", files


def test_other_seeds_are_refused_before_they_are_trained(refused, members, in_process):
    problem = refused("committee", *members, "--members", "3", "--seed_everything", "43")
    assert problem == (
        f"error: {COMMITTEE}: holds the results of another committee, with"
        " ../seed_42/checkpoints/best.ckpt; choose another --name, or move that folder\n"
    )


def test_reproduce_refuses_them_at_once(refused, members, monkeypatch):
    from lit_mnist.commands import reproduce
    from lit_mnist.reports.notebook import System

    system = System(
        name="dense", title="", config="dense", accuracy=0, loss=0, epoch_s=1.0, members=3
    )
    monkeypatch.setattr(reproduce, "SYSTEMS", (system,))
    problem = refused("reproduce", *members[2:], "--seed_everything", "43")
    assert f"{COMMITTEE}: holds the results of another committee" in problem


def test_it_is_said_whose_results_named_members_replace(trained, members, no_pictures, capsys):
    shutil.copy("tb_logs/dense/seed_42/checkpoints/best.ckpt", "tb_logs/dense/seed_1.ckpt")
    best = [f"{seed}/checkpoints/best" for seed in (43, 44)]
    assert main([*named(["1", *best], *members[4:])]) == 0
    said = f"{COMMITTEE}: replaces the results of other members, with"
    assert f"{said} ../seed_42/checkpoints/best.ckpt" in capsys.readouterr().out


def test_the_same_members_are_tested_again_with_any_weights(trained, members, no_pictures):
    paths = [f"{seed}/checkpoints/last" for seed in (44, 43, 42)]
    assert main([*named(paths, *members[4:])]) == 0
    recorded = json.loads((COMMITTEE / "results.json").read_text())
    assert [one["run"] for one in recorded["members"]] == [
        f"dense/seed_{seed}/last.ckpt" for seed in (44, 43, 42)
    ]


def test_members_that_were_only_validated_are_known(folds, here, members, in_process, capsys):
    shutil.copytree(folds / "tb_logs", "tb_logs")
    folder = Path("tb_logs/dense/committee_3_folds_3")
    path = folder / "results.json"
    results = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in results.items() if not k.startswith("test_")}))
    options = ("--folds", "3", "--seed_everything", "50", "--skip_test")
    assert main(["committee", *members, *options]) == 2
    assert f"{folder}: holds the results of another committee" in capsys.readouterr().err

"""The parsers of the program's own commands: options, errors and help, without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from lit_mnist.command_line.parsers import PARSERS
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.main import main
from lit_mnist.reports.notebook import SYSTEMS


def test_defaults_of_each_command():
    committee = PARSERS["committee"]().parse(["--config", "deep"])
    assert (committee.members, committee.jobs, committee.member) == (5, None, None)
    assert committee.average == "probabilities"
    reproduce = PARSERS["reproduce"]().parse([])
    assert reproduce.only == [system.name for system in SYSTEMS]
    assert (reproduce.seeds, reproduce.jobs, reproduce.output) == (1, None, None)
    demo = PARSERS["demo"]().parse(["tb_logs/deep/seed_42"])
    assert (demo.run, demo.port) == (Path("tb_logs/deep/seed_42"), 8000)
    assert PARSERS["doctor"]().parse([]).json is False


def test_the_format_follows_the_output_s_suffix():
    for args, kind in (
        ([], "onnx"),
        (["--output", "b.pt2"], "pt2"),
        (["--format", "safetensors"], "safetensors"),
    ):
        assert PARSERS["export"]().parse(["a", *args]).format == kind


@pytest.mark.parametrize("command", ["export", "demo"])
@pytest.mark.parametrize("form", [["a.A", "b.B"], ["a.A", "--model.classes", "b.B"]])
def test_classes_are_named_together_or_one_after_another(command, form):
    for _ in range(2):  # the first call leaves nothing for the second
        assert PARSERS[command]().parse(["a", "--model.classes", *form]).classes == ["a.A", "b.B"]
    assert PARSERS[command]().parse(["a"]).classes == []


def test_options_of_fit_are_passed_on():
    args = ["--model.lr", "0.1", "-c=deep", "--members", "3", "--config", "over.yaml", "--fresh"]
    options = PARSERS["committee"]().parse(args)
    assert options.members == 3
    assert options.spec == RunSpec(("deep", "over.yaml"), ("--model.lr", "0.1", "--fresh"))


@pytest.mark.parametrize("model", [["--model", "DenseModule"], ["--model.class_path=my.Net"]])
def test_a_committee_accepts_a_model_without_a_config(model):
    assert PARSERS["committee"]().parse(model).spec.typed == tuple(model)


def test_home_is_found_where_no_shell_has_replaced_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    options = PARSERS["report"]().parse(["~/run", "--output=~/page.html"])
    assert (options.runs, options.output) == ([Path("/home/me/run")], Path("/home/me/page.html"))
    actions = [action for kind in PARSERS.values() for action in kind()._actions]
    assert not [action.dest for action in actions if action.type is Path]


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", PARSERS)
def test_help_wins_over_other_options(command, flag, capsys):
    assert main([command, "--members", "none", flag]) == 0
    output, problems = capsys.readouterr()
    assert output.startswith(f"usage: python cli.py {command} ")
    assert problems == ""


def test_help_lists_every_system_in_order(capsys):
    main(["reproduce", "--help"])
    words = capsys.readouterr().out.partition("systems to run (all): ")[2].split()
    names = [system.name for system in SYSTEMS]
    assert [word.rstrip(",") for word in words[: len(names)]] == names


def test_help_and_errors_do_not_import_torch():
    commands = [["--help"], *([command, "--help"] for command in PARSERS), ["committee"]]
    code = (
        f"import sys; from lit_mnist.main import main; [main(argv) for argv in {commands}];"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


BAD = {
    "members none": (
        "committee",
        ["--members", "0"],
        "--members: 0 is not an integer of at least 1",
    ),
    "members one": ("committee", ["--members", "1"], "--members 1: a committee has two"),
    "members many": ("committee", ["--members", "many"], "--members: many is not an integer"),
    "member too high": ("committee", ["--member", "5"], "take 0 to 4, or set more --members"),
    "member below 0": ("committee", ["--member", "-1"], "--member -1: take 0 to 4"),
    "member no number": ("committee", ["--member", "x"], "--member: invalid int value: 'x'"),
    "average": ("committee", ["--average", "mean"], "--average: invalid choice: 'mean'"),
    "jobs": ("committee", ["--jobs", "-2"], "--jobs: -2 is not an integer of at least 1"),
    "no value": ("committee", ["--jobs"], "--jobs: expected one argument"),
    "only": ("reproduce", ["--only", "dens"], "--only: invalid choice: 'dens'"),
    "only nothing": ("reproduce", ["--only"], "--only: expected at least one argument"),
    "seeds": ("reproduce", ["--seeds", "0"], "--seeds: 0 is not an integer of at least 1"),
    "jobs of reproduce": ("reproduce", ["--jobs", "0"], "--jobs: 0 is not an integer"),
    "a config": ("reproduce", ["--config", "a.yaml"], "--config: reproduce has its own"),
    "a config, short": ("reproduce", ["-c", "a.yaml"], "--config: reproduce has its own"),
    "a name": ("reproduce", ["--name=a"], "--name: reproduce has its own"),
    "a config, joined": ("reproduce", ["-c=a.yaml"], "--config: reproduce has its own"),
    "system's weights": ("reproduce", ["--ckpt_path=a.ckpt"], "--ckpt_path: each run has its own"),
    "dry": ("reproduce", ["--trainer.fast_dev_run", "1"], "--trainer.fast_dev_run: leaves no"),
    "of fit": ("reproduce", ["--model.lrr", "1"], "there is no option lrr; did you mean lr?"),
    "no model": (
        "committee",
        [],
        "give its members' config: python cli.py committee --config deep",
    ),
    "abbreviated": ("committee", ["--memb", "3"], "write --members or --member; see"),
    "abbreviated, with =": ("reproduce", ["--seed=7"], "--seed: options are not abbreviated"),
    "abbreviated, of fit": ("reproduce", ["--data.batch", "9"], "did you mean --data.batch_size?"),
    "abbreviated config": ("committee", ["--conf", "deep", "--model", "DenseModule"], "--config?"),
    "unknown before no model": ("committee", ["--conf", "x"], "--conf x; did you mean --config?"),
    "unknown before no space": ("sweep", ["--conf", "x"], "--conf x; did you mean --config?"),
    "no run": ("export", [], "export takes one run: python cli.py export tb_logs/deep/seed_42"),
    "two runs": ("export", ["a", "b"], "export takes one run"),
    "an empty run": ("export", [""], "is empty; name a file or folder"),
    "an empty folder": ("runs", [""], "is empty; name a file or folder"),
    "format": ("export", ["a", "--format", "h5"], "--format: invalid choice: 'h5'"),
    "pixels": ("export", ["a", "--input", "int8"], "--input: invalid choice: 'int8'"),
    "output": ("export", ["a", "--output", "b.bin"], "b.bin: give it a name that ends in .onnx"),
    "other output": (
        "export",
        ["a", "--format", "pt2", "--output", "b.onnx"],
        "b.onnx: give it a name that ends in .pt2",
    ),
    "no run of demo": ("demo", [], "demo takes one run: python cli.py demo tb_logs/deep/seed_42"),
    "two runs of demo": ("demo", ["a", "b"], "demo takes one run: python cli.py demo tb_logs/"),
    "port": ("demo", ["a", "--port", "65536"], "--port: 65536 is not a port; take 0 to 65535"),
    "port no number": ("demo", ["a", "--port", "http"], "--port: http is not a port; take 0"),
    "no run at all": ("demo", ["tb_logs/none"], "tb_logs/none: holds no trained run"),
    "no run's": ("compare", ["a", "b", "--name", "x"], "--name: there is no such option"),
}


@pytest.mark.parametrize(("command", "options", "named"), BAD.values(), ids=BAD)
def test_a_bad_option_ends_in_one_line_and_status_2(command, options, named, here, capsys):
    assert main([command, *options]) == 2
    output, problems = capsys.readouterr()
    assert output == ""
    assert problems.startswith("error: ")
    assert named in problems
    assert problems.count("\n") == 1
    assert not list(here.iterdir())


def test_an_output_that_is_a_file_is_reported(here, capsys):
    (here / "taken").touch()
    assert main(["reproduce", "--only", "dense", "--output", "taken"]) == 2
    assert capsys.readouterr().err == ("error: --output taken: taken is a file; name a folder\n")

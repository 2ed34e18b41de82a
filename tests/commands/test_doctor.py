"""The command `doctor`: its lines, exit status and JSON, with and without torch."""

import json
import subprocess
import sys

import pytest

from lit_mnist.commands import doctor
from lit_mnist.doctor import software
from lit_mnist.doctor.finding import Finding
from lit_mnist.main import main
from tests import warm
from tests.commands.test_resolved_run import REFUSED
from tests.conftest import SMALL

CHECKS = [
    *("python", "packages", "imports", "device", "bfloat16", "threads", "launcher"),
    *("data", "data", "log folder", "clock", "locks", "disk"),
]


@pytest.fixture
def look(small_data, here, capsys):
    def call(*options):
        data = ["--data.dataset", SMALL, "--data.data_dir", str(small_data)]
        return main(["doctor", *data, *options]), *capsys.readouterr()

    return call


def test_one_line_per_finding(look, here):
    status, output, problems = look()
    assert (status, problems) == (0, "")
    lines = output.splitlines()
    names = [line[9:19].rstrip() for line in lines]
    assert names[: len(CHECKS)] == CHECKS
    assert set(names[len(CHECKS) :]) == {"extras"}
    assert {line[:7].rstrip() for line in lines} <= {"ok", "warning"}
    assert not list(here.iterdir())


def test_findings_as_json(look):
    status, output, _ = look("--json")
    assert status == 0
    found = json.loads(output)
    assert [one["check"] for one in found][: len(CHECKS)] == CHECKS
    assert {tuple(one) for one in found} == {("check", "verdict", "text", "remedy")}


def test_an_error_gives_status_2_and_its_name(look, tmp_path):
    status, output, problems = look(
        "--data.data_dir", str(tmp_path / "none"), "--data.download", "false"
    )
    assert (status, problems) == (2, "error: doctor: data: fix what is named above\n")
    assert f"error    data        {SMALL}, train: no train-images" in output


def test_the_config_s_options_are_checked(look, here):
    (here / "mine.yaml").write_text(
        "log_dir: elsewhere\nmodel: DenseModule\ntrainer:\n  accelerator: cpu\n"
    )
    output = look("--config", "mine.yaml")[1]
    assert "elsewhere: " in output
    assert "(cpu)" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data.data_dri", "x"], "did you mean --data.data_dir?"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--js"], "write --json"),
        (["--trainer.accumulate_grad_batches", "0"], "accumulate_grad_batches 0: take 1 or more"),
    ],
)
def test_a_bad_option_is_reported(here, capsys, options, message):
    assert main(["doctor", *options]) == 2
    problems = capsys.readouterr().err
    assert message in problems
    assert problems.count("\n") == 1


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_arguments_that_a_constructor_refuses_are_a_finding(look, options, said):
    model = () if "--model" in options else ("--model", "DenseModule")
    status, output, problems = look(*model, *options)
    assert (status, problems) == (2, "error: doctor: classes: fix what is named above\n")
    (line,) = [line for line in output.splitlines() if "  classes  " in line]
    assert line.startswith("error ")
    assert said in line


def test_arguments_that_are_accepted_are_a_finding(look, here):
    status, output, _ = look("--model", "DenseModule", "--trainer.callbacks+=LearningRateMonitor")
    assert status == 0
    assert "ok       classes     model, callbacks and loggers accept their options" in output
    assert not list(here.iterdir())


def without_torch():
    """Runs the command in a process that has imported nothing yet."""
    code = "import sys; from lit_mnist.main import main; sys.path.insert(0, '.');"
    code += "sys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def without_lightning():
    """Runs the command in a process with torch, which takes seconds to import."""
    return warm.run([warm.CLI, "doctor"], before=forget_lightning, PYTHONPATH=".")


def forget_lightning():
    for name in list(sys.modules):
        if name.partition(".")[0] in ("lightning", "lightning_utilities"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("module", "named", "doctors"),
    [
        ("torch", "torch", without_torch),
        ("lightning_utilities", "lightning", without_lightning),
    ],
)
def test_a_failing_import_is_reported(here, module, named, doctors):
    """In a separate process, where the import fails as it does without its libraries."""
    (here / f"{module}.py").write_text("raise ImportError('libtorch_cpu.so: cannot open')")
    status, output, problems = doctors()
    assert status == 2, problems
    assert problems == "error: doctor: imports: fix what is named above\n"
    assert f"{named} cannot be imported (ImportError: libtorch_cpu.so: cannot" in output
    assert "ok       python" in output
    assert "threads" in output
    assert "not looked at" in output


def test_each_failing_check_is_named_once(monkeypatch, capsys):
    monkeypatch.setattr(
        doctor, "look", lambda _: [Finding("data", "error", "a"), Finding("data", "error", "b")]
    )
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == "error: doctor: data: fix what is named above\n"


def test_old_packages_are_errors(look, monkeypatch):
    monkeypatch.setattr(software, "packages", lambda _: [Finding("packages", "error", "old")])
    assert look()[0] == 2

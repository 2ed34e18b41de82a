"""The server of `tests.warm` has done once what commands do when they begin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm


def test_a_fork_has_the_program_and_lightning_without_importing_them(here, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)  # by which it might be found elsewhere
    there = {"lit_mnist.commands.run_cli", "lightning.pytorch", "torch.distributed.run"}
    Path("script.py").write_text(f"import sys; sys.exit(not {there} <= sys.modules.keys())")
    assert warm.run(["script.py"]) == (0, "", "")


def test_a_fork_has_the_parsers_of_the_program_without_building_them(here):
    there = {"fit", "test"}
    Path("script.py").write_text(
        "import sys; from lit_mnist.command_line.run_parser import _BUILT\n"
        f"sys.exit(not {there} <= _BUILT.keys())"
    )
    assert warm.run(["script.py"]) == (0, "", "")


def test_what_a_process_starts_has_none_of_its_work_arounds(here):
    Path("script.py").write_text(
        "import os, sys\n"
        "from lightning.pytorch.loops.fit_loop import _FitLoop\n"
        "from lit_mnist.commands.jobs import subprocess\n"
        "from lit_mnist.workarounds.applied import applied\n"
        "patched = hasattr(_FitLoop.setup_data, '__wrapped__')\n"
        "if sys.argv[1:]: sys.exit(patched)\n"
        "with applied():\n"
        "    child = subprocess.Popen([sys.executable, *sys.argv, 'rank'], env=dict(os.environ))\n"
        "    sys.exit(patched or child.wait())\n"
    )
    assert warm.run(["script.py"]) == (0, "", "")


def test_the_tests_ask_for_a_gpu_without_setting_it_up_before_torch_is_there():
    code = "import os, sys, tests; print(os.environ.get(sys.argv[1]), 'torch' in sys.modules)"
    asked = [sys.executable, "-c", code, "PYTORCH_NVML_BASED_CUDA_CHECK"]
    options = {"cwd": warm.ROOT, "env": {}, "capture_output": True, "text": True}
    assert subprocess.run(asked, **options, check=True).stdout == "1 False\n"


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="needs pytest -n 2")
def test_a_worker_is_a_fork_of_the_process_that_has_imported_all():
    assert "tests.warm_imports" in sys.modules  # which no test imports


def test_the_process_that_gives_out_the_tests_imports_no_torch():
    code = "import sys, tests.conftest; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=warm.ROOT, check=False).returncode == 0

"""The entry point, as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_a_users_module_in_the_working_folder_is_found(here):
    """An installed script has its own folder on Python's path, not the working folder.

    While the parser reads a config, it works in that file's folder.
    """
    Path("my_module.py").write_text("print('found')\n")
    Path("random.py").write_text("raise SystemExit('the library comes first')\n")
    code = (
        "import sys; from lit_mnist.main import program; sys.argv = ['lit-mnist', '--version'];"
        "program(); import os; os.chdir('/'); import random, my_module"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("found\n")


def test_what_standard_output_cannot_encode_is_escaped(here):
    code = (
        "import sys; from lit_mnist.main import program; sys.argv = ['lit-mnist', '--version'];"
        r"program(); print('a\udcff \u00fc')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.endswith(rb"a\udcff \xfc" + b"\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_opened_so_that_no_file_takes_their_number(here, closed):
    code = (
        "import sys; from lit_mnist.main import program; sys.argv = ['lit-mnist', '--version'];"
        "program(); print(sys.stdout.isatty(), file=sys.stderr); file = open('number', 'w');"
        "file.write(str(file.fileno()))"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(Path("number").read_text()) > 2
    assert done.stdout.startswith("lit-mnist ") == (">&-" not in closed.split())
    assert done.stderr == ("" if "2>&-" in closed else "False\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file without room")
@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_help_that_cannot_be_written_is_one_line(here, asked):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, ROOT / "cli.py", asked], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1

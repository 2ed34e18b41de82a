"""What a user without rights is told to do; asked as another user, as root may do everything."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from lit_mnist import files
from lit_mnist.command_line import file_errors
from lit_mnist.command_line.file_errors import remedy
from lit_mnist.errors import UserError
from lit_mnist.pictures.files import read

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
NOBODY = 65534
CHOOSE = " or choose another"


def told(act):
    """Returns what a user who is not root is told when `act` fails."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writer, _answer(act).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, encoding="utf-8") as answers:
        return answers.read()


def _answer(act):
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        return f"no error: {act()}"
    except UserError as error:
        return str(error)
    except OSError as error:
        return remedy(error)


@pytest.fixture
def place(here):
    """The working folder, in which everyone may write, with a file."""
    Path().chmod(0o777)
    Path("file").write_text("x")


@pytest.mark.parametrize(
    ("mode", "way", "right"),
    [
        (0o000, "r", "read it"),
        (0o444, "a", "write there"),
        (0o555, "a", "write there"),
    ],
)
def test_the_right_that_a_file_lacks_is_named(place, mode, way, right):
    Path("file").chmod(mode)
    Path("link").symlink_to("file")
    for name in ("file", "link"):
        opens = partial(Path(name).open, way)
        assert told(opens) == f"allow this user to {right}{CHOOSE}"


@pytest.mark.parametrize(
    ("mode", "act", "right"),
    [
        (0o000, lambda: Path("folder/file").read_text(), "enter folder"),
        (0o000, lambda: Path("folder/below/file").exists(), "enter folder"),
        (0o644, lambda: files.write_text(Path("folder/below/file"), ""), "enter folder"),
        (0o555, lambda: files.write_text(Path("folder/below/file"), ""), "write there"),
        (0o555, lambda: files.check_writable(Path("folder")), "write there"),
        (0o000, lambda: files.check_writable(Path("folder")), "read and write there"),
        (0o333, lambda: os.listdir("folder"), "read it"),
    ],
)
def test_the_right_that_a_folder_lacks_is_named(place, mode, act, right):
    Path("folder").mkdir()
    Path("folder").chmod(mode)
    try:
        assert told(act) == f"allow this user to {right}{CHOOSE}"
    finally:
        Path("folder").chmod(0o777)  # so that it can be removed


def test_a_program_that_may_not_be_started_is_told(place, monkeypatch):
    monkeypatch.setattr(sys, "executable", "./file")
    Path("file").chmod(0o644)
    assert (
        told(lambda: subprocess.run(["./file"], check=False))
        == f"allow this user to run it{CHOOSE}"
    )


def test_an_error_without_a_name_is_of_writing():
    assert remedy(PermissionError(13, "no")) == f"allow this user to write there{CHOOSE}"
    assert remedy(OSError(28, "full")) == "make room or choose another"


def test_an_error_of_the_network_is_of_no_file():
    for error in (ConnectionError("no answer"), TimeoutError(110, "no answer")):
        assert file_errors.told(error) == "the network: no answer; run this again once it answers"


@pytest.mark.parametrize("error", [FileNotFoundError(2, "no"), FileNotFoundError("x not found")])
def test_a_missing_file_needs_no_room(error):
    """As the checkpoint of a run that fit --fresh has replaced while it was tested."""
    found = "name one that exists, or run this again if another process has replaced it"
    assert remedy(error) == found


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("file/below", "move what is there elsewhere or choose another"),
        (".", "move what is there elsewhere or choose another"),
        ("x" * 300, "choose a shorter name"),
    ],
)
def test_a_path_that_cannot_be_a_file_needs_no_room(place, path, told):
    with pytest.raises(OSError) as raised:  # noqa: PT011 # of several kinds
        Path(path).write_text("")
    assert remedy(raised.value) == told


def test_a_picture_that_may_not_be_read_is_told(place):
    Path("file").chmod(0)
    assert told(lambda: read("file")) == "cannot read 'file' (Permission denied): allow reading"

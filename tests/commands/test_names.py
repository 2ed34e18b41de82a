"""Names of runs and paths of folders."""

import pytest

from lit_mnist.commands.names import plain_name, plain_path
from lit_mnist.errors import UserError


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "-a", "a\nb", "x" * 201, None, ["a"]])
def test_a_name_that_is_no_folders_is_refused(name):
    with pytest.raises(UserError, match="--name"):
        plain_name(name)


def test_other_names_pass():
    for name in ("a b", "ü名", "%s{}$HOME", "x" * 200, "a-b.c"):
        assert plain_name(name) == name


@pytest.mark.parametrize("path", [None, 1, "\0", "x/" * 600])
def test_a_path_that_no_system_has_is_refused(path):
    with pytest.raises(UserError, match="--log_dir"):
        plain_path("--log_dir", path)

"""Names and folders that options give, before anything is made with them."""

import os
from pathlib import Path
from typing import Any

from lit_mnist.errors import UserError


def plain_name(name: Any) -> str:
    """Checks the name of a run, which becomes that of a folder.

    Raises:
        UserError: It would lie elsewhere, or could not be made, typed or shown.
    """
    plain = isinstance(name, str) and name.isprintable() and Path(name).name == name
    if not plain or name in ("", ".", "..") or name[0] == "-" or len(os.fsencode(name)) > 200:
        raise UserError(f"--name {name!s:.99}: give a plain name; it becomes a folder in --log_dir")
    return name


def plain_path(option: str, path: Any) -> Path:
    """Checks the path of a folder that an option names.

    Raises:
        UserError: No system could have such a folder.
    """
    if isinstance(path, str) and "\0" not in path and len(os.fsencode(path)) < 1024:
        return Path(path)
    raise UserError(f"{option} {str(path)!a:.99}: give the path of a folder")

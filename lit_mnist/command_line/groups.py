"""Checks what is given for a whole group of options, such as `--data`, where single ones belong."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_mnist.data.datasets import DATASETS
from lit_mnist.errors import UserError

GROUPS = ("trainer", "data")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def check_file(name: str, content: Mapping[str, Any]) -> None:
    """Checks the groups in a config file.

    Args:
        name: Its path, for error messages.
        content: The file, parsed.

    Raises:
        UserError: A group is a list, which the parser would ignore, or `data` names a class.
    """
    for group in GROUPS:
        if isinstance(content.get(group), list):
            raise UserError(f"{name}: {group}: is a list; give options, such as `name: value`")
    data = content.get("data")
    _check_data(f"{name}: data:", data.get("class_path") if isinstance(data, dict) else data)


def check_typed(args: Sequence[str]) -> None:
    """Checks what a command line gives for the whole group `--data`.

    Raises:
        UserError: It is no file of options; says what it may be.
    """
    for arg, following in zip(args, [*args[1:], ""], strict=True):
        option, equals, value = arg.partition("=")
        if option in ("--data", "--data.class_path"):
            _check_data(option, value if equals else following)


def _check_data(where: str, value: Any) -> None:
    """Refuses a data module of the user's own: reports rely on the splits and files of ours."""
    if not value or not isinstance(value, str) or Path(value).is_file():
        return  # options, or whatever else the parser takes or refuses
    if value in DATASETS:
        raise UserError(f"{where} {value}: a data set is named by --data.dataset {value}")
    if Path(value).is_dir():
        raise UserError(f"{where} {value:.99}: the folder of the images is --data.data_dir")
    if _NAME.fullmatch(value) and Path(value).suffix not in (".yaml", ".yml", ".json"):
        raise UserError(
            f"{where} {value:.99}: the commands have a data module of their own, with the options"
            " --data.*; use another in Python, as in Trainer().fit(model, datamodule=…), or write"
            " its images to files of these data sets (examples/README.md)"
        )

"""Config files, looked at before the parser reads them: it passes over some nonsense silently."""

import importlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import yaml

from lit_mnist.errors import UserError
from lit_mnist.runs import safe_yaml

GROUPS = ("trainer", "data")  # whose value, if it is a list, the parser takes for an empty one


def check(paths: Iterable[str]) -> None:
    """Checks that each file holds options; one that cannot be opened is left to the parser.

    Raises:
        UserError: Naming the file and what is wrong in it.
    """
    for name in paths:
        path = Path(name)
        if "\0" in name:
            raise UserError(f"--config {name!r:.99}: no name of a file; see configs/")
        try:
            if not path.is_file():
                continue
            content = safe_yaml.load(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise UserError(f"{name}: is no text in UTF-8; write it as configs/ has it") from error
        except yaml.YAMLError as error:
            raise UserError(f"{name}: {' '.join(str(error).split()):.300}; correct it") from error
        except OSError:
            continue
        if not isinstance(content, dict):
            raise UserError(
                f"{name}: holds no options, such as `name: value` on each line; see configs/"
            )
        for group in GROUPS:
            if isinstance(content.get(group), list):
                raise UserError(f"{name}: {group}: is a list; give options, such as `name: value`")


def check_given(option: str, chosen: Any) -> None:
    """Refuses `null` where the chosen class has no use for it, which the parser does not.

    Args:
        option: What chooses the class, such as `--model`.
        chosen: Its `class_path` and `init_args`, as parsed.

    Raises:
        UserError: Naming the argument.
    """
    module, _, name = chosen.class_path.rpartition(".")
    kind = getattr(importlib.import_module(module), name)  # it is imported already
    for argument, known in inspect.signature(kind).parameters.items():
        takes_none = known.default is None or type(None) in get_args(known.annotation)
        if argument in chosen.init_args and chosen.init_args[argument] is None and not takes_none:
            raise UserError(f"{option}.{argument} null: give a value, or leave the option out")

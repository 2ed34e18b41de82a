"""Checks what is given for a whole group of options, such as `--data`, and for its seed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader

from lit_mnist.data.datasets import DATASETS
from lit_mnist.errors import UserError
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.run_config import flat

GROUPS = ("trainer", "data")
SEED = 42  # of all randomness, unless another is given
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def check_file(name: str, content: Mapping[str, Any]) -> None:
    """Checks the groups in a config file.

    Args:
        name: Its path, for error messages.
        content: The file, parsed.

    Raises:
        UserError: A group is a list, a number or a truth value, `data` names a class, or its seed
            is not that of the run, which `config.yaml` had twice in earlier versions.
    """
    _check_kinds(f"{name}: ", content)
    data = content.get("data")
    _check_data(f"{name}: data:", data.get("class_path") if isinstance(data, dict) else data)
    for seed in (_seed(data, Path(name).parent), content.get("data.seed")):
        if seed != content.get("seed_everything", SEED):
            _refuse_seed(f"{name}: data.seed", seed)


def pass_over_empty(parser: Any) -> None:
    """Has a parser leave groups out of each config that it reads in which nothing is given."""
    stock = parser.parse_string
    parser.parse_string = lambda content, *args, **options: stock(
        without_empty(content), *args, **options
    )


def without_empty(text: str) -> str:
    """Returns the text of a config without groups in which nothing is given.

    One whose options are all commented out is `null` to the parser, in the place of the options
    that other configs and the defaults give.

    Args:
        text: The config, which may come from a pipe.

    Raises:
        UserError: A group is a list, a number or a truth value.
    """
    try:
        content = safe_yaml.load(text)
    except yaml.YAMLError:
        return text  # the parser refuses it
    if not isinstance(content, dict):
        return text
    _check_kinds("", content)
    empty = {group for group in (*GROUPS, "model") if content.get(group, 0) is None}
    if not empty:
        return text
    read = get_loader("yaml")(text)  # by the parser's own rules, to which 1e-4 is a number
    options = read.items() if isinstance(read, dict) else ()  # it returns `data:` alone as a text
    return safe_yaml.dump({name: value for name, value in options if name not in empty})


def check_typed(args: Sequence[str]) -> None:
    """Checks what a command line gives for the whole group `--data`, and for its seed.

    Raises:
        UserError: It is no file of options; says what it may be. Or it has a seed.
    """
    for option, value in _pairs(args):
        if option in ("--data", "--data.class_path"):
            _check_data(option, value)
        if option in ("--data", "--data.seed"):
            seed = value if option == "--data.seed" else _seed(value, Path())
            _refuse_seed("--data.seed", seed)


def typed(args: Sequence[str]) -> set[str]:
    """Returns the names of the options on a command line, and those in it of a group's dict.

    Those of `--data '{layout: single}'` are `--data` and `--data.layout`.
    """
    names = set[str]()
    for option, value in _pairs(args):
        names.add(option.removesuffix("+"))
        if option.startswith(("--data", "--model", "--trainer")) and ":" in value:
            with suppress(OSError, ValueError, yaml.YAMLError):  # left to the parser
                given = {} if Path(value).is_file() else safe_yaml.load(value)
                inner = flat(given) if isinstance(given, dict) else {}
                names |= {f"{option}.{key}" for key in inner}
    return names


def _check_kinds(where: str, content: Mapping[str, Any]) -> None:
    """Refuses a group that the parser would ignore, or take in the place of its options."""
    for group in GROUPS:
        if isinstance(value := content.get(group), (list, int, float)):
            kind = "a list" if isinstance(value, list) else str(value).lower()
            raise UserError(f"{where}{group}: is {kind}; give options, such as `name: value`")


def _pairs(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields each word of a command line as an option with its value."""
    for arg, following in zip(args, [*args[1:], ""], strict=True):
        option, equals, value = arg.partition("=")
        yield option, value if equals else following


def _seed(data: Any, folder: Path) -> Any:
    """Returns the seed among options of the data, or in a file of them; None if there is none."""
    if isinstance(data, str):
        with suppress(UserError, OSError, ValueError, yaml.YAMLError):  # left to the parser
            file = folder / data
            data = safe_yaml.read(file) if file.is_file() else safe_yaml.load(data)
    return data.get("seed") if isinstance(data, dict) else None


def _refuse_seed(where: str, seed: Any) -> None:
    """Refuses another seed than the run's, whose place the parser has it take silently."""
    if seed is not None:
        raise UserError(f"{where} {seed!s:.99}: follows --seed_everything; set that instead")


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

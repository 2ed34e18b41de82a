"""Prepares the command line for the parser, and finds configs by name."""

import itertools
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lit_mnist.errors import UserError

PACKAGE = Path(__file__).parents[1]
_GROUPS = ("--model", "--model.class_path", "--data", "--trainer")


def split_configs(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into its config files and the rest, each in order.

    A config can be given as `--config FILE`, `--config=FILE`, `-c FILE`, `-c=FILE` or `-cFILE`.

    Raises:
        UserError: A longer option has a single dash, so that its rest would be taken for a file.
    """
    configs: list[str] = []
    others: list[str] = []
    rest = iter(args)
    for arg in rest:
        option, equals, value = arg.partition("=")
        if arg in ("--config", "-c"):
            following = next(rest, None)
            if following is None:
                others.append(arg)  # the parser refuses it
            else:
                configs.append(following)
        elif equals and option in ("--config", "-c"):
            configs.append(value)
        elif arg.startswith(("-config", "-ckpt_path")):
            raise UserError(f"{arg}: options begin with two dashes; write -{option}")
        elif arg.startswith("-c"):
            configs.append(arg.removeprefix("-c"))
        else:
            others.append(arg)
    return configs, others


def config_files(args: Sequence[str]) -> list[str]:
    """Lists the paths of the config files on a command line, in order."""
    return [find_config(name) for name in split_configs(args)[0]]


def configs_first(args: Sequence[str]) -> list[str]:
    """Moves the configs and whole groups right behind the command, so that options override."""
    others = split_configs(args)[1]
    configs = [part for path in config_files(args) for part in ("--config", path)]
    return [*others[:1], *configs, *_groups_first(others[1:])]


def _groups_first(args: Sequence[str]) -> list[str]:
    """Moves what may name a file of options, or the model, before single options of the same."""
    chosen: list[str] = []
    others: list[str] = []
    rest = iter(args)
    for arg in rest:
        option, equals, _ = arg.partition("=")
        if option not in _GROUPS:
            others.append(arg)
        else:
            chosen += [arg] if equals else [arg, *itertools.islice(rest, 1)]
    return [*chosen, *others]


def default_name(files: Sequence[str]) -> str:
    """Returns the name of the first config; none of a pipe, which only its shell calls `63`."""
    if not files:
        return "run"
    return "" if is_pipe(files[0]) else Path(files[0]).stem


def find_config(name: str) -> str:
    """Returns the path of a config by its name.

    The user's own file of that name, with or without `.yaml`, comes before a shipped config. If
    there is neither, the name is returned unchanged but for `~`.
    """
    name = os.path.expanduser(name)
    for path in (name, f"{name}.yaml"):
        try:
            if Path(path).exists() and not Path(path).is_dir():
                return path
        except (OSError, ValueError):  # not a valid file name
            return name
    return str(shipped_configs().get(name, name))


def shipped_configs() -> dict[str, Path]:
    """Returns the paths of the shipped configs by name, such as `deep` and `overlays/ddp`."""
    installed = PACKAGE / "configs"  # from a wheel; in a clone they are beside the package
    folder = installed if installed.is_dir() else PACKAGE.parent / "configs"
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
    }


def several_as_list(args: Sequence[str]) -> list[str]:
    """Turns `--data.images a.png b.png`, as a shell expands it, into the parser's list syntax.

    An option that is given again adds to it, of which the parser would take the last value alone.
    """
    images = _as_list(list(args), "--data.images", lambda given: True)
    return _as_list(images, "--model.classes", _are_classes)


def _are_classes(given: list[str]) -> bool:
    """Returns whether these are several classes, no values of an option that a user's model has."""
    dotted = [name.replace(".", "") for name in given if "." in name]
    return len(dotted) == len(given) > 1 and all(map(str.isidentifier, dotted))


def _as_list(args: list[str], option: str, fit: Callable[[list[str]], bool]) -> list[str]:
    """Puts all values of an option into one list, at its first place.

    The words stay as they are without the option, with one in the parser's own syntax, and where
    its values do not fit.
    """
    values: list[str] = []
    others: list[str] = []
    place = None  # of the list among the others
    follows = False  # whether the next word may be another value
    for arg in args:
        name, is_given, value = arg.partition("=")
        if name == option:
            place = len(others) if place is None else place
            values += [value] if is_given else []
            follows = True
        elif follows and not arg.startswith("-"):
            values.append(arg)
        else:
            others.append(arg)
            follows = False
    if place is None or _is_list(values) or not fit(values):
        return args
    for name in values:
        if name.encode(errors="ignore").decode() != name:
            raise UserError(f"{option} {name!a:.99}: is no UTF-8 name; name its folder")
    return [*others[:place], f"{option}={as_yaml(values)}", *others[place:]]


def _is_list(values: list[str]) -> bool:
    """Returns whether the first is a list in the parser's syntax, or the only one says null."""
    first = values[0] if values else ""
    return values == ["null"] or (first.startswith("[") and first.rstrip().endswith("]"))


def as_yaml(value: object) -> str:
    """Writes a plain value for the parser, as JSON: YAML refuses its surrogates, for example.

    Other characters that YAML refuses, or folds, are escaped.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def refuse_pipes(args: Sequence[str], readers: str) -> None:
    """Refuses options in a pipe, such as a shell's `<(…)`, where several would read it.

    Args:
        args: A command line, or a part of it.
        readers: Who would read it, such as "ranks".

    Raises:
        UserError: Naming the pipe.
    """
    for arg in args:
        value = arg.partition("=")[2] if arg.startswith("--") else arg.removeprefix("-c")
        value = value.removeprefix("=")
        if is_pipe(value):
            raise UserError(
                f"{value}: is a pipe, which only one of the {readers} could read; write it to a"
                " file, and name that"
            )


def is_pipe(text: str) -> bool:
    """Whether a path is of a pipe, which can be read once."""
    try:
        return Path(os.path.expanduser(text)).is_fifo()
    except OSError:  # no file name, such as a long list
        return False

"""Reads the file of the options that a sweep searches and their values.

model.lr: {log: [0.001, 0.1]}      # log-uniform
model.hidden: {range: [32, 256]}   # uniform; integers, as both ends are
data.shear: {range: [0, 20], step: 5}
data.batch_size: [64, 128, 256]    # one of these
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lit_mnist.errors import UserError
from lit_mnist.runs import safe_yaml

if TYPE_CHECKING:
    from optuna.trial import Trial

FORM = "give a list of values, {range: [low, high]} or {log: [low, high]}"
# Not searched: the seed, the validation images and the folders say nothing about a network
_OF_THE_SWEEP = (
    *("seed_everything", "data.seed", "data.split_seed", "data.folds", "data.fold"),
    *("data.dataset", "data.data_dir", "data.eval_batch_size"),
    *("trainer.limit_val_batches", "trainer.overfit_batches"),
    *("name", "log_dir", "fresh", "config", "ckpt_path"),
)


class Choices(NamedTuple):
    """A categorical option.

    Attributes:
        values: The values to choose from, of any YAML type.
    """

    values: tuple[Any, ...]

    @property
    def extremes(self) -> Sequence[Any]:
        """Values that are valid if all are."""
        return self.values

    def suggest(self, trial: "Trial", option: str) -> Any:
        """Lets Optuna choose a value; lists and mappings are given as JSON text."""
        plain = [v if _is_scalar(v) else json.dumps(v, ensure_ascii=False) for v in self.values]
        return trial.suggest_categorical(option, plain)


class Range(NamedTuple):
    """A numeric option.

    Attributes:
        low: Smallest value; only integers are chosen if both ends are integers.
        high: Largest value.
        log: Whether values are drawn log-uniformly rather than uniformly.
        step: Distance between possible values; None for any value.
    """

    low: float
    high: float
    log: bool
    step: float | None = None

    @property
    def extremes(self) -> Sequence[Any]:
        """Values that are valid if all are."""
        return (self.low, self.high)

    def suggest(self, trial: "Trial", option: str) -> float:
        """Lets Optuna choose a number."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            step = int(self.step or 1)
            return trial.suggest_int(option, self.low, self.high, step=step, log=self.log)
        return trial.suggest_float(option, self.low, self.high, step=self.step, log=self.log)


Space = Mapping[str, Choices | Range]


def read(path: Path) -> Space:
    """Reads the file.

    Returns:
        The values to search, by option, in the file's order.

    Raises:
        UserError: Something is wrong; names the file, the option and the problem.
    """
    try:
        content = safe_yaml.read(path)
    except FileNotFoundError as error:
        raise UserError(f"--space {path}: no such file") from error
    except IsADirectoryError as error:
        raise UserError(f"--space {path}: is a folder; name a file, such as space.yaml") from error
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: holds no options; {FORM} to each, such as model.lr")
    space = {_option(path, name): _values(f"{path}: {name}", content[name]) for name in content}
    _check_distinct(path, space)
    return space


def as_plain(space: Space) -> dict[str, Any]:
    """Converts the space to plain values for a record."""
    return {
        option: list(values.values)
        if isinstance(values, Choices)
        else {key: value for key, value in values._asdict().items() if value is not None}
        for option, values in space.items()
    }


def _option(path: Path, name: Any) -> str:
    if not isinstance(name, str) or name.startswith("-"):
        raise UserError(f"{path}: {name}: name an option without dashes, such as model.lr")
    if name in _OF_THE_SWEEP:
        raise UserError(
            f"{path}: {name}: is not searched, as all trials share it; set it on the command line"
        )
    return name


def _check_distinct(path: Path, names: Iterable[str]) -> None:
    """Refuses an option under two names, such as model.lr and model.init_args.lr: one would win."""
    known: dict[str, str] = {}
    for name in names:
        first = known.setdefault(name.replace(".init_args.", ".").removesuffix(".class_path"), name)
        if first != name:
            raise UserError(f"{path}: {name}: is the same option as {first}; leave one of them out")


def _values(where: str, content: Any) -> Choices | Range:
    if isinstance(content, list):
        return _choices(where, content)
    kinds = {"range", "log"} & set(content) if isinstance(content, dict) else set()
    if len(kinds) != 1 or set(content) - {*kinds, "step"}:
        raise UserError(f"{where}: {FORM}")
    (kind,) = kinds
    return _range(where, content[kind], content.get("step"), kind == "log")


def _choices(where: str, content: list[Any]) -> Choices:
    if len(content) < 2:
        raise UserError(f"{where}: has {len(content)} value(s); give two or more, or leave it out")
    for place, value in enumerate(content):
        if value in content[:place]:
            raise UserError(f"{where}: {value} is given twice")
        if not _is_plain(value):
            raise UserError(f"{where}: {value!s:.99} is no text or number; put a text in quotes")
    return Choices(tuple(content))


def _range(where: str, ends: Any, step: Any, log: bool) -> Range:
    if not isinstance(ends, list) or len(ends) != 2:
        raise UserError(f"{where}: {FORM}")
    low, high = (_number(where, end) for end in ends)
    if not low < high:
        raise UserError(f"{where}: {low} is not below {high}")
    if log and low <= 0:
        raise UserError(f"{where}: log needs numbers above 0; take range for {low}")
    if step is None:
        return Range(low, high, log)
    step = _number(where, step)
    count = (high - low) / step if step > 0 and not log else 0.0
    if count < 1 or abs(count - round(count)) > 1e-9:
        raise UserError(f"{where}: step {step} does not fit the range from {low} to {high}")
    if isinstance(step, float):
        low, high = float(low), float(high)
    return Range(low, high, log, step)


def _number(where: str, value: Any) -> float:
    """Reads a number; YAML parses 1e-3, without a point, as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number: float = value
    else:
        try:
            number = float(value) if isinstance(value, str) else float("nan")
        except ValueError:
            number = float("nan")
    if not abs(number) < float("inf"):
        raise UserError(f"{where}: {value} is not a number")
    return number


def _is_plain(value: Any) -> bool:
    """Returns whether a value is what JSON can hold: of YAML's types, a date, say, is not."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    return all(map(_is_plain, value)) if isinstance(value, list) else _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))

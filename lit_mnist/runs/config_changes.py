"""Options that differ between two configs of a run, and which of them may."""

from collections.abc import Iterator, Mapping
from typing import Any

from lit_mnist.runs.callback_kinds import is_of, listed
from lit_mnist.runs.folder import flat

LIMITS = ("trainer.max_epochs", "trainer.max_steps", "trainer.max_time")
# Options that may differ when a run is resumed: none changes the training itself
FREE_OPTIONS = (
    "log_dir",
    "name",
    "every_n_train_steps",
    "data.data_dir",
    "data.download",
    "data.eval_batch_size",
    "data.images",
    *LIMITS,
    "trainer.min_epochs",
    "trainer.min_steps",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.limit_test_batches",
    "trainer.limit_predict_batches",
    "trainer.log_every_n_steps",
    "trainer.logger",
    "trainer.profiler",
    "trainer.num_sanity_val_steps",
    "trainer.inference_mode",
    "trainer.detect_anomaly",
    "trainer.default_root_dir",
)
# Shares of the batches as floats, counts of them as integers
_SHARES = (
    "trainer.limit_train_batches",
    "trainer.limit_val_batches",
    "trainer.val_check_interval",
    "trainer.overfit_batches",
)
# What options mean if they are not given, and other spellings of a precision
_MEANT = {
    "trainer.enable_checkpointing": True,
    "trainer.benchmark": False,
    "trainer.deterministic": False,
    "trainer.gradient_clip_algorithm": "norm",
}
_PRECISIONS = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true"}
COMMITTEE = "lit_mnist.models.EnsembleModule"
# Irrelevant for comparing runs, and they would fill the first columns of the HParams tab
_UNTOLD = (
    "trainer.barebones",
    "trainer.enable_",
    "trainer.fast_dev_run",
    "trainer.reload_dataloaders_every_n_epochs",
    "trainer.use_distributed_sampler",
)


def hparams(config: dict[str, Any]) -> dict[str, str | float]:
    """Returns the options that distinguish runs, in the form of TensorBoard's HParams tab.

    Names are as short as possible: `lr`, not `model.init_args.lr`. Only floats and counts stay
    numbers, as the tab would show a seed as 42.000 and a boolean as 1.0000. A committee, which is
    never trained itself, has only its model's options and its data set.
    """
    known = {"model.class_path": "model", "seed_everything": "seed"}
    unwanted = tuple({*FREE_OPTIONS, *_UNTOLD} - {"trainer.max_epochs"})
    options = {
        key: value
        for key, value in flat(config).items()
        if value is not None and key != "data.seed" and not key.startswith(unwanted)
    }
    if options.get("model.class_path") == COMMITTEE:
        kept = ("model.", "data.dataset")
        options = {key: value for key, value in options.items() if key.startswith(kept)}
    lasts = [known.get(key, key.rpartition(".")[2]) for key in options]
    named = zip(options.items(), lasts, strict=True)
    return {last if lasts.count(last) == 1 else key: _shown(last, v) for (key, v), last in named}


def _shown(name: str, value: Any) -> str | float:
    if name == "model":
        return str(value).rpartition(".")[2]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    number = isinstance(value, (int, float)) and "seed" not in name
    return value if number else str(value)


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Lists the options that differ between two resolved configs, such as `model.lr: 0.1, now 0.2`.

    Options that are in only one of the two, and those that may differ, are left out.
    """
    return [line for line in changes(before, now) if not line.startswith(FREE_OPTIONS)]


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Lists all options that differ, including those that may."""
    old, new = _comparable(before), _comparable(now)
    for one, other in ((old, new), (new, old)):  # an object in place of a plain value, or of none
        for key in one.keys() - other.keys():
            if kind := other.get(f"{key}.class_path"):
                other[key] = kind
    common = old.keys() & new.keys()
    return [f"{key}: {old[key]}, now {new[key]}" for key in common if old[key] != new[key]]


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """Flattens a config, to one spelling of each value, and drops limits held by callbacks."""
    options = dict(_options(listed(config)))
    options |= {key: share(options[key]) for key in _SHARES if key in options}
    options |= {key: one for key, one in _MEANT.items() if key in options and options[key] is None}
    if "trainer.precision" in options:
        named = str(options["trainer.precision"])
        options["trainer.precision"] = _PRECISIONS.get(named, named)
    if "trainer.callbacks" in options:
        kept = map(_without_limit, options["trainer.callbacks"])
        options["trainer.callbacks"] = [one for one in kept if one]
    return options


def _options(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each option's whole value, which may be a dict, by its dotted name."""
    for key, value in config.items():
        name = f"{prefix}{key}"
        is_group = not prefix or key == "init_args"
        if isinstance(value, dict) and (is_group or "class_path" in value):
            yield from _options(value, f"{name}.")
        else:
            yield name, value


def share(value: Any) -> str:
    """Formats a limit so that 1.0 (all batches, the default) and 1 (one batch) differ."""
    return "1.0" if value is None else str(value or 0)


def all_validate(options: Mapping[str, Any]) -> bool:
    """Whether flat options leave all images to validation, however many a batch or a rank has."""
    some = options.get("trainer.overfit_batches")
    return share(options.get("trainer.limit_val_batches")) == "1.0" and not some


def _without_limit(callback: Any) -> Any:
    """Removes the limits from a callback's config; nothing remains of a Timer."""
    if not isinstance(callback, dict):
        return callback
    if is_of(callback, "Timer"):
        return None
    if not is_of(callback, "EarlyStopping"):
        return callback
    values = callback.get("init_args") or {}
    return callback | {"init_args": {k: v for k, v in values.items() if k != "patience"}}

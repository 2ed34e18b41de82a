"""Options that differ between two configs of a run, and which of them may."""

from collections.abc import Iterator, Mapping
from typing import Any

from lit_mnist.runs.callback_kinds import is_of, listed

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
    "data.layout",
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
    changed = [key for key in common if old[key] != new[key]]
    return [f"{key}: {shown(old[key])}, now {shown(new[key])}" for key in changed]


def shown(value: Any) -> str:
    """Formats an option's value for a message."""
    return "not set" if value is None else str(value)


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

"""The options of a run as TensorBoard's HParams tab shows them."""

from typing import Any

from lit_mnist.runs.config_changes import FREE_OPTIONS
from lit_mnist.runs.run_config import flat

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
        if value is not None and not key.startswith(unwanted)
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

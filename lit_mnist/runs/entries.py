"""Our own entries in a checkpoint: their names, which no entry of a user's module has.

A module's `on_save_checkpoint` may add what it likes, such as a "frozen" of its own. Version 0.1
had two entries, without the prefix, and called one of them "History" at first.
"""

from collections.abc import Mapping
from typing import Any

_PREFIX = "lit_mnist."
MODEL_CLASS = f"{_PREFIX}model_class"  # the module's class
MODEL_OPTIONS = f"{_PREFIX}model_options"  # its class and arguments, as the user gave them
MODEL_ANSWERS = f"{_PREFIX}model_answers"  # logits, float32 (COUNT, 10), and the weights' hash
WEIGHTS = f"{_PREFIX}weights_sha256"  # hash of the weights that were saved
AT_END = f"{_PREFIX}at_end"  # whether its weights are those that are set after the last step
ASKED = f"{_PREFIX}asked_to_stop"  # whether a stop was asked for that training has not followed yet
LACKS = f"{_PREFIX}lacks"  # what is lacking for an exact resume
SCORES = f"{_PREFIX}train_scores"  # each rank's sums of an unfinished epoch
LOGS = f"{_PREFIX}train_logs"  # for each rank, the sums of logged values and of metrics
GRADIENTS = f"{_PREFIX}gradients"  # for each rank, those that no optimizer has used, by weight
BUFFERS = f"{_PREFIX}buffers"  # for each rank, those that differ from the first rank's, by name
GENERATORS = f"{_PREFIX}generators"  # the states of the generators on each rank
OWN_GENERATORS = f"{_PREFIX}own_generators"  # for each rank, those of the user's, by place
FROZEN = f"{_PREFIX}frozen"  # names of weights, batch norms without statistics, layers in eval mode
KINDS = f"{_PREFIX}optimization"  # names of the classes of the optimizers, and of the schedules
SCHEDULES = f"{_PREFIX}schedules_made"  # their states before training: the arguments of each
PLATEAUS = f"{_PREFIX}plateaus_due"  # schedules to step, by index, and their monitored values
SPIKES = f"{_PREFIX}spikes_seen"  # number of losses that SpikeDetection has averaged
LAST_METRICS = f"{_PREFIX}last_metrics"  # for each rank, the last value of all that was logged
OWN_PASSES = f"{_PREFIX}own_passes"  # for each rank, how often a user's loop has read the batches
VALIDATED = f"{_PREFIX}batches_validated"  # for each loader, those that are logged by step
RELOADED = f"{_PREFIX}validation_reloaded"  # the epoch in which its loaders were made last
LOGGED = f"{_PREFIX}logged"  # what loggers had been told, and are told next: time, rows, values
SAVED_STEPS = f"{_PREFIX}saved_steps"  # at which a user's callbacks saved last, by their keys
SAVED_FILES = f"{_PREFIX}saved_files"  # which those saved last
DEFERRED = f"{_PREFIX}deferred_saves"  # keys of those that save at the next validation
SEEN = f"{_PREFIX}validated"  # results of the last validation of an unfinished epoch
CUT_SHORT = f"{_PREFIX}cut_short_files"  # saved by a user's callbacks at an epoch's early end
SEARCHED = f"{_PREFIX}searched"  # what finders have found, by attribute
# Keys of the states of our callbacks: rows of metrics.csv, scores of the last validation, none
METRICS, BEST, LAST = (f"{_PREFIX}{name}" for name in ("metrics", "best", "last"))
_OF_0_1 = {SCORES: "train_scores", METRICS: "metrics"}
# Those that only training needs
OF_TRAINING = frozenset(
    [
        *(WEIGHTS, AT_END, LACKS, SCORES, LOGS, GRADIENTS, GENERATORS, FROZEN, KINDS, PLATEAUS),
        *(SPIKES, LAST_METRICS, OWN_PASSES, VALIDATED, SCHEDULES, SEARCHED, CUT_SHORT, LOGGED),
        *(SAVED_STEPS, SAVED_FILES, DEFERRED, SEEN, BUFFERS, RELOADED, ASKED),
        OWN_GENERATORS,
    ]
)


def get(checkpoint: Mapping[Any, Any], key: str, default: Any = None) -> Any:
    """Returns the entry of a key above, also from a checkpoint of version 0.1."""
    new = any(isinstance(name, str) and name.startswith(_PREFIX) for name in checkpoint)
    return checkpoint.get(key if new else _OF_0_1.get(key, key), default)


def state(checkpoint: Mapping[str, Any], key: str, default: Any = None) -> Any:
    """Returns the state of one of our callbacks; likewise."""
    states = checkpoint.get("callbacks", {})
    return get(states, key, states.get("History", default) if key == METRICS else default)

"""The work-around `quiet`: hides known messages of the libraries, one by one."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# The checkpoint writers of version 0.1.0
_OF_0_1_0 = (
    r"\"EpochCheckpoint\{'monitor': ('val_acc', 'mode': 'max'|None, 'mode': 'min'),"
    r" 'every_n_train_steps': 0, 'every_n_epochs': 1, 'train_time_interval': None\}\""
)
# Warnings that the user can do nothing about, or that repeat this program's own output; none that
# Lightning also gives of a user's own objects
_NOISE = (
    # A limit, and ours of earlier versions
    r"Be aware that when using `ckpt_path`.*: "
    rf"\[(('(Timer|History|metrics|best|last)'|{_OF_0_1_0})(, )?)+\]",
    r"The number of training batches .* is smaller than the logging interval",  # see StepLogs
    r"The `srun` command is available on your system",  # launcher.py checks for it
    r"GPU available but not used",  # as was asked for
    r"You have overridden `on_after_batch_transfer` in both",  # our data module calls both
    r"SWA is currently only supported every epoch\. Found .*frequency=1000000000",  # our Plateau
    r".*isinstance\(treespec, LeafSpec\)",  # Lightning against torch 2.15
)
# The same for Lightning's log messages
_NOISY_INFO = (
    r".*Tip: For seamless cloud",  # advertisements (Lightning #21294)
    r"(GPU|TPU|HPU) available: ",  # fit says what it trains on
    r"Using (16bit|bfloat16) Automatic Mixed Precision",  # and in which precision
    r"(\[rank: \d+\] )?Seed set to ",  # an option, in config.yaml
    r"`Trainer\.fit` stopped: `max_epochs=",  # as configured
    r"(Restoring states|Restored all states|Loaded model weights) from the checkpoint (path )?at ",
    r"LOCAL_RANK: \d+ - CUDA_VISIBLE_DEVICES",
    r"Initializing distributed: GLOBAL_RANK",
    r"-+\s+distributed_backend=",
    r"\n?-+\ndistributed_backend=",
    r"Loading `train_dataloader` to estimate number of stepping batches",  # for a user's scheduler
    r"Found current_model_state in the checkpoint",  # resumed weight averaging
    r"`weights_only` was not set",  # for files that a callback saves for itself
    r"You are using a CUDA device .* that has Tensor Cores",  # bf16 is chosen where it's faster
    r"Received SIGTERM: |\[rank: \d+\] Received SIGTERM",  # the program says so itself
    r"\n?Detected KeyboardInterrupt, attempting graceful shutdown",
)
# The loggers that Lightning uses: a logger's filter does not apply to its children
_SPEAKERS = (
    "lightning.pytorch.utilities.rank_zero",
    "lightning.fabric.utilities.rank_zero",
    "lightning.fabric.utilities.seed",
    "lightning.fabric.utilities.distributed",
    "lightning.pytorch.trainer.connectors.signal_connector",
    "lightning.pytorch.trainer.connectors.checkpoint_connector",
    "lightning.pytorch.trainer.call",
    "lightning.pytorch.accelerators.cuda",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Hides the messages listed above; all others are shown."""
    noise = re.compile("|".join(_NOISY_INFO))

    def is_wanted(record: logging.LogRecord) -> bool:
        return not noise.match(record.getMessage())

    with warnings.catch_warnings(), ExitStack() as stack:
        for message in _NOISE:
            warnings.filterwarnings("ignore", message=message)
        for name in _SPEAKERS:
            logger = logging.getLogger(name)
            logger.addFilter(is_wanted)
            stack.callback(logger.removeFilter, is_wanted)
        yield


def of_resumed(folder: Path) -> list[str]:
    """Returns patterns of the warning that any resume gives of a run's own checkpoints."""
    places = (re.escape(str(place)) for place in (folder, folder.resolve()))
    return [f"Checkpoint directory {place} exists and is not empty" for place in places]

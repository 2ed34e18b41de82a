"""Prints an error that all ranks of a run meet only once, on rank zero.

Any other rank waits to hear what rank zero has printed, and prints its own error only if rank zero
prints another one, or none. Once rank zero has ended, it has nothing to add. Ranks that have not
met yet cannot hear each other: whatever has started them ends the others when rank zero fails, be
it Lightning's launcher, torchrun, or srun with --kill-on-bad-exit, as in scripts/fit.sbatch.

Free of torch at import: most errors come before it is needed.
"""

import os
import sys
import time
from contextlib import suppress
from typing import Any

GRACE_S = 10.0  # how long other ranks may be behind rank zero, in seconds
HEARING_S = 3.0  # how long rank zero stays for them to hear it, in seconds
_KEY, _HEARD = "lit_mnist_error", "lit_mnist_error_heard"
_ENDED = ""  # heard in place of an error where rank zero has ended without a word


def report(text: str, *, follows: bool = False) -> None:
    """Prints an error, unless this is another rank than zero, and rank zero prints the same.

    Args:
        text: The error, on one line.
        follows: Whether it only follows from an error of another rank; then whatever rank zero has
            printed will do.
    """
    rank = _rank()
    if rank == 0:
        print(f"error: {text}", file=sys.stderr, flush=True)
        _publish(text)
        return
    heard = _heard()
    if heard == _ENDED:
        printed = rank > 1 or not follows  # one rank says that rank zero is gone
    else:
        printed = heard is not None and (follows or heard == text)
    if not printed:
        print(f"error: rank {rank}: {text}", file=sys.stderr, flush=True)


def _rank() -> int:
    """Gives this process's rank among those that a launcher has started; 0 without one."""
    if group := _group():
        return int(group.get_rank())
    if _by_srun():
        return int(os.environ.get("SLURM_PROCID", "0"))
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


def _by_srun() -> bool:
    """Whether srun has started this process as one of several, not torchrun inside of a job."""
    if "SLURM_STEP_ID" not in os.environ or "RANK" in os.environ:
        return False
    alone = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")  # as Lightning takes it
    return not alone and int(os.environ.get("SLURM_NTASKS", "1")) > 1


def _group() -> Any:
    """Gives torch.distributed if the ranks have met; None otherwise."""
    distributed: Any = sys.modules.get("torch.distributed")
    met = distributed is not None and distributed.is_available() and distributed.is_initialized()
    return distributed if met else None


def _publish(text: str) -> None:
    """Lets the other ranks hear what rank zero has printed."""
    with suppress(RuntimeError):  # the ranks are on their own then
        if group := _group():
            store, end = _store(group), time.monotonic() + HEARING_S
            store.set(_KEY, text)
            # torch warns, with its stack, where the store has ended that another rank reads
            while store.add(_HEARD, 0) < group.get_world_size() - 1 and time.monotonic() < end:
                time.sleep(0.05)


def _heard() -> str | None:
    """Waits for what rank zero prints; None if it prints nothing for a while."""
    if group := _group():
        return _read(group)
    time.sleep(GRACE_S)  # or until this process is ended
    return None


def _store(group: Any) -> Any:
    """Gives the store by which the ranks have met."""
    return group.distributed_c10d._get_default_store()


def _read(group: Any) -> str | None:
    store, end = _store(group), time.monotonic() + GRACE_S
    try:
        while not store.check([_KEY]):  # `wait` would warn of its time-out
            if time.monotonic() > end:
                return None
            time.sleep(0.1)
        heard = str(store.get(_KEY).decode())
        with suppress(RuntimeError):  # rank zero has not stayed that long
            store.add(_HEARD, 1)
        return heard
    except group.DistNetworkError:  # rank zero has ended, and the store with it
        return _ENDED
    except RuntimeError:
        return None

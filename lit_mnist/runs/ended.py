"""Whether a run has ended, and whether the options that it is given now let it go on."""

from typing import Any, NamedTuple

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints, early_stopping, entries, limits
from lit_mnist.runs.callback_kinds import all_of, listed
from lit_mnist.runs.config_changes import LIMITS, changes
from lit_mnist.runs.early_stopping import Stop
from lit_mnist.runs.folder import Run
from lit_mnist.runs.limits import Ends, Limit, Progress
from lit_mnist.runs.run_config import flat

# Options by which EarlyStopping may end a run later
_PATIENCE = {"trainer.callbacks", "trainer.min_epochs", "trainer.min_steps"}
# What has ended a run may have had no patience: a trial's end, or what only code tells
_WITHOUT_PATIENCE = ("", "a callback", "TrialPruning")


class Ended(NamedTuple):
    """Why nothing is left to train."""

    why: str
    limit: str = ""  # the option that limits it, if that is why
    remedy: str = ""  # what would let it go on, if that is not just a higher limit


def why_ended(
    run: Run, before: dict[str, Any], config: dict[str, Any], checkpoint: dict[str, Any], ends: Ends
) -> Ended | None:
    """Returns why nothing is left to train; None if something is.

    A limit that is reached counts first; a run that was killed before one goes on, and one that was
    killed at the end of training, if more follows there than the last checkpoint: the end of an
    epoch that is cut short, what loggers are told last, and what callbacks do. A stop of
    EarlyStopping is in the checkpoint, and holds unless its patience is raised. Of another callback
    only the name is known.

    Raises:
        UserError: An option would have no effect.
    """
    results, done = run.results(), Progress.of(checkpoint)
    killed = results.get("status") != "complete" and not entries.get(checkpoint, entries.AT_END)
    raised = [line for line in changes(before, config) if line.startswith(LIMITS)]
    left = limits.left_out(checkpoint)  # by a limit other than that of epochs
    within = left and limits.reached(config, done._replace(epochs=done.epochs - 1), ends.timers)
    limit = within or limits.reached(config, done, ends.timers)
    untold = was_stopped(run) and "due" in entries.get(checkpoint, entries.LOGGED, {})
    more = ends.acts or untold or checkpoints.progress(checkpoint)[1] > 0  # an epoch is cut short
    if limit and not (killed and more and not checkpoints.lack(checkpoint)):
        limits.check_effect(raised, limit, left)
        return _at_limit(limit, before, done)
    if killed:
        return None
    patience = early_stopping.changes(checkpoint, ends.patience)  # less is refused elsewhere
    short = limits.short_of_minimum(config, done)
    stops = [] if short else early_stopping.holding(checkpoint, ends.patience)
    if stops:
        _check_stop([*raised, *map(str, patience), *_other_timers(before, config)], stops)
        return Ended(f"ended by {stops[0].name}", remedy=early_stopping.remedy(stops))
    return None if patience else _by_another(results, before, config, raised, short)


def was_stopped(run: Run) -> bool:
    """Whether a run was killed or interrupted, as far as is known, or is running."""
    return run.results().get("status") in ("running", "interrupted")


def holds(
    run: Run, before: dict[str, Any], config: dict[str, Any], checkpoint: dict[str, Any]
) -> bool:
    """Whether a callback has asked for a stop that the run, killed since, has not followed yet.

    The run forgets it once a limit is raised.
    """
    killed = run.results().get("status") != "complete"
    raised = any(line.startswith(LIMITS) for line in changes(before, config))
    return killed and not raised and bool(entries.get(checkpoint, entries.ASKED))


def _by_another(
    results: dict[str, Any],
    before: dict[str, Any],
    config: dict[str, Any],
    raised: list[str],
    short: bool,
) -> Ended | None:
    """Tells of a callback of which only the name is known: it holds until its options change."""
    by = results.get("ended_by", "a callback")
    if by in limits.OPTIONS:  # which is not reached now: raised since, or lowered then
        return None
    old, new = flat(listed(before)), flat(listed(config))
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    if not short and changed.isdisjoint({*LIMITS, "trainer.callbacks"}):
        return Ended(f"ended by {by}")
    waits = results.get("status") == "complete" and by not in _WITHOUT_PATIENCE
    if waits and changed.isdisjoint(_PATIENCE):
        remedy = "if its patience ran out, give it more, or else choose another --name"
        _check_effect(raised, f"{by} has ended the run", remedy)
    return None


def _at_limit(limit: Limit, before: dict[str, Any], done: Progress) -> Ended:
    """Tells of epochs beyond `max_epochs`: StochasticWeightAveraging adds one for batch norm."""
    why, epochs = f"{limit} is reached", before.get("trainer", {}).get("max_epochs")
    if limit.option != "max_epochs" or epochs is None or not 0 <= epochs < done.epochs:
        return Ended(why, limit.option)
    why += f": {epochs}, and {done.epochs - epochs} that a callback has added"
    return Ended(why, limit.option, f"raise that limit above {done.epochs}")


def _other_timers(before: dict[str, Any], config: dict[str, Any]) -> list[str]:
    old, new = (all_of(one, "Timer") for one in (before, config))
    return ["trainer.callbacks: another Timer"] if "trainer" in before and old != new else []


def _check_stop(changed: list[str], stops: list[Stop]) -> None:
    """Refuses to raise a limit, or patience, that no stop has waited for."""
    by = next((f" by its {one.option}" for one in stops if one.option), "")
    remedy = early_stopping.remedy(stops) or "choose another --name"
    _check_effect(changed, f"{stops[0].name} has ended the run{by}", remedy)


def _check_effect(changed: list[str], why: str, remedy: str) -> None:
    if changed:
        raise UserError(f"{'; '.join(changed)}: has no effect, as {why}; {remedy}")

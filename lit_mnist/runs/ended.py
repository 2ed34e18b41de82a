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
_PATIENCE = ("trainer.callbacks", "trainer.min_epochs", "trainer.min_steps")


class Ended(NamedTuple):
    """Why nothing is left to train."""

    why: str
    limit: str = ""  # the option that limits it, if that is why
    remedy: str = ""  # what would let it go on, if that is not just a higher limit


def why_ended(
    run: Run,
    before: dict[str, Any],
    config: dict[str, Any],
    checkpoint: dict[str, Any],
    ends: Ends,
) -> Ended | None:
    """Returns why nothing is left to train; None if something is.

    Raises:
        UserError: An option would have no effect.
    """
    results, old, new = run.results(), flat(listed(before)), flat(listed(config))
    raised = [line for line in changes(before, config) if line.startswith(LIMITS)]
    done, lack = Progress.of(checkpoint), checkpoints.lack(checkpoint)
    limit = limits.reached(config, done, ends.timers)
    at_end = entries.get(checkpoint, entries.AT_END, False)
    cut_short = results.get("status") != "complete" and not at_end
    if limit and not (cut_short and ends.acts and not lack):
        limits.check_effect(raised, limit)
        return _at_limit(limit, before, done)
    more = early_stopping.changes(checkpoint, ends.patience)  # less is refused
    short = limits.short_of_minimum(config, done)
    stops = [] if cut_short or short else early_stopping.holding(checkpoint, ends.patience)
    if stops:
        _check_effect([*raised, *map(str, more), *_other_timers(before, config)], stops)
        return Ended(f"ended by {stops[0].name}", remedy=early_stopping.remedy(stops))
    unchanged = all(old.get(key) == new.get(key) for key in (*LIMITS, "trainer.callbacks"))
    by = results.get("ended_by", "a callback")
    stays = by not in limits.OPTIONS and not short  # or was lowered
    if not cut_short and unchanged and stays and not more:
        return Ended(f"ended by {by}")
    if not more:
        _check_patience(old, new, results, raised)
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


def _check_effect(changed: list[str], stops: list[Stop]) -> None:
    """Refuses to raise a limit, or patience, that no stop has waited for."""
    if not changed:
        return
    by = next((f" by its {one.option}" for one in stops if one.option), "")
    raise UserError(
        f"{'; '.join(changed)}: has no effect, as {stops[0].name} has ended the run{by};"
        f" {early_stopping.remedy(stops) or 'choose another --name'}"
    )


def _check_patience(
    old: dict[str, Any], new: dict[str, Any], results: dict[str, Any], raised: list[str]
) -> None:
    """Refuses to raise a limit that a callback, of unknown state, has ended the run before."""
    by = str(results.get("ended_by", ""))
    stopped = by not in ("", "a callback", "TrialPruning", *limits.OPTIONS)
    unchanged = all(old.get(key) == new.get(key) for key in _PATIENCE)
    if results.get("status") == "complete" and stopped and raised and unchanged:
        raise UserError(
            f"{'; '.join(raised)}: has no effect, as {by} has ended the run; if its patience ran"
            " out, give it more, or else choose another --name"
        )

"""Callbacks among a config's options are known by their class."""

import pytest
from lightning.pytorch.callbacks import Callback, Timer

from lit_mnist.runs import limits
from lit_mnist.runs.callback_kinds import all_of, listed
from lit_mnist.runs.checkpoints import seconds
from lit_mnist.runs.limits import Limit, Progress


class BatchTimer(Callback):
    """No Timer of Lightning's, though its name ends so."""


class Deadline(Timer):
    """One of Lightning's, though by another name."""


HERE, THERE = f"{__name__}.", "lightning.pytorch.callbacks."


def config(name, **arguments):
    return {"trainer": {"callbacks": {"class_path": name, "init_args": arguments}}}


@pytest.mark.parametrize(
    ("name", "is_timer"),
    [
        (f"{THERE}Timer", True),
        (f"{HERE}Deadline", True),
        (f"{HERE}BatchTimer", False),
        ("lightning.old_place.Timer", True),
        ("not_imported.Timer", False),
        ("Timer", True),
    ],
)
def test_a_callback_s_class_decides(name, is_timer):
    assert bool(all_of(config(name), "Timer")) is is_timer


def test_a_limit_of_time_may_be_a_subclass_s():
    late = Progress(seconds=61.0)
    assert limits.reached(config(f"{HERE}BatchTimer", duration=2.5), late) is None
    found = limits.reached(config(f"{HERE}Deadline", duration="00:00:01:00"), late)
    assert isinstance(found, Limit)
    assert found.option == "max_time"
    state = {"Deadline": {"time_elapsed": {"train": 61.0}}, "other": {"time_elapsed": 3}, "a": 1}
    assert seconds({"callbacks": state}) == 61.0


@pytest.mark.parametrize(("given", "found"), [(None, []), ({"a": 1}, [{"a": 1}]), ([3], [3])])
def test_callbacks_are_listed(given, found):
    assert listed({"trainer": {"callbacks": given}})["trainer"]["callbacks"] == found
    assert listed({"trainer": {}}) == {"trainer": {}}

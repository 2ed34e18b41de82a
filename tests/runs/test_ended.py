"""Whether a run goes on that a callback has ended of which only the name is known."""

import json

import pytest
import torch

from lit_mnist.errors import UserError
from lit_mnist.runs import entries
from lit_mnist.runs.folder import Run
from lit_mnist.runs.limits import Ends
from lit_mnist.runs.resume import resume_point

BEFORE = {"trainer": {"max_epochs": 5}}


@pytest.fixture
def run(tmp_path):
    """A run of three epochs, of seven steps in all."""
    run = Run(tmp_path / "a" / "seed_1")
    run.best.parent.mkdir(parents=True)
    run.config_yaml.write_text(json.dumps(BEFORE))
    torch.save({"state_dict": {}, "epoch": 2, "global_step": 7}, run.last)
    return run


@pytest.mark.parametrize("by", ["a callback", "MyStop"])
@pytest.mark.parametrize(
    ("minimum", "goes_on"),
    [({}, False), ({"min_epochs": 3}, False), ({"min_epochs": 4}, True), ({"min_steps": 8}, True)],
)
def test_it_goes_on_to_a_minimum_that_it_is_short_of(run, by, minimum, goes_on):
    run.update_results(status="complete", ended_by=by)
    ended = resume_point(run, {"trainer": BEFORE["trainer"] | minimum}).ended
    assert (ended.why if ended else None) == (None if goes_on else f"ended by {by}")


def test_only_what_has_ended_a_complete_run_is_in_the_way_of_a_higher_limit(run):
    """One that was killed behind its last step holds the weights that are set at the end."""
    at_end = {"state_dict": {}, "epoch": 2, "global_step": 7, entries.AT_END: True}
    torch.save(at_end, run.last)
    more = {"trainer": {"max_epochs": 9}}
    run.update_results(status="interrupted", ended_by="SIGTERM")
    assert resume_point(run, more, ends=Ends(acts=True)).ended is None
    run.update_results(status="complete", ended_by="MyStop")
    with pytest.raises(UserError, match="max_epochs: 5, now 9: has no effect, as MyStop has ended"):
        resume_point(run, more, ends=Ends(acts=True))

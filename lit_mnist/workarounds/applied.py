"""Work-arounds for the libraries, each with its upstream reference.

They patch Lightning only inside `with applied()`, which the command line program enters for the
duration of a command; importing this package leaves Lightning unchanged. Each has a name in
`WORKAROUNDS`; `LIT_MNIST_WITHOUT=light_steps,quiet` switches some off.

`tests/workarounds/` has a test for each that fails once upstream is fixed, so that
the work-around can be removed.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from lit_mnist.errors import UserError
from lit_mnist.logs.kept_rows import kept_rows
from lit_mnist.machine import light_imports
from lit_mnist.machine.light_imports import SWITCH
from lit_mnist.training.checkpoint_io import written_first
from lit_mnist.training.saved_scores import scores_of_the_saved
from lit_mnist.workarounds.clipping import none_to_clip
from lit_mnist.workarounds.decisions import (
    no_rescue_by_one,
    no_return_by_one,
    one_moment_to_validate,
    one_schedule,
    one_search,
)
from lit_mnist.workarounds.event_files import files_in_order
from lit_mnist.workarounds.light_steps import light_steps
from lit_mnist.workarounds.means import whole_means
from lit_mnist.workarounds.module_callbacks import module_callbacks
from lit_mnist.workarounds.noise import quiet
from lit_mnist.workarounds.optimizer_states import of_these_weights, whole_counts
from lit_mnist.workarounds.resume import (
    end_by_the_hooks,
    only_what_is_named,
    place_in_epoch,
    save_after_the_module,
    start_of_epoch,
    whole_doubles,
    whole_epochs,
)
from lit_mnist.workarounds.signals import (
    agree_on_sigterm,
    ranks_end_with_the_first,
    second_interrupt,
)
from lit_mnist.workarounds.weight_averages import extra_state_in_force, late_averages
from lit_mnist.workarounds.writer_errors import writer_errors


@contextmanager
def applied() -> Iterator[None]:
    """Patches Lightning inside the context and restores it afterwards.

    Raises:
        UserError: `LIT_MNIST_WITHOUT` names an unknown work-around.
    """
    without = {name for name in os.environ.get(SWITCH, "").split(",") if name}
    names = [*WORKAROUNDS, light_imports.NAME]
    if unknown := without - {*names}:
        given, known = ", ".join(sorted(unknown)), ", ".join(names)
        raise UserError(f"{SWITCH}: no work-around is called {given}; known are {known}")
    with ExitStack() as stack:
        for name, workaround in WORKAROUNDS.items():
            if name not in without:
                stack.enter_context(workaround())
        yield


WORKAROUNDS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "quiet": quiet,
    "light_steps": light_steps,  # first, so that later patches of the same calls wrap it
    "agree_on_sigterm": agree_on_sigterm,
    "second_interrupt": second_interrupt,
    "ranks_end_with_the_first": ranks_end_with_the_first,
    "place_in_epoch": place_in_epoch,
    "whole_doubles": whole_doubles,
    "whole_epochs": whole_epochs,
    "save_after_the_module": save_after_the_module,
    "scores_of_the_saved": scores_of_the_saved,
    "start_of_epoch": start_of_epoch,
    "end_by_the_hooks": end_by_the_hooks,  # after it, as the end of an epoch comes behind its start
    "only_what_is_named": only_what_is_named,
    "module_callbacks": module_callbacks,
    "written_first": written_first,
    "whole_means": whole_means,
    "none_to_clip": none_to_clip,
    "whole_counts": whole_counts,
    "of_these_weights": of_these_weights,
    "late_averages": late_averages,
    "extra_state_in_force": extra_state_in_force,
    "kept_rows": kept_rows,
    "writer_errors": writer_errors,
    "files_in_order": files_in_order,
    "one_schedule": one_schedule,
    "one_moment_to_validate": one_moment_to_validate,
    "one_search": one_search,
    "no_rescue_by_one": no_rescue_by_one,
    "no_return_by_one": no_return_by_one,
}

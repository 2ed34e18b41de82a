"""Durations that Lightning cannot read are refused in one line that names the option."""

from datetime import timedelta

import pytest
from jsonargparse import Namespace

from lit_mnist.command_line.durations import check
from lit_mnist.errors import UserError

TIMER = "lightning.pytorch.callbacks.Timer"


@pytest.mark.parametrize("option", ["max_time", "val_check_interval"])
@pytest.mark.parametrize(
    "value", ["1h", "5", "00:00:05", "-00:00:00:01", {"secs": 1}, {"days": 10**12}], ids=str
)
def test_a_duration_of_another_form_is_refused(option, value):
    with pytest.raises(UserError) as refused:
        check(Namespace({option: value}))
    shown = value if isinstance(value, str) else str(value).replace("'", "")
    start = f"--trainer.{option} {shown}: give DD:HH:MM:SS, or {{hours: 1}}"
    assert str(refused.value).startswith(start)


def test_a_timer_s_duration_is_checked_too():
    timer = Namespace(class_path=TIMER, init_args=Namespace(duration="1h"))
    for callbacks in (timer, [timer]):
        with pytest.raises(UserError, match=r"--trainer\.callbacks\.duration 1h: give DD:HH"):
            check(Namespace(callbacks=callbacks))


def test_durations_of_lightning_s_forms_pass():
    timer = Namespace(class_path=TIMER, init_args=Namespace(duration="00:01:00:00"))
    stops = Namespace(class_path="lightning.pytorch.callbacks.EarlyStopping")
    check(Namespace(max_time="00:00:00:01", callbacks=[timer, stops]))
    for value in (None, {"hours": 1, "weeks": 2}, timedelta(1), 0.5, 7):
        check(Namespace(max_time=value, val_check_interval=value))


def test_the_option_is_named_on_the_command_line(run_cli):
    status, _, problems = run_cli("fit", "--trainer.max_time", '{"secs": 1}')
    assert (status, problems.count("\n")) == (2, 1)
    assert problems.startswith("error: --trainer.max_time {secs: 1}: give DD:HH:MM:SS, or")

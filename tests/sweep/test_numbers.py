"""Numbers and options of trials, whatever happened to the sweep on the way."""

import optuna
import pytest
from optuna.trial import TrialState

from lit_mnist.sweep import numbers, workers
from lit_mnist.sweep.study import SamplerByNumber, retry

LAST = 13  # more than the ten trials that TPE draws at random


class Sweep:
    """A study whose scores depend on the options alone."""

    def __init__(self):
        self.study = optuna.create_study(direction="maximize", sampler=SamplerByNumber(42))

    def begin(self, *, suggests=True):
        trial = self.study.ask()
        return trial, trial.suggest_float("lr", 0.0, 1.0) if suggests else None

    def kill(self, trial):
        """Stops a trial as a dead process does, and queues it again."""
        frozen = self.study.trials[trial.number]
        self.study.tell(trial.number, state=TrialState.FAIL)
        retry(self.study, frozen)

    def train(self, count):
        for _ in range(count):
            trial, lr = self.begin()
            self.study.tell(trial, -((lr - 0.3) ** 2))

    def drawn(self):
        counted = workers.counted(self.study.trials)
        numbered = {numbers.number_of(one, self.study.trials): one.params for one in counted}
        return [numbered[number]["lr"] for number in sorted(numbered)], sorted(numbered)


@pytest.fixture
def expected():
    sweep = Sweep()
    sweep.train(LAST)
    return sweep.drawn()


@pytest.mark.parametrize("suggests", [True, False])
@pytest.mark.parametrize("kills", [1, 3])
def test_options_and_numbers_are_those_of_an_uninterrupted_sweep(expected, kills, suggests):
    sweep = Sweep()
    for done in (0, 5, 5):
        sweep.train(done)
        for _ in range(kills):
            sweep.kill(sweep.begin(suggests=suggests)[0])
    sweep.train(LAST - 10)
    assert sweep.drawn() == expected
    assert expected[1] == list(range(LAST))


def test_a_number_does_not_change_when_an_earlier_trial_is_killed_or_not_wanted():
    sweep = Sweep()
    first, second = sweep.begin()[0], sweep.begin()[0]
    surplus = sweep.begin()[0]
    surplus.set_user_attr(numbers.SURPLUS, True)
    sweep.study.tell(surplus, state=TrialState.FAIL)
    sweep.kill(first)
    sweep.train(2)
    sweep.study.tell(second, 0.0)
    known = sweep.study.trials
    assert [numbers.number_of(one, known) for one in known] == [0, 1, 2, 0, 2]
    assert [one.number for one in workers.counted(known)] == [1, 3, 4]

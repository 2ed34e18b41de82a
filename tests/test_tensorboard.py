"""What a run's event files say, read back with TensorBoard's own reader."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

RUN = Path("tb_logs/dense/seed_42")


def points():
    """Each scalar's (step, value) in the order in which they are read."""
    events = EventAccumulator(str(RUN)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_no_other_command_adds_to_the_curves_of_training(run_cli):
    assert run_cli("fit")[0] == 0
    before = points()
    for tag in ("train_loss", "train_acc", "val_loss", "val_acc", "lr"):
        steps = [step for step, _ in before[tag]]
        assert len(steps) == 2
        assert steps[0] < steps[1]
    for command in ("validate", "test", "test"):
        assert run_cli(command)[0] == 0
    after = points()
    assert {tag: after[tag] for tag in before} == before
    assert after.keys() - before.keys() == {"test_loss", "test_acc"}

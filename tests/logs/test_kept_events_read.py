"""How files of events are read."""

import time

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from torch.utils.tensorboard import SummaryWriter

from lit_mnist.logs import kept_events


def by_tensorboard(path):
    return [*LegacyEventFileLoader(str(path)).Load()]


@pytest.mark.parametrize(("cut", "count"), [(0, 4), (1, 3), (5, 3), (60, 2), (100, 1)])
def test_as_tensorboard_reads_them_as_far_as_they_are_whole(here, cut, count):
    with SummaryWriter("x") as writer:
        for step in range(3):
            writer.add_scalar("a", step, step)
    (path,) = kept_events.files("x")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    read = [*kept_events.events(path)]
    assert len(read) == count
    assert read == by_tensorboard(path)


def test_no_further_than_to_a_damaged_length(here):
    with SummaryWriter("x") as writer:
        writer.add_scalar("a", 1.0, 0)
    (path,) = kept_events.files("x")
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)
    assert [*kept_events.events(path)] == by_tensorboard(path) == []


def test_in_a_fifth_of_tensorboard_s_time_where_there_are_pictures(here):
    with SummaryWriter("x") as writer:
        writer.add_image("a", np.random.default_rng(0).random((3, 800, 800), np.float32))
    (path,) = kept_events.files("x")
    took = []
    for read in (kept_events.events, by_tensorboard):
        before = time.process_time()
        assert len([*read(path)]) == 2
        took.append(time.process_time() - before)
    assert took[0] < took[1] / 5


@pytest.mark.parametrize(("tag", "first"), [("hp_metric", 5), ("own-hp_metric", 5), ("acc", 0)])
def test_lightning_s_placeholder_is_no_point_of_an_epoch(here, tag, first):
    with SummaryWriter("x") as writer:
        writer.add_scalar(tag, -1.0, 0)
    before = {*kept_events.files("x")}
    with SummaryWriter("x") as writer:
        kept_events.purge(writer, 5, 1.0, [], [0])
    (path,) = {*kept_events.files("x")} - before
    assert [one.step for one in kept_events.events(path) if one.HasField("session_log")] == [first]


def test_points_are_kept_though_an_earlier_resume_was_killed_before_it_had_copied_them(here):
    with SummaryWriter("x") as writer:
        for step in (2, 5, 8, 11):
            writer.add_scalar("a", float(step), step, walltime=100.0 + step)
    names = [path.name for path in kept_events.files("x")]
    for copied in ((), (2,), (2, 5)):  # by one that has resumed from there, too
        with SummaryWriter("x") as writer:
            mark = Event(step=0, session_log=SessionLog(status=SessionLog.START))
            writer._get_file_writer().add_event(mark)
            for step in copied:
                writer.add_scalar("a", float(step), step, walltime=100.0 + step)
    with SummaryWriter("x") as writer:
        kept_events.purge(writer, 9, 110.0, names)
        writer.add_scalar("a", 11.0, 11)
    shown = EventAccumulator("x").Reload().Scalars("a")
    assert [(one.step, one.value) for one in shown] == [(2, 2.0), (5, 5.0), (8, 8.0), (11, 11.0)]

"""Keeps what TensorBoard was told before a checkpoint was saved, when a run is resumed from it."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped] # has no types
    LegacyEventFileLoader,
)
from tensorboard.compat.proto.event_pb2 import (  # type: ignore[import-untyped] # likewise
    Event,
    SessionLog,
)


def purge(writer: Any, step: int, before: float, names: Collection[str]) -> None:
    """Has TensorBoard pass over what was written for this step and later ones, but for the kept.

    Args:
        writer: A SummaryWriter, in the folder of those before.
        step: The first step that is logged again.
        before: The time at which the checkpoint was saved, in seconds since 1970.
        names: The files that were in that folder then; there may be some of another run.
    """
    kept = found([path for path in files(writer.log_dir) if path.name in names], step, before)
    file = writer._get_file_writer()
    file.add_event(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
    add(writer, kept)


def files(folder: str | Path) -> list[Path]:
    """Returns the files of events in a folder, in order of time."""
    return sorted(Path(folder).glob("events.out.tfevents.*"))


def found(paths: Iterable[Path], step: int, before: float) -> list[Any]:
    """Returns the events of this step and later ones that were written before a time.

    Modules write by themselves at `global_step`, which is that of the next step. Those that
    TensorBoard passes over already are left out.
    """
    kept: list[Any] = []
    for path in paths if before else ():
        for event in LegacyEventFileLoader(str(path)).Load():
            if event.session_log.status == SessionLog.START:
                kept = [one for one in kept if one.step < event.step]
            elif event.HasField("summary") and event.step >= step and event.wall_time <= before:
                kept.append(event)
    return kept


def add(writer: Any, events: list[Any]) -> None:
    """Writes events again, with their times."""
    for event in events:
        writer._get_file_writer().add_event(event, walltime=event.wall_time)

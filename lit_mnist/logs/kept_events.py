"""Keeps what TensorBoard was told before a checkpoint was saved, when a run is resumed from it."""

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped] # has no types
    LegacyEventFileLoader,
)
from tensorboard.compat.proto.event_pb2 import (  # type: ignore[import-untyped] # likewise
    Event,
    SessionLog,
)


def purge(writer: Any, step: int, before: float) -> None:
    """Has TensorBoard pass over what was written for this step and later ones, but for the kept.

    Args:
        writer: A SummaryWriter, in the folder of those before.
        step: The first step that is logged again.
        before: The time at which the checkpoint was saved, in seconds since 1970.
    """
    kept = found(Path(writer.log_dir), step, before)
    file = writer._get_file_writer()
    file.add_event(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
    add(writer, kept)


def found(folder: Path, step: int, before: float) -> list[Any]:
    """Returns the events of this step and later ones that were written before a time.

    Modules write by themselves at `global_step`, which is that of the next step. Those that
    TensorBoard passes over already are left out.
    """
    kept: list[Any] = []
    for path in sorted(folder.glob("events.out.tfevents.*")) if before else ():
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

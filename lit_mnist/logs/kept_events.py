"""Keeps what TensorBoard was told before a checkpoint was saved, when a run is resumed from it."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import (  # type: ignore[import-untyped] # has no types
    Event,
    SessionLog,
)
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import (  # type: ignore[import-untyped] # likewise
    masked_crc32c,
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


def events(path: Path) -> Iterator[Any]:
    """Reads a file's events, as far as a killed process has written them.

    TensorBoard's own reader computes the checksum of every byte in Python, and so needs seconds
    where there are pictures. The form is TFRecord's: a length (8 bytes, little-endian), its
    checksum (4), the event, its checksum (4).
    """
    with path.open("rb") as file:
        while len(head := file.read(12)) == 12:
            if masked_crc32c(head[:8]) != int.from_bytes(head[8:], "little"):
                return
            data = file.read(int.from_bytes(head[:8], "little"))
            if len(file.read(4)) < 4:
                return
            try:
                yield Event.FromString(data)
            except DecodeError:
                return


def found(paths: Iterable[Path], step: int, before: float) -> list[Any]:
    """Returns the events of this step and later ones that were written before a time.

    Modules write by themselves at `global_step`, which is that of the next step. Those that
    TensorBoard passes over already are left out.
    """
    kept: list[Any] = []
    for path in paths if before else ():
        for event in events(path):
            if event.session_log.status == SessionLog.START:
                kept = [one for one in kept if one.step < event.step]
            elif event.HasField("summary") and event.step >= step and event.wall_time <= before:
                kept.append(event)
    return kept


def add(writer: Any, events: list[Any]) -> None:
    """Writes events again, with their times."""
    for event in events:
        writer._get_file_writer().add_event(event, walltime=event.wall_time)

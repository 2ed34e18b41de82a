"""Keeps what TensorBoard was told before a checkpoint was saved, when a run is resumed from it."""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # has no types
from tensorboard.compat.proto.event_pb2 import (  # type: ignore[import-untyped] # likewise
    Event,
    SessionLog,
)
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import (  # type: ignore[import-untyped] # likewise
    masked_crc32c,
)

from lit_mnist.logs.kept_rows import is_of_a_test


def purge(
    writer: Any, step: int, before: float, names: Collection[str], epochs: Collection[int] = ()
) -> None:
    """Has TensorBoard pass over what was written for this step and later ones, but for the kept.

    What this process has logged itself stays: hooks before the first step may log, too.

    Args:
        writer: A SummaryWriter, in the folder of those before.
        step: The first step that is logged again.
        before: The time at which the checkpoint was saved, in seconds since 1970.
        names: The files that were in that folder then; there may be some of another run.
        epochs: Those below that step at whose numbers values are logged again, if any were.
    """
    file = writer._get_file_writer()
    own = Path(file.event_writer._file_name).name
    known = files(writer.log_dir)
    if [path.name for path in known] == [own]:  # a remote folder's files are not known: it goes on
        return

    def stays(path: Path, event: Any) -> bool:
        if path.name == own:
            return True
        then = path.name in names
        if event.step < step and (then or event.wall_time > before):  # else a copy, see `spared`
            return not _is_at(epochs, before, event)
        return then and event.wall_time <= before

    def spared(path: Path, event: Any) -> bool:
        # by a process that resumed from this checkpoint, too: it may not have copied what it kept
        return path.name not in names

    paths = [path for path in known if before or path.name == own]
    earlier = [path for path in paths if path.name != own]
    late = {
        event.step
        for path in earlier
        for event in events(path)
        if _is_at(epochs, before, event) or (_begins(event) and path.name not in names)
    }
    first = min({step, *late})
    writer.flush()  # as its own file is read, too
    kept = found(paths, first, stays, spared)
    file.add_event(Event(step=first, session_log=SessionLog(status=SessionLog.START)))
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


def found(
    paths: Iterable[Path],
    step: int,
    stays: Callable[[Path, Any], bool],
    spared: Callable[[Path, Any], bool] = lambda path, event: False,
) -> list[Any]:
    """Returns those events of this step and later ones that stay.

    Modules write by themselves at `global_step`, which is that of the next step. Those that
    TensorBoard passes over already are left out, unless they are spared from what a file begins.
    """
    kept: list[Any] = []
    for path in paths:
        for event in events(path):
            if _begins(event):
                kept = [one for one in kept if one.step < event.step or spared(path, one)]
            elif event.HasField("summary") and event.step >= step and stays(path, event):
                kept.append(event)
    return kept


def _is_at(epochs: Collection[int], before: float, event: Any) -> bool:
    """Whether training has logged an event at the number of one of the epochs since a time."""
    tags = [value.tag for value in event.summary.value]
    late = event.step in epochs and event.wall_time > before
    # Lightning's placeholder, to whose name a logger's prefix is joined by a hyphen
    own = (tag for tag in tags if tag != "hp_metric" and not tag.endswith("-hp_metric"))
    return late and not all(map(is_of_a_test, own))


def _begins(event: Any) -> bool:
    """Whether TensorBoard passes over what earlier files hold from this event's step on."""
    return bool(event.session_log.status == SessionLog.START)


def add(writer: Any, events: list[Any]) -> None:
    """Writes events again, with their times."""
    for event in events:
        writer._get_file_writer().add_event(event, walltime=event.wall_time)

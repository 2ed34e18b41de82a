"""Configs, names, folders, data and full disks at their worst: one line, status 2, nothing lost."""

import os
import re
import resource
import signal
import string
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_mnist.errors import UserError
from lit_mnist.main import main
from lit_mnist.pictures import files as images
from tests import trained
from tests.conftest import SMALL
from tests.runs.test_safe_yaml import CHAIN, LAUGHS
from tests.trained import RUN

MODEL = "model:\n  class_path: DenseModule\n"
DRY = ("--trainer.fast_dev_run", "1")
few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
fewer = settings(few, max_examples=12)  # of whole commands, other ones each time


def refused(outcome, *words):
    status, problems = outcome[0], outcome[-1]
    assert status == 2
    announced = r"((INFO: )?Running in `fast_dev_run` mode: [^\n]+\n)?"  # as a dry run is asked for
    assert re.fullmatch(announced + r"error: [^\n]+\n", problems)
    for word in words:
        assert word in problems


@pytest.fixture
def with_config(here, capsys):
    """Runs a fast_dev_run `fit` with a config of these bytes."""

    def call(content):
        (here / "bad.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return main(["fit", "--config", "bad.yaml", *DRY]), capsys.readouterr().err

    return call


CONFIGS = {
    "a call": (
        f"{MODEL}  init_args:\n    lr: !!python/object/apply:os.mkdir ['ran']\n",
        "python/object/apply:os.mkdir",
    ),
    "laughs": (LAUGHS, "aliases stand for"),
    "laughs in a list of callbacks": (
        f"{MODEL}trainer:\n  callbacks:\n  - &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"  - &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 8)),
        "aliases stand for",
    ),
    "aliases a million deep": (CHAIN, "nested"),
    "within itself": (f"{MODEL}trainer: &t\n  callbacks: *t\n", "t contains itself"),
    "deep": (f"model: {'{class_path: DenseModule, init_args: ' * 400}1{'}' * 400}", "nested"),
    "a list": ("- a\n- b\n", "holds no options"),
    "a word": ("hello", "holds no options"),
    "nothing": ("", "holds no options"),
    "bytes": (bytes(range(256)), "is not UTF-8 text"),
    "UTF-16": (MODEL.encode("utf-16"), "is not UTF-8 text"),
    "zeros": (bytes(100), "control characters"),
    "a key twice": (f"{MODEL}name: a\nname: b\n", "name is given twice, again on line 4"),
    "a list of trainer options": (f"{MODEL}trainer: [1]\n", "trainer: is a list"),
    "a number for trainer options": (f"{MODEL}trainer: 5\n", "trainer: is 5; give options"),
    "a truth value for data options": (f"{MODEL}data: true\n", "data: is true; give options"),
    "a list of data options": (f"{MODEL}data: [1]\n", "data: is a list"),
    "a list as a key": (f"{MODEL}[a]: 1\n", "unhashable key"),
    "no name": (f"{MODEL}name: null\n", "--name null"),
    "no folder": (f"{MODEL}log_dir: null\n", "--log_dir null"),
    "no rate": (f"{MODEL}  init_args:\n    lr: null\n", "--model.lr null"),
    "a class that is no model": ("model:\n  class_path: os.system\n", "os.system"),
    "a class that is half a model": ("model:\n  class_path: ClassifierModule\n", "net_type"),
    "a class that there is not": ("model:\n  class_path: no.such.Module\n", "No module named 'no'"),
    "a callback's bad argument": (
        f"{MODEL}trainer:\n  callbacks:\n"
        "  - class_path: lightning.pytorch.callbacks.EarlyStopping\n"
        "    init_args: {monitor: val_acc, mode: hello}\n",
        "hello",
    ),
    "a number too low": (f"{MODEL}trainer:\n  accumulate_grad_batches: 0\n", "_batches 0: take 1"),
}


@pytest.mark.parametrize(("content", "said"), CONFIGS.values(), ids=CONFIGS)
def test_a_hostile_config_ends_at_once(with_config, here, content, said):
    began = time.process_time()
    refused(with_config(content), said)
    assert time.process_time() - began < 5
    assert [path.name for path in here.iterdir()] == ["bad.yaml"]


OPTIONS = [
    *(["--trainer.devices", value] for value in ("0", "99", "x", "[]", "-2")),
    *(["--trainer.precision", value] for value in ("nonsense", "17", "transformer-engine")),
    *(["--trainer.strategy", value] for value in ("nonsense", "", "fsdp")),
    *(["--trainer.accelerator", value] for value in ("nonsense", "tpu", "")),
    *(["--trainer.max_epochs", value] for value in ("-5", "nan", "1.5")),
    *(["--model.lr", value] for value in ("nan", "-1", "0", "null", "[1]")),
    *(["--data.batch_size", value] for value in ("0", "-5", "nan", "null")),
    *([f"--name={value}"] for value in ("..", "", "a/b", "/a", "a\nb", "-x", "x" * 300, "\ud800")),
    *([f"--log_dir={value}"] for value in ("\0", "x/" * 2000, "file", "file/below", "/proc/x")),
    *([f"--data.data_dir={value}"] for value in ("\0", "x/" * 2000, "file", "a\nb")),
    *([f"--config={value}"] for value in ("\0", "file", "none.yaml", "a\nb")),
    *([f"--{group}=latin.yaml"] for group in ("trainer", "data", "model")),  # files within
    ["--trainer=laughs.yaml"],
    ["--model.help", "Nope"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ascii(" ".join(options))[:40])
def test_a_hostile_option_ends_in_one_line(run_cli, here, options):
    Path("file").write_text("hello")
    Path("latin.yaml").write_bytes(b"a: \xe9\n")
    Path("laughs.yaml").write_text(LAUGHS)
    refused(run_cli("fit", "--data.download", "false", "--trainer.max_epochs", "1", *options))
    assert {path.name for path in here.iterdir()} == {"file", "latin.yaml", "laughs.yaml"}


def test_the_machines_absent_gpu_is_named(run_cli, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(run_cli("fit", "--trainer.accelerator", "cuda"), "CUDAAccelerator")


def test_odd_but_sound_names_and_folders_work(run_cli, small_data):
    odd = Path("dä ta %s{}$HOME")
    odd.symlink_to(small_data)
    options = ("--name", "ü 名%d{}", "--log_dir", "lög s %s{}", "--data.data_dir", str(odd))
    assert run_cli("fit", *options, "--trainer.max_epochs", "1")[::2] == (0, "")
    assert run_cli("test", *options)[0] == 0
    assert Path("lög s %s{}", "ü 名%d{}", "seed_42", "predictions.csv").exists()


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_subnormal=False)
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ["name", "log_dir", "seed_everything", "model", "trainer", "data", "ckpt_path", "fresh"]
# Not trainer.devices: a number of them would start as many copies of this very process
NESTED = [
    "trainer.max_epochs",
    "data.batch_size",
    "model.class_path",
    "data.seed",
]


@fewer
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=3))
def test_any_values_in_a_config_are_taken_or_refused(with_config, content):
    status, problems = with_config(yaml.safe_dump({"data": {"download": False}} | content))
    refused((status, problems))  # at the latest because there is no data


@fewer
@given(st.sampled_from(KEYS + NESTED), st.text(string.printable, max_size=12))
def test_any_text_as_an_option_is_taken_or_refused(here, capsys, option, text):
    args = ["fit", "--model", "DenseModule", "--data.download", "false", f"--{option}={text}", *DRY]
    status = main(args)
    refused((status, capsys.readouterr().err))


DAMAGE = {
    "empty": b"",
    "bytes": b"\xff\xfe\0\1",
    "a list": b"[1, 2]",
    "deep": b"[" * 100_000,
    "laughs": LAUGHS.encode(),
    "odd": b'{"status": [], "name": [1], "test_acc": "x", "trainer": 5}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_to_a_runs_own_files_is_told(run_cli, trained_runs, here, capsys, damage):
    trained.copy(trained_runs, here)
    whole = trained.contents()
    for name in ("config.yaml", "results.json", "metrics.csv", "ledger.csv"):
        for path, content in whole.items():
            path.write_bytes(content)
        (RUN / name).write_bytes(damage)
        outcome = run_cli("test", config="simple_plateau")
        if outcome[0]:
            refused(outcome, name)
    (RUN / "predictions.csv").write_bytes(damage)
    refused((main(["compare", str(RUN), str(RUN)]), capsys.readouterr().err), "predictions.csv")


def test_a_damaged_config_of_a_run_is_no_reason_to_go_on(run_cli, trained_runs, here):
    trained.copy(trained_runs, here)
    (RUN / "config.yaml").write_bytes(LAUGHS.encode())
    before = trained.contents()
    on = ("--trainer.max_epochs", "3")
    refused(run_cli("fit", *on, config="simple_plateau"), "config.yaml: damaged", "--fresh")
    assert trained.contents() == before
    assert run_cli("fit", *on, "--fresh", config="simple_plateau")[0] == 0


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_data_that_never_ends_is_refused_at_once(run_cli, small_data, here, name, kind):
    raw = here / "data" / SMALL / "raw"
    raw.mkdir(parents=True)
    for path in (small_data / SMALL / "raw").iterdir():
        (raw / path.name).symlink_to(path)
    (raw / name).unlink()
    if kind == "pipe":
        os.mkfifo(raw / name)
    elif kind == "device":
        (raw / name).symlink_to("/dev/zero")
    else:
        (raw / name).write_bytes(b"\0\0\x08\x01\xff\xff\xff\xff")
        os.truncate(raw / name, 10**11)
    refused(run_cli("fit", "--data.data_dir", "data", "--data.download", "false"), name)


@few
@given(st.data())
def test_any_bytes_as_an_image_are_read_or_refused(here, data):
    pixels = np.arange(784, dtype=np.uint8).reshape(28, 28)
    kind = data.draw(st.sampled_from(["png", "gif", "bmp", "tiff", "jpeg", "webp", "ppm"]))
    path = here / f"a.{kind}"
    Image.fromarray(pixels).save(path)
    raw = bytearray(path.read_bytes())
    places = st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))
    for place, byte in data.draw(st.lists(places, max_size=8)):
        raw[place] = byte
    path.write_bytes(raw[: data.draw(st.none() | st.integers(0, len(raw)))])
    try:
        read = images.read(path)
    except UserError as error:
        problem = str(error)
    else:
        problem = ""
        assert (read.shape, read.dtype) == ((28, 28), np.uint8)
    assert "\n" not in problem


@contextmanager
def small_files(size):
    """A limit on the size of files, which stands for the disk: both let a write fail halfway."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_keeps_the_run_and_says_where(run_cli, trained_runs, here):
    trained.copy(trained_runs, here)
    before = trained.contents(RUN / "checkpoints")
    with small_files(100_000):
        outcome = run_cli("fit", "--trainer.max_epochs", "3", config="simple_plateau")
    refused(outcome, ".ckpt", "full disk", "make room")
    assert trained.contents(RUN / "checkpoints") == before
    assert run_cli("fit", "--trainer.max_epochs", "3", config="simple_plateau")[0] == 0


def test_a_run_that_may_not_be_written_to_is_told_before_its_test(
    run_cli, trained_runs, here, monkeypatch
):
    trained.copy(trained_runs, here)
    before, access = trained.contents(), os.access
    monkeypatch.setattr(  # which root, as whom tests may run, may always do
        os, "access", lambda path, mode: path != RUN and access(path, mode)
    )
    refused(run_cli("test", config="simple_plateau"), f"error: {RUN}: Permission denied; allow")
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    told = f"error: {RUN}: Read-only file system; mount it for writing or choose another"
    refused(run_cli("test", config="simple_plateau"), told)
    assert trained.contents() == before


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("command", ["test", "fit"])
def test_a_disk_too_full_for_tensorboard_is_told_once(run_cli, trained_runs, here, command):
    trained.copy(trained_runs, here)
    before = trained.contents()
    with small_files(50):
        outcome = run_cli(command, "--trainer.max_epochs", "3", config="simple_plateau")
    refused(outcome, "events.out.tfevents", "make room")
    now = trained.contents()
    assert {path: now[path] for path in before} == before


def test_deterministic_mode_is_exact_on_a_cpu(run_cli):
    """Nothing that training does on a CPU is refused, and nothing there was inexact before."""
    try:
        for name, mode in (("a", "true"), ("b", "true"), ("c", "false")):
            options = ("--name", name, "--trainer.deterministic", mode, "--trainer.max_epochs", "1")
            assert run_cli("fit", *options, config="simple_augmented")[::2] == (0, "")
    finally:
        torch.use_deterministic_algorithms(False)
    first, *others = (
        torch.load(Path("tb_logs", name, "seed_42/checkpoints/last.ckpt"), weights_only=True)
        for name in "abc"
    )
    for other in others:
        for name, weights in first["state_dict"].items():
            assert torch.equal(weights, other["state_dict"][name])

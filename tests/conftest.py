"""Small learnable datasets on disk, the program as a function, and a committee that it trained.

What imports torch is imported where it is used: the process of pytest-xdist that only gives out
the tests loads this file, too, and every worker would wait for its imports.
"""

import importlib
import logging
import os
import shutil
import signal
import sys

import pytest
from filelock import FileLock

from lit_mnist.machine.light_imports import light_imports
from lit_mnist.main import main
from tests import kept, workers

# What is started in a shell's background ignores Ctrl-C, and so would all that tests start
signal.signal(signal.SIGINT, signal.default_int_handler)

# What messages call the program: not pytest
sys.argv[:1] = ["cli.py"]

# One thread, here and in the processes that tests start: these sets are too small for more, and
# threads of several processes that wait for each other make a loaded machine crawl
os.environ["OMP_NUM_THREADS"] = "1"

# What a power cut leaves on a disk, no test can see; to wait for the disk takes as long as to train
os.fsync = lambda _: None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs):
    workers.start(specs)


@pytest.fixture(scope="session", autouse=True)
def small_nets():
    """The dense and the simple net have fewer units: on these sets, weights take half of a run."""
    from tests import small_nets

    small_nets.resize(small_nets.SMALL)


@pytest.fixture
def full_size(monkeypatch):
    """The notebook's nets are as large as they are."""
    from tests import small_nets

    small_nets.resize(small_nets.FULL, monkeypatch.setattr)


# KMNIST, because MNIST's own files are pinned by their hashes
SMALL = "KMNIST"
TRAIN, TEST = 600, 101


def digits(count, seed, noise=120, height=20):
    """Noisy images whose bright column tells the label: any of the nets learns them at once."""
    import numpy as np
    import torch

    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count, dtype=np.uint8)
    images = generator.integers(0, noise, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 : 4 + height, 4 + 2 * label : 6 + 2 * label] = 255
    return torch.from_numpy(images), torch.from_numpy(labels)


def place(data_dir, **hardness):
    """Writes 600 training and 101 test images, of which 100 go to validation."""
    from lit_mnist.data.datasets import DATASETS
    from lit_mnist.data.idx import write_idx

    spec = DATASETS[SMALL]
    spec.folder(data_dir).mkdir(parents=True)
    for seed, (part, count) in enumerate({"train": TRAIN, "test": TEST}.items()):
        for name, values in zip(spec.files[part], digits(count, seed, **hardness), strict=True):
            write_idx(spec.folder(data_dir) / name, values)
    return data_dir


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Makes a folder of this name once, for all processes that the tests are shared out among."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def call(name, make):
        target, done = folder / name, folder / f"{name}.done"
        with FileLock(folder / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(target, ignore_errors=True)  # of one that failed
                target.mkdir()
                make(target)
                done.touch()
        return target

    return call


@pytest.fixture(scope="session")
def small_data(shared):
    """A data_dir that holds 600 training and 101 test images, of which 100 go to validation."""
    return shared("small_data", place)


@pytest.fixture(scope="session")
def hard_data(shared):
    """The same, but hard to tell apart: networks err, and each in its own way."""
    return shared("hard_data", lambda folder: place(folder, noise=255, height=5))


@pytest.fixture
def no_index(monkeypatch):
    """No package index that pip could reach."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


class StandardErrorNow:
    """Standard error as it is when something is written."""

    def write(self, text):
        return sys.stderr.write(text)

    def flush(self):
        sys.stderr.flush()


@pytest.fixture(autouse=True)
def lightning_speaks():
    """Lightning writes where standard error was at its import: captured, and closed since."""
    with light_imports():
        importlib.import_module("lightning.pytorch")  # also before the first test uses it
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        for handler in logging.getLogger(name).handlers:
            if type(handler) is logging.StreamHandler:  # not pytest's own
                handler.stream = StandardErrorNow()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small_run(data_dir, config):
    """Options of a run that takes less than a second: two epochs of nine steps."""
    return [
        *("--config", f"{CONFIGS}/{config}.yaml", "--trainer.max_epochs", "2"),
        *("--data.dataset", SMALL, "--data.data_dir", str(data_dir)),
        *("--data.batch_size", "60", "--trainer.accelerator", "cpu"),
    ]


@pytest.fixture
def run_cli(small_data, here, capsys, no_pictures):
    """Runs a command on the small set; gives (exit status, standard output, standard error).

    Pictures are blank, unless the test is marked with `pictures`.
    """

    def call(command, *options, config="dense"):
        status = main([command, *small_run(small_data, config), *options])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def fitted(shared, run_cli, here):
    """A working folder in which `run_cli("fit")` has been: a copy of a run trained before."""
    kept.fitted(shared, run_cli)
    return here


@pytest.fixture
def four_epochs(shared, run_cli):
    """Leaves a run of four epochs at a rate of 0.02 in the working folder."""
    kept.fitted(shared, run_cli, "--trainer.max_epochs", "4", "--model.lr", "0.02")


@pytest.fixture(scope="session")
def members(hard_data):
    """The options of a committee of small networks, but for how many."""
    return [
        *("--config", f"{CONFIGS}/dense.yaml", "--trainer.max_epochs", "3"),
        *("--data.dataset", SMALL, "--data.data_dir", str(hard_data)),
        *("--data.batch_size", "30", "--trainer.accelerator", "cpu"),
    ]


@pytest.fixture
def no_pictures(request, monkeypatch):
    """Pictures are of one colour each."""
    if request.node.get_closest_marker("pictures"):
        return
    from tests import blank

    blank.pictures(monkeypatch.setattr)


def equal_weights(first, second, name="best"):
    """Whether the checkpoints of two runs' folders hold the same bits."""
    import torch

    one, other = (
        torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        for folder in (first, second)
    )
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


RUN_JOBS = "lit_mnist.commands.jobs.Jobs.run"


def train_here(jobs, todo):
    """Stands in for `RUN_JOBS`: a process for each member would take seconds to start."""
    return [job for job in todo if main(job.spec.argv("fit"))]


@pytest.fixture
def in_process(monkeypatch):
    """Members are trained in this process."""
    monkeypatch.setattr(RUN_JOBS, train_here)


def train_committee(folder, *options):
    """Trains and tests a committee in a folder, in this process and without pictures."""
    from tests import blank

    with pytest.MonkeyPatch.context() as patch:
        blank.pictures(patch.setattr)
        patch.setattr(RUN_JOBS, train_here)
        patch.chdir(folder)
        assert main(["committee", *options]) == 0


@pytest.fixture(scope="session")
def three(members, shared):
    """A folder whose tb_logs hold a committee of three, trained and tested; to be left as it is."""
    return shared("three", lambda folder: train_committee(folder, *members, "--members", "3"))


@pytest.fixture(scope="session")
def folds(members, shared):
    """A folder whose tb_logs hold a committee of three folds, trained and tested; likewise."""
    return shared("folds", lambda folder: train_committee(folder, *members, "--folds", "3"))


@pytest.fixture
def trained(three, here):
    """A working folder that holds a copy of the committee of three."""
    shutil.copytree(three / "tb_logs", "tb_logs")
    return here


@pytest.fixture
def call(trained, members, no_pictures, capsys):
    """Runs a command on the members' options; gives (exit status, output, problems)."""

    def call(command, *options):
        capsys.readouterr()
        return main([command, *members, *options]), *capsys.readouterr()

    return call


CONFIGS = os.path.join(os.path.dirname(__file__), "..", "configs")


@pytest.fixture(scope="session")
def trained_runs(small_data, shared):
    """A folder of runs with one in it, simple_plateau, of two epochs; for tests that damage it."""
    options = small_run(small_data, "simple_plateau")

    def train(folder):
        from tests import blank

        with pytest.MonkeyPatch.context() as patch:
            blank.pictures(patch.setattr)
            assert main(["fit", *options, "--log_dir", str(folder / "tb_logs")]) == 0

    return shared("trained_runs", train) / "tb_logs"

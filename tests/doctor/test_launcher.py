"""Variables of torchrun and SLURM, against configs."""

import pytest

from lit_mnist.doctor import launcher as doctor
from lit_mnist.errors import UserError
from lit_mnist.machine.launcher import Launched

TWO = Launched(devices=2, num_nodes=1)


def judged(monkeypatch, found, devices="auto", num_nodes=1, environ=None):
    monkeypatch.setattr(doctor, "launched", found if callable(found) else lambda: found)
    monkeypatch.setattr(doctor, "by_slurm", lambda: False)
    return doctor.launcher(devices, num_nodes, environ or {})


@pytest.mark.parametrize("devices", ["auto", 2, "2", [0, 1]])
def test_a_config_matching_the_launcher_is_ok(monkeypatch, devices):
    found = judged(monkeypatch, TWO, devices)
    assert found.verdict == "ok"
    assert found.text == "torchrun: 2 processes on each node, 1 nodes"


@pytest.mark.parametrize(("devices", "nodes"), [(4, 1), ("2", 2), ("auto", 2), ([0], 1), (-1, 1)])
def test_a_config_contradicting_the_launcher_is_an_error(monkeypatch, devices, nodes):
    found = judged(monkeypatch, TWO, devices, nodes)
    assert found.verdict == "error"
    assert found.text.endswith(f"the config has {devices} devices, {nodes} nodes")


def test_a_process_without_launcher_is_ok(monkeypatch):
    assert judged(monkeypatch, None).text == "none: this process alone"


def test_leftover_launcher_variables_are_reported(monkeypatch):
    found = judged(monkeypatch, None, environ={"LOCAL_RANK": "0", "NODE_RANK": "1"})
    assert (found.verdict, found.remedy) == ("warning", "unset LOCAL_RANK NODE_RANK")


def test_unusable_slurm_options_are_reported(monkeypatch):
    def refused():
        raise UserError("SLURM has 4 tasks for this job; start them: srun")

    assert judged(monkeypatch, refused).text.startswith("SLURM has 4 tasks")


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}, "torchrun: 2 processes on each node"),
        ({"WORLD_SIZE": "2"}, "left a variable out, or no number in it: 'LOCAL_WORLD_SIZE'"),
        ({"WORLD_SIZE": "two", "LOCAL_WORLD_SIZE": "2"}, "no number in it: invalid literal"),
    ],
)
def test_torchrun_s_variables_are_read(monkeypatch, environ, text):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert text in doctor.launcher("auto", 1).text

"""Threads against cores, in simulated environments."""

import pytest

from lit_mnist.doctor.cores import Cores
from lit_mnist.doctor.threads import threads

EIGHT = Cores(8, 8, None)


@pytest.mark.parametrize(
    ("cores", "running", "environ", "verdict", "text", "remedy"),
    [
        (EIGHT, 8, {}, "ok", "8, for 8 cores (8 in the machine)", ""),
        (EIGHT, 4, {}, "ok", "4, for 8 cores", ""),  # as PyTorch chose
        (Cores(8, 8, 1.5), 8, {}, "warning", "too many: 8, for 2 cores", "set OMP_NUM_THREADS=2"),
        (Cores(8, 2, None), 8, {}, "warning", "too many: 8, for 2 cores", "set OMP_NUM_THREADS=2"),
        (EIGHT, 2, {"OMP_NUM_THREADS": "2"}, "warning", "fewer than possible", "unset OMP_NUM"),
        (EIGHT, None, {"OMP_NUM_THREADS": "16"}, "warning", "too many: 16", "OMP_NUM_THREADS=8"),
        (EIGHT, None, {"OMP_NUM_THREADS": "8,2"}, "ok", "8, for 8 cores", ""),
        (EIGHT, None, {}, "ok", "8, for 8 cores", ""),
        (EIGHT, 8, {"OMP_NUM_THREADS": "all"}, "warning", "OMP_NUM_THREADS=all is not", "to 8"),
        (EIGHT, 8, {"OMP_NUM_THREADS": "0"}, "warning", "OMP_NUM_THREADS=0 is not", "to 8"),
        (EIGHT, 8, {"LOCAL_WORLD_SIZE": "4"}, "warning", "8 in each of 4 processes", "THREADS=2"),
        (EIGHT, 2, {"LOCAL_WORLD_SIZE": "4", "OMP_NUM_THREADS": "2"}, "ok", "2 in each of 4", ""),
        (EIGHT, 1, {"LOCAL_WORLD_SIZE": "4", "OMP_NUM_THREADS": "1"}, "ok", "1 in each of 4", ""),
        (EIGHT, 1, {"LOCAL_WORLD_SIZE": "16"}, "ok", "1 in each of 16", ""),
    ],
)
def test_verdicts(cores, running, environ, verdict, text, remedy):
    found = threads(cores, running, environ)
    assert (found.check, found.verdict) == ("threads", verdict)
    assert text in found.text
    assert remedy in found.remedy
    assert bool(remedy) == bool(found.remedy)

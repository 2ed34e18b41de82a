"""A URL in place of a path is shown as it was typed, and refused."""

import pytest

from lit_mnist.main import main

URL = "https://example.com/x.ckpt"
REFUSED = f"{URL}: is a URL; give a path on this machine, and download what is to be read\n"


@pytest.mark.parametrize(
    ("command", "option"),
    [
        *(("fit", one) for one in ("--ckpt_path", "--config", "--log_dir", "--data.data_dir")),
        ("test", "--ckpt_path"),
        ("predict", "--output"),
    ],
)
def test_an_option_s_url_is_refused(run_cli, command, option):
    status, _, problems = run_cli(command, option, URL)
    assert (status, problems) == (2, f"error: {option} {REFUSED}")


def test_the_url_of_a_picture_or_a_member_is_refused(run_cli):
    assert run_cli("predict", "--data.images", URL)[::2] == (2, f"error: {REFUSED}")
    members = ("--model", "EnsembleModule", "--model.checkpoints", URL)
    refused = f"error: --model.checkpoints {REFUSED}"
    assert run_cli("test", *members)[::2] == (2, refused)


@pytest.mark.parametrize("command", ["report", "runs", "export", "audit", "compare", "demo"])
def test_the_url_of_a_run_is_refused(here, capsys, command):
    assert main([command, URL]) == 2
    assert capsys.readouterr().err == f"error: {REFUSED}"

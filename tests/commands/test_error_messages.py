"""Errors of the parser and of libraries on one line; a bug of the program keeps its traceback.

Whole reports of the parser are tried in test_cli.
"""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_mnist.commands.error_messages import condensed, explained, parser_error
from lit_mnist.errors import PeerError, UserError, one_line


@pytest.fixture(autouse=True)
def called(monkeypatch):
    """The program was called as it is when it is installed."""
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/lit-mnist"])


NESTED = """Parser key "model":
  Does not validate against any of the Union subtypes
  Subtypes: [<class 'lit_mnist.models.modules.ClassifierModule'>, <class 'NoneType'>]
  Errors:
    - Problem with given class_path 'lit_mnist.models.modules.DeepConvModule':
        Parser key "lr":
          Not of type PositiveFloat: could not convert string to float: 'abc'
    - Expected a <class 'NoneType'>
  Given value type: <class 'jsonargparse._util.NestedArg'>
  Given value: NestedArg(key='lr', val='abc')"""


def test_names_the_option_and_where_to_look():
    expected = "--model.lr: 'abc' is no number; see lit-mnist fit --help"
    assert parser_error(NESTED, ["fit", "--model.lr", "abc"], []) == expected


def test_names_the_file_that_the_option_stands_in():
    line = parser_error(NESTED, ["fit", "--config", "a.yaml"], [])
    assert line.startswith("a.yaml: --model.lr: 'abc' is no number")


def test_blames_no_file_for_an_option_that_is_typed_without_its_value():
    report = "argument --trainer.max_time: expected one argument"
    line = parser_error(report, ["fit", "--config", "a.yaml", "--trainer.max_time", "-1"], [])
    assert line.startswith(
        "--trainer.max_time: give a value; join one that begins with a dash by ="
    )


def test_corrects_a_misspelt_word():
    report = "unrecognized arguments: --data.datset x"
    line = parser_error(report, ["fit", "--data.datset", "x"], ["--data.dataset", "--name"])
    assert line == "there is no option --data.datset x; did you mean --data.dataset?"


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("--conf", "--config"),
        ("--trainer.max_ep", "--trainer.max_epochs"),
        ("--model", "--model.help"),  # not lr, which is no option without its group
    ],
)
def test_an_abbreviated_option_is_refused_with_its_full_name(typed, full):
    known = ["lr", "model_width", "--name", "--config", "--trainer.max_epochs", "--model.help"]
    line = parser_error(f"unrecognized arguments: {typed} x", ["fit", typed, "x"], known)
    assert line == f"there is no option {typed} x; did you mean {full}?"


def test_an_argument_of_a_model_is_looked_for_among_its_arguments_first():
    report = "Parser key \"model\":\n  Option 'l' is not accepted"
    line = parser_error(report, ["fit", "--model.l", "1"], ["lr", "plateau", "--log_dir"])
    assert line == "--model: there is no option l; did you mean lr?"


def test_a_report_that_nobody_foresaw_still_comes_on_parser_error():
    assert parser_error("Odd:\n  two\n  lines", ["fit"], []).count("\n") == 0


def raised(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 # each caller's is of another kind
        call()
    return explained(caught.value)


def test_an_operation_that_is_not_deterministic_is_named():
    error = RuntimeError(
        "grid_sampler_2d_backward_cuda does not have a deterministic implementation, but you set"
        " 'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this"
        " operation, or you can use the 'warn_only=True' option."
    )
    told = explained(error)
    assert isinstance(told, UserError)
    assert str(told).startswith("grid_sampler_2d_backward_cuda is not deterministic")
    assert "--trainer.deterministic warn" in str(told)


def test_torch_still_says_it_in_these_words():
    torch.use_deterministic_algorithms(True)
    try:
        told = raised(lambda: torch.zeros(3).put_(torch.tensor([0]), torch.ones(1)))
    finally:
        torch.use_deterministic_algorithms(False)
    assert "put_ is not deterministic" in str(told)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_memory_that_is_used_up_is_told_with_the_remedy(error):
    assert "lower --data.batch_size" in str(explained(error))
    assert isinstance(explained(error), UserError)


def test_torch_still_says_so_when_memory_is_used_up():
    assert "memory is used up" in str(raised(lambda: torch.empty(2**62, dtype=torch.uint8)))


def test_lightnings_refusals_become_a_line_about_the_option():
    told = raised(lambda: Trainer(accelerator="cpu", overfit_batches=-3, logger=False))
    assert str(told).startswith("--trainer: You have passed invalid value -3")
    assert isinstance(explained(MisconfigurationException("a\n b")), UserError)
    assert str(explained(MisconfigurationException("a\n b"))) == "--trainer: a; b"


def test_a_peers_end_is_no_fault_of_the_user():
    assert isinstance(explained(RuntimeError("Connection closed by peer [127.0.0.1]")), PeerError)


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError, KeyError])
def test_the_programs_own_errors_stay_what_they_are(kind):
    error = kind("a bug")

    def bug():
        raise error

    assert raised(bug) is error
    assert explained(UserError("x")).args == ("x",)


def test_a_message_moves_no_cursor():
    assert one_line(UserError("a\nb\x1b[2J ü \ud800")) == "a\\nb\\x1b[2J ü \\ud800"


def test_a_share_that_is_no_whole_batch_names_each_option_that_may_have_set_it(tmp_path):
    for option in ("limit_val_batches", "overfit_batches"):
        trainer = Trainer(
            accelerator="cpu",
            logger=False,
            max_epochs=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            default_root_dir=tmp_path,
            **{option: 0.001},
        )
        error = raised(lambda: trainer.fit(BoringModel()))  # noqa: B023 # called at once
        text = str(explained(error))
        assert text.startswith("--trainer.limit_")
        assert "(or --trainer.overfit_batches): less than one of 64 batches" in text


def test_bounds_and_null_are_told_without_the_parsers_own_words():
    assert condensed("-1 does not conform to restriction v>=0 and v<4") == "-1 is not >=0 and <4"
    assert condensed("int() argument must be a string or a real number, not 'NoneType'") == (
        "expected an integer, not NoneType"
    )


def test_a_loss_that_depends_on_nothing_is_told_with_the_remedy():
    told = raised(torch.zeros(1).sum().backward)
    assert isinstance(told, UserError)
    assert str(told).startswith("the loss depends on no trained weight")

"""A parser of `fit` is built once per process and keeps no state between command lines."""

from lit_mnist.command_line.parsed_options import parsed_options
from lit_mnist.command_line.run_parser import RunParser
from lit_mnist.command_line.run_spec import RunSpec

PLAIN = RunSpec(typed=("--name", "a"))
OTHERWISE = RunSpec(
    typed=(
        *("--name", "b", "--model", "ConvNetModule", "--model.widths", "[[4], [8]]"),
        *("--model.kernels", "[3, 3]", "--data.augment", "true", "--fresh"),
        *("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "val_loss"),
        *("--trainer.max_epochs", "3", "--seed_everything", "7"),
    )
)


class Made(RunParser):
    """Builds the parser without parsing."""

    def parse_arguments(self, parser, args):
        raise InterruptedError


def parser_of(command, *options):
    made = Made.__new__(Made)
    try:
        made.__init__([command, *options])
    except InterruptedError:
        return made.parser


def test_options_of_one_run_do_not_affect_the_next():
    first, other = parsed_options(PLAIN), parsed_options(OTHERWISE)
    assert parsed_options(PLAIN) == first
    assert parsed_options(OTHERWISE) == other
    assert (other["data"]["augment"], first["data"]["augment"]) == (True, False)
    assert len(other["trainer"]["callbacks"]) == 1
    assert first["trainer"]["callbacks"] is None


def test_each_run_is_named_by_its_first_config():
    names = [
        parsed_options(RunSpec(configs))["name"] for configs in (("dense",), ("deep",), ("dense",))
    ]
    assert names == ["dense", "deep", "dense"]
    assert parsed_options(RunSpec())["name"] == "run"


def test_a_parser_is_built_once_per_command():
    assert parser_of("fit", "--name", "a") is parser_of("fit", "--config", "dense")
    assert parser_of("fit") is not parser_of("test")

"""A user's module that cannot be imported is named with the line at fault."""

import pytest

BROKEN = {  # the text of a module, what is said, the line, and the option that names its class
    "a name": (
        "import torch\n\nlr = rate\n",
        "NameError: name 'rate' is not defined",
        3,
        "--model",
    ),
    "syntax": ("rate = 1\ndef net(:\n", "SyntaxError: invalid syntax", 2, "--model"),
    "a number": ("int('many')\n", "ValueError: invalid literal", 1, "--model"),
    "a dependency": ("import no_such_library\n", "named 'no_such_library'", 1, "--model"),
    "a callback's": ("import no_such_library\n", "'no_such_library'", 1, "--trainer.callbacks"),
}


@pytest.mark.parametrize(("text", "said", "line", "option"), BROKEN.values(), ids=BROKEN)
def test_an_error_of_a_user_s_module_is_one_line(
    run_cli, here, monkeypatch, text, said, line, option
):
    name = f"broken_{abs(hash((text, option)))}"
    (here / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(here)
    status, _, problems = run_cli("fit", option, f"{name}.Net")
    assert status == 2
    assert problems.startswith(f"error: {name}.Net: cannot be imported (")
    assert said in problems
    assert f"{name}.py, line {line}); correct that file" in problems
    assert problems.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module.Net", "No module named 'no_such_module'"),
        (
            "lightning.pytorch.demos.boring_classes.BoringModel",
            "expected a class derived from lit_mnist.models.",
        ),
    ],
)
def test_a_class_that_is_no_model_is_told(run_cli, name, said):
    status, _, problems = run_cli("fit", "--model", name)
    assert status == 2
    assert said in problems
    assert problems.count("\n") == 1

"""A finding is one line, whatever it names."""

from lit_mnist.doctor.finding import Finding


def test_a_finding_is_one_line_with_its_remedy():
    assert Finding("data", "ok", "whole").line() == "ok       data        whole"
    found = Finding("log folder", "error", "a\nb\x1b[2J cannot be written to", "choose another")
    assert found.line() == (
        "error    log folder  a\\nb\\x1b[2J cannot be written to; choose another"
    )

"""Attributes that are replaced for a while."""

import pytest

from lit_mnist.machine.patching import replaced


class Base:
    def own(self):
        return "base"

    @staticmethod
    def of_none():
        return "none"


class Between(Base):
    pass


class Other(Base):
    def own(self):
        return "other"


class Both(Between, Other):
    pass


def test_an_inherited_attribute_is_inherited_again():
    with replaced((Between, "own", lambda self: "replaced")):
        assert (Both().own(), Between().own(), Base().own()) == ("replaced", "replaced", "base")
    assert (Both().own(), Between().own()) == ("other", "base")
    assert "own" not in vars(Between)


def test_own_attributes_come_back_as_they_were():
    before = vars(Base)["of_none"]
    with replaced((Base, "of_none", staticmethod(lambda: "other"))):
        assert Base().of_none() == "other"
    assert vars(Base)["of_none"] is before


def test_what_is_not_there_is_not_replaced():
    with pytest.raises(AttributeError, match="absent"), replaced((Base, "absent", 1)):
        pass

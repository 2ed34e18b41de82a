"""Modules and callbacks as a user might write them, for tests of the real program."""

from tests.recipes.brought import *  # noqa: F403 # names are typed as tests.recipes.NAME
from tests.recipes.callbacks import *  # noqa: F403 # names are typed as tests.recipes.NAME
from tests.recipes.ends import *  # noqa: F403 # names are typed as tests.recipes.NAME
from tests.recipes.frozen import *  # noqa: F403 # names are typed as tests.recipes.NAME
from tests.recipes.logged import *  # noqa: F403 # names are typed as tests.recipes.NAME
from tests.recipes.nets import *  # noqa: F403 # names are typed as tests.recipes.NAME
from tests.recipes.optimizers import *  # noqa: F403 # names are typed as tests.recipes.NAME
from tests.recipes.schedules import *  # noqa: F403 # names are typed as tests.recipes.NAME

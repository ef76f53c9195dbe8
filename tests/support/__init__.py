"""What tests share. An assertion in here that fails tells its values, as one in a test does."""

from __future__ import annotations

import sys
from pkgutil import iter_modules

if (pytest := sys.modules.get("pytest")) is not None:  # not in a process that a test starts
    pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

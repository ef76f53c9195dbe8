"""Helpers that tests share. pytest rewrites their assertions, so a failure shows the values."""

from __future__ import annotations

import sys
from pkgutil import iter_modules

if (pytest := sys.modules.get("pytest")) is not None:  # pytest is not loaded in a process that a test starts
    pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

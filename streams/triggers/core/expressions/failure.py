"""The error of an evaluation without a result."""

from __future__ import annotations


class ExpressionFailed(Exception):
    """The expression cannot be evaluated on these values. Its message says why; rules read it as false."""

"""Reports the values that a condition saw when it returned False."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType

_LONGEST = 1000
"""Maximum number of characters of a value. The end is kept, because it says most about a log."""


class LastSeen:
    """Evaluates a condition and records what each Python function that it calls directly returns."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        self._condition = condition
        self.returned: list[str] = []

    def holds(self) -> bool:
        """Evaluates the condition and returns its result."""
        code: CodeType | None = getattr(self._condition, "__code__", None)

        def record_return(frame: FrameType, event: str, value: object) -> None:
            caller = frame.f_back
            if event == "return" and caller is not None and caller.f_code is code:
                self.returned.append(f"{frame.f_code.co_name}() returned {_shortened(value)}")

        before = sys.getprofile()
        sys.setprofile(record_return)
        try:
            return self._condition()
        finally:
            sys.setprofile(before)

    def report(self) -> str:
        """Returns a line for each variable of the condition's closure and for each returned value."""
        names = getattr(getattr(self._condition, "__code__", None), "co_freevars", ())
        cells = getattr(self._condition, "__closure__", None) or ()
        variables = [f"{name} is {_shortened(cell.cell_contents)}" for name, cell in zip(names, cells, strict=True)]
        return "".join(f"\n  {line}" for line in [*variables, *self.returned]) or " nothing but False"


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"… {text[-_LONGEST:]}"

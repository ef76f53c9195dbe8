"""What a condition saw that did not come true: the values behind its `False`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType

_LONGEST = 1000
"""Characters of one value; of a log, its end is what tells most."""


class Witness:
    """Evaluates a condition and notes what each Python function that it calls itself has returned."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        self._condition = condition
        self.returned: list[str] = []

    def holds(self) -> bool:
        """The condition's own answer."""
        code: CodeType | None = getattr(self._condition, "__code__", None)

        def note(frame: FrameType, event: str, value: object) -> None:
            caller = frame.f_back
            if event == "return" and caller is not None and caller.f_code is code:
                self.returned.append(f"{frame.f_code.co_name}() gave {_shortened(value)}")

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            return self._condition()
        finally:
            sys.setprofile(before)

    def report(self) -> str:
        """One line for each value, behind the variables that the condition has closed over."""
        names = getattr(getattr(self._condition, "__code__", None), "co_freevars", ())
        cells = getattr(self._condition, "__closure__", None) or ()
        held = [f"{name} is {_shortened(cell.cell_contents)}" for name, cell in zip(names, cells, strict=True)]
        return "".join(f"\n  {line}" for line in [*held, *self.returned]) or " nothing but False"


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"… {text[-_LONGEST:]}"

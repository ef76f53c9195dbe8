"""The programs of other systems that do the same work, and how they are measured beside ours."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "examples"))  # every system gets the questionnaires of the example

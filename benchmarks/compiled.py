"""The package as the image has it: its hot modules compiled to C. `make compiled` builds it, and so does a run."""

from __future__ import annotations

from benchmarks.processes import ROOT

FOLDER = ROOT / "build/compiled"


def agent_environment() -> dict[str, str]:
    """Of a process that is to run the compiled package; empty where there is none."""
    return {"PYTHONPATH": str(FOLDER)} if FOLDER.is_dir() else {}


def kind() -> str:
    """What agents are, for people."""
    return "compiled" if FOLDER.is_dir() else "pure Python, for want of a C compiler"

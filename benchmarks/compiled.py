"""Finds the package as the image has it, with its hot modules compiled to C, which `make compiled` builds."""

from __future__ import annotations

from benchmarks.processes import ROOT

FOLDER = ROOT / "build/compiled"


def agent_environment() -> dict[str, str]:
    """Returns the environment variables with which a process runs the compiled package, or nothing without one."""
    return {"PYTHONPATH": str(FOLDER)} if FOLDER.is_dir() else {}


def describe_agents() -> str:
    """Describes what the agents run."""
    return "compiled" if FOLDER.is_dir() else "pure Python, because there is no C compiler"

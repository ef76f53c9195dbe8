"""Virtual environments of programs whose requirements do not go together with ours; made once and kept in the cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from triggers.errors import SettingsError
from triggers.settings import cache_dir

_HERE = Path(__file__).parent


def python_of(name: str) -> Path:
    """The interpreter of the environment of `<name>.txt`. Blocks while it is made. Raises SettingsError."""
    home = cache_dir() / "bench" / name
    python = home / "bin" / "python"
    if not python.exists():
        _uv("venv", "--quiet", "--python", sys.executable, str(home))
    _uv("pip", "install", "--quiet", "--python", str(python), "-r", str(_HERE / f"{name}.txt"))
    return python


def _uv(*arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("uv")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SettingsError(f"an environment could not be made; uv says:\n{done.stderr[-2000:]}")

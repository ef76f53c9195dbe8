"""A build hook of Hatch for a wheel in which mypyc has compiled the hot modules to C.

The sources are compiled unchanged. Each module is in the wheel twice, and Python prefers the compiled one. The hook is
off by default: `HATCH_BUILD_HOOKS_ENABLE=1` turns it on. It needs a C compiler and Python's headers. The variable
`TRIGGERS_C_OPTIMIZATION` is the compiler's level of optimization, for tests, which need no fast code.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SETUP = """
import os, sys
from mypyc.build import mypycify
from setuptools import setup

modules = mypycify(
    ["--config-file=mypy.ini", *sys.argv[1:]],
    opt_level=os.environ.get("TRIGGERS_C_OPTIMIZATION", "3"),
    debug_level="0",
)
if os.name != "nt":
    for module in modules:
        # Looking for what -Wall warns of takes most of the compiler's time, and nobody writes the generated code.
        module.extra_compile_args.append("-Wno-all")
setup(name="triggers", packages=[], ext_modules=modules, script_args=["--quiet", "build_ext", "--inplace"])
"""
_MYPY = "[mypy]\nexplicit_package_bases = true\nignore_missing_imports = true\n"


class CompiledWheel(BuildHookInterface[Any]):
    """The hook. Hatch calls `initialize` before it writes a wheel, and `finalize` afterwards."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles a copy of the package into the wheel. Raises CalledProcessError with mypyc's output."""
        if version == "editable":
            return
        self._folder = Path(mkdtemp(prefix="triggers-compiled-"))
        shutil.copytree(Path(self.root) / "streams/triggers", self._folder / "triggers")
        (self._folder / "mypy.ini").write_text(_MYPY)
        subprocess.run([sys.executable, "-c", _SETUP, *self.config["modules"]], cwd=self._folder, check=True)
        compiled = [path for path in self._folder.rglob("*") if path.suffix in {".so", ".pyd"}]
        build_data["force_include"].update({
            str(path): str(path.relative_to(self._folder)) for path in compiled if "build" not in path.parts
        })  # fmt: skip
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  # Hatch's signature
        """Removes the compiled modules."""
        if version != "editable":
            shutil.rmtree(self._folder)

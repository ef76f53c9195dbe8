"""The code of the last release, kept in the repository. `python -m tests.support.released_code REVISION` replaces it.

The tests run it beside the current code, without history, network or a build. `REVISION` is a tag or a commit.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "e2e" / "released"
ARCHIVE = FOLDER / "wheel.tar.xz"
"""The files of the wheel, compressed better than a wheel can be."""
REVISION = FOLDER / "REVISION"
"""The full name of the commit of which the wheel was built."""
_SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def install(folder: Path) -> Path:
    """Installs the last release into a virtual environment of its own, and returns its Python.

    Its dependencies are those of this environment, which are within what the release asks for.
    """
    venv.create(folder, symlinks=True)
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder / _SITE, filter="data")
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    (folder / _SITE / "dependencies.pth").write_text(f"{dependencies}\n")  # editable installs in there are not followed
    return folder / "bin" / "python"


def kept_files() -> dict[str, bytes]:
    """Returns the files of the package in the archive, by their path in it."""
    with tarfile.open(ARCHIVE) as archive:
        files = {each.name: archive.extractfile(each) for each in archive if each.name.startswith("triggers/")}
        return {name: file.read() for name, file in files.items() if file is not None}


def files_of_commit(revision: str) -> dict[str, bytes] | None:
    """Returns the files of the package at a commit, by their path in a wheel, or None if the commit is not here."""
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        return None
    packed = _git("archive", revision, "streams/triggers", "schemas", "examples").stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {each.name: archive.extractfile(each) for each in archive}
        return {_path_in_wheel(name): file.read() for name, file in files.items() if file is not None}


def _path_in_wheel(path: str) -> str:
    return path.removeprefix("streams/") if path.startswith("streams/") else f"triggers/{path}"


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)


def _keep(revision: str) -> None:
    """Builds the wheel of a revision, and keeps its files."""
    commit = _git("rev-parse", f"{revision}^{{commit}}").stdout.decode().strip()
    with TemporaryDirectory() as scratch:
        source, wheels = Path(scratch, "source"), Path(scratch, "wheels")
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit).stdout)) as archive:
            archive.extractall(source, filter="data")
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        subprocess.run(build, cwd=source, check=True)
        (wheel,) = wheels.glob("*.whl")
        FOLDER.mkdir(exist_ok=True)
        with ZipFile(wheel) as files, tarfile.open(ARCHIVE, "w:xz") as kept:
            for name in sorted(files.namelist()):
                entry = tarfile.TarInfo(name)
                entry.size = files.getinfo(name).file_size
                kept.addfile(entry, io.BytesIO(files.read(name)))
    REVISION.write_text(f"{commit}\n")


if __name__ == "__main__":
    _keep(sys.argv[1])

"""Checks the folder of a worker's state on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from triggers.doctor.findings import DoctorVerdict, Finding
from triggers.settings import Settings

_MOUNTS: Final = Path("/proc/self/mounts")
_NETWORK: Final = frozenset({"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"})
_IN_MEMORY: Final = frozenset({"ramfs", "tmpfs"})
_MIN_FREE_BYTES: Final = 1 << 30


def check_folder(settings: Settings) -> Iterator[Finding]:
    """Checks that the state's folder can be written, on which file system it is, and how much space is left."""
    folder = settings.data_dir.absolute()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        fix = "set TRIGGERS_DATA_DIR to a folder that the process may write"
        yield Finding("state folder", DoctorVerdict.PROBLEM, f"{folder} cannot be written", fix)
        return
    yield _file_system(folder, file_system_of(existing))
    free = shutil.disk_usage(existing).free
    if free < _MIN_FREE_BYTES:
        yield Finding(
            "state folder", DoctorVerdict.WARNING, f"{free / 1e9:.1f} GB are free at {folder}", "free some space"
        )


def _file_system(folder: Path, kind: str) -> Finding:
    where = f"{folder} is on {kind or 'an unknown file system'}"
    if kind in _NETWORK or kind.startswith("fuse."):
        fix = "use a local disk or a block device: RocksDB needs locks and quick syncs"
        return Finding("state folder", DoctorVerdict.PROBLEM, where, fix)
    if kind in _IN_MEMORY:
        return Finding(
            "state folder", DoctorVerdict.WARNING, f"{where}: it takes memory, and a reboot restores all rows", ""
        )
    if kind == "overlay":
        fix = "mount a volume, so that a new container need not restore all rows"
        return Finding("state folder", DoctorVerdict.WARNING, f"{where}, the layer of a container", fix)
    return Finding("state folder", DoctorVerdict.OK, where)


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str:
    """Returns the kind of the file system of an existing path, such as ext4; empty where the system has no list."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    resolved, kinds = path.resolve(), {}
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        kinds[Path(point.replace("\\040", " "))] = kind  # the last mount of a point hides those before
    return next((kinds[each] for each in (resolved, *resolved.parents) if each in kinds), "")

"""The checks of the folder of a worker's state."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.doctor import machine
from triggers.doctor.findings import DoctorVerdict
from triggers.doctor.machine import check_folder, file_system_of
from triggers.settings import Settings

MOUNTS = """overlay / overlay rw 0 0
proc /proc proc rw 0 0
/dev/sda1 /data ext4 rw 0 0
server:/export /data/shared nfs4 rw 0 0
tmpfs /run tmpfs rw 0 0
tmpfs /mnt/with\\040space tmpfs rw 0 0
/dev/sdb1 /run xfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "overlay"),
        ("/srv/triggers", "overlay"),
        ("/data/worker-0", "ext4"),
        ("/database", "overlay"),
        ("/data/shared/worker-0", "nfs4"),
        ("/mnt/with space", "tmpfs"),
        ("/run/x", "xfs"),
    ],
)
def test_a_path_is_on_the_file_system_of_the_nearest_mount(mounts: Path, path: str, kind: str) -> None:
    assert file_system_of(Path(path), mounts) == kind


def test_a_system_without_a_list_of_mounts_has_an_unknown_file_system(tmp_path: Path) -> None:
    assert file_system_of(tmp_path, tmp_path / "missing") == ""


@pytest.mark.parametrize(
    ("kind", "verdict", "told"),
    [
        ("ext4", DoctorVerdict.OK, "is on ext4"),
        ("", DoctorVerdict.OK, "an unknown file system"),
        ("nfs4", DoctorVerdict.PROBLEM, "is on nfs4"),
        ("fuse.sshfs", DoctorVerdict.PROBLEM, "is on fuse.sshfs"),
        ("tmpfs", DoctorVerdict.WARNING, "a reboot restores all rows"),
        ("overlay", DoctorVerdict.WARNING, "the layer of a container"),
    ],
)
def test_the_file_system_decides_whether_the_folder_is_suitable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, verdict: DoctorVerdict, told: str
) -> None:
    monkeypatch.setattr(machine, "file_system_of", lambda _: kind)

    first, *_ = check_folder(Settings(data_dir=tmp_path / "not" / "yet"))

    assert (first.verdict, first.check) == (verdict, "state folder")
    assert told in first.detail
    assert bool(first.fix) is (verdict is DoctorVerdict.PROBLEM or kind == "overlay")


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    (finding,) = check_folder(Settings(data_dir=tmp_path / "file" / "data"))

    assert finding.verdict is DoctorVerdict.PROBLEM
    assert finding.fix == "set TRIGGERS_DATA_DIR to a folder that the process may write"

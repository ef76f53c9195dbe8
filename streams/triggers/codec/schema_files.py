"""Finds the public schemas, which are in `schemas/` of a checkout and in `triggers/schemas/` of an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "schemas", _PACKAGE.parents[1] / "schemas")


def schema_folder() -> Path:
    """Returns the folder of the `.avsc` files. Raises FileNotFoundError if the installation is broken."""
    for folder in _FOLDERS:
        if (folder / "trigger_event.avsc").is_file():
            return folder
    raise FileNotFoundError(f"trigger_event.avsc is in none of {', '.join(map(str, _FOLDERS))}")


def schema_versions(name: str, folder: Path | None = None) -> list[str]:
    """Returns the texts of a schema: the current version, then the earlier ones from `<name>.<version>.avsc`."""
    folder = folder or schema_folder()
    earlier = sorted(folder.glob(f"{name}.*.avsc"))
    return [path.read_text(encoding="utf-8") for path in (folder / f"{name}.avsc", *earlier)]

"""The JSON schemas agree with the code and are listed in schemas/README.md."""

from __future__ import annotations

import pytest
from tests.docs.json_schemas import FOLDER, NAMES, path_of, text_of


@pytest.mark.parametrize("name", NAMES)
def test_a_json_schema_is_what_the_code_says(name: str) -> None:
    assert path_of(name).read_bytes() == text_of(name), "run `python -m tests.docs.json_schemas`"


def test_every_json_schema_is_named_where_people_look() -> None:
    readme = (FOLDER / "README.md").read_text()

    files = sorted(path.name for path in FOLDER.glob("*.schema.json"))

    assert files == [path_of(name).name for name in NAMES]
    assert [file for file in files if f"`{file}`" not in readme] == []

"""docs/architecture.md names the rooms, the ports and the functions that the code has."""

from __future__ import annotations

import importlib
import re

import pytest
from tests.docs.code_names import PACKAGE, ROOT, TESTS, ancestors, classes, implementations, is_defined, members

import triggers

PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROW_OF_A_HOP = re.compile(r"^\| (\d) \| `(\w+)/` \| (\w+) \|([^|]*)\|", re.MULTILINE)
LINE_OF_A_HOP = re.compile(r"^(\d) +(\w+) +(\w+) ", re.MULTILINE)


def section(heading: str) -> str:
    """Returns the text below the heading."""
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows(heading: str) -> list[list[str]]:
    """Returns the cells of each row of the section's table, without its two heading lines."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", cell)


PORTS = rows("Ports")
HOPS = [(number, room, verb) for number, room, verb, _ in ROW_OF_A_HOP.findall(section("The eight hops"))]
"""Number, room and verb of each hop in the page's table."""
BY_CHANCE = {"Request": {"ClassRegistry", "Overlay", "PartitionRows", "Rows", "SessionSnapshot", "UnavailableBackend"}}
"""Classes that have the methods of a protocol and are never passed as one."""


def test_every_folder_and_module_of_the_package_is_a_room_on_the_page() -> None:
    in_the_package = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in PACKAGE.iterdir()
        if (path.is_dir() and (path / "__init__.py").exists()) or path.suffix == ".py"
    }

    assert sorted(in_the_package - set(names(section("The eight hops"))) - {"__init__.py"}) == []


def test_each_of_the_eight_hops_is_a_folder_of_the_package_that_says_so() -> None:
    said = [importlib.import_module(f"triggers.{room}").__doc__ or "" for _, room, _ in HOPS]

    assert [number for number, *_ in HOPS] == list("12345678")
    assert [doc.partition(":")[0] for doc in said] == [f"Hop {number}, {room}" for number, room, _ in HOPS]


def test_the_docstring_of_the_package_has_the_hops_of_the_page() -> None:
    on_the_page = [(*hop, ", ".join(names(rooms))) for *hop, rooms in ROW_OF_A_HOP.findall(PAGE)]

    lines = re.findall(r"^ +(\d) +(\w+) +(\w+)(?: +with (.+))?$", triggers.__doc__ or "", re.MULTILINE)

    assert lines == on_the_page


def test_the_readme_the_glossary_and_the_drawing_have_the_hops_of_the_page() -> None:
    readme, glossary = ((ROOT / name).read_text() for name in ("README.md", "docs/glossary.md"))

    assert LINE_OF_A_HOP.findall(readme) == HOPS
    assert LINE_OF_A_HOP.findall(section("The eight hops")) == HOPS
    assert re.findall(r"(\d) `(\w+)` (\w+)", glossary) == HOPS


def test_the_table_of_costs_names_the_hops_as_the_page_does() -> None:
    named = re.findall(r"^\| (\d) (\w+) \|", (ROOT / "docs" / "performance.md").read_text(), re.MULTILINE)

    assert named == [(number, room) for number, room, _ in HOPS[1:5]]


def test_the_table_of_ports_has_every_protocol_and_abstract_class_and_nothing_else() -> None:
    in_the_code = [
        f"`{definition.path.relative_to(PACKAGE)}` `{name}`"
        for name, definitions in classes(PACKAGE).items()
        for definition in definitions
        if definition.is_port
    ]

    assert sorted(port for port, *_ in PORTS) == sorted(in_the_code)


@pytest.mark.parametrize("row", PORTS, ids=lambda row: str(names(row[0])[1]))
def test_who_implements_a_port_has_all_of_its_members(row: list[str]) -> None:
    needed = members(names(row[0])[1])

    missing = {name: sorted(needed - _members_of(name)) for name in names(row[2])}

    assert needed
    assert missing
    assert [name for name, absent in missing.items() if absent] == [], missing


@pytest.mark.parametrize("row", PORTS, ids=lambda row: str(names(row[0])[1]))
def test_who_calls_a_port_and_which_suite_covers_it_exist(row: list[str]) -> None:
    callers = [name for name in names(row[1]) if not name.startswith("triggers ")]

    assert [name for name in callers if not is_defined(name)] == []
    assert [name for name in names(row[3]) if not _is_suite(name)] == []
    assert _is_suite(names(row[3])[0]) if names(row[3]) else row[3].startswith("none: ")


def test_every_subclass_of_an_abstract_class_is_in_its_row_or_has_a_subclass_there() -> None:
    listed = {names(row[0])[1]: set(names(row[2])) for row in PORTS}
    abstract = [name for name in listed if any("ABC" in each.bases for each in classes(PACKAGE)[name])]

    subclasses = [(port, name) for port in abstract for name in classes(PACKAGE) if port in ancestors(name)]

    assert abstract
    assert [(port, name) for port, name in subclasses if not _is_listed(name, listed[port])] == []


def test_every_class_that_fits_a_protocol_is_in_its_row() -> None:
    protocols = {names(row[0])[1]: set(names(row[2])) for row in PORTS}
    fitting = {
        port: implementations(port, PACKAGE) | implementations(port, TESTS / "support")
        for port in protocols
        if any("Protocol" in each.bases for each in classes(PACKAGE)[port])
    }

    unlisted = {port: sorted(fitting[port] - protocols[port] - BY_CHANCE.get(port, set())) for port in fitting}

    assert sum(map(len, fitting.values())) > 20
    assert {port: classes for port, classes in unlisted.items() if classes} == {}


def test_the_path_of_the_kwargs_names_functions_of_the_package() -> None:
    steps = rows("The kwargs of a trigger, room by room")

    assert [number for number, *_ in steps] == [str(number) for number in range(1, 11)]
    assert [room for step in steps for room in names(step[1]) if not (PACKAGE / room).exists()] == []
    assert [name for step in steps for name in names(step[3]) if not is_defined(name)] == []


def _is_suite(name: str) -> bool:
    """Returns whether it is a class of a suite, or a file of tests."""
    return is_defined(name) or name in classes(TESTS) or (ROOT / name).exists() or (PACKAGE / name).exists()


def _members_of(name: str) -> set[str]:
    """Returns the members of a class; one of another library has a dotted name."""
    module, _, last = name.rpartition(".")
    return set(dir(getattr(importlib.import_module(module), last))) if module else members(name)


def _is_listed(name: str, listed: set[str]) -> bool:
    """Returns whether the class, one of its bases or one of its subclasses is listed."""
    return any(each == name or each in ancestors(name) or name in ancestors(each) for each in listed)

"""deploy/monitoring agrees with the catalogue of metrics, with the runbook and with itself."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from triggers.telemetry.catalogue import all_families

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
OF_PROMETHEUS = {"instance", "job", "le"}
"""Labels that Prometheus adds."""
_NAME = re.compile(r"\b(?:triggers|process)_[a-z_]+\b")
_SELECTOR = re.compile(r"\b((?:triggers|process)_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")


def test_every_name_in_rules_and_dashboard_is_in_the_catalogue() -> None:
    known = all_families()

    unknown = {name for query in queries() for name in _names(query) if name not in known}

    assert unknown == set()


def test_every_label_in_a_selector_is_one_of_the_family() -> None:
    known = all_families()
    selectors = [selector for query in queries() for selector in _SELECTOR.findall(query)]

    wrong = [
        (name, label)
        for name, matchers in selectors
        for label in _LABEL.findall(matchers)
        if label not in OF_PROMETHEUS | set(known[_family(name)].labels)
    ]

    assert selectors
    assert wrong == []


def test_every_alert_has_a_section_of_the_runbook_and_a_test() -> None:
    alerts = [rule["alert"] for rule in rules()]
    sections = re.findall(
        r"^## (Triggers\w+)$", (ROOT / "docs" / "operations" / "runbook.md").read_text(), re.MULTILINE
    )
    tested = [test["name"] for test in _load("rules_test.yml")["tests"]]

    assert len(alerts) > 10
    assert sections == alerts
    assert sorted(tested) == sorted(alerts)
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/operations/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_the_rules_pass_promtool() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert not os.environ.get("CI"), "CI installs promtool"
        pytest.skip("promtool is not installed; it is in Debian's package prometheus")

    for command in (
        ["check", "rules", "rules.yml"],
        ["test", "rules", "rules_test.yml"],
        ["check", "config", "prometheus.yml"],
    ):
        done = subprocess.run([promtool, *command], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_current_and_its_panels_do_not_overlap() -> None:
    module = runpy.run_path(str(MONITORING / "dashboard.py"))
    path: Path = module["PATH"]
    panels = json.loads(path.read_text())["panels"]
    places = [cell for panel in panels for cell in _cells(panel["gridPos"])]

    assert path.read_text() == module["text"](), "run `python deploy/monitoring/dashboard.py`"
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_compose_file_scrapes_services_that_exist_on_ports_that_they_have() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    jobs = _load("prometheus.yml")["scrape_configs"]

    targets = [target for job in jobs for config in job["static_configs"] for target in config["targets"]]

    assert len(targets) > 3
    for target in targets:
        service, port = target.split(":")
        environment = services[service]["environment"]
        assert service == "agent" or environment["TRIGGERS_METRICS_PORT"] == port, target
    assert services["prometheus"]["profiles"] == services["grafana"]["profiles"] == ["monitoring"]
    for name in ("prometheus", "grafana"):
        for volume in services[name]["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (ROOT / source).exists(), volume


def rules() -> list[dict[str, Any]]:
    """Returns the alerts of the rules."""
    return [rule for group in _load("rules.yml")["groups"] for rule in group["rules"]]


def queries() -> Iterator[str]:
    """Yields all queries of the rules and of the dashboard."""
    yield from (rule["expr"] for rule in rules())
    for path in (MONITORING / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            yield from (target["expr"] for target in panel.get("targets", ()))


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((MONITORING / name).read_text())
    return loaded


def _names(query: str) -> set[str]:
    return {_family(name) for name in _NAME.findall(query)}


def _family(name: str) -> str:
    """Returns the family of a series, which is another name only for histograms."""
    return name if name in all_families() else re.sub(r"_(bucket|sum|count)$", "", name)


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return [(column, line) for column in columns for line in lines]

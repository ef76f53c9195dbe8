"""`triggers dev` writes a configuration of Prometheus whose jobs have the names that the alerts expect."""

from __future__ import annotations

from pathlib import Path

import yaml

from triggers.dev.metrics_ports import MetricsPorts
from triggers.dev.stack import Service

DEPLOYED = Path(__file__).parents[3] / "deploy/monitoring/prometheus.yml"


def service(name: str, port: int | None = 0) -> Service:
    return Service(name, ["true"], {}, metrics_port=port)


def test_services_of_one_kind_are_one_job_with_its_deployed_name(tmp_path: Path) -> None:
    ports = MetricsPorts()
    names = ("worker-0", "worker-1", "console", "api", "celery-0")
    given = {name: ports.give_port(service(name, 6066 if name == "worker-0" else 0)) for name in names}
    ports.give_port(service("rules", None))

    ports.write_configuration(tmp_path / "prometheus.yml")

    jobs = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    assert targets.keys() == {job["job_name"] for job in yaml.safe_load(DEPLOYED.read_text())["scrape_configs"]}
    assert targets["triggers-agent"][0] == "127.0.0.1:6066"
    assert len(targets["triggers-agent"]) == 2
    assert targets["triggers-api"] == [f"127.0.0.1:{given['api'].env['TRIGGERS_METRICS_PORT']}"]


def test_a_service_that_starts_again_gets_the_same_port() -> None:
    ports = MetricsPorts()
    first = ports.give_port(service("api"))

    assert ports.give_port(service("api")).env == first.env
    assert ports.give_port(service("console")).env != first.env

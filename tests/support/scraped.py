"""Compares what a process exposes with the catalogue of metrics."""

from __future__ import annotations

from urllib.request import urlopen

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from triggers.telemetry.catalogue import CATALOGUE, EVERYWHERE, MeasuredProcess
from triggers.telemetry.families import Family


def scrape(port: int) -> dict[str, Metric]:
    """Returns the families that a process exposes on a port of this machine, by the names of the catalogue."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return parse(response.read().decode())


def parse(text: str) -> dict[str, Metric]:
    """Returns the families of a text, by the names of the catalogue."""
    return {_full_name(metric): metric for metric in text_string_to_metric_families(text)}


def differences(process: MeasuredProcess, families: dict[str, Metric]) -> list[str]:
    """Returns how the families differ from those that the catalogue has for the process."""
    known = {family.name: family for family in (*CATALOGUE[process], *EVERYWHERE)}
    problems = [f"{name} is in no catalogue" for name in families.keys() - known.keys()]
    problems += [f"{name} is not exposed" for name in known.keys() - families.keys()]
    for name in known.keys() & families.keys():
        problems += _deviations(known[name], families[name])
    return problems


def value_of(families: dict[str, Metric], name: str, **labels: str) -> float:
    """Returns the value of a series of a counter or a gauge, or 0 if there is none with these labels."""
    samples = families[name].samples
    return next((sample.value for sample in samples if labels.items() <= sample.labels.items()), 0.0)


def _full_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _deviations(family: Family, metric: Metric) -> list[str]:
    problems = [] if metric.type == family.kind else [f"{family.name} is a {metric.type}, not a {family.kind}"]
    if metric.documentation != family.help:
        problems.append(f"{family.name} says {metric.documentation!r}")
    for sample in metric.samples:
        if sample.name.endswith("_created"):
            problems.append(f"{sample.name} is noise")
        if set(sample.labels) - {"le"} != set(family.labels):
            problems.append(f"{sample.name} has the labels {sorted(sample.labels)}")
    return problems

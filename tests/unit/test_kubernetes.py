"""The manifests for Kubernetes: rendered by kustomize, valid in the version's schemas, and true to the package.

The test renders with `kubectl`, which has kustomize built in. Without it only the files themselves are checked.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from triggers.cli import main
from triggers.kafka.topics import plan_topics
from triggers.settings import PREFIX, Settings
from triggers.topology import Topology

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
VERSION = "1.32"
"""The oldest version of Kubernetes whose schemas the manifests are checked against; they are the strictest for us."""
CUSTOM = ("keda.sh/", "kafka.strimzi.io/", "monitoring.coreos.com/")
"""API groups of other projects, which have no schemas here."""
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the kustomization")

Manifest = dict[str, Any]


@cache
def rendered(folder: str) -> list[Manifest]:
    """Returns the manifests that `kubectl apply -k` would send."""
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER / folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def manifests_of(path: Path) -> list[Manifest]:
    return [manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Returns the name and the pod's spec of everything that starts pods."""
    for manifest in manifests:
        if "template" in manifest.get("spec", {}):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Returns every container with the name of its workload."""
    for name, pod in pods(manifests):
        for container in pod["containers"]:
            yield name, container


ALL = [manifest for path in FILES for manifest in manifests_of(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_manifest_is_valid_in_the_schemas_of_kubernetes(path: Path) -> None:
    for manifest in manifests_of(path):
        if not manifest["apiVersion"].startswith(CUSTOM):
            kubernetes_validate.validate(manifest, VERSION, strict=True)


@needs_kubectl
def test_the_example_renders_to_valid_manifests_with_every_setting() -> None:
    manifests = rendered("example")

    for manifest in manifests:
        if not manifest["apiVersion"].startswith(CUSTOM):
            kubernetes_validate.validate(manifest, VERSION, strict=True)
    (settings,) = (each["data"] for each in manifests if each["kind"] == "ConfigMap")
    assert {name for name in settings if name.removeprefix(PREFIX).lower() not in Settings.__struct_fields__} == set()
    assert Settings.from_env(settings).partitions == 64


@needs_kubectl
def test_every_rendered_pod_gets_the_settings_the_images_and_the_secrets_of_the_example() -> None:
    manifests = rendered("example")
    names = {each["metadata"]["name"] for each in manifests if each["kind"] in {"ConfigMap", "Secret"}}

    for name, container in containers(manifests):
        assert container["envFrom"][0]["configMapRef"]["name"] in names, name
        assert container["image"].startswith("registry.example.com/"), name
        assert {"/kafka/cluster", "/kafka/user"} <= {mount["mountPath"] for mount in container["volumeMounts"]}, name


@needs_kubectl
def test_replicas_are_left_to_the_autoscaler() -> None:
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in rendered("example") if each["kind"] == "ScaledObject"}
    fixed = {each["metadata"]["name"] for each in rendered("example") if "replicas" in each.get("spec", {})}

    assert scaled == {"triggers-agents", "triggers-celery"}
    assert scaled & fixed == set()


@needs_kubectl
def test_selectors_find_their_pods_and_nothing_of_other_applications() -> None:
    templates = [each["spec"]["template"] for each in rendered("example") if "template" in each.get("spec", {})]
    labels = [template["metadata"]["labels"] for template in templates]

    for each in rendered("example"):
        selector = each.get("spec", {}).get("selector")
        if selector and each["kind"] != "PodMonitor":
            wanted = selector.get("matchLabels", selector)
            assert wanted["app.kubernetes.io/part-of"] == "triggers"
            assert any(wanted.items() <= found.items() for found in labels), each["metadata"]["name"]


def test_every_command_of_ours_exists() -> None:
    commands = [container["args"][1:] for _, container in containers(ALL) if container["args"][0] == "triggers"]

    assert len(commands) >= 4
    for command in commands:
        assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0, command


def test_every_variable_of_a_container_is_a_setting() -> None:
    names = {variable["name"] for _, container in containers(ALL) for variable in container.get("env", [])}

    assert names
    assert {name for name in names if name.removeprefix(PREFIX).lower() not in Settings.__struct_fields__} == set()


def test_every_pod_runs_without_privileges_on_a_read_only_file_system() -> None:
    for name, pod in pods(ALL):
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["automountServiceAccountToken"] is False, name
    for name, container in containers(ALL):
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name  # noqa: S108  # of a pod
        assert "memory" in container["resources"]["limits"], name


def test_an_agent_has_a_stable_name_its_own_volume_and_time_to_hand_over() -> None:
    (agents,) = (each for each in ALL if each["kind"] == "StatefulSet")
    pod = agents["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    env = {each["name"]: each for each in container["env"]}

    assert env["TRIGGERS_WORKER_ID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert {"name": "data", "mountPath": env["TRIGGERS_DATA_DIR"]["value"]} in container["volumeMounts"]
    assert [claim["metadata"]["name"] for claim in agents["spec"]["volumeClaimTemplates"]] == ["data"]
    assert container["ports"] == [{"name": "http", "containerPort": Settings().web_port}]
    assert pod["terminationGracePeriodSeconds"] >= 40
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/live"


def test_the_autoscaler_watches_the_lag_of_our_groups_and_stays_within_the_partitions() -> None:
    names, partitions = Topology("triggers"), 64
    watched = {
        each["metadata"]["name"]: (each["spec"]["triggers"][0]["metadata"], each["spec"]["maxReplicaCount"])
        for each in ALL
        if each["kind"] == "ScaledObject"
    }
    wanted = {"triggers-agents": (names.agents, names.events), "triggers-celery": (names.executors, names.commands)}

    assert set(watched) == set(wanted)
    for name, (scaler, most) in watched.items():
        assert (scaler["consumerGroup"], scaler["topic"]) == wanted[name]
        assert most <= partitions


def test_the_topics_of_strimzi_are_those_that_the_command_creates() -> None:
    planned = plan_topics(Settings(partitions=64, replication_factor=3))
    written = [each for each in ALL if each["kind"] == "KafkaTopic"]

    assert [(each["metadata"]["name"], each["spec"]["partitions"], each["spec"]["replicas"]) for each in written] == [
        (plan.name, plan.partitions, plan.replication_factor) for plan in planned
    ]
    assert [each["spec"]["config"] for each in written] == [dict(plan.config) for plan in planned]


def test_the_alerts_of_the_operator_are_those_of_the_file_of_rules() -> None:
    (resource,) = (each for each in ALL if each["kind"] == "PrometheusRule")

    assert resource["spec"] == yaml.safe_load((FOLDER.parent / "monitoring/rules.yml").read_text())


@needs_kubectl
def test_every_process_has_the_port_that_is_scraped() -> None:
    for name, container in containers(rendered("example")):
        ports = {port["name"] for port in container.get("ports", [])}
        assert name in {"triggers-topics", "triggers-agents"} or "metrics" in ports, name

"""The manifests are what Kubernetes takes, and give each process what it needs and no more."""

import asyncio
import copy
import functools
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.probes import http_get
from services.history import pool
from services.history import store as history_store
from services.ingest.handlers import server
from services.notify import app as notify
from shared import VERSION, metrics, serving, settings, tasks, worker
from shared.bus import connect
from shared.monitor import Monitor
from shared.readiness import Readiness
from tests.k8s.rendered import (
    FOLDER,
    OVERLAYS,
    ROOT,
    SERVICES,
    USERS,
    Object,
    container,
    objects,
    pods,
    settings_of,
)
from tests.support.waiting import eventually

KUBERNETES = ("1.30", "1.37")
"""The oldest that has all that we use, and the newest whose schemas the validator has."""
INTERNET = "0.0.0.0/0"
OPEN_TO_PROVIDERS, ASK_POSTGRES = {"ingest", "notify"}, {"history", "bootstrap", "tools"}

in_each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@functools.cache
def custom_kinds() -> dict[str, dict[str, Any]]:
    """Return the schema of `spec` of each kind that is not Kubernetes' own."""
    found = yaml.safe_load((Path(__file__).with_name("custom_kinds.yaml")).read_text())
    return {name: {"additionalProperties": False, **schema} for name, schema in found.items()}


def check(each: Object, version: str) -> None:
    """Raises: ValidationError where Kubernetes, or the kind's own schema, does not know what an object says."""
    schema = custom_kinds().get(f"{each['kind']} {each['apiVersion']}")
    if schema is None:
        kubernetes_validate.validate(dict(each), version, strict=True)
    else:
        jsonschema.validate(each["spec"], schema)


@in_each_overlay
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_manifest_is_what_kubernetes_takes(overlay: str, version: str) -> None:
    """Strictly: a field that it would pass over in silence is refused."""
    for each in objects(overlay):
        check(each, version)


def test_a_field_that_is_misspelt_is_found() -> None:
    """In what Kubernetes has itself, and in what operators add."""
    kinds = {each["kind"]: each for each in objects("prod")}
    for kind in ("Deployment", "NetworkPolicy", "Cluster", "ScaledObject", "Certificate"):
        wrong = copy.deepcopy(dict(kinds[kind]))
        wrong["spec"]["replica"] = 1
        with pytest.raises(jsonschema.ValidationError):
            check(wrong, KUBERNETES[-1])


@in_each_overlay
def test_every_service_runs(overlay: str) -> None:
    """A service that is added to the code and not to the manifests would be missed by nobody."""
    assert {each["metadata"]["name"] for each in objects(overlay, "Deployment")} == set(SERVICES)
    assert set(pods(overlay)) == set(USERS)


@in_each_overlay
def test_every_variable_is_a_setting(overlay: str) -> None:
    """One that is misspelt would be passed over, and the default be taken."""
    known = {settings.PREFIX + field.upper() for field in settings.Settings.__struct_fields__}
    given = set(settings_of(overlay))
    for pod in pods(overlay).values():
        given |= {each["name"] for each in container(pod).get("env", [])}
    assert {name for name in given if name.startswith(settings.PREFIX)} <= known
    assert settings.load(settings_of(overlay)).ingest_port


@in_each_overlay
def test_probes_and_doors_are_where_the_settings_have_them(overlay: str) -> None:
    """Ports stand in the settings and, for whoever looks for them, in the pods."""
    loaded = settings.load(settings_of(overlay))
    for name in SERVICES:
        found = container(pods(overlay)[name])
        ports = {each["name"]: each["containerPort"] for each in found["ports"]}
        wanted = {"monitor": loaded.monitor_port}
        if name == "ingest":
            wanted["doors"] = loaded.ingest_port
        assert ports == wanted
        asked = [found[f"{each}Probe"]["httpGet"] for each in ("startup", "liveness", "readiness")]
        assert [each["port"] for each in asked] == ["monitor"] * 3


@in_each_overlay
async def test_probes_ask_for_what_is_answered(overlay: str, nats_url: str) -> None:
    """A path that a monitor does not know would have every process started anew, for ever."""
    port = free_ports(1)[0]
    bus = await connect(nats_url, "test")
    where = settings.Settings(monitor_host=LOOPBACK, monitor_port=port)
    running = asyncio.create_task(Monitor(where, Readiness(bus, "work")).run())
    probes = [
        container(pods(overlay)[name])[f"{each}Probe"]["httpGet"]["path"]
        for name in SERVICES
        for each in ("startup", "liveness", "readiness")
    ]
    scraped = [each["path"] for each in _endpoints("prod") if "path" in each]

    async def answer(path: str) -> int:
        return (await http_get(f"http://{LOOPBACK}:{port}", path))[0]

    async def listens() -> bool:
        return await answer("/livez") != 0

    await eventually(listens)
    unknown, known = HTTPStatus.NOT_FOUND, {*probes, *scraped}
    assert await answer("/elsewhere") == unknown
    assert [path for path in known if await answer(path) == unknown] == []
    await tasks.end([running])
    await bus.close()


def _endpoints(overlay: str) -> list[Object]:
    found = objects(overlay, "PodMonitor")
    return [each for monitor in found for each in monitor["spec"]["podMetricsEndpoints"]]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_scraped_under_the_name_that_alerts_ask_for(name: str) -> None:
    """Else nobody is called when it is gone."""
    alerts = (ROOT / "deploy" / "observability" / "alerts.yaml").read_text()
    (services,) = [
        each["spec"]
        for each in objects("prod", "PodMonitor")
        if selects(each["spec"]["selector"], pods("prod")[name]["metadata"]["labels"])
    ]
    (relabelled,) = services["podMetricsEndpoints"][0]["relabelings"]
    job = relabelled["replacement"].replace("$1", name)
    asked = set(re.findall(r'job=~"(.+?)"', alerts))
    assert asked
    assert all(re.fullmatch(each, job) for each in asked)


@in_each_overlay
def test_a_pod_may_do_nothing_but_its_work(overlay: str) -> None:
    """Nobody is root, writes to its image, speaks to the cluster's API or takes more than is set."""
    for pod in pods(overlay).values():
        spec, found = pod["spec"], container(pod)
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert found["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(found["resources"]["requests"]) == {"cpu", "memory"}
        # A process that is kept from its processor looks like one that is frozen.
        assert set(found["resources"]["limits"]) == {"memory"}
    for account in objects(overlay, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    assert {each["metadata"]["name"] for each in objects(overlay, "ServiceAccount")} == set(USERS)


@in_each_overlay
def test_each_process_has_a_key_of_its_own_on_the_bus(overlay: str) -> None:
    """With another's it might do what is another's."""
    for name, user in USERS.items():
        volumes = {each["name"]: each for each in pods(overlay)[name]["spec"]["volumes"]}
        assert seed_of(volumes["nats-seed"]) == f"nats-{user}"
        assert ("secrets" in volumes) is (name not in {"history", "bootstrap"})


def seed_of(volume: Object) -> str:
    """Return the secret whose key stands where the settings look for it."""
    if "projected" not in volume:
        return str(volume["secret"]["secretName"])
    sources = [each["secret"] for each in volume["projected"]["sources"]]
    (own,) = [each["name"] for each in sources if each["items"][0]["path"] == "seed"]
    return str(own)


@in_each_overlay
def test_no_secret_stands_in_a_manifest(overlay: str) -> None:
    """Each is named, and made by whoever runs the cluster."""
    public = settings.EMBEDDED_SECRETS.read_text()
    values = re.findall(r"^\w+=(.+)$", public, re.MULTILINE)
    assert objects(overlay, "Secret") == []
    assert "TELLONCE_POSTGRES_DSN" not in settings_of(overlay)
    written = "".join(each.read_text() for each in FOLDER.rglob("*.*"))
    assert not [each for each in values if each in written]
    assert not re.search(r"://[^\s/@]+:[^\s/@]+@", written)


@in_each_overlay
def test_a_pod_has_more_time_to_end_than_its_code_takes(overlay: str) -> None:
    """Else it is killed in the middle of its last step."""
    ending = tasks.CANCEL_TRIES * tasks.CANCEL_SECONDS
    # The tasks of a service, with what its workers have in hand; the doors; the connections.
    others = ending + ending + server.STOP_SECONDS
    others += 2 * serving.CLOSE_TIMEOUT_SECONDS + history_store.CLOSE_TIMEOUT_SECONDS
    for name in SERVICES:
        longest = others + (notify.LEAVE_SECONDS if name == "notify" else worker.LEAVE_SECONDS)
        pod = pods(overlay)[name]
        hook = container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        assert pod["spec"]["terminationGracePeriodSeconds"] > longest + hook.get("seconds", 0)


@in_each_overlay
def test_images_are_those_that_are_built(overlay: str) -> None:
    """Their names, their version and their user."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    users = {
        (pod["spec"]["securityContext"]["runAsUser"], pod["spec"]["securityContext"]["runAsGroup"])
        for pod in pods(overlay).values()
    }
    assert {f"{user}:{group}" for user, group in users} == set(
        re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    )
    for name, pod in pods(overlay).items():
        assert container(pod)["image"].rpartition("/")[2] == f"tellonce-{name}:{VERSION}"


# -- the network ------------------------------------------------------------------------------------------


def policies_of(overlay: str, labels: Object) -> list[Object]:
    """Return the rules of the network that hold for a pod with these labels."""
    return [
        each["spec"]
        for each in objects(overlay, "NetworkPolicy")
        if selects(each["spec"]["podSelector"], labels)
    ]


def selects(selector: Object, labels: Object) -> bool:
    """Whether a selector means a pod with these labels."""
    wanted = selector.get("matchLabels", {}).items()
    among = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted) and all(
        labels.get(each["key"]) in each["values"] for each in among
    )


def reached(overlay: str, name: str) -> list[Object]:
    """Return whom a process may reach: each rule's `to`, of which none means everybody."""
    labels = pods(overlay)[name]["metadata"]["labels"]
    rules = [rule for spec in policies_of(overlay, labels) for rule in spec.get("egress", [])]
    return [to for rule in rules for to in rule.get("to", [{"ipBlock": {"cidr": INTERNET}}])]


@in_each_overlay
def test_nobody_is_reached_who_is_not_named(overlay: str) -> None:
    """A pod that no rule means is cut off, both ways."""
    (everybody,) = policies_of(overlay, {"app": "of somebody else"})[:1]
    assert everybody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@in_each_overlay
@pytest.mark.parametrize("name", USERS)
def test_a_process_reaches_the_bus_and_only_some_the_world(overlay: str, name: str) -> None:
    """What decides reaches nobody but the bus."""
    nats = {"app.kubernetes.io/name": "nats"}
    found = reached(overlay, name)
    assert any(selects(to["podSelector"], nats) for to in found if "podSelector" in to)
    outside = any(to.get("ipBlock", {}).get("cidr") == INTERNET for to in found)
    assert outside is (name in OPEN_TO_PROVIDERS)
    postgres = {"podSelector": {"matchLabels": {"cnpg.io/cluster": "postgres"}}}
    assert (postgres in found) is (name in ASK_POSTGRES)


def test_what_providers_call_leads_to_doors_only() -> None:
    """Health and metrics have no way in from outside."""
    (ingress,) = objects("prod", "Ingress")
    paths = [each["path"] for rule in ingress["spec"]["rules"] for each in rule["http"]["paths"]]
    assert paths == ["/in/", "/files/"]
    loaded = settings.load(settings_of("prod"))
    assert loaded.public_url == f"https://{ingress['spec']['rules'][0]['host']}"


# -- more than one ---------------------------------------------------------------------------------------


def test_a_node_that_is_emptied_takes_one_process_of_a_service() -> None:
    """Every service has a budget, and more than one process to take."""
    budgets = {
        each["metadata"]["name"]: each["spec"] for each in objects("prod", "PodDisruptionBudget")
    }
    least = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["minReplicaCount"]
        for each in objects("prod", "ScaledObject")
    }
    for name in SERVICES:
        labels = pods("prod")[name]["metadata"]["labels"]
        assert selects(budgets[name]["selector"], labels)
        (deployment,) = [
            each for each in objects("prod", "Deployment") if each["metadata"]["name"] == name
        ]
        # A number in the manifest would undo KEDA's with every `apply`.
        assert ("replicas" in deployment["spec"]) is (name not in least)
        assert deployment["spec"].get("replicas", least.get(name, 0)) > 1


def test_what_decides_how_many_there_are_is_measured() -> None:
    """Each query asks for a metric that our code has, and by a label that it has."""
    known = {each.name: set(each.labels) for each in metrics.METRICS}
    for scaled in objects("prod", "ScaledObject"):
        for query in (each["metadata"].get("query", "") for each in scaled["spec"]["triggers"]):
            for name in re.findall(r"tellonce_\w+", query.replace('"tellonce"', "")):
                assert set(re.findall(r"by \((\w+)\)", query)) <= known[name]


def test_history_has_connections_enough() -> None:
    """All its processes, one that builds tables anew with its helpers, and the bootstrap job ask at the same time."""
    (cluster,) = objects("prod", "Cluster")
    (history,) = [
        each for each in objects("prod", "Deployment") if each["metadata"]["name"] == "history"
    ]
    most = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    processes = (
        history["spec"]["replicas"] + history["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    )
    rebuilding = 2 + settings.load(settings_of("prod")).rebuild_processes
    assert processes * (pool.POOL_CONNECTIONS_MAX + 1) + rebuilding + 1 < most

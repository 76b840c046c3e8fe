"""The values of the Helm chart: of each its name, meaning, bounds, and where it enters the sources.

values.yaml, its schema and the chart's templates are made from here; a default is what the source
says. Must not know: how a template is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from manifests.generator.openings import Step, at, block, entries, inline, optional
from manifests.generator.sources import read
from scaleset_operator.settings import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

DEPLOYMENT: Final = "base/deployment.yaml"
NETWORK_POLICY: Final = "base/networkpolicy.yaml"
AGENT: Final = "components/agent/daemonset.yaml"
MONITOR: Final = "components/monitoring/servicemonitor.yaml"
RULES: Final = "components/monitoring/prometheusrule.yaml"
RUNBOOKS: Final = "https://scaleset.dev/docs/runbooks"
"""Where the pages of docs/runbooks are published."""

POD: Final = ("spec", "template", "spec")
CONTAINER: Final = (*POD, "containers", "operator")
AGENT_CONTAINER: Final = (*POD, "containers", "agent")
NAME: Final[Json] = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
NAMES: Final[Json] = {"type": "array", "items": NAME, "uniqueItems": True}
SWITCH: Final[Json] = {"type": "boolean"}
TEXT: Final[Json] = {"type": "string"}
ANY: Final[Json] = {"type": "object"}
ANY_LIST: Final[Json] = {"type": "array", "items": ANY}
TEXTS: Final[Json] = {"type": "object", "additionalProperties": TEXT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value.

    Attributes:
        key: in values.yaml, with dots.
        text: what it does.
        schema: what it may be.
        file: the source that it enters, empty where only our own templates ask for it.
        path: where in it.
        form: how it enters.
        own: its default, where the source has none.
    """

    key: str
    text: str
    schema: Json
    file: str = ""
    path: tuple[Step, ...] = ()
    form: Callable[[str, str], str] | None = None
    own: Any = None

    @property
    def default(self) -> Any:
        """What holds where nothing is said: what the source says."""
        if self.own is not None:
            return self.own
        return at(read(self.file)[0], self.path)


def _put(key: str, text: str, schema: Json, file: str, *path: Step, quoted: bool = False) -> Value:
    """In the place of one value."""
    form = inline(f"{{{{ $.Values.{key}{' | quote' if quoted else ''} }}}}")
    return Value(key=key, text=text, schema=schema, file=file, path=path, form=form)


def _added(key: str, text: str, schema: Json, own: Any, file: str, *path: Step) -> Value:
    """Where the source says nothing; the last step `*` is more entries of a map."""
    expression = f"$.Values.{key}"
    form = entries(expression) if path[-1] == "*" else optional(expression, short=own == "")
    return Value(key=key, text=text, schema=schema, file=file, path=path, form=form, own=own)


def _several(key: str, text: str, schema: Json, file: str, *parents: Step) -> Value:
    """In the place of a map or a list, under the name that the key ends with."""
    path = (*parents, key.rpartition(".")[2])
    form = block(f"$.Values.{key}")
    return Value(key=key, text=text, schema=schema, file=file, path=path, form=form)


def _asked(key: str, text: str, schema: Json, own: Any) -> Value:
    """By a condition or a named template of the chart."""
    return Value(key=key, text=text, schema=schema, own=own)


def _switch(key: str, text: str, *, on: bool) -> Value:
    return _asked(key, text, SWITCH, on)


_REPOSITORY, _, _ = str(at(read(DEPLOYMENT)[0], (*CONTAINER, "image"))).rpartition(":")

VALUES: Final = (
    _put(
        "replicas",
        "How many operators: one leads, the others stand by, warm.",
        {"type": "integer", "minimum": 0, "maximum": 5},
        DEPLOYMENT,
        *("spec", "replicas"),
    ),
    _asked("image.repository", "Where the operator's image is.", TEXT, _REPOSITORY),
    _asked("image.tag", "Which one; empty is that of this chart's version.", TEXT, ""),
    _asked(
        "image.digest",
        "Exactly which one, such as sha256:...; with it, the tag says nothing.",
        {"type": "string", "pattern": "^(sha256:[a-f0-9]{64})?$"},
        "",
    ),
    _put(
        "image.pullPolicy",
        "When it is pulled.",
        {"enum": ["Always", "IfNotPresent", "Never"]},
        DEPLOYMENT,
        *(*CONTAINER, "imagePullPolicy"),
    ),
    _added(
        "imagePullSecrets",
        "Secrets of this namespace to pull it with, as - name: ...",
        ANY_LIST,
        [],
        DEPLOYMENT,
        *(*POD, "imagePullSecrets"),
    ),
    Value(
        key="namespaces",
        text="Namespaces that are served, and in which the operator gets rights; none: all.",
        schema=NAMES,
        file=DEPLOYMENT,
        path=(*CONTAINER, "env", "SCALESET_RUN_NAMESPACE", "value"),
        form=inline('{{ join "," $.Values.namespaces | quote }}'),
        own=[],
    ),
    Value(
        key="scheduledEvents.enabled",
        text="Whether instances may ask for scheduled events of their set, and approve them.",
        schema=SWITCH,
        file=DEPLOYMENT,
        path=(*CONTAINER, "env", "SCALESET_RUN_EVENTS_PORT", "value"),
        form=inline('{{ ternary "8082" "" $.Values.scheduledEvents.enabled | quote }}'),
        own=True,
    ),
    _put(
        "logLevel",
        "The least level that is logged.",
        {"enum": [*LEVELS]},
        DEPLOYMENT,
        *(*CONTAINER, "env", "SCALESET_RUN_LOG_LEVEL", "value"),
    ),
    Value(
        key="resources",
        text="Of one operator. A limit on the processor makes probes late.",
        schema=ANY,
        file=DEPLOYMENT,
        path=(*CONTAINER, "resources"),
        form=block("$.Values.resources"),
    ),
    _added(
        "priorityClassName",
        "A PriorityClass, such as system-cluster-critical.",
        TEXT,
        "",
        DEPLOYMENT,
        *(*POD, "priorityClassName"),
    ),
    _added("nodeSelector", "Nodes it may run on.", TEXTS, {}, DEPLOYMENT, *(*POD, "nodeSelector")),
    _several(
        "tolerations",
        "Taints of nodes that it tolerates; without those of a node that is gone it stays on it for"
        " five minutes.",
        ANY_LIST,
        DEPLOYMENT,
        *POD,
    ),
    _added(
        "affinity",
        "Beside the spread over nodes and zones, which is always there.",
        ANY,
        {},
        DEPLOYMENT,
        *(*POD, "affinity"),
    ),
    _added(
        "podAnnotations",
        "More annotations of its pods.",
        TEXTS,
        {},
        DEPLOYMENT,
        *("spec", "template", "metadata", "annotations"),
    ),
    _switch("crds.enabled", "Whether the chart brings the definitions of the kinds.", on=True),
    _switch(
        "crds.keep",
        "Whether they stay when the chart goes; without, every ScaleSet goes with them.",
        on=True,
    ),
    _switch(
        "rbac.aggregate",
        "Whether the cluster's roles view, edit and admin get our kinds; once in a cluster.",
        on=True,
    ),
    _switch(
        "nodeMaintenance.enabled",
        "Whether windows may work on nodes: the operator may then change every node, and run Jobs"
        " in the namespaces that it serves.",
        on=False,
    ),
    _switch(
        "agent.enabled",
        "Whether the node agent runs: outbound ports of instances, and pauses in place. It is root"
        " on its nodes, in a namespace of its own.",
        on=False,
    ),
    _put(
        "agent.inside",
        "Networks inside the cluster, with commas: what goes there is neither translated nor"
        " denied. Empty: the private ones.",
        TEXT,
        AGENT,
        *(*AGENT_CONTAINER, "env", "SCALESET_AGENT_INSIDE", "value"),
        quoted=True,
    ),
    _several("agent.nodeSelector", "On which nodes, by their labels.", TEXTS, AGENT, *POD),
    _several("agent.tolerations", "Which taints it stands.", ANY_LIST, AGENT, *POD),
    _switch(
        "agent.uninstall",
        "Whether it takes away all that it did on its nodes, and then waits: the step before it"
        " goes.",
        on=False,
    ),
    _switch("networkPolicy.enabled", "Whether a policy shuts all but its work out.", on=True),
    _added(
        "networkPolicy.metricsFrom",
        "Who may scrape it, as the `from` of a NetworkPolicy; none: everybody.",
        ANY_LIST,
        [],
        NETWORK_POLICY,
        *("spec", "ingress", 0, "from"),
    ),
    _switch(
        "vantage.enabled",
        "Whether the replicas vote: what a standby hears is not repaired for its silence.",
        on=True,
    ),
    _asked(
        "vantage.existingSecret",
        "A Secret of yours for that, whose key `secret` holds 16 bytes or more; empty: one is made,"
        " and kept from then on. Where manifests are rendered without the cluster, name one.",
        {"type": "string", "pattern": "^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?)?$"},
        "",
    ),
    _put(
        "notifications.secret",
        "A Secret of yours that says where audiences of maintenance are reached: keys NAME.url, "
        "NAME.token and NAME.apprise; it need not be there.",
        {"type": "string", "pattern": "^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$"},
        DEPLOYMENT,
        *(*POD, "volumes", "notifications", "secret", "secretName"),
    ),
    _switch(
        "podDisruptionBudget.enabled", "Whether a drain takes one operator at a time.", on=True
    ),
    _asked(
        "probeAccess.namespaces",
        "Namespaces of instances in which a NetworkPolicy lets the probes in.",
        NAMES,
        [],
    ),
    _switch(
        "serviceMonitor.enabled", "Whether the Prometheus operator is told to scrape it.", on=False
    ),
    _put(
        "serviceMonitor.interval",
        "How often.",
        {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
        MONITOR,
        *("spec", "endpoints", 0, "interval"),
    ),
    _added(
        "serviceMonitor.labels",
        "More labels of it, by which Prometheus selects.",
        TEXTS,
        {},
        MONITOR,
        *("metadata", "labels", "*"),
    ),
    _switch("prometheusRule.enabled", "Whether the Prometheus operator gets the alerts.", on=False),
    _added(
        "prometheusRule.labels",
        "More labels of them, by which Prometheus selects.",
        TEXTS,
        {},
        RULES,
        *("metadata", "labels", "*"),
    ),
    _asked(
        "prometheusRule.runbooks", "Where docs/runbooks is published, for links.", TEXT, RUNBOOKS
    ),
    _switch(
        "dashboard.enabled",
        "Whether there is a ConfigMap with the dashboard, for Grafana's sidecar.",
        on=False,
    ),
)

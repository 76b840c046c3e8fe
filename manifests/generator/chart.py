"""The Helm chart: its templates, values, schema and head, made from the same sources as the rest.

Must not know: the file system beyond the sources; what it gives are names and texts.
"""

from __future__ import annotations

import json
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from manifests.generator.openings import (
    Openings,
    Step,
    block,
    holder,
    included,
    inline,
    optional,
    walked,
)
from manifests.generator.sources import (
    GENERATED,
    LABELS,
    MANIFESTS,
    NAME,
    NAMESPACE,
    definitions,
    read,
    written,
)
from manifests.generator.values import (
    AGENT,
    AGENT_CONTAINER,
    CONTAINER,
    DEPLOYMENT,
    POD,
    RUNBOOKS,
    VALUES,
    Value,
)
from scaleset_operator import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = dict[str, Any]

DASHBOARD: Final = "components/monitoring/dashboard.json"
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
COLUMNS: Final = 96


class Template(NamedTuple):
    """One template: what it is made from, and when it, or how often, is rendered."""

    source: str
    condition: str = ""

    @property
    def file(self) -> str:
        """Its name in templates/."""
        folder, _, name = self.source.rpartition("/")
        return name if folder == "base" else f"{folder.rpartition('/')[2]}-{name}"


ONE: Final = "overlays/one-namespace/binding.yaml"
ACCESS: Final = "components/probe-access/networkpolicy.yaml"
NODE_JOBS_IN_ONE: Final = "components/node-jobs-one-namespace/binding.yaml"
WITH_AGENT: Final = "if $.Values.agent.enabled"
TEMPLATES: Final = (
    Template("base/serviceaccount.yaml"),
    Template("base/roles.yaml"),
    Template("base/aggregated-roles.yaml", "if $.Values.rbac.aggregate"),
    Template("overlays/cluster-wide/binding.yaml", "if not $.Values.namespaces"),
    Template(ONE, "range $namespace := $.Values.namespaces"),
    Template("components/node-maintenance/roles.yaml", "if $.Values.nodeMaintenance.enabled"),
    Template(
        "components/node-jobs/binding.yaml",
        "if and $.Values.nodeMaintenance.enabled (not $.Values.namespaces)",
    ),
    Template(
        NODE_JOBS_IN_ONE,
        "range $namespace := ternary $.Values.namespaces list $.Values.nodeMaintenance.enabled",
    ),
    Template("components/agent/namespace.yaml", WITH_AGENT),
    Template("components/agent/roles.yaml", WITH_AGENT),
    Template("components/agent/serviceaccount.yaml", WITH_AGENT),
    Template(AGENT, WITH_AGENT),
    Template("base/service.yaml"),
    Template("base/events-service.yaml", "if $.Values.scheduledEvents.enabled"),
    Template("base/networkpolicy.yaml", "if $.Values.networkPolicy.enabled"),
    Template("base/poddisruptionbudget.yaml", "if $.Values.podDisruptionBudget.enabled"),
    Template("base/deployment.yaml"),
    Template(ACCESS, "range $namespace := $.Values.probeAccess.namespaces"),
    Template("components/monitoring/servicemonitor.yaml", "if $.Values.serviceMonitor.enabled"),
    Template("components/monitoring/prometheusrule.yaml", "if $.Values.prometheusRule.enabled"),
)
OF_ITS_OWN: Final[dict[tuple[str, tuple[Step, ...]], Callable[[str, str], str]]] = {
    (DEPLOYMENT, (*CONTAINER, "image")): inline(f'{{{{ include "{NAME}.image" $ | quote }}}}'),
    (AGENT, (*AGENT_CONTAINER, "image")): inline(f'{{{{ include "{NAME}.image" $ | quote }}}}'),
    (AGENT, (*AGENT_CONTAINER, "args")): block(
        '(ternary (list "agent" "--uninstall" "--stay") (list "agent") $.Values.agent.uninstall)'
    ),
    (DEPLOYMENT, (*CONTAINER, "env", "SCALESET_RUN_VANTAGE_SECRET_FILE", "value")): inline(
        '{{ ternary "/etc/scaleset/vantage/secret" "" $.Values.vantage.enabled | quote }}'
    ),
    (DEPLOYMENT, (*POD, "volumes", "vantage", "secret", "secretName")): inline(
        f'{{{{ include "{NAME}.vantageSecret" $ }}}}'
    ),
    (ONE, ("metadata", "namespace")): inline("{{ $namespace }}"),
    (ACCESS, ("metadata", "namespace")): inline("{{ $namespace }}"),
    (NODE_JOBS_IN_ONE, ("metadata", "namespace")): inline("{{ $namespace }}"),
}
"""What enters beside the values."""


def chart() -> dict[str, str]:
    """Every file of the chart that is generated: path in it to text."""
    files = {f"templates/{one.file}": _template(one) for one in TEMPLATES}
    for path in definitions():
        files[f"templates/crds/{path.name}"] = _definition(f"../crds/{path.name}")
    return files | {
        "Chart.yaml": GENERATED + written([_head()]),
        "values.yaml": _values(),
        "values.schema.json": json.dumps(_schema(VALUES), indent=2) + "\n",
        "files/dashboard.json": (MANIFESTS / DASHBOARD).read_text(encoding="utf-8"),
    }


def _head() -> Json:
    return {
        "apiVersion": "v2",
        "name": NAME,
        "description": "Scale sets for Kubernetes, watched from outside and repaired with care",
        "type": "application",
        "version": __version__,
        "appVersion": __version__,
    }


# --- Templates ---------------------------------------------------------------------------------


def _template(one: Template) -> str:
    openings = Openings()
    objects = read(one.source)
    for value in VALUES:
        if value.file == one.source and value.form is not None:
            _open(objects[0], value.path, openings.mark(value.form))
    for (source, path), form in OF_ITS_OWN.items():
        if source == one.source:
            _open(objects[0], path, openings.mark(form))
    for thing in objects:
        _open_names(thing, openings)
    return _wrapped(one.source, one.condition, openings.filled(written(objects)))


def _definition(source: str) -> str:
    openings = Openings()
    (thing,) = read(source)
    keep = optional('ternary (dict "helm.sh/resource-policy" "keep") dict $.Values.crds.keep')
    thing["metadata"]["annotations"] = openings.mark(keep)
    return _wrapped(source, "if $.Values.crds.enabled", openings.filled(written([thing])))


def _wrapped(source: str, condition: str, text: str) -> str:
    text = f"---\n{text}"
    if condition:
        text = f"{{{{- {condition} }}}}\n{text}{{{{- end }}}}\n"
    made_from = source.removeprefix("../")
    return f"{{{{- /* Written by `make manifests` from {made_from}; do not edit. */}}}}\n{text}"


def _open(thing: Json, path: tuple[Step, ...], mark: str) -> None:
    where = holder(thing, path)
    if path[-1] == "*":
        where[mark] = None
    else:
        where[path[-1]] = mark


def _open_names(thing: Json, openings: Openings) -> None:
    """The names, labels and namespaces that differ from release to release."""
    for path, where, value in walked(thing):
        key = path[-1]
        if isinstance(value, dict) and LABELS.items() <= value.items():
            helper = "labels" if path == ("metadata", "labels") else "selectorLabels"
            rest = {name: one for name, one in value.items() if name not in LABELS}
            where[key] = {openings.mark(included(f"{NAME}.{helper}")): None, **rest}
        elif value == NAMESPACE:
            where[key] = openings.mark(inline("{{ $.Release.Namespace }}"))
        elif key in {"name", "serviceAccountName"} and _is_ours(value):
            tail = value.removeprefix(NAME)
            name = f'{{{{ include "{NAME}.fullname" $ }}}}{tail}'
            where[key] = openings.mark(inline(name))
        elif isinstance(value, str) and value.startswith(f"{RUNBOOKS}/"):
            page = value.removeprefix(RUNBOOKS)
            url = f"{{{{ $.Values.prometheusRule.runbooks }}}}{page}"
            where[key] = openings.mark(inline(url))


def _is_ours(value: Any) -> bool:
    return isinstance(value, str) and (value == NAME or value.startswith(f"{NAME}-"))


# --- Values ------------------------------------------------------------------------------------


def _values() -> str:
    parts = [GENERATED.replace("edit.", "edit. Each is explained in values.schema.json too.")]
    for top, group in groupby(VALUES, key=lambda value: value.key.partition(".")[0]):
        lines = [_value_lines(value) for value in group]
        nested = lines[0][0] != top
        body = "\n".join(text for _, text in lines)
        parts.append(f"{top}:\n{textwrap.indent(body, '  ')}" if nested else body)
    return "\n".join(parts)


def _value_lines(value: Value) -> tuple[str, str]:
    """The last part of its key, and its lines."""
    last = value.key.rpartition(".")[2]
    comment = textwrap.fill(
        value.text, COLUMNS, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    return last, f"{comment}\n{written([{last: value.default}])}"


def _schema(values: Iterable[Value]) -> Json:
    top = _object()
    for value in values:
        *groups, last = value.key.split(".")
        place = top
        for group in groups:
            place = place["properties"].setdefault(group, _object())
        place["properties"][last] = {
            "description": value.text,
            **value.schema,
            "default": value.default,
        }
    top["properties"]["global"] = {
        "description": "What Helm shares between charts; unused.",
        "type": "object",
    }
    return {"$schema": DIALECT, **top}


def _object() -> Json:
    return {"type": "object", "additionalProperties": False, "properties": {}}

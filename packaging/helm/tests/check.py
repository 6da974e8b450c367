"""Checks the rendered chart: values against their schema, manifests against those of Kubernetes, and what must hold of them however it is set.

usage: check.py RENDER CHART
"""
import json
import pathlib
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

RENDER, CHART = sys.argv[1], pathlib.Path(sys.argv[2])
HERE = pathlib.Path(__file__).resolve().parent
# The oldest and the newest Kubernetes whose definitions are at hand and that the chart is for.
VERSIONS = ("1.27", kubernetes_validate.latest_version())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def merged(below, above):
    return {**below, **{key: merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value for key, value in above.items()}}


def values(path):
    usual = yaml.safe_load((CHART / "values.yaml").read_text())
    return merged(usual, yaml.safe_load(path.read_text())) if path else usual


def rendered(path):
    made = subprocess.run([RENDER, CHART, "gate", *([path] if path else [])], capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"{path or 'values.yaml'} cannot be rendered: {made.stderr}")
    return [document for document in yaml.safe_load_all(made.stdout) if document]


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def check(path):
    name = path.name if path else "values.yaml"
    jsonschema.validate(values(path), SCHEMA)
    documents = rendered(path)
    for document in documents:
        # The Prometheus operator's kind is none of Kubernetes' own.
        if document["apiVersion"].startswith("monitoring.coreos.com/"):
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    (pods,) = of_kind(documents, "StatefulSet")
    pod = pods["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"] and security["capabilities"] == {"drop": ["ALL"]}, name
    assert pod["automountServiceAccountToken"] is False and not of_kind(documents, "Secret"), name
    written = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert written == ["/var/lib/rolegate"], f"{name}: {written}"
    labels = pods["spec"]["template"]["metadata"]["labels"]
    selectors = [pods["spec"]["selector"]["matchLabels"], *(service["spec"]["selector"] for service in of_kind(documents, "Service"))]
    assert all(selector.items() <= labels.items() for selector in selectors), name
    budgets, policies = of_kind(documents, "PodDisruptionBudget"), of_kind(documents, "NetworkPolicy")
    assert len(budgets) == (pods["spec"]["replicas"] > 1), name
    for policy in policies:
        rules = policy["spec"]["ingress"] or []
        assert all(rule.get("from") for rule in rules), f"{name}: a rule lets in everybody"
    print(f"chart: {name}: {len(documents)} manifests are what Kubernetes {' and '.join(VERSIONS)} take")
    return documents


check(None)
everything = check(HERE / "values/everything.yaml")
assert {document["kind"] for document in everything} >= {"Ingress", "NetworkPolicy", "ServiceMonitor", "PodDisruptionBudget"}
assert not of_kind(check(HERE / "values/alone.yaml"), "PodDisruptionBudget")
(shut,) = of_kind(check(HERE / "values/shut.yaml"), "NetworkPolicy")
assert not shut["spec"].get("ingress"), "who is not named is let in"
for path in sorted((HERE / "wrong").iterdir()):
    try:
        jsonschema.validate(values(path), SCHEMA)
    except jsonschema.ValidationError as error:
        print(f"chart: {path.name} is refused: {error.message}")
    else:
        sys.exit(f"{path.name} is taken, and should not be")

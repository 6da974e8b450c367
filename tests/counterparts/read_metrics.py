"""Prometheus' own reader of OpenMetrics for what a gateway serves, and PyYAML for the alerts that are shipped with it.

usage: read_metrics.py METRICS_FILE ALERTS_FILE

Prints JSON: the families by name with their type, every sample, and every alert's expression. Exits with 1, and says why, when either file is not
what it should be.
"""

import json
import pathlib
import sys

import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def main() -> None:
    metrics, alerts = (pathlib.Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])
    families = list(text_string_to_metric_families(metrics))
    rules = [rule for group in yaml.safe_load(alerts)["groups"] for rule in group["rules"]]
    for rule in rules:
        if not {"alert", "expr", "for", "labels", "annotations"} <= rule.keys():
            sys.exit(f"{rule} lacks something that an alert needs")
    print(
        json.dumps(
            {
                "families": {family.name: family.type for family in families},
                "samples": [
                    {"name": sample.name, "labels": sample.labels, "value": sample.value} for family in families for sample in family.samples
                ],
                "alerts": {rule["alert"]: rule["expr"] for rule in rules},
            }
        )
    )


main()

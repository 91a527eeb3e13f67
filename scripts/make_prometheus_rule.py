"""Writes the PrometheusRule of deploy/k8s from deploy/observability/alerts.yml."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALERTS = ROOT / "deploy" / "observability" / "alerts.yml"
FILE = ROOT / "deploy" / "k8s" / "components" / "service-monitors" / "rules.yaml"
HEAD = """\
# For the Prometheus operator: the alerts of deploy/observability/alerts.yml, written by scripts/make_prometheus_rule.py.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: sellergate
spec:
"""


def written(alerts: str) -> str:
    """Return the object with the groups of the alerts, indented; comments are left out."""
    lines = [line for line in alerts.splitlines() if not line.lstrip().startswith("#")]
    return HEAD + "".join(f"  {line}\n" if line else "\n" for line in lines)


if __name__ == "__main__":
    FILE.write_text(written(ALERTS.read_text()))

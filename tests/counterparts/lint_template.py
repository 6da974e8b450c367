"""Checks CloudFormation templates with cfn-lint, which has AWS's resource schemas with it and asks no network.

usage: lint_template.py FILE...

Prints every finding, warnings too, and exits with 1 if there is one.
"""

import pathlib
import sys

from cfnlint.api import lint_all


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    findings = [str(match) for name in sys.argv[1:] for match in lint_all(pathlib.Path(name).read_text(encoding="utf-8"))]
    print("\n".join(findings))
    sys.exit(1 if findings else 0)


main()

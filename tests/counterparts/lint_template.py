"""Checks CloudFormation templates with cfn-lint, which has AWS's resource schemas with it and asks no network.

usage: lint_template.py FILE...

Looks with errors and warnings at every region; what cfn-lint calls informational is advice on style. Prints every finding, and exits with 1 if
there is one.
"""

import pathlib
import sys

from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.helpers import REGIONS


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    config = ManualArgs(include_experimental=True, regions=REGIONS)
    findings = [str(match) for name in sys.argv[1:] for match in lint(pathlib.Path(name).read_text(encoding="utf-8"), config=config)]
    print("\n".join(findings))
    sys.exit(1 if findings else 0)


main()

"""Reads a Terraform file with python-hcl2, and prints what it has as JSON.

usage: read_hcl.py FILE
"""

import json
import sys

import hcl2


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        try:
            json.dump(hcl2.load(file), sys.stdout)
        except Exception as error:  # whatever a parser says no with
            sys.exit(f"refused: {type(error).__name__}: {error}")


main()

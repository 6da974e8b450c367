"""Checks the API from outside: its document with openapi-spec-validator, and what it answers to thousands of requests that follow from the
document, good and bad ones, with schemathesis.

usage: check_api.py URL TOKEN SECONDS   (URL of the document; TOKEN of a living session, which is ended)
"""
import json
import subprocess
import sys
import tempfile
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator

url, token, seconds = sys.argv[1:]
with urllib.request.urlopen(url) as answer:
    document = json.load(answer)
OpenAPIV31SpecValidator(document).validate()


def run(*more: str) -> None:
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", url, "--header", f"Authorization: Bearer {token}", "--checks", "all",
        # What the schema allows the rules may refuse: a role of somebody else's, a session that is too long.
        "--exclude-checks", "positive_data_acceptance", "--seed", "1", "--no-color", "--warnings", "off", *more,
    ]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, check=True)


# Without the operation that ends the session by which all the others are asked.
run("--exclude-operation-id", "endSessions", "--phases", "examples,coverage,fuzzing", "--max-time", seconds)
run("--include-operation-id", "endSessions", "--phases", "examples,coverage", "--exclude-checks", "positive_data_acceptance,ignored_auth")

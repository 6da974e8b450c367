"""Prints, as JSON, the credentials that boto3 finds by itself, how it found them, and who AWS says they are.

usage: boto3_credentials.py ENDPOINT [PROFILE]
"""
import json
import sys

import boto3

session = boto3.Session(profile_name=sys.argv[2] if len(sys.argv) > 2 else None, region_name="us-east-1")
credentials = session.get_credentials()
frozen = credentials.get_frozen_credentials()
identity = session.client("sts", endpoint_url=sys.argv[1]).get_caller_identity()
print(json.dumps({"method": credentials.method, "key": frozen.access_key, "secret": frozen.secret_key, "token": frozen.token, "arn": identity["Arn"]}))

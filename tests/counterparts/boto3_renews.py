"""A program that runs for long: boto3 finds credentials by itself, and AWS is asked who they are until they are others than at first.

Prints one line of JSON for each key that it sees, as soon as it sees it, and ends after the second.

usage: boto3_renews.py ENDPOINT
"""
import json
import sys
import time

import boto3

session = boto3.Session(region_name="us-east-1")
credentials = session.get_credentials()
sts = session.client("sts", endpoint_url=sys.argv[1])
seen, end = [], time.monotonic() + 60
while len(seen) < 2 and time.monotonic() < end:
    key = credentials.get_frozen_credentials().access_key
    arn = sts.get_caller_identity()["Arn"]
    if key not in seen:
        seen.append(key)
        print(json.dumps({"method": credentials.method, "key": key, "arn": arn}), flush=True)
    time.sleep(0.5)

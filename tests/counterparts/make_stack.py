"""Makes in an IAM what a CloudFormation template has, by IAM's own calls: moto's CloudFormation knows no identity providers.

usage: make_stack.py TEMPLATE ENDPOINT [PARAMETER=VALUE...]
"""

import json
import pathlib
import sys

import boto3


def filled(value, parameters):
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return parameters[value["Ref"]]
        return {key: filled(inner, parameters) for key, inner in value.items()}
    return [filled(inner, parameters) for inner in value] if isinstance(value, list) else value


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    template = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    parameters = dict(argument.split("=", 1) for argument in sys.argv[3:])
    iam = boto3.client("iam", endpoint_url=sys.argv[2], region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    for resource in template["Resources"].values():
        has = filled(resource["Properties"], parameters)
        match resource["Type"]:
            case "AWS::IAM::OIDCProvider":
                iam.create_open_id_connect_provider(Url=has["Url"], ClientIDList=has["ClientIdList"], ThumbprintList=[])
            case "AWS::IAM::SAMLProvider":
                iam.create_saml_provider(Name=has["Name"], SAMLMetadataDocument=has["SamlMetadataDocument"])
            case "AWS::IAM::ManagedPolicy":
                iam.create_policy(PolicyName=has["ManagedPolicyName"], PolicyDocument=json.dumps(has["PolicyDocument"]))
            case "AWS::IAM::Role":
                iam.create_role(
                    RoleName=has["RoleName"],
                    Path=has.get("Path", "/"),
                    Description=has["Description"],
                    MaxSessionDuration=has["MaxSessionDuration"],
                    AssumeRolePolicyDocument=json.dumps(has["AssumeRolePolicyDocument"]),
                )
                for policy in has.get("Policies", []):
                    document = json.dumps(policy["PolicyDocument"])
                    iam.put_role_policy(RoleName=has["RoleName"], PolicyName=policy["PolicyName"], PolicyDocument=document)
            case other:
                sys.exit(f"a resource of no known type: {other}")


main()

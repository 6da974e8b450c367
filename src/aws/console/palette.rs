//! Where in the console people go mostly: services and regions to choose from. Others are reached by a link with a `destination`.

use crate::arn::{Partition, Region};

/// A service of the console.
#[derive(Debug)]
pub struct Service {
    /// The first step of its path in the console: `https://REGION.console.aws.amazon.com/PATH/home`.
    pub path: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Whether it is the same in all regions, so that none is asked for.
    global: bool,
}

const fn service(path: &'static str, label: &'static str) -> Service {
    Service { path, label, global: false }
}

const fn global(path: &'static str, label: &'static str) -> Service {
    Service { path, label, global: true }
}

/// The services, ordered by name.
pub const SERVICES: [Service; 48] = [
    service("apigateway", "API Gateway"),
    service("appsync", "AppSync"),
    service("athena", "Athena"),
    service("backup", "Backup"),
    service("batch", "Batch"),
    service("bedrock", "Bedrock"),
    global("billing", "Billing"),
    service("acm", "Certificate Manager"),
    service("cloudformation", "CloudFormation"),
    global("cloudfront", "CloudFront"),
    service("cloudshell", "CloudShell"),
    service("cloudtrail", "CloudTrail"),
    service("cloudwatch", "CloudWatch"),
    service("cognito", "Cognito"),
    service("config", "Config"),
    global("cost-management", "Cost Management"),
    service("dynamodbv2", "DynamoDB"),
    service("ec2", "EC2"),
    service("ecr", "ECR"),
    service("ecs", "ECS"),
    service("efs", "EFS"),
    service("eks", "EKS"),
    service("elasticbeanstalk", "Elastic Beanstalk"),
    service("elasticache", "ElastiCache"),
    service("events", "EventBridge"),
    service("glue", "Glue"),
    service("guardduty", "GuardDuty"),
    global("iam", "IAM"),
    service("kinesis", "Kinesis"),
    service("kms", "KMS"),
    service("lambda", "Lambda"),
    service("msk", "MSK"),
    service("aos", "OpenSearch"),
    global("organizations", "Organizations"),
    service("rds", "RDS"),
    service("redshiftv2", "Redshift"),
    global("route53", "Route 53"),
    service("s3", "S3"),
    service("sagemaker", "SageMaker"),
    service("secretsmanager", "Secrets Manager"),
    service("securityhub", "Security Hub"),
    service("servicequotas", "Service Quotas"),
    service("ses", "SES"),
    service("sns", "SNS"),
    service("sqs", "SQS"),
    service("states", "Step Functions"),
    service("systems-manager", "Systems Manager"),
    service("vpc", "VPC"),
];

/// The console's own front page, for who chooses a region and no service.
const FRONT_PAGE: Service = service("console", "Console");

/// The regions of a partition (AWS General Reference, "AWS regions").
#[must_use]
pub const fn regions(partition: Partition) -> &'static [&'static str] {
    match partition {
        Partition::Aws => &[
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "af-south-1",
            "ap-east-1",
            "ap-east-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-south-2",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-southeast-3",
            "ap-southeast-4",
            "ap-southeast-5",
            "ap-southeast-6",
            "ap-southeast-7",
            "ca-central-1",
            "ca-west-1",
            "eu-central-1",
            "eu-central-2",
            "eu-north-1",
            "eu-south-1",
            "eu-south-2",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "il-central-1",
            "me-central-1",
            "me-south-1",
            "mx-central-1",
            "sa-east-1",
        ],
        Partition::AwsCn => &["cn-north-1", "cn-northwest-1"],
        Partition::AwsUsGov => &["us-gov-west-1", "us-gov-east-1"],
        Partition::AwsEusc => &["eusc-de-east-1"],
    }
}

/// The short destination (`SERVICE@REGION`) for what was chosen beside a list of roles. One choice stands for roles of all partitions, so a
/// region of another one than the role's is passed over. None for the front page of the usual region; a service that is not in the list is
/// taken as it is, to be refused or not as a destination.
#[must_use]
pub fn chosen(partition: Partition, service: &str, region: &str) -> Option<String> {
    let known = SERVICES.iter().find(|known| known.path == service);
    let region = region.parse::<Region>().ok().filter(|region| partition.has_region(region) && !known.is_some_and(|known| known.global));
    let path = if service.is_empty() { region.as_ref().map(|_| FRONT_PAGE.path)? } else { service };
    Some(region.map_or_else(|| path.to_owned(), |region| format!("{path}@{region}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::console::Destination;

    #[test]
    fn every_choice_is_a_destination_in_its_partition() {
        for partition in Partition::ALL {
            for region in regions(partition) {
                assert!(partition.has_region(&region.parse().unwrap()), "{region}");
                for service in &SERVICES {
                    let chosen = chosen(partition, service.path, region).unwrap();
                    assert!(Destination::parse(partition, None, Some(&chosen)).is_ok(), "{chosen}");
                }
            }
        }
        assert!(SERVICES.is_sorted_by_key(|service| service.label.to_lowercase()));
    }

    #[test]
    fn a_region_of_another_partition_or_for_a_global_service_is_passed_over() {
        assert_eq!(chosen(Partition::Aws, "ec2", "eu-west-1").as_deref(), Some("ec2@eu-west-1"));
        assert_eq!(chosen(Partition::Aws, "ec2", "cn-north-1").as_deref(), Some("ec2"));
        assert_eq!(chosen(Partition::Aws, "iam", "eu-west-1").as_deref(), Some("iam"));
        assert_eq!(chosen(Partition::AwsCn, "", "cn-north-1").as_deref(), Some("console@cn-north-1"));
        assert_eq!(chosen(Partition::Aws, "", "cn-north-1"), None);
        assert_eq!(chosen(Partition::Aws, "", "nonsense"), None);
        assert_eq!(chosen(Partition::Aws, "", ""), None);
        let hostile = chosen(Partition::Aws, "//evil.example/", "").unwrap();
        assert!(Destination::parse(Partition::Aws, None, Some(&hostile)).is_err());
    }
}

//! The make-believe people who can sign in at the sandbox's identity provider.

/// A person of the sandbox. All of them are invented, and their addresses are in a domain reserved for examples.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// The subject (`sub`).
    pub id: &'static str,
    /// The first name; there is no other.
    pub name: &'static str,
    /// What the person stands for, in a few words.
    pub role: &'static str,
    /// What a visitor will see who signs in as this person.
    pub story: &'static str,
    /// The groups claim.
    pub groups: &'static [&'static str],
    /// The `cost_center` claim.
    pub cost_center: &'static str,
    /// Whether the sign-in pretends that a second factor was used.
    pub mfa: bool,
}

impl Person {
    /// The e-mail address.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@example.com", self.id)
    }

    /// The letter that stands for a portrait.
    #[must_use]
    pub fn initial(&self) -> &'static str {
        self.name.get(..1).unwrap_or_default()
    }
}

/// Everybody there is.
pub const PEOPLE: &[Person] = &[
    Person {
        id: "ana",
        name: "Ana",
        role: "platform administrator",
        story: "May administer every account, and this gateway.",
        groups: &["aws-platform-admins", "developers", "aws-111122223333-Developer"],
        cost_center: "CC-100",
        mfa: true,
    },
    Person {
        id: "dev",
        name: "Dev",
        role: "developer",
        story: "Builds in Staging and Sandbox; one group names a role in Production.",
        groups: &["developers", "aws-111122223333-Developer", "aws-444455556666-Developer"],
        cost_center: "CC-200",
        mfa: false,
    },
    Person {
        id: "cory",
        name: "Cory",
        role: "contractor",
        story: "Has a developer's groups, but a rule keeps contractors out of Production.",
        groups: &["contractors", "developers", "aws-111122223333-Developer", "aws-777788889999-Developer"],
        cost_center: "CC-300",
        mfa: false,
    },
    Person {
        id: "odile",
        name: "Odile",
        role: "auditor",
        story: "Reads everything, the gateway's audit trail too; changes nothing.",
        groups: &["auditors"],
        cost_center: "CC-400",
        mfa: true,
    },
    Person {
        id: "nora",
        name: "Nora",
        role: "no AWS access",
        story: "Is in no group that a rule knows: sees why there is no role.",
        groups: &["book-club"],
        cost_center: "CC-500",
        mfa: false,
    },
];

/// The person with this subject.
pub(super) fn find(id: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}

//! S16 to S18, S20, S21, S24: well signed by the right provider, yet not for us, not now, or not of this sign-in.

use rolegate::saml::Refused;
use rolegate::saml::xml::XmlRefused;

use crate::cases::{Case, piece, resigned, swap, valid};
use crate::keys::Keys;
use crate::sibling::{ACS, ALL, IDP, REQUEST, RSA_SHA256, SP, Sign, signed, unsigned};

pub(crate) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = Vec::new();
    for sign in ALL {
        let maker = Maker { keys, sign };
        let made = [
            maker.s16_s24_meant_for_others(),
            maker.s17_answers_to_others(),
            maker.s18_not_of_this_time(),
            maker.s20_other_issuers(),
            maker.s21_s24_parts_that_are_missing_or_there_twice(),
        ];
        let named = |case: Case| Case { name: format!("{sign:?} signed: {}", case.name), ..case };
        cases.extend(made.into_iter().flatten().map(named));
    }
    cases.extend(s16_s17_s18_s20_s24_an_unsigned_envelope_changed(&valid(keys, Sign::Assertion)));
    cases
}

struct Maker<'k> {
    keys: &'k Keys,
    sign: Sign,
}

impl Maker<'_> {
    /// A response that is signed after the change.
    fn case(&self, attack: &'static str, name: &str, from: &str, to: &str, expected: impl Into<Refused>) -> Case {
        Case::new(attack, name, resigned(self.keys, self.sign, from, to), expected)
    }

    fn s16_s24_meant_for_others(&self) -> Vec<Case> {
        let restriction = format!("<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>");
        let other = restriction.replace(SP, "https://other.example");
        let recipient = format!("Recipient=\"{ACS}\"");
        let destination = format!("Destination=\"{ACS}\"");
        let qualified = "<saml:NameID SPNameQualifier=\"https://other.example\" ";
        vec![
            self.case("S16", "another audience", &restriction, &other, Refused::Audience),
            self.case("S16", "audience that starts with us", &format!("{SP}<"), &format!("{SP}.evil.example<"), Refused::Audience),
            self.case("S16", "audience in capitals", "gate.example/saml/metadata<", "GATE.example/saml/metadata<", Refused::Audience),
            self.case("S16", "no audience", &restriction, "", Refused::Audience),
            self.case("S16", "an empty restriction", &restriction, "<saml:AudienceRestriction/>", Refused::Audience),
            self.case("S16", "a second restriction without us", &restriction, &format!("{restriction}{other}"), Refused::Audience),
            self.case("S16", "a first restriction without us", &restriction, &format!("{other}{restriction}"), Refused::Audience),
            self.case("S16", "another recipient", &recipient, "Recipient=\"https://other.example/acs\"", Refused::Recipient),
            self.case("S16", "recipient with a query", &recipient, &format!("Recipient=\"{ACS}?x\""), Refused::Recipient),
            self.case("S16", "no recipient", &recipient, "", Refused::MissingAttribute("Recipient")),
            self.case("S16", "another destination", &destination, "Destination=\"https://other.example/acs\"", Refused::Destination),
            self.case("S16", "unknown condition", "</saml:Conditions>", "<saml:Condition/></saml:Conditions>", Refused::Condition),
            self.case("S16", "foreign condition", "</saml:Conditions>", "<x/></saml:Conditions>", Refused::Condition),
            self.case("S24", "name meant for another service", "<saml:NameID ", qualified, Refused::Subject),
            self.case("S24", "a format with a blank before it", "<saml:NameID Format=\"", "<saml:NameID Format=\" ", Refused::Subject),
            self.case("S24", "a format with a line end in it", "<saml:NameID Format=\"", "<saml:NameID Format=\"&#10;", Refused::Subject),
            self.case("S24", "empty name", "alice@example.org", "", Refused::Subject),
            self.case("S24", "blank name", "alice@example.org", " \t ", Refused::Subject),
            self.case("S24", "elements in the name", "alice@example.org", "<x/>", XmlRefused::NotText),
            self.case("S24", "failed status", "status:Success", "status:Requester", Refused::Status),
            self.case("S24", "unknown status", "status:Success", "status:success", Refused::Status),
        ]
    }

    fn s17_answers_to_others(&self) -> Vec<Case> {
        let answer = format!("InResponseTo=\"{REQUEST}\"");
        let inner = format!("<saml:SubjectConfirmationData {answer}");
        let unasked = unsigned(self.sign, RSA_SHA256).replace(&answer, "");
        let outer_only = swap(&unsigned(self.sign, RSA_SHA256), &inner, "<saml:SubjectConfirmationData ");
        let sign = |document: &str| signed(self.keys, &self.keys.idp, self.sign, document);
        vec![
            self.case("S17", "answer to another request", &inner, &inner.replace(REQUEST, "_req-2"), Refused::InResponseTo),
            self.case("S17", "envelope answers another request", &answer, "InResponseTo=\"_req-2\"", Refused::InResponseTo),
            self.case("S17", "envelope answers none", &answer, "", Refused::InResponseTo),
            Case::new("S17", "answers none", sign(&outer_only), Refused::InResponseTo),
            Case::new("S17", "neither answers", sign(&unasked), Refused::InResponseTo),
            Case::new("S17", "unasked, yet both answer", valid(self.keys, self.sign), Refused::Unsolicited).unasked(),
            Case::new("S17", "unasked, yet the envelope answers", sign(&swap(&outer_only, "alice", "alice2")), Refused::Unsolicited)
                .unasked(),
            self.case("S17", "unasked, yet the assertion answers", &answer, " ", Refused::Unsolicited).unasked(),
        ]
    }

    fn s18_not_of_this_time(&self) -> Vec<Case> {
        let confirmed = "NotOnOrAfter=\"2030-01-01T12:05:00Z\" Recipient";
        let conditioned = "NotBefore=\"2030-01-01T11:59:30Z\" NotOnOrAfter=\"2030-01-01T12:05:00Z\"";
        let both = |to: &str| format!("NotBefore=\"2030-01-01T11:59:30Z\" NotOnOrAfter=\"{to}\"");
        let session = "SessionNotOnOrAfter=\"2030-01-01T20:00:00Z\"";
        let issued = "Version=\"2.0\" IssueInstant=\"2030-01-01T12:00:00Z\"><saml:Issuer>https://idp.example/metadata</saml:Issuer>";
        let at = |time: &str| {
            let plain = unsigned(self.sign, RSA_SHA256);
            let assertion = piece(&plain, "<saml:Assertion", "</saml:Assertion>");
            let changed = swap(&assertion, "IssueInstant=\"2030-01-01T12:00:00Z\"", time);
            signed(self.keys, &self.keys.idp, self.sign, &swap(&plain, &assertion, &changed))
        };
        let malformed =
            |name: &str, time: &str| self.case("S18", name, "AuthnInstant=\"2030-01-01T11:59:00Z\"", time, Refused::Time("AuthnInstant"));
        assert!(unsigned(Sign::Response, RSA_SHA256).contains(&issued[..30]));
        vec![
            self.case("S18", "confirmation expired", confirmed, "NotOnOrAfter=\"2030-01-01T11:59:05Z\" Recipient", Refused::Expired(60)),
            self.case("S18", "confirmation without an end", confirmed, "Recipient", Refused::MissingAttribute("NotOnOrAfter")),
            self.case(
                "S18",
                "confirmation with a start",
                confirmed,
                &format!("NotBefore=\"2030-01-01T11:00:00Z\" {confirmed}"),
                Refused::Confirmation,
            ),
            self.case("S18", "conditions expired", conditioned, &both("2030-01-01T11:59:05Z"), Refused::Expired(60)),
            self.case("S18", "conditions not begun", conditioned, "NotBefore=\"2030-01-01T12:01:06Z\"", Refused::NotYetValid(61)),
            self.case("S18", "session over", session, "SessionNotOnOrAfter=\"2030-01-01T12:00:05Z\"", Refused::SessionOver),
            self.case("S18", "signed in tomorrow", "AuthnInstant=\"2030-01-01", "AuthnInstant=\"2030-01-02", Refused::NotYetValid(86_335)),
            self.case(
                "S18",
                "envelope of tomorrow",
                "IssueInstant=\"2030-01-01",
                "IssueInstant=\"2030-01-02",
                Refused::NotYetValid(86_395),
            ),
            Case::new("S18", "issued tomorrow", at("IssueInstant=\"2030-01-02T12:00:00Z\""), Refused::NotYetValid(86_395)),
            Case::new("S18", "issued too long ago", at("IssueInstant=\"2030-01-01T11:49:05Z\""), Refused::TooOld),
            Case::new("S18", "not issued", at(""), Refused::MissingAttribute("IssueInstant")),
            malformed("time with an offset", "AuthnInstant=\"2030-01-01T11:59:00+00:00\""),
            malformed("time without a zone", "AuthnInstant=\"2030-01-01T11:59:00\""),
            malformed("a day alone", "AuthnInstant=\"2030-01-01\""),
            malformed("a day that is none", "AuthnInstant=\"2030-02-30T11:59:00Z\""),
            malformed("a time with signs", "AuthnInstant=\"2030-01-01T+1:59:00Z\""),
        ]
    }

    fn s20_other_issuers(&self) -> Vec<Case> {
        let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer>");
        let plain = unsigned(self.sign, RSA_SHA256);
        let other = issuer.replace(IDP, "https://other.example/metadata");
        let sign = |document: &str| signed(self.keys, &self.keys.idp, self.sign, document);
        let inner = |to: &str| {
            let assertion = piece(&plain, "<saml:Assertion", "</saml:Assertion>");
            sign(&swap(&plain, &assertion, &swap(&assertion, &issuer, to)))
        };
        let formatted = issuer.replace("<saml:Issuer>", "<saml:Issuer Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">");
        vec![
            Case::new("S20", "assertion of another provider", inner(&other), Refused::Issuer),
            Case::new("S20", "assertion of no provider", inner(""), XmlRefused::Missing("Issuer")),
            Case::new("S20", "assertion of two providers", inner(&format!("{issuer}{other}")), XmlRefused::Repeated("Issuer")),
            Case::new("S20", "issuer that is no entity", inner(&formatted), Refused::Issuer),
            Case::new("S20", "response of another provider", sign(&swap(&plain, &issuer, &other)), Refused::Issuer),
            Case::new("S20", "both of another provider", sign(&plain.replace(&issuer, &other)), Refused::Issuer),
            Case::new(
                "S20",
                "response of two providers",
                sign(&swap(&plain, &issuer, &format!("{issuer}{other}"))),
                XmlRefused::Repeated("Issuer"),
            ),
        ]
    }

    fn s21_s24_parts_that_are_missing_or_there_twice(&self) -> Vec<Case> {
        let plain = unsigned(self.sign, RSA_SHA256);
        let part = |name: &str| piece(&plain, &format!("<saml:{name}"), &format!("</saml:{}>", name.trim_end()));
        let twice = |name: &'static str| {
            let part = part(name);
            self.case("S21", &format!("two of {name}"), &part, &format!("{part}{part}"), XmlRefused::Repeated(name.trim_end()))
        };
        let without = |name: &'static str| self.case("S21", &format!("no {name}"), &part(name), "", XmlRefused::Missing(name.trim_end()));
        let bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
        let data = piece(&plain, "<saml:SubjectConfirmationData", "/>");
        vec![
            twice("Subject"),
            twice("NameID"),
            twice("SubjectConfirmation "),
            twice("Conditions"),
            twice("AuthnStatement"),
            twice("AttributeStatement"),
            without("Subject"),
            without("NameID"),
            without("SubjectConfirmation "),
            without("Conditions"),
            without("AuthnStatement"),
            self.case("S21", "holder of key", bearer, "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key", Refused::Confirmation),
            self.case("S21", "confirmation without data", &data, "", XmlRefused::Missing("SubjectConfirmationData")),
            self.case(
                "S21",
                "confirmation for somebody else",
                &data,
                &format!("<saml:NameID>bob</saml:NameID>{data}"),
                Refused::Confirmation,
            ),
            self.case(
                "S21",
                "assertion of version 1.1",
                "Version=\"2.0\" IssueInstant=\"2030-01-01T12:00:00Z\"><saml:Issuer>",
                "Version=\"1.1\" IssueInstant=\"2030-01-01T12:00:00Z\"><saml:Issuer>",
                Refused::Version,
            ),
            self.case("S21", "response of version 1.1", "ID=\"_r1\" Version=\"2.0\"", "ID=\"_r1\" Version=\"1.1\"", Refused::Version),
            self.case(
                "S21",
                "authorisation statement",
                "<saml:AuthnStatement",
                "<saml:AuthzDecisionStatement/><saml:AuthnStatement",
                Refused::Unexpected,
            ),
            self.case("S21", "encrypted attribute", "<saml:Attribute ", "<saml:EncryptedAttribute/><saml:Attribute ", Refused::Unexpected),
            self.case("S21", "attribute without a name", "Name=\"groups\" ", "", Refused::MissingAttribute("Name")),
            self.case("S24", "no status", &piece(&plain, "<samlp:Status>", "</samlp:Status>"), "", XmlRefused::Missing("Status")),
            self.case("S24", "status without a code", &piece(&plain, "<samlp:StatusCode", "/>"), "", XmlRefused::Missing("StatusCode")),
        ]
    }
}

/// Only the assertion is signed: what stands around it can be changed by anybody, and is still checked.
fn s16_s17_s18_s20_s24_an_unsigned_envelope_changed(good: &str) -> Vec<Case> {
    let case = |attack, name, from: &str, to: &str, expected: Refused| {
        Case::new(attack, format!("unsigned envelope: {name}"), swap(good, from, to), expected)
    };
    vec![
        case("S24", "status changed", "status:Success", "status:Responder", Refused::Status),
        case("S16", "destination changed", "Destination=\"https://gate", "Destination=\"https://evil", Refused::Destination),
        case("S17", "request changed", "InResponseTo=\"_req-1\"", "InResponseTo=\"_req-9\"", Refused::InResponseTo),
        case("S20", "issuer changed", "<saml:Issuer>https://idp", "<saml:Issuer>https://evil", Refused::Issuer),
        case("S18", "time removed", "IssueInstant=\"2030-01-01T12:00:00Z\"", "", Refused::MissingAttribute("IssueInstant")),
        case(
            "S18",
            "time changed",
            "IssueInstant=\"2030-01-01T12:00:00Z\"",
            "IssueInstant=\"2031-01-01T12:00:00Z\"",
            Refused::NotYetValid(31_535_995),
        ),
    ]
}

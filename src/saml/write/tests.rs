use chrono::{TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::aws::{AwsResponse, LONGEST_WINDOW, Tag, UNSPECIFIED_CONTEXT};
use super::messages::{AuthnRequest, Comparison, Envelope, LogoutRequest, LogoutResponse, LogoutStatus, NameId};
use super::metadata::{IdpMetadata, SpMetadata};
use super::*;
use crate::saml::sign::tests::{SigningAlgorithm, fixed_signer, new_signer};
use crate::saml::xml::{self, Document, Limits};

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

fn noon() -> Moment {
    Utc.with_ymd_and_hms(2026, 11, 24, 12, 0, 0).unwrap()
}

pub(in crate::saml) fn sample() -> AwsResponse<'static> {
    const TAGS: &[Tag<'static>] =
        &[Tag { key: "Department", value: "R+D / Süd", transitive: true }, Tag { key: "CostCenter", value: "4711", transitive: false }];
    AwsResponse {
        response_id: "_r0001",
        assertion_id: "_a0001",
        issuer: "https://rolegate.example.org/saml/aws",
        name_id: "7d0c6f",
        recipient: "https://eu-central-1.signin.aws.amazon.com/saml",
        audience: "urn:amazon:webservices",
        issued: noon(),
        expires: noon() + LONGEST_WINDOW,
        authenticated: noon() - TimeDelta::minutes(7),
        authn_context: UNSPECIFIED_CONTEXT,
        session_index: "_s0001",
        session_expires: noon() + TimeDelta::hours(8),
        role_arn: "arn:aws:iam::111122223333:role/team/Reader",
        provider_arn: "arn:aws:iam::111122223333:saml-provider/rolegate",
        role_session_name: "ana@example.org",
        session_duration: 3600,
        tags: TAGS,
        source_identity: Some("main+ana"),
    }
}

fn parse(text: &str) -> Document<'_> {
    Document::parse(text.as_bytes(), &Limits::RESPONSE).unwrap()
}

/// Names and nesting alone.
fn shape(element: &xml::Element<'_>) -> String {
    let attributes: Vec<_> = element.attributes.iter().map(|attribute| attribute.name.local).collect();
    let inner: String = element.elements().map(shape).collect();
    format!("<{} {}>{inner}</>", element.name.local, attributes.join(" "))
}

/// Every attribute's value and every text.
fn values(element: &xml::Element<'_>) -> Vec<String> {
    let mut found: Vec<_> = element.attributes.iter().map(|attribute| attribute.value.to_string()).collect();
    found.extend(element.text().ok().map(str::to_owned));
    element.elements().for_each(|child| found.extend(values(child)));
    found
}

#[test]
fn the_response_for_aws_is_written_to_the_byte() {
    let written = sample().write(&fixed_signer()).unwrap();
    // RSA PKCS #1 v1.5 has no randomness, so the signature is golden too. The file was accepted by xmlsec1 and signxml.
    assert_eq!(written.expose_secret(), include_str!("testdata/aws_response.xml"));
}

#[test]
fn there_is_one_role_and_the_assertion_itself_is_signed() {
    let written = sample().write(&fixed_signer()).unwrap();
    let document = parse(written.expose_secret());
    let assertion = document.root.only_child(SAML, "Assertion").unwrap();
    let order: Vec<_> = assertion.elements().map(|child| child.name.local).collect();
    assert_eq!(order, ["Issuer", "Signature", "Subject", "Conditions", "AuthnStatement", "AttributeStatement"]);
    let statement = assertion.only_child(SAML, "AttributeStatement").unwrap();
    let role = statement.elements().filter(|attribute| attribute.attribute("Name").unwrap().ends_with("/Role"));
    let role: Vec<_> = role.flat_map(xml::Element::elements).map(|value| value.text().unwrap()).collect();
    assert_eq!(role, ["arn:aws:iam::111122223333:role/team/Reader,arn:aws:iam::111122223333:saml-provider/rolegate"]);
}

#[test]
fn what_aws_would_refuse_is_not_written() {
    let signer = fixed_signer();
    let refused = |field: &str, change: &dyn Fn(&mut AwsResponse<'static>)| {
        let mut response = sample();
        change(&mut response);
        match response.write(&signer) {
            Err(Unwritable::Value { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    };
    refused("NotOnOrAfter", &|r| r.expires = noon() + LONGEST_WINDOW + TimeDelta::seconds(1));
    refused("NotOnOrAfter", &|r| r.expires = noon());
    refused("AuthnInstant", &|r| r.authenticated = noon() + TimeDelta::seconds(1));
    refused("SessionNotOnOrAfter", &|r| r.session_expires = noon());
    refused("RoleSessionName", &|r| r.role_session_name = "a");
    refused("RoleSessionName", &|r| r.role_session_name = "ana müller");
    refused("SourceIdentity", &|r| r.source_identity = Some("aws:me"));
    refused("SessionDuration", &|r| r.session_duration = 899);
    refused("SessionDuration", &|r| r.session_duration = 43201);
    refused("role ARN", &|r| r.role_arn = "arn:aws:iam::111122223333:role/A,arn:aws:iam::444455556666:role/B");
    refused("role ARN", &|r| r.role_arn = "arn:aws:iam::111122223333:role/A B");
    refused("SAML provider ARN", &|r| r.provider_arn = "rolegate");
    refused("NameID", &|r| r.name_id = " ");
    refused("Issuer", &|r| r.issuer = "");
    refused("Audience", &|r| r.audience = "x ");
    refused("ID of the response", &|r| r.response_id = "1");
    refused("ID of the assertion", &|r| r.assertion_id = "a\"b");
    refused("ID of the assertion", &|r| r.assertion_id = r.response_id);
    refused("PrincipalTag", &|r| r.tags = &[Tag { key: "aws:x", value: "", transitive: false }]);
    refused("PrincipalTag", &|r| r.tags = &[Tag { key: "", value: "", transitive: false }]);
    refused("PrincipalTag", &|r| r.tags = &[Tag { key: "a", value: "<", transitive: false }]);
    refused("PrincipalTag", &|r| {
        r.tags = &[Tag { key: "Team", value: "a", transitive: false }, Tag { key: "team", value: "b", transitive: false }];
    });
}

#[test]
fn characters_that_xml_cannot_carry_are_refused() {
    for code in [0, 1, 8, 0xB, 0xC, 0xE, 0x1F, 0xFFFE, 0xFFFF] {
        let character = char::from_u32(code).unwrap();
        let text = format!("a{character}b");
        let refused = Err(Unwritable::Character { place: "NameID", code });
        assert_eq!(Element::new(Ns::Saml, "NameID").text(text.clone()).to_canonical(), refused);
        let refused = Err(Unwritable::Character { place: "Name", code });
        assert_eq!(Element::new(Ns::Saml, "Attribute").attribute("Name", text).to_canonical(), refused);
    }
}

#[test]
fn escapes_are_those_of_canonical_xml() {
    let element = Element::new(Ns::Saml, "E").attribute("B", "&<>\"'\t\n\r").attribute("A", "é").text("&<>\"'\t\n\r");
    let expected = "<saml:E xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" A=\"é\" B=\"&amp;&lt;>&quot;'&#x9;&#xA;&#xD;\">&amp;&lt;&gt;\"'\t\n&#xD;</saml:E>";
    assert_eq!(element.to_canonical().unwrap(), expected);
}

#[test]
fn a_prefix_is_declared_where_it_is_first_used() {
    let inner = || Element::new(Ns::Saml, "I").child(Element::new(Ns::Samlp, "J"));
    let element = Element::new(Ns::Samlp, "O").child(inner()).child(inner());
    let inner = "<saml:I xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"><samlp:J></samlp:J></saml:I>";
    let expected = format!("<samlp:O xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\">{inner}{inner}</samlp:O>");
    assert_eq!(element.to_canonical().unwrap(), expected);
}

fn envelope(text: &str) -> Envelope<'_> {
    Envelope { id: "_m1", issuer: text, destination: text, issued: noon() }
}

/// Every message with one text in all its fields that are free.
fn messages(text: &str) -> Result<Vec<String>, Unwritable> {
    let request = AuthnRequest {
        envelope: envelope(text),
        assertion_consumer_service: text,
        force_authn: true,
        name_id_format: Some(text),
        authn_context: Some((Comparison::Minimum, &[text, text])),
    };
    let name_id = NameId { value: text, format: Some(text), name_qualifier: Some(text), sp_name_qualifier: Some(text) };
    let logout = LogoutRequest { envelope: envelope(text), expires: noon(), name_id, session_indexes: &[text, text] };
    let response = LogoutResponse { envelope: envelope(text), in_response_to: text, status: LogoutStatus::Partial };
    let signer = fixed_signer();
    let certificates = [signer.certificate().clone()];
    let sp = SpMetadata {
        id: "_m1",
        entity_id: text,
        valid_until: Some(noon()),
        cache_duration: Some(TimeDelta::hours(1)),
        signing: &certificates,
        encryption: &certificates,
        signs_requests: true,
        assertion_consumer_service: text,
        single_logout_services: &[(Binding::Redirect, text), (Binding::Soap, text)],
        name_id_formats: &[text],
    };
    let idp = IdpMetadata { entity_id: text, signing: &certificates, single_sign_on_service: text };
    Ok(vec![
        request.write(None)?,
        request.write(Some(&signer))?,
        logout.write(None)?,
        response.write(None)?,
        sp.write(Some(&signer))?,
        idp.write()?,
    ])
}

#[test]
fn children_stand_in_the_order_of_the_schema() {
    let written = messages("urn:x").unwrap();
    let order = |index: usize| parse(&written[index]).root.elements().map(|child| child.name.local.to_owned()).collect::<Vec<_>>();
    assert_eq!(order(0), ["Issuer", "NameIDPolicy", "RequestedAuthnContext"]);
    assert_eq!(order(1), ["Issuer", "Signature", "NameIDPolicy", "RequestedAuthnContext"]);
    assert_eq!(order(2), ["Issuer", "NameID", "SessionIndex", "SessionIndex"]);
    assert_eq!(order(3), ["Issuer", "Status"]);
    assert_eq!(order(4), ["Signature", "SPSSODescriptor"]);
    let sp = parse(&written[4]);
    let descriptor = sp.root.elements().nth(1).unwrap();
    let inner: Vec<_> = descriptor.elements().map(|child| child.name.local).collect();
    let services = ["SingleLogoutService", "SingleLogoutService", "NameIDFormat", "AssertionConsumerService"];
    assert_eq!(inner, [["KeyDescriptor", "KeyDescriptor"].as_slice(), &services].concat());
    let uses: Vec<_> = descriptor.elements().take(2).map(|key| key.attribute("use").unwrap()).collect();
    assert_eq!(uses, ["signing", "encryption"]);
}

#[test]
fn iams_metadata_is_long_enough_and_carries_every_key() {
    let keys: Vec<_> = (0..11).map(|_| new_signer(SigningAlgorithm::Es256).certificate().clone()).collect();
    let write = |signing| IdpMetadata { entity_id: "https://x", signing, single_sign_on_service: "https://x/s" }.write();
    for signing in [&keys[..1], &keys[..2], &keys[..10]] {
        let text = write(signing).unwrap();
        assert!(text.len() >= 1000 && text.starts_with("<md:EntityDescriptor "));
        assert_eq!(text.matches("<ds:X509Certificate>").count(), signing.len());
    }
    assert!(write(&keys).is_err() && write(&[]).is_err());
}

/// Texts that try to be markup, and texts of any kind.
fn any_text() -> impl Strategy<Value = String> {
    let markup = prop::sample::select(vec![
        "</saml:Issuer>",
        "<x>",
        "\"/>",
        "' a='",
        "]]>",
        "<![CDATA[",
        "<!--",
        "-->",
        "&amp;",
        "&#x3C;",
        "&lt;",
        "<?p?>",
        "\r\n",
        "\t",
        "\u{85}",
        "\u{2028}",
    ]);
    prop::collection::vec(prop_oneof![markup.prop_map(str::to_owned), "\\PC{0,8}", any::<String>()], 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_changes_the_structure_of_a_message(text in any_text().prop_filter("an address that is not there is left out", |text| !text.is_empty())) {
        let Ok(written) = messages(&text) else {
            prop_assert!(text.chars().any(|c| !(' '..='\u{FFFD}').contains(&c)), "only forbidden characters are refused");
            return Ok(());
        };
        let plain = messages("plain").unwrap();
        for (written, plain) in written.iter().zip(&plain) {
            let (written, plain) = (parse(written), parse(plain));
            prop_assert_eq!(shape(&written.root), shape(&plain.root));
            let filled: Vec<_> = values(&plain.root).into_iter().map(|value| if value == "plain" { text.clone() } else { value }).collect();
            let found = values(&written.root);
            prop_assert_eq!(found.len(), filled.len());
            for (found, expected) in found.iter().zip(&filled) {
                // The signature's own values follow the content.
                if expected == &text { prop_assert_eq!(found, expected); }
            }
        }
    }

    #[test]
    fn no_text_changes_the_structure_of_the_response_for_aws(text in any_text(), which in 0..6) {
        let plain = sample().write(&fixed_signer()).unwrap();
        let mut response = sample();
        match which {
            0 => response.issuer = &text,
            1 => response.name_id = &text,
            2 => response.recipient = &text,
            3 => response.audience = &text,
            4 => response.authn_context = &text,
            _ => response.session_index = &text,
        }
        let Ok(written) = response.write(&fixed_signer()) else { return Ok(()) };
        prop_assert_eq!(shape(&parse(written.expose_secret()).root), shape(&parse(plain.expose_secret()).root));
        prop_assert!(values(&parse(written.expose_secret()).root).contains(&text));
    }

    #[test]
    fn tags_are_written_as_they_are_or_refused(key in any_text(), value in any_text()) {
        let tags = [Tag { key: &key, value: &value, transitive: true }];
        let response = AwsResponse { tags: &tags, ..sample() };
        if let Ok(written) = response.write(&fixed_signer()) {
            let document = parse(written.expose_secret());
            let found = values(&document.root);
            prop_assert!(found.contains(&value));
            prop_assert!(found.contains(&key));
            let attribute = format!("{}PrincipalTag:{}", aws::ATTRIBUTE_PREFIX, key);
            prop_assert!(found.contains(&attribute));
        }
    }
}

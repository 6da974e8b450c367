use super::*;

fn parse(text: &str) -> Result<Document<'_>, XmlRefused> {
    Document::parse(text.as_bytes(), &Limits::RESPONSE)
}

fn refused(text: &str) -> XmlRefused {
    parse(text).expect_err(text)
}

#[test]
fn a_document_is_read_with_its_namespaces_and_its_text() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a:r xmlns:a='urn:a' xmlns='urn:d' ID=\"x\"><b a:k='1' k='&lt;2&#x20AC;&#10;'>t&amp;u\r\nv</b> <c xmlns=''/></a:r >\n";
    let document = parse(text).unwrap();
    let root = &document.root;
    assert!(root.is("urn:a", "r"));
    assert_eq!(root.attribute("ID"), Some("x"));
    let b = root.only_child("urn:d", "b").unwrap();
    assert_eq!(b.attribute("k"), Some("<2€\n"));
    assert_eq!(b.text().unwrap(), "t&u\nv");
    assert!(text[b.span.clone()].starts_with("<b ") && text[b.span.clone()].ends_with("</b>"));
    assert_eq!(&text[root.span.clone()], text.split_once('\n').unwrap().1.trim_end());
    assert_eq!(root.only_child("", "c").unwrap().span.len(), "<c xmlns=''/>".len());
    assert_eq!(root.text(), Err(XmlRefused::NotText));
    assert_eq!(root.descendants().map(|element| element.name.local).collect::<Vec<_>>(), ["r", "b", "c"]);
}

#[test]
fn what_parsers_disagree_about_is_refused() {
    for (text, reason) in [
        ("<!DOCTYPE r><r/>", XmlRefused::Doctype),
        ("<!DOCTYPE r [<!ENTITY e 'x'>]><r>&e;</r>", XmlRefused::Doctype),
        ("<r><!-- c --></r>", XmlRefused::Comment),
        ("<r/><!-- c -->", XmlRefused::Comment),
        ("<r><?p i?></r>", XmlRefused::ProcessingInstruction),
        ("<r><?xml version='1.0'?></r>", XmlRefused::ProcessingInstruction),
        (" <?xml version='1.0'?><r/>", XmlRefused::ProcessingInstruction),
        ("<r><![CDATA[x]]></r>", XmlRefused::CData),
        ("<r>&e;</r>", XmlRefused::Entity),
        ("<r a='&e;'/>", XmlRefused::Entity),
        ("<r>&#0;</r>", XmlRefused::Entity),
        ("<r>&#xFFFE;</r>", XmlRefused::Entity),
        ("<r>&#+65;</r>", XmlRefused::Entity),
        ("<r a='&#xD800;'/>", XmlRefused::Entity),
        ("\u{FEFF}<r/>", XmlRefused::Encoding),
        ("<?xml version='1.0' encoding='UTF-16'?><r/>", XmlRefused::Encoding),
        ("<r a='1' a='2'/>", XmlRefused::DuplicateAttribute),
        ("<r xmlns:p='urn:a' xmlns:p='urn:b'/>", XmlRefused::DuplicateAttribute),
        ("<r xmlns:p='urn:a' xmlns:q='urn:a' p:a='1' q:a='2'/>", XmlRefused::DuplicateAttribute),
        ("<r ID='x'><a Id='x'/></r>", XmlRefused::DuplicateId),
        ("<r ID='x' xml:id='x'/>", XmlRefused::DuplicateId),
        ("<r id='x'><a xmlns:p='urn:p' p:iD='&#120;'/></r>", XmlRefused::DuplicateId),
    ] {
        assert_eq!(refused(text), reason, "{text}");
    }
    assert_eq!(Document::parse(b"<r>\xFF</r>", &Limits::RESPONSE), Err(XmlRefused::Encoding));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in [
        "",
        "  ",
        "x",
        "<r>",
        "<r></q>",
        "<r/><r/>",
        "<r/>x",
        "x<r/>",
        "</r>",
        "<r",
        "<r><a></r></a>",
        "<r>&amp</r>",
        "<r>& </r>",
        "<r a=1/>",
        "<r a/>",
        "<r a='1'b='2'/>",
        "<r a='<'/>",
        "<r>]]></r>",
        "<r>\u{0}</r>",
        "<r>\u{FFFF}</r>",
        "<1r/>",
        "<r a:b:c=''/>",
        "<r :a='1'/>",
        "<é/>",
        "< r/>",
        "<r></ r>",
        "<r/ >",
        "<?xml version='1.1'?><r/>",
        "<?xml?><r/>",
        "<?xml version='1.0' x='y'?><r/>",
        "<r></r a='1'>",
        "<r>&#x41</r>",
        "<r a='x",
        "<a:/>",
    ] {
        assert!(matches!(refused(text), XmlRefused::Malformed(_) | XmlRefused::Entity), "{text}: {:?}", refused(text));
    }
}

#[test]
fn namespaces_are_declared_absolute_and_plain() {
    for text in [
        "<p:r/>",
        "<r p:a='1'/>",
        "<r xmlns='relative'/>",
        "<r xmlns:p='1:x'/>",
        "<r xmlns:p=''/>",
        "<r xmlns:xml='urn:x'/>",
        "<r xmlns:xmlns='urn:x'/>",
        "<r xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<r xmlns:p='urn:&#97;'/>",
        "<xmlns:r/>",
        "<r><a xmlns:p='urn:p'/><p:b/></r>",
        "<r xmlns='#x:y'/>",
        "<r xmlns='urn: x'/>",
    ] {
        assert!(matches!(refused(text), XmlRefused::Namespace(_)), "{text}: {:?}", refused(text));
    }
}

#[test]
fn every_size_has_its_cap() {
    let limits = Limits { bytes: 1000, depth: 3, elements: 5, attributes: 2, attribute_length: 4, namespaces: 2, comments: false };
    let with = |text: &str| Document::parse(text.as_bytes(), &limits).map(|_| ());
    assert_eq!(with("<a><a><a/></a></a>"), Ok(()));
    assert_eq!(with("<a><a><a><a/></a></a></a>"), Err(XmlRefused::TooDeep));
    assert_eq!(with("<a><b/><b/><b/><b/></a>"), Ok(()));
    assert_eq!(with("<a><b/><b/><b/><b/><b/></a>"), Err(XmlRefused::TooManyElements));
    assert_eq!(with("<a b='1' c='1234'/>"), Ok(()));
    assert_eq!(with("<a b='1' c='1' d=''/>"), Err(XmlRefused::TooManyAttributes));
    assert_eq!(with("<a b='12345'/>"), Err(XmlRefused::AttributeTooLong));
    assert_eq!(with("<a xmlns='u:'><b xmlns='u:'/><b xmlns='u:'/></a>"), Ok(()));
    assert_eq!(with("<a xmlns='u:'><b xmlns='u:'><b xmlns='u:'/></b></a>"), Err(XmlRefused::TooManyNamespaces));
    assert!(matches!(refused(&format!("<a xmlns='urn:{}'/>", "x".repeat(512))), XmlRefused::Namespace(_)));
    assert_eq!(with(&format!("<a>{}</a>", "x".repeat(1000))), Err(XmlRefused::TooLong));
}

#[test]
fn children_are_counted() {
    let document = parse("<r><a/><b/><b/></r>").unwrap();
    assert!(document.root.only_child("", "a").is_ok());
    assert_eq!(document.root.only_child("", "b"), Err(XmlRefused::Repeated("b")));
    assert_eq!(document.root.only_child("", "c"), Err(XmlRefused::Missing("c")));
    assert_eq!(document.root.optional_child("", "c"), Ok(None));
    assert_eq!(document.root.children("", "b").count(), 2);
}

#[test]
fn comments_are_passed_over_where_that_is_asked_for_and_never_in_a_signature() {
    let parse = |text| Document::parse(str::as_bytes(text), &Limits::METADATA);
    let text = "<!-- a --><r>al<!-- b -->ice<x/><!----></r><!-- c -->";
    let document = parse(text).unwrap();
    assert_eq!(document.root.children.len(), 2, "the text is one");
    assert!(matches!(&document.root.children[0], Node::Text(text) if text == "alice"));
    let signature = "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><D><!-- x -->A</D></Signature>";
    assert_eq!(parse(signature), Err(XmlRefused::Comment));
    assert_eq!(parse("<!-- -- --><r/>"), Err(XmlRefused::Malformed("a comment holds two hyphens")));
    assert_eq!(parse("<!-- ---><r/>"), Err(XmlRefused::Malformed("a comment holds two hyphens")));
    for refused in ["<?x y?><r/>", "<!DOCTYPE r><r/>", "<r><![CDATA[x]]></r>"] {
        assert!(parse(refused).is_err(), "{refused}");
    }
}

#[test]
fn a_namespace_is_an_absolute_uri() {
    let with = |ns: &str| parse(&format!("<r xmlns:p=\"{ns}\"/>")).map(|_| ());
    for good in [
        "urn:oasis:names:tc:SAML:2.0:assertion",
        "http://www.w3.org/2001/04/xmlenc#",
        "https://a.example:8443/x?y=z%20",
        "tag:example.org,2026:x",
    ] {
        assert_eq!(with(good), Ok(()), "{good}");
    }
    for bad in [
        "x",
        "#x",
        "1a:b",
        "http://",
        "http:///x",
        "http://a b",
        "urn:a]",
        "urn:a|b",
        "urn:a%2",
        "urn:a%zz",
        "urn:a#b#c",
        "http://u@h/",
        "http://[::1]/",
        "http://h:p/",
        "urn:\u{e9}",
    ] {
        assert_eq!(with(bad), Err(XmlRefused::Namespace("a namespace name is not an absolute URI")), "{bad}");
    }
}

#[test]
fn the_roots_tag_is_read_as_the_whole_document_has_it() {
    for text in [r#"<a:r xmlns:a="urn:a" ID="one" b="&lt;"><a:c ID="two"/></a:r>"#, r#"<r xmlns="urn:a" ID="one"/>"#] {
        let (root, tag) = (parse(text).unwrap().root, root_tag(text, &Limits::RESPONSE).unwrap());
        assert_eq!((root.name, &root.attributes), (tag.name, &tag.attributes), "{text}");
        assert!(tag.children.is_empty());
    }
    for bad in ["", "text", " <r/>", "<!--c--><r/>", "<?xml version=\"1.0\"?><r/>", "</r>", "<r", "<a:r/>", "<r a=\"1\" a=\"2\">"] {
        assert!(root_tag(bad, &Limits::RESPONSE).is_err(), "{bad}");
    }
}

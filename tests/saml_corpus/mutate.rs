//! Changes documents at random, and the same way every time.

use crate::random::Random;

/// The seed with one to three changes, and never the seed itself.
pub(crate) fn mutant(seed: &str, random: &mut Random) -> Vec<u8> {
    loop {
        let bytes = changed(seed, random);
        if bytes != seed.as_bytes() {
            return bytes;
        }
    }
}

fn changed(seed: &str, random: &mut Random) -> Vec<u8> {
    let mut document = seed.to_owned();
    for _ in 0..random.one_of(&[1, 1, 1, 2, 3]) {
        if tags(&document).is_empty() {
            break;
        }
        document = match random.below(10) {
            0 | 1 => return flipped(document, random),
            2 => moved(&document, random, false),
            3 => moved(&document, random, true),
            4 => attribute(&document, random),
            5 => text(&document, random),
            6 => spelled(&document, random),
            7 => blanks(&document, random),
            8 => namespaces(&document, random),
            _ => inserted(&document, random),
        };
    }
    document.into_bytes()
}

fn flipped(document: String, random: &mut Random) -> Vec<u8> {
    let mut bytes = document.into_bytes();
    let at = random.below(bytes.len());
    bytes[at] ^= 1 << random.below(8);
    bytes
}

/// Where tags begin and end, without the declaration.
fn tags(document: &str) -> Vec<(usize, usize)> {
    let starts = document.match_indices('<').map(|(at, _)| at).filter(|at| !document[*at..].starts_with("<?"));
    starts.filter_map(|at| Some((at, at + document[at..].find('>')? + 1))).collect()
}

/// An element from its start tag to its end, if the document is still well-formed there.
fn element(document: &str, random: &mut Random) -> Option<(usize, usize)> {
    let tags = tags(document);
    let first = random.below(tags.len());
    let mut depth = 0;
    for (start, end) in tags.get(first..)? {
        match &document[*start..*end] {
            tag if tag.starts_with("</") => depth -= 1,
            tag if tag.ends_with("/>") || tag.starts_with("<!") => {}
            _ => depth += 1,
        }
        if depth <= 0 {
            return (depth == 0).then_some((tags[first].0, *end));
        }
    }
    None
}

/// Takes an element elsewhere, or puts a copy there.
fn moved(document: &str, random: &mut Random, copy: bool) -> String {
    let Some((start, end)) = element(document, random) else { return document.to_owned() };
    let what = &document[start..end];
    let rest = if copy { document.to_owned() } else { format!("{}{}", &document[..start], &document[end..]) };
    let places = tags(&rest);
    if places.is_empty() {
        return rest;
    }
    let (before, after) = random.one_of(&places);
    let at = if random.below(2) == 0 { before } else { after };
    format!("{}{what}{}", &rest[..at], &rest[at..])
}

fn attribute(document: &str, random: &mut Random) -> String {
    let places: Vec<_> = document.match_indices("=\"").map(|(at, _)| at).collect();
    if places.is_empty() {
        return document.to_owned();
    }
    let at = random.one_of(&places);
    let name = document[..at].rfind([' ', '\n']).map_or(0, |at| at + 1);
    let Some(length) = document[at + 2..].find('"') else { return document.to_owned() };
    let (end, value) = (at + 2 + length + 1, &document[at + 2..at + 2 + length]);
    let name_text = &document[name..at];
    let changed = match random.below(8) {
        0 => String::new(),
        1 => format!("{name_text}='{value}'"),
        2 => format!("{name_text}=\"{value}x\""),
        3 => format!("{name_text}=\"{value}\" {name_text}=\"{value}\""),
        4 => format!("{}=\"{value}\"", name_text.to_lowercase()),
        5 => format!("{name_text} = \"{value}\""),
        6 => format!("{name_text}=\"{value}\" extra=\"\""),
        _ => format!("{name_text}=\"{}\"", value.replacen('a', "&#97;", 1)),
    };
    format!("{}{changed}{}", &document[..name], &document[end..])
}

/// A place inside text between tags.
fn text_place(document: &str, random: &mut Random) -> Option<usize> {
    let places: Vec<_> = document
        .match_indices('>')
        .filter_map(|(at, _)| Some((at + 1, document[at..].find('<')?)))
        .filter(|(_, length)| *length > 2)
        .collect();
    let (start, length) = *places.get(random.below(places.len().max(1)))?;
    let at = start + random.below(length - 1);
    document.is_char_boundary(at).then_some(at)
}

fn text(document: &str, random: &mut Random) -> String {
    let Some(at) = text_place(document, random) else { return document.to_owned() };
    let what = random.one_of(&["<!-- -->", "<?x y?>", "<![CDATA[]]>", "<x/>", "&#x200B;", "x", " ", "&amp;", "\n", "\r\n", "&#13;", "\t"]);
    format!("{}{what}{}", &document[..at], &document[at..])
}

/// The same character, spelled as a reference.
fn spelled(document: &str, random: &mut Random) -> String {
    let Some(at) = text_place(document, random) else { return document.to_owned() };
    match document[at..].chars().next() {
        Some(character) if character.is_ascii_alphanumeric() => {
            let code = u32::from(character);
            let reference = if random.below(2) == 0 { format!("&#{code};") } else { format!("&#x{code:X};") };
            format!("{}{reference}{}", &document[..at], &document[at + 1..])
        }
        _ => document.to_owned(),
    }
}

/// Blanks inside tags mean nothing; between tags they are text.
fn blanks(document: &str, random: &mut Random) -> String {
    let tags = tags(document);
    let (start, end) = random.one_of(&tags);
    let inside = end - if document[..end].ends_with("/>") { 2 } else { 1 };
    let at = random.one_of(&[inside, inside, start, end]);
    format!("{}{}{}", &document[..at], random.one_of(&[" ", "\n", "\t", "\r\n"]), &document[at..])
}

fn namespaces(document: &str, random: &mut Random) -> String {
    let tags = tags(document);
    let (start, end) = random.one_of(&tags);
    let tag = &document[start..end];
    if tag.starts_with("</") {
        return document.to_owned();
    }
    let declaration = random.one_of(&[
        " xmlns:unused=\"urn:unused\"",
        " xmlns=\"urn:default\"",
        " xmlns=\"\"",
        " xmlns:saml=\"urn:other\"",
        " xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"",
        " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
        " xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"",
        " xmlns:xs=\"urn:other\"",
    ]);
    let name = start + tag.find([' ', '>', '/', '\n']).unwrap_or(1);
    format!("{}{declaration}{}", &document[..name], &document[name..])
}

/// Something that attackers would put somewhere.
fn inserted(document: &str, random: &mut Random) -> String {
    let (before, after) = random.one_of(&tags(document));
    let at = if random.below(2) == 0 { before } else { after };
    let what = random.one_of(&[
        "<samlp:Extensions/>",
        "<samlp:Extensions><x xmlns=\"urn:x\">y</x></samlp:Extensions>",
        "<saml:Assertion/>",
        "<saml:Advice/>",
        "<ds:Object xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>",
        "<ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:KeyName>k</ds:KeyName></ds:KeyInfo>",
        "<saml:Attribute Name=\"admin\"/>",
        "<!-- -->",
        "<saml:NameID>mallory@example.org</saml:NameID>",
    ]);
    format!("{}{what}{}", &document[..at], &document[at..])
}

//! Terraform's language (HCL), as far as a plan needs it.

use std::fmt::Write;

use super::node::{Node, Parameter};

/// A block or an argument within one.
pub(super) enum Line {
    /// A comment, which may not break out of its line.
    Comment(String),
    /// An argument and its expression.
    Argument(&'static str, Expression),
    /// A block within the block, its labels and its lines.
    Block(&'static str, Vec<String>, Vec<Line>),
    /// An empty line.
    Gap,
}

/// What stands behind a `=`.
pub(super) enum Expression {
    /// A value.
    Value(Node),
    /// A reference or a call that this program wrote, as it stands.
    Code(String),
    /// A document in JSON, written as Terraform's own values.
    Json(Node),
}

impl Line {
    pub(super) fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self::Argument(name, Expression::Value(Node::text(text)))
    }
}

/// Writes lines as `terraform fmt` has them, but for the `=` within values, which are not aligned.
pub(super) fn write(lines: &[Line], depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let width = |line: &Line| match line {
        Line::Argument(name, expression) if !expression.is_long() => name.len(),
        _ => 0,
    };
    let mut rest = lines;
    while !rest.is_empty() {
        // Arguments that follow each other are aligned; a longer one stands by itself.
        let short = rest.iter().take_while(|line| width(line) > 0).count();
        let (group, behind) = rest.split_at(short.max(1));
        let widest = group.iter().map(width).max().unwrap_or_default();
        for line in group {
            one(line, &indent, depth, widest, out);
        }
        rest = behind;
    }
}

fn one(line: &Line, indent: &str, depth: usize, width: usize, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match line {
        Line::Gap => writeln!(out),
        Line::Comment(text) => writeln!(out, "{indent}# {}", one_line(text)),
        Line::Argument(name, expression) => {
            let _ = write!(out, "{indent}{name:width$} = ");
            expression.write(depth, out);
            writeln!(out)
        }
        Line::Block(kind, labels, lines) => {
            let _ = write!(out, "{indent}{kind}");
            for label in labels {
                let _ = write!(out, " {}", quoted(label));
            }
            let _ = writeln!(out, " {{");
            write(lines, depth + 1, out);
            writeln!(out, "{indent}}}")
        }
    };
}

impl Expression {
    fn is_long(&self) -> bool {
        match self {
            Self::Value(Node::Text(_) | Node::Number(_) | Node::Parameter(_)) | Self::Code(_) => false,
            Self::Value(Node::List(items)) => items.len() > 1,
            Self::Value(Node::Object(_)) | Self::Json(_) => true,
        }
    }

    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Self::Code(code) => out.push_str(code),
            Self::Value(node) => value(node, depth, out),
            Self::Json(node) => {
                out.push_str("jsonencode(");
                value(node, depth, out);
                out.push(')');
            }
        }
    }
}

fn value(node: &Node, depth: usize, out: &mut String) {
    let (indent, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
    // Writing to a String cannot fail.
    match node {
        Node::Text(text) => out.push_str(&quoted(text)),
        Node::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Node::Parameter(parameter) => {
            let _ = write!(out, "var.{}", Parameter::variable(*parameter));
        }
        Node::List(items) if items.is_empty() => out.push_str("[]"),
        Node::List(items) if items.len() == 1 && matches!(items.first(), Some(Node::Text(_))) => {
            out.push('[');
            for item in items {
                value(item, depth, out);
            }
            out.push(']');
        }
        Node::List(items) => {
            out.push_str("[\n");
            for item in items {
                out.push_str(&inner);
                value(item, depth + 1, out);
                out.push_str(",\n");
            }
            let _ = write!(out, "{indent}]");
        }
        Node::Object(members) if members.is_empty() => out.push_str("{}"),
        Node::Object(members) => {
            out.push_str("{\n");
            for (key, item) in members {
                let _ = write!(out, "{inner}{} = ", key_of(key));
                value(item, depth + 1, out);
                out.push('\n');
            }
            let _ = write!(out, "{indent}}}");
        }
    }
}

/// A key as a bare word where that is one.
fn key_of(key: &str) -> String {
    let is_word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !key.is_empty();
    if is_word && !key.starts_with(|first: char| first.is_ascii_digit()) { key.to_owned() } else { quoted(key) }
}

/// A text in quotes. `${` and `%{` would begin templates, and are doubled.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Of several in a row only the last can be doubled without doubt.
            '$' | '%' if characters.peek() == Some(&character) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            '$' | '%' if characters.peek() == Some(&'{') => {
                quoted.push(character);
                quoted.push(character);
            }
            other if other.is_control() || is_unseen(other) => {
                let code = u32::from(other);
                // Writing to a String cannot fail.
                let _ = if code > 0xffff { write!(quoted, "\\U{code:08x}") } else { write!(quoted, "\\u{code:04x}") };
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that end lines or turn their direction around.
fn is_unseen(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// A text that stays in its line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() || is_unseen(character) { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_quotes() {
        for (text, written) in [
            ("plain", r#""plain""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("${file(\"x\")}", r#""$${file(\"x\")}""#),
            ("$${a} %{if} $ % 5%", r#""\u0024$${a} %%{if} $ % 5%""#),
            ("a\nb\u{1b}\u{202e}", r#""a\nb\u001b\u202e""#),
        ] {
            assert_eq!(quoted(text), written);
        }
        assert_eq!(one_line("a\nresource \"x\" {}\u{2028}"), "a resource \"x\" {} ");
    }

    #[test]
    fn lines_are_written_as_terraform_formats_them() {
        let lines = [
            Line::Comment("a role".into()),
            Line::Block(
                "resource",
                vec!["aws_iam_role".into(), "x".into()],
                vec![
                    Line::text("name", "x"),
                    Line::Argument("provider", Expression::Code("aws.y".into())),
                    Line::Argument("policy", Expression::Json(Node::object([("A", Node::text("b")), ("c:d", Node::texts(["e", "f"]))]))),
                ],
            ),
        ];
        let mut out = String::new();
        write(&lines, 0, &mut out);
        let wanted = "# a role\nresource \"aws_iam_role\" \"x\" {\n  name     = \"x\"\n  provider = aws.y\n  policy = jsonencode({\n    A = \"b\"\n    \
                      \"c:d\" = [\n      \"e\",\n      \"f\",\n    ]\n  })\n}\n";
        assert_eq!(out, wanted);
    }
}

//! The small trees platforms send, from XML or JSON, as one field map.
//!
//! XML is read without any of its dangers: a DOCTYPE or an unknown entity is an error, depth and the
//! number of elements are bounded, CDATA and text are the same, attributes are ignored. A JSON object
//! gives the same map, its numbers written as text, because ids exceed 2^53.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

use crate::channel::Refusal;

/// Deepest nesting.
const MAX_DEPTH: usize = 16;
/// Most elements in one body; the largest real message (a menu event with nine pictures) has about forty.
const MAX_ELEMENTS: usize = 4096;

/// Children by name, in order; a name may occur more than once.
#[derive(Clone, Default, PartialEq)]
pub struct Fields {
    entries: Vec<(String, Node)>,
}

/// An element: its own text and its children.
#[derive(Clone, Default, PartialEq)]
struct Node {
    text: String,
    children: Fields,
}

impl Fields {
    /// The text of the first child of that name, empty text included.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.node(name).map(|node| node.text.as_str())
    }

    /// The text of the first child of that name, where it is not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// The children of the first child of that name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.node(name).map(|node| &node.children)
    }

    /// The children of every child of that name, e.g. each `item`.
    pub fn each<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.entries.iter().filter(move |(key, _)| key == name).map(|(_, node)| &node.children)
    }

    fn node(&self, name: &str) -> Option<&Node> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, node)| node)
    }
}

/// Fields hold what citizens wrote: only their number is shown.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fields({})", self.entries.len())
    }
}

/// A body that is not well-formed, or too deep, or has too many elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// Not acceptable XML.
    #[error("body is not well-formed XML within the bounds")]
    Xml,
    /// Not acceptable JSON.
    #[error("body is not a JSON object within the bounds")]
    Json,
}

impl FieldsError {
    /// The name of the failed check.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Xml => "bad_xml",
            Self::Json => "bad_json",
        }
    }
}

impl From<FieldsError> for Refusal {
    fn from(error: FieldsError) -> Self {
        Self::malformed(error.reason())
    }
}

/// Reads a body by its first non-space byte: `{` is JSON, everything else must be `<xml>…</xml>`.
///
/// # Errors
/// [`FieldsError`].
pub fn read(body: &[u8]) -> Result<Fields, FieldsError> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => read_json(body),
        _ => read_xml(body, "xml"),
    }
}

/// Reads an XML document with that root.
///
/// # Errors
/// [`FieldsError::Xml`].
pub fn read_xml(body: &[u8], root: &str) -> Result<Fields, FieldsError> {
    let text = std::str::from_utf8(body).map_err(|_| FieldsError::Xml)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    // Open elements, the document itself at the bottom.
    let mut open: Vec<(String, Node)> = vec![(String::new(), Node::default())];
    let mut elements = 0_usize;
    loop {
        let event = reader.read_event().map_err(|_| FieldsError::Xml)?;
        if matches!(event, Event::Start(_) | Event::Empty(_)) {
            elements += 1;
            if elements > MAX_ELEMENTS || open.len() > MAX_DEPTH {
                return Err(FieldsError::Xml);
            }
        }
        match event {
            Event::Start(start) => open.push((name_of(start.name().as_ref())?, Node::default())),
            Event::Empty(start) => {
                let name = name_of(start.name().as_ref())?;
                let (_, parent) = open.last_mut().ok_or(FieldsError::Xml)?;
                parent.children.entries.push((name, Node::default()));
            }
            Event::End(_) => {
                let (name, node) = open.pop().ok_or(FieldsError::Xml)?;
                let (_, parent) = open.last_mut().ok_or(FieldsError::Xml)?;
                parent.children.entries.push((name, node));
            }
            Event::Text(text) => append(&mut open, &text.decode().map_err(|_| FieldsError::Xml)?)?,
            Event::CData(text) => append(&mut open, &text.decode().map_err(|_| FieldsError::Xml)?)?,
            Event::GeneralRef(reference) => append(&mut open, &resolve(&reference)?)?,
            Event::Decl(_) | Event::Comment(_) => {}
            Event::DocType(_) | Event::PI(_) => return Err(FieldsError::Xml),
            Event::Eof => break,
        }
    }
    let mut document = match (open.pop(), open.is_empty()) {
        (Some((_, document)), true) => document,
        _ => return Err(FieldsError::Xml),
    };
    match (document.children.entries.pop(), document.children.entries.is_empty()) {
        (Some((name, node)), true) if name == root && document.text.trim().is_empty() => Ok(node.children),
        _ => Err(FieldsError::Xml),
    }
}

fn name_of(name: &[u8]) -> Result<String, FieldsError> {
    std::str::from_utf8(name).map(str::to_owned).map_err(|_| FieldsError::Xml)
}

fn append(open: &mut [(String, Node)], text: &str) -> Result<(), FieldsError> {
    let (_, node) = open.last_mut().ok_or(FieldsError::Xml)?;
    node.text.push_str(text);
    Ok(())
}

/// Character references and the five predefined entities; everything else is refused.
fn resolve(reference: &BytesRef<'_>) -> Result<String, FieldsError> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| FieldsError::Xml)? {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(|_| FieldsError::Xml)?;
    resolve_xml_entity(&name).map(str::to_owned).ok_or(FieldsError::Xml)
}

/// Reads a JSON object.
///
/// # Errors
/// [`FieldsError::Json`].
pub fn read_json(body: &[u8]) -> Result<Fields, FieldsError> {
    let value: serde_json::Value = serde_json::from_slice(body).map_err(|_| FieldsError::Json)?;
    let mut elements = 0;
    match value {
        serde_json::Value::Object(_) => Ok(node_of(value, 1, &mut elements)?.children),
        _ => Err(FieldsError::Json),
    }
}

fn node_of(value: serde_json::Value, depth: usize, elements: &mut usize) -> Result<Node, FieldsError> {
    use serde_json::Value;
    *elements += 1;
    if depth > MAX_DEPTH || *elements > MAX_ELEMENTS {
        return Err(FieldsError::Json);
    }
    let mut node = Node::default();
    match value {
        Value::Null => {}
        Value::Bool(value) => node.text = value.to_string(),
        Value::Number(value) => node.text = value.to_string(),
        Value::String(value) => node.text = value,
        // A list stands for repeated children, as XML would write it.
        Value::Array(values) => {
            for value in values {
                node.children.entries.push(("item".to_owned(), node_of(value, depth + 1, elements)?));
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                node.children.entries.push((name, node_of(value, depth + 1, elements)?));
            }
        }
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cdata_text_and_entities_are_equal() {
        let fields =
            read("\u{feff}<?xml version=\"1.0\"?>\n<xml><a>1 &lt; 2 &#x597d;</a><b><![CDATA[1 < 2 好]]></b><c/><d x='1'><e>深</e></d></xml>\n".as_bytes())
                .unwrap();
        assert_eq!(fields.text("a"), Some("1 < 2 好"));
        assert_eq!(fields.text("a"), fields.text("b"));
        assert_eq!((fields.text("c"), fields.filled("c"), fields.text("nothing")), (Some(""), None, None));
        assert_eq!(fields.child("d").and_then(|d| d.text("e")), Some("深"));
    }

    #[test]
    fn json_gives_the_same_fields_and_keeps_long_ids() {
        let fields = read(br#" {"MsgId":24793737202303644,"d":{"e":"x"},"l":[{"i":1},{"i":2}]}"#).unwrap();
        assert_eq!(fields.text("MsgId"), Some("24793737202303644"));
        assert_eq!(fields.child("d").and_then(|d| d.text("e")), Some("x"));
        let items: Vec<_> = fields.child("l").unwrap().each("item").map(|i| i.text("i").unwrap()).collect();
        assert_eq!(items, ["1", "2"]);
    }

    #[test]
    fn what_could_hurt_is_refused() {
        let deep = format!("{}{}", "<xml>".repeat(17), "</xml>".repeat(17));
        let many = format!("<xml>{}</xml>", "<a/>".repeat(MAX_ELEMENTS));
        for body in [
            "",
            "plain text",
            "<xml><a></xml>",
            "<xml>",
            "<xml></xml><xml></xml>",
            "<xml></xml>tail",
            "<html></html>",
            "<!DOCTYPE xml [<!ENTITY e \"x\">]><xml><a>&e;</a></xml>",
            "<xml><!DOCTYPE a><a/></xml>",
            "<xml><a>&unknown;</a></xml>",
            "<xml><a>&#0;</a></xml>",
            "<?run x?><xml/>",
            &deep,
            &many,
        ] {
            assert_eq!(read(body.as_bytes()), Err(FieldsError::Xml), "{}", &body[..body.len().min(60)]);
        }
        assert_eq!(read(b"<xml>\xff</xml>"), Err(FieldsError::Xml));
        let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
        for body in ["{", "{}x", "{\"a\":nul}", &deep] {
            assert_eq!(read(body.as_bytes()), Err(FieldsError::Json), "{body}");
        }
    }

    #[test]
    fn the_deepest_allowed_nesting_is_read() {
        assert!(read(format!("{}{}", "<xml>".repeat(16), "</xml>".repeat(16)).as_bytes()).is_ok());
    }
}

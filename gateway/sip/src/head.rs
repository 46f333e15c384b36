//! The header fields of one message: one text for all of them, and where in it each name and value stands.
//!
//! Reading a message copies its head once; pushing and editing append to the same text. So a message is two
//! allocations whatever it holds. Nothing is interpreted here: [`crate::fields`] reads values.

use crate::{fields, header::Name};

/// A piece of [`Head::text`].
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Name,
    /// The name as it came, where it is [`Name::OTHER`].
    written: Span,
    value: Span,
}

/// Header fields in order.
#[derive(Clone, Default)]
pub(crate) struct Head {
    text: String,
    fields: Vec<Field>,
}

/// A usual message has fewer fields than this.
const USUAL_FIELDS: usize = 20;
/// Room for what is added to a message that was read: `received` and `rport`.
const EDIT_ROOM: usize = 160;
/// Room for the fields of a usual answer.
const PUSH_ROOM: usize = 640;

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Head {}

impl Head {
    /// No fields yet, with room for those of a usual message.
    pub(crate) fn new() -> Self {
        Self { text: String::with_capacity(PUSH_ROOM), fields: Vec::with_capacity(USUAL_FIELDS) }
    }

    /// The head of a message as it came; [`Head::add_line`] then says where its fields stand.
    pub(crate) fn of_text(head: &str) -> Self {
        let mut text = String::with_capacity(head.len() + EDIT_ROOM);
        text.push_str(head);
        Self { text, fields: Vec::with_capacity(USUAL_FIELDS) }
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    fn get(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Reads one header line, which is the bytes `start..end` of the text; false if it is none.
    pub(crate) fn add_line(&mut self, start: usize, end: usize) -> bool {
        let Some(line) = self.text.get(start..end) else { return false };
        let Some(colon) = line.bytes().position(|byte| byte == b':') else { return false };
        let (Some(name), Some(rest)) = (line.get(..colon), line.get(colon + 1..)) else { return false };
        // White space before the colon is legal (RFC 3261 §7.3.1).
        let name = name.trim_ascii_end();
        let known = Name::of_wire(name);
        if known == Name::OTHER && !fields::is_token(name) {
            return false;
        }
        let value = rest.trim_ascii();
        let from = value.as_ptr() as usize - self.text.as_ptr() as usize;
        let field = Field {
            name: known,
            written: span(start, start + name.len()),
            value: span(from, from + value.len()),
        };
        self.fields.push(field);
        true
    }

    /// A folded line continues the field before it (RFC 3261 §7.3.1); false if there is none.
    pub(crate) fn continue_line(&mut self, line: &str) -> bool {
        let Some(last) = self.fields.last_mut() else { return false };
        let line = line.trim_ascii();
        if line.is_empty() {
            // Nothing is joined: a value never ends in a space, so what is written is read alike.
            return true;
        }
        // The joined value moves to the end of the text, once however many lines follow.
        if last.value.end as usize != self.text.len() {
            let start = self.text.len();
            let value = self.text.get(last.value.start as usize..last.value.end as usize).unwrap_or_default();
            let value = value.to_owned();
            self.text.push_str(&value);
            last.value = span(start, self.text.len());
        }
        if last.value.start != last.value.end {
            self.text.push(' ');
        }
        self.text.push_str(line);
        last.value.end = self.text.len() as u32;
        true
    }

    /// Adds a field at the end; line ends in the value become spaces.
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        let field = self.append(name, value);
        self.fields.push(field);
    }

    fn append(&mut self, name: &str, value: &str) -> Field {
        let known = Name::of(name);
        let start = self.text.len();
        if known == Name::OTHER {
            self.text.push_str(name);
        }
        let from = self.text.len();
        if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            self.text.extend(value.chars().map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c }));
        } else {
            self.text.push_str(value);
        }
        Field { name: known, written: span(start, from), value: span(from, self.text.len()) }
    }

    fn fits(&self, field: &Field, wanted: Name, name: &str) -> bool {
        field.name == wanted && (wanted != Name::OTHER || self.get(field.written).eq_ignore_ascii_case(name))
    }

    fn position(&self, name: &str) -> Option<usize> {
        let wanted = Name::of(name);
        self.fields.iter().position(|field| self.fits(field, wanted, name))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let field = self.fields.get(self.position(name)?)?;
        Some(self.get(field.value))
    }

    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let wanted = Name::of(name);
        self.fields
            .iter()
            .filter(move |field| self.fits(field, wanted, name))
            .map(|field| self.get(field.value))
    }

    /// Gives the first field of that name another value.
    pub(crate) fn replace_first(&mut self, name: &str, value: &str) {
        let Some(at) = self.position(name) else { return };
        let field = self.append(name, value);
        if let Some(place) = self.fields.get_mut(at) {
            *place = field;
        }
    }

    /// Puts one field of that name in the place of all it has, or at the end.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let at = self.position(name).unwrap_or(self.fields.len());
        let field = self.append(name, value);
        let wanted = field.name;
        let mut fields = std::mem::take(&mut self.fields);
        fields.retain(|field| !self.fits(field, wanted, name));
        fields.insert(at.min(fields.len()), field);
        self.fields = fields;
    }

    fn name(&self, field: &Field) -> &str {
        field.name.text().unwrap_or_else(|| self.get(field.written))
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| (self.name(field), self.get(field.value)))
    }

    /// How long [`Head::write`] can become at most.
    pub(crate) fn written_len(&self) -> usize {
        self.fields
            .iter()
            .map(|field| self.name(field).len() + (field.value.end - field.value.start) as usize + 4)
            .sum()
    }

    /// Appends the fields as lines, but for Content-Length.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for field in self.fields.iter().filter(|field| field.name != Name::CONTENT_LENGTH) {
            out.extend_from_slice(self.name(field).as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(self.get(field.value).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Messages are far below 4 GiB: datagrams by nature, streams by `max_message_bytes`.
fn span(start: usize, end: usize) -> Span {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: narrow(start), end: narrow(end) }
}

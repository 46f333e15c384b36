//! Splitting that respects quotes and angle brackets, and percent-decoding.

use super::{MAX_ENTRIES, MAX_VALUE_BYTES};

/// Splits at `separator` outside quoted strings and `<…>`; parts are trimmed, empty ones left out.
pub(super) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        loop {
            let text = rest?;
            let (part, after) = match find_outside(text, separator) {
                // The separator is ASCII, so both sides are at character boundaries.
                Some(at) => (text.get(..at)?, text.get(at + 1..)),
                None => (text, None),
            };
            rest = after;
            let part = part.trim();
            if !part.is_empty() {
                return Some(part);
            }
        }
    })
}

/// Where `wanted` first stands outside quotes and, unless it is `<` itself, outside angle brackets.
pub(super) fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        if byte == wanted && !bracketed {
            return Some(at);
        }
        match byte {
            // Inside a URI a quote is an ordinary (if wrong) character, not the start of a string.
            b'"' if !bracketed => quoted = true,
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            _ => {}
        }
    }
    None
}

/// All entries of all values of one header, comma-separated or not, within the bounds.
pub(super) fn entries<'a>(values: &[&'a str]) -> impl Iterator<Item = &'a str> {
    values
        .iter()
        .filter(|value| value.len() <= MAX_VALUE_BYTES)
        .flat_map(|value| split(value, b','))
        .take(MAX_ENTRIES)
}

/// Undoes the quotes and escapes of a quoted string; other text is returned as it is.
pub(super) fn unquoted(text: &str) -> String {
    let text = text.trim();
    let Some(inner) = text.strip_prefix('"') else { return text.to_owned() };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(character) = chars.next() {
        match character {
            '"' => break,
            '\\' => plain.extend(chars.next()),
            other => plain.push(other),
        }
    }
    plain
}

/// Undoes `%23` and its like; an incomplete escape stays as written, bad UTF-8 becomes U+FFFD.
pub(crate) fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = match (byte, after) {
            (b'%', [high, low, tail @ ..]) => hex_value(*high).zip(hex_value(*low)).map(|pair| (pair, tail)),
            _ => None,
        };
        match escape {
            Some(((high, low), tail)) => {
                bytes.push(high << 4 | low);
                rest = tail;
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

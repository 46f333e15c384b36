//! `Digest name=value, name="va\"l,ue"`: the shape both headers share (RFC 7616 §3.3, §3.4).

use super::AuthError;

const MAX_HEADER_BYTES: usize = 8 * 1024;
const MAX_PARAMETERS: usize = 32;

/// The parameters of one digest header, names in lower case, quotes and escapes undone.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(header: &str) -> Result<Self, AuthError> {
        if header.len() > MAX_HEADER_BYTES {
            return Err(AuthError::Malformed("too long"));
        }
        if header.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(AuthError::Malformed("control character"));
        }
        let header = header.trim();
        let (scheme, mut rest) = header.split_once([' ', '\t']).unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("digest") {
            return Err(AuthError::NotDigest);
        }
        let mut found: Vec<(String, String)> = Vec::new();
        loop {
            // Stray commas are legal list grammar (RFC 9110 §5.6.1).
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return Ok(Self(found));
            }
            if found.len() >= MAX_PARAMETERS {
                return Err(AuthError::Malformed("too many parameters"));
            }
            let (name, after) = rest.split_once('=').ok_or(AuthError::Malformed("expected name=value"))?;
            let name = name.trim().to_ascii_lowercase();
            if name.is_empty() || name.contains([' ', '\t', '"', ',']) {
                return Err(AuthError::Malformed("parameter name"));
            }
            // A repeated parameter could be read one way by a proxy and another way by us.
            if found.iter().any(|(known, _)| *known == name) {
                return Err(AuthError::Malformed("repeated parameter"));
            }
            let (value, after) = value(after.trim_start())?;
            found.push((name, value));
            rest = after;
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn require(&self, name: &'static str) -> Result<String, AuthError> {
        self.find(name).map(str::to_owned).ok_or(AuthError::Missing(name))
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.find(name).map(str::to_owned)
    }
}

/// Reads one value, quoted or not, and the separator after it.
fn value(text: &str) -> Result<(String, &str), AuthError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(',').unwrap_or((text, ""));
        let value = value.trim();
        if value.contains(['"', ' ', '\t']) {
            return Err(AuthError::Malformed("unquoted value"));
        }
        return Ok((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next() {
            Some('"') => break,
            Some('\\') => value.push(chars.next().ok_or(AuthError::Malformed("unclosed quote"))?),
            Some(other) => value.push(other),
            None => return Err(AuthError::Malformed("unclosed quote")),
        }
    }
    let rest = chars.as_str().trim_start();
    match rest.strip_prefix(',') {
        Some(rest) => Ok((value, rest)),
        None if rest.is_empty() => Ok((value, rest)),
        None => Err(AuthError::Malformed("text after a closing quote")),
    }
}

/// A quoted string. ASCII control characters other than tab are left out: they could end the header line.
pub(super) fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars().filter(|character| *character == '\t' || !character.is_ascii_control()) {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

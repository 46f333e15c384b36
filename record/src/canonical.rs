//! RFC 8785 canonical JSON and the record digest over it.
//!
//! A record holds no floats, so of RFC 8785 only key order (UTF-16 code units), string escapes and plain
//! integers are needed; a float is refused instead of being printed in a way that others print differently.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Deepest nesting that is accepted; beyond it the input is refused, not overflowed.
const MAX_DEPTH: usize = 64;

/// Why a value has no canonical form here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number with a fraction or exponent, or beyond 2^53: JSON readers disagree on it.
    #[error("a record holds integers within 2^53 only")]
    NotAnInteger,
    /// Deeper than 64 levels.
    #[error("nested deeper than 64 levels")]
    TooDeep,
    /// The value is not a JSON object with an `integrity` member.
    #[error("not a record: `integrity` is missing")]
    NoIntegrity,
    /// The value could not be turned into JSON at all.
    #[error("not representable as JSON")]
    NotJson,
}

/// The canonical bytes of `value` (RFC 8785).
pub fn canonical(value: &Value) -> Result<String, CanonicalError> {
    let mut out = String::with_capacity(4096);
    write(value, &mut out, 0)?;
    Ok(out)
}

/// `sha256:` and the hex digest over the canonical record without `integrity.digest` and
/// `integrity.signature`: the rule of the published schema.
pub fn record_digest(record: &Value) -> Result<String, CanonicalError> {
    let mut bare = record.clone();
    let integrity =
        bare.get_mut("integrity").and_then(Value::as_object_mut).ok_or(CanonicalError::NoIntegrity)?;
    integrity.remove("digest");
    integrity.remove("signature");
    Ok(format!("sha256:{}", hex::encode(Sha256::digest(canonical(&bare)?))))
}

fn write(value: &Value, out: &mut String, depth: usize) -> Result<(), CanonicalError> {
    if depth > MAX_DEPTH {
        return Err(CanonicalError::TooDeep);
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            const SAFE: u64 = (1 << 53) - 1;
            let integer = number.as_i64().ok_or(CanonicalError::NotAnInteger)?;
            if integer.unsigned_abs() > SAFE {
                return Err(CanonicalError::NotAnInteger);
            }
            out.push_str(&integer.to_string());
        }
        Value::String(text) => string(text, out)?,
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out, depth + 1)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, (name, member)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                string(name, out)?;
                out.push(':');
                write(member, out, depth + 1)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// serde_json escapes exactly as ECMAScript's `JSON.stringify`, which RFC 8785 section 3.2.2.2 asks for.
fn string(text: &str, out: &mut String) -> Result<(), CanonicalError> {
    out.push_str(&serde_json::to_string(text).map_err(|_| CanonicalError::NotJson)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_sort_by_utf16_and_strings_escape_as_in_the_rfc() {
        // RFC 8785 section 3.2.3: the emoji (a surrogate pair) sorts before U+FB33.
        let value =
            json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            canonical(&value).unwrap(),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
        assert_eq!(canonical(&json!("\u{8}\u{f}\"\\\u{7f}/é")).unwrap(), "\"\\b\\u000f\\\"\\\\\u{7f}/é\"");
    }

    #[test]
    fn floats_and_huge_integers_are_refused() {
        assert_eq!(canonical(&json!(1.5)), Err(CanonicalError::NotAnInteger));
        assert_eq!(canonical(&json!(1u64 << 53)), Err(CanonicalError::NotAnInteger));
        assert_eq!(canonical(&json!(-9_007_199_254_740_991_i64)).unwrap(), "-9007199254740991");
    }

    #[test]
    fn deep_nesting_is_refused_not_overflowed() {
        let mut value = json!(1);
        for _ in 0..70 {
            value = json!([value]);
        }
        assert_eq!(canonical(&value), Err(CanonicalError::TooDeep));
    }
}

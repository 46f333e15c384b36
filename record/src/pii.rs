//! Keeps citizens' numbers, names and texts out of logs.
//!
//! Whatever may identify a citizen is wrapped in [`Pii`] or has a redacted `Debug`, so that a careless
//! `{:?}` cannot leak it. Reading the value is an explicit act: [`Pii::reveal`].

use serde::{Deserialize, Serialize};

/// A value that may identify a citizen. `Debug` and `Display` show only that it is there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for rules and for the sealed record; never for a log.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value itself, by value.
    pub fn into_revealed(self) -> T {
        self.0
    }
}

impl<T> std::fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<redacted>")
    }
}

impl<T> std::fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<redacted>")
    }
}

/// `Debug` that names the type and nothing else.
macro_rules! redacted_debug {
    ($type:ty) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(<redacted>)"))
            }
        }
    };
}
pub(crate) use redacted_debug;

#[cfg(test)]
mod tests {
    use super::Pii;

    #[test]
    fn a_wrapped_number_is_not_printed() {
        let number = Pii::new("13912345678".to_owned());
        assert_eq!(format!("{number:?} {number}"), "<redacted> <redacted>");
        assert_eq!(number.reveal(), "13912345678");
    }
}

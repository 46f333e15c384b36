//! One complaint about the configuration.

use crate::origin::Origin;

/// What is wrong, where it was written and under which key. Never shows a value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it was written; `None` when nothing was written (a missing key).
    pub origin: Option<Origin>,
    /// Dotted key path, e.g. `trunks[0].from`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Fault {
    /// A fault at `path`.
    pub fn new(origin: Option<Origin>, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin, path: path.into(), message: message.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

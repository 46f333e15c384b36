//! Tells the person at the terminal what happens, while it happens; silent with `--json`.

use crate::cli::Screen;

/// See the module.
pub struct Narrator<'a>(pub &'a Screen);

impl Narrator<'_> {
    /// A step that came about.
    pub fn done(&self, zh: impl AsRef<str>, en: impl AsRef<str>) {
        let mark = self.0.green("✓");
        self.line(format!("{mark} {}", zh.as_ref()), format!("{mark} {}", en.as_ref()));
    }

    /// Something worth knowing that is no success.
    pub fn note(&self, zh: impl AsRef<str>, en: impl AsRef<str>) {
        let mark = self.0.yellow("!");
        self.line(format!("{mark} {}", zh.as_ref()), format!("{mark} {}", en.as_ref()));
    }

    /// A heading.
    pub fn heading(&self, zh: &str, en: &str) {
        self.line("", "");
        self.line(self.0.bold(zh), self.0.bold(en));
    }

    /// A plain line.
    pub fn line(&self, zh: impl AsRef<str>, en: impl AsRef<str>) {
        if !self.0.is_json() {
            self.0.tell(zh, en);
        }
    }
}

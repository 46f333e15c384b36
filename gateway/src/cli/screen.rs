//! What commands print: Chinese first, English complete, JSON for machines; plain when not a terminal.

use std::io::{IsTerminal as _, Write as _};

/// The language of messages. Codes, keys and JSON are the same in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// 中文
    #[value(alias = "zh-CN", alias = "zh_CN")]
    Zh,
    /// English
    En,
}

/// Standard output for one command.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    language: Language,
    json: bool,
    colour: bool,
}

impl Screen {
    /// `--lang` wins over `LC_ALL` and `LANG`; Chinese unless they say English.
    pub fn new(language: Option<Language>, json: bool) -> Self {
        let environment = || {
            let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let locale =
                set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG")).unwrap_or_default();
            if locale.starts_with("en") { Language::En } else { Language::Zh }
        };
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::io::stdout().is_terminal();
        Self { language: language.unwrap_or_else(environment), json, colour }
    }

    /// Whether `--json` was given.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// The text of the chosen language.
    pub fn say<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        match self.language {
            Language::Zh => zh,
            Language::En => en,
        }
    }

    /// Prints a line. A closed pipe ends the process quietly, as `head` expects.
    pub fn line(&self, text: impl AsRef<str>) {
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    /// Prints a line in the chosen language.
    pub fn tell(&self, zh: impl AsRef<str>, en: impl AsRef<str>) {
        self.line(self.say(zh.as_ref(), en.as_ref()));
    }

    /// Prints JSON.
    pub fn json(&self, value: &serde_json::Value) {
        self.line(format!("{value:#}"));
    }

    /// Prints a complaint on standard error: code, sentence, detail.
    pub fn fault(&self, code: &str, zh: &str, en: &str, detail: &str) {
        let mut out = std::io::stderr().lock();
        let _ = writeln!(out, "{code} {}: {detail}", self.say(zh, en));
    }

    /// Bold, on a terminal.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Dim, on a terminal.
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Green, on a terminal.
    pub fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Yellow, on a terminal.
    pub fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Red, on a terminal.
    pub fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

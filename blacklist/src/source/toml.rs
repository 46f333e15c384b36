//! The TOML form: `format = 1`, then one `[[entry]]` per entry with the columns as keys.
//!
//! `format` is required, so that an empty file (one that was just opened for writing) lifts no block.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use crate::import::{COLUMNS, Importer, Row};

pub(crate) fn rows(text: &str, importer: &mut Importer<'_>) {
    let lines = Lines::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(1, |span| lines.of(span.start));
        // The parser's own words may quote the line, and lines hold numbers.
        importer.fault(
            line,
            "-",
            "not TOML: a quote, bracket or equals sign is missing, or a key stands twice",
        );
    }
    if !errors.is_empty() {
        return;
    }
    let mut format = false;
    for (key, value) in document.get_ref() {
        let line = lines.of(key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("format", DeValue::Integer(number)) if number.as_str() == "1" => format = true,
            ("format", _) => importer.fault(line, "format", "expected 1"),
            ("entry", DeValue::Array(entries)) => {
                for entry in entries.iter() {
                    if !entry_row(entry, &lines, importer) {
                        return;
                    }
                }
            }
            ("entry", _) => importer.fault(line, "entry", "expected [[entry]] with two brackets"),
            _ => importer.fault(line, "-", "unknown key; known are format and [[entry]]"),
        }
    }
    if !format {
        importer.fault(1, "format", "`format = 1` is missing; the file may be cut off");
    }
}

fn entry_row(entry: &Spanned<DeValue<'_>>, lines: &Lines, importer: &mut Importer<'_>) -> bool {
    let line = lines.of(entry.span().start);
    let DeValue::Table(table) = entry.get_ref() else {
        importer.fault(line, "entry", "expected a table");
        return true;
    };
    let mut good = true;
    let mut dates: [Option<String>; COLUMNS.len()] = Default::default();
    let mut row = Row { line, ..Row::default() };
    for (key, value) in table {
        let at = lines.of(key.span().start);
        let Some(column) = COLUMNS.iter().position(|known| *known == key.get_ref().as_ref()) else {
            importer.fault(at, "-", format!("unknown key; known are {}", COLUMNS.join(", ")));
            good = false;
            continue;
        };
        match value.get_ref() {
            DeValue::String(text) => row.cells[column] = text.trim(),
            DeValue::Datetime(date) => dates[column] = Some(date.to_string()),
            _ => {
                importer.fault(at, COLUMNS[column], "expected text in quotes");
                good = false;
            }
        }
    }
    for (cell, date) in row.cells.iter_mut().zip(&dates) {
        if let Some(date) = date {
            *cell = date;
        }
    }
    !good || importer.row(&row)
}

/// Line numbers by byte position.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i).collect())
    }

    fn of(&self, byte: usize) -> u32 {
        u32::try_from(self.0.partition_point(|line_break| *line_break < byte) + 1).unwrap_or(u32::MAX)
    }
}

//! The CSV form: RFC 4180 with a header, lines starting with `#` ignored, cells trimmed.
//!
//! The last line must end with a line break: without one the file may have been cut off in the middle of
//! a number that would still read as another number.

use ::csv::{ReaderBuilder, StringRecord};

use super::line_number;
use crate::import::{COLUMNS, Importer, Row};

pub(crate) fn rows(text: &str, importer: &mut Importer<'_>) {
    if !text.is_empty() && !text.ends_with('\n') {
        importer.fault(last_line(text), "-", "the last line has no line break; the file may be cut off");
        return;
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut lines = Lines::new(text);
    let mut record = StringRecord::new();
    let mut header: Option<Vec<usize>> = None;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                importer.fault(lines.line, "-", "not CSV");
                return;
            }
        }
        let line = lines.of(record.position().map_or(0, ::csv::Position::byte));
        match &header {
            None => match read_header(&record, line, importer) {
                Some(columns) => header = Some(columns),
                None => return,
            },
            Some(columns) if columns.len() != record.len() => {
                let message = format!("{} cells where the header has {}", record.len(), columns.len());
                importer.fault(line, "-", message);
            }
            Some(columns) => {
                let mut row = Row { line, ..Row::default() };
                for (column, cell) in columns.iter().zip(&record) {
                    if let Some(place) = row.cells.get_mut(*column) {
                        *place = cell.trim();
                    }
                }
                if !importer.row(&row) {
                    return;
                }
            }
        }
    }
    if header.is_none() {
        importer.fault(1, "-", "empty; even a list without entries has its header line");
    }
}

/// Which of our columns stands where.
fn read_header(record: &StringRecord, line: u32, importer: &mut Importer<'_>) -> Option<Vec<usize>> {
    let found: Vec<Option<usize>> =
        record.iter().map(|name| COLUMNS.iter().position(|known| *known == name.trim())).collect();
    let columns: Vec<usize> = found.iter().flatten().copied().collect();
    let mut good = true;
    let mut complain = |column, message: String| {
        importer.fault(line, column, message);
        good = false;
    };
    if let Some(place) = found.iter().position(Option::is_none) {
        complain(
            "-",
            format!("column {} of the header is not known; known are {}", place + 1, COLUMNS.join(", ")),
        );
    }
    for (index, name) in COLUMNS.iter().enumerate() {
        match columns.iter().filter(|column| **column == index).count() {
            0 if index < 3 => complain(name, "this column is missing from the header".to_owned()),
            0 | 1 => {}
            _ => complain(name, "this column stands twice in the header".to_owned()),
        }
    }
    good.then_some(columns)
}

fn last_line(text: &str) -> u32 {
    line_number(text.as_bytes())
}

/// Line numbers by byte position. The reader's own are one short after CRLF, blank lines and comments,
/// for it counts those with the row that follows.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of the row that the reader began to look for at `byte`; positions only grow.
    fn of(&mut self, byte: u64) -> u32 {
        let start = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        self.advance(start);
        while let Some(first) = self.text.get(self.at) {
            let skipped = match first {
                b'\r' | b'\n' => 1,
                b'#' => self.rest().iter().position(|b| *b == b'\n').map_or(self.rest().len(), |end| end + 1),
                _ => break,
            };
            self.advance(self.at + skipped);
        }
        self.line
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, to: usize) {
        let passed = self.text.get(self.at..to).unwrap_or_default();
        self.line = self.line.saturating_add(line_number(passed) - 1);
        self.at = self.at.max(to);
    }
}

//! From rows to entries, with every complaint at once and none of them repeating a cell.
//!
//! Pure: rows come from [`crate::source`], entries go to [`crate::index`]. One bad row refuses the file.

use std::collections::HashMap;

use record::{ListEffect, ListName, NumberContext, RepresentativeKind, RepresentativeLevel, Timestamp};

use crate::entry::Entry;
use crate::error::ImportError;
use crate::subject::{self, Subject, SubjectKind};

/// The columns of a list file, in the order of the README; the same names are the keys of the TOML form.
pub(crate) const COLUMNS: [&str; 11] = [
    "list",
    "kind",
    "value",
    "reason",
    "effect",
    "valid_from",
    "valid_until",
    "representative_kind",
    "level",
    "ref",
    "note",
];
/// A column; its place in [`COLUMNS`].
#[derive(Clone, Copy)]
enum Column {
    List,
    Kind,
    Value,
    Reason,
    Effect,
    ValidFrom,
    ValidUntil,
    RepresentativeKind,
    Level,
    Ref,
}

impl Column {
    const fn name(self) -> &'static str {
        // Every discriminant is below the length of COLUMNS.
        COLUMNS[self as usize]
    }
}

/// Most complaints and warnings that are kept; the rest is counted.
const MAX_REPORTED: usize = 100;
/// Longest cell, bytes.
const MAX_CELL_BYTES: usize = 1024;
const DAY_MS: i64 = 86_400_000;

/// What a load found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Names the content of the file: `lists@` and 12 hex digits. Stands in every record it decided on.
    pub policy: String,
    /// Entries of each list, valid now or not.
    pub by_list: Vec<(ListName, usize)>,
    /// The first hundred warnings: taken as written, but worth a look.
    pub warnings: Vec<ImportWarning>,
    /// How many warnings there are.
    pub warnings_total: usize,
}

impl LoadReport {
    /// All entries.
    pub fn entries(&self) -> usize {
        self.by_list.iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn warn(&mut self, line: u32, message: &str) {
        warn(&mut self.warnings, &mut self.warnings_total, line, message);
    }
}

/// Something odd that does not stop the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportWarning {
    /// Counted from 1.
    pub line: u32,
    /// What is odd; never the content of a cell.
    pub message: String,
}

/// One row; a missing cell is empty.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    /// Where the row begins.
    pub line: u32,
    pub cells: [&'a str; COLUMNS.len()],
}

impl<'a> Row<'a> {
    const fn cell(&self, column: Column) -> &'a str {
        self.cells[column as usize]
    }
}

/// What an import leaves.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub entries: Vec<(Subject, Entry)>,
    pub reasons: Vec<Box<str>>,
    pub warnings: Vec<ImportWarning>,
    pub warnings_total: usize,
}

impl Parsed {
    pub fn by_list(&self) -> Vec<(ListName, usize)> {
        let count = |list| self.entries.iter().filter(|(_, e)| e.list == list).count();
        ListName::ALL.iter().map(|&list| (list, count(list))).collect()
    }
}

fn warn(warnings: &mut Vec<ImportWarning>, total: &mut usize, line: u32, message: &str) {
    *total += 1;
    if warnings.len() < MAX_REPORTED {
        warnings.push(ImportWarning { line, message: message.to_owned() });
    }
}

/// Collects rows and complaints.
pub(crate) struct Importer<'c> {
    context: &'c NumberContext,
    max_entries: usize,
    parsed: Parsed,
    reason_ids: HashMap<Box<str>, u32>,
    faults: Vec<ImportError>,
    faults_total: usize,
}

impl<'c> Importer<'c> {
    pub fn new(context: &'c NumberContext, max_entries: usize) -> Self {
        Self {
            context,
            max_entries,
            parsed: Parsed::default(),
            reason_ids: HashMap::new(),
            faults: Vec::new(),
            faults_total: 0,
        }
    }

    pub fn fault(&mut self, line: u32, column: &'static str, message: impl Into<String>) {
        self.faults_total += 1;
        if self.faults.len() < MAX_REPORTED {
            self.faults.push(ImportError { line, column, message: message.into() });
        }
    }

    /// Takes one row. `false` when the file is too long and reading on is pointless.
    pub fn row(&mut self, row: &Row<'_>) -> bool {
        if self.parsed.entries.len() >= self.max_entries {
            self.fault(row.line, "-", format!("more than {} entries (lists.max_entries)", self.max_entries));
            return false;
        }
        let before = self.faults_total;
        let taken = self.read(row);
        if let Some((subject, entry)) = taken.filter(|_| self.faults_total == before) {
            if entry.list == ListName::Block && entry.valid_until_ms == i64::MAX {
                let Parsed { warnings, warnings_total, .. } = &mut self.parsed;
                warn(
                    warnings,
                    warnings_total,
                    row.line,
                    "a block entry without valid_until never ends by itself",
                );
            }
            self.parsed.entries.push((subject, entry));
        }
        true
    }

    pub fn finish(self) -> Result<Parsed, (Vec<ImportError>, usize)> {
        if self.faults_total == 0 { Ok(self.parsed) } else { Err((self.faults, self.faults_total)) }
    }

    /// Reads every cell even after a fault, so that all are told at once.
    fn read(&mut self, row: &Row<'_>) -> Option<(Subject, Entry)> {
        for (column, cell) in COLUMNS.iter().zip(row.cells) {
            if cell.len() > MAX_CELL_BYTES {
                self.fault(row.line, column, format!("longer than {MAX_CELL_BYTES} bytes"));
            } else if cell.contains(['\n', '\r', '\0']) {
                self.fault(row.line, column, "a cell must stay on one line; perhaps a quote is not closed");
            }
        }
        let list = self.word(row, Column::List, ListName::ALL, ListName::as_str);
        let kind = self.kind(row);
        let subject = kind.and_then(|kind| self.subject(row, kind));
        let effect = list.and_then(|list| self.effect(row, list));
        let (valid_from_ms, valid_until_ms) = self.validity(row);
        let representative = self.representative(row, list?, kind?);
        if list == Some(ListName::Block) && row.cell(Column::Reason).is_empty() {
            self.fault(
                row.line,
                Column::Reason.name(),
                "a block entry needs a reason; it is shown in every record",
            );
        }
        let entry = Entry {
            valid_from_ms,
            valid_until_ms,
            line: row.line,
            reason: self.reason(row.cell(Column::Reason)),
            reference: Some(row.cell(Column::Ref)).filter(|r| !r.is_empty()).map(Into::into),
            list: list?,
            effect: effect?,
            representative,
        };
        Some((subject?, entry))
    }

    /// A cell of a closed vocabulary.
    fn word<T: Copy>(
        &mut self,
        row: &Row<'_>,
        column: Column,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        let found = all.iter().copied().find(|value| name(*value) == row.cell(column));
        if found.is_none() {
            let expected: Vec<&str> = all.iter().map(|value| name(*value)).collect();
            self.fault(row.line, column.name(), format!("expected one of {}", expected.join(", ")));
        }
        found
    }

    fn kind(&mut self, row: &Row<'_>) -> Option<SubjectKind> {
        self.word(row, Column::Kind, &SubjectKind::ALL, |(name, _)| name).map(|(_, kind)| kind)
    }

    fn subject(&mut self, row: &Row<'_>, kind: SubjectKind) -> Option<Subject> {
        if row.cell(Column::Value).is_empty() && kind != SubjectKind::Withheld {
            self.fault(row.line, Column::Value.name(), "is missing");
            return None;
        }
        subject::parse(kind, row.cell(Column::Value), self.context)
            .map_err(|expected| self.fault(row.line, Column::Value.name(), expected))
            .ok()
    }

    fn effect(&mut self, row: &Row<'_>, list: ListName) -> Option<ListEffect> {
        let possible: &[ListEffect] = match list {
            ListName::Block => &[ListEffect::Reject, ListEffect::Annotate],
            ListName::Allow => &[ListEffect::None],
            ListName::Representative | ListName::Enterprise => &[ListEffect::Priority],
            ListName::Watch | ListName::Leader => &[ListEffect::Annotate],
        };
        if row.cell(Column::Effect).is_empty() {
            return possible.first().copied();
        }
        let not_yet = [ListEffect::Limit, ListEffect::DivertVoiceMsg];
        if list == ListName::Block && not_yet.iter().any(|e| e.as_str() == row.cell(Column::Effect)) {
            // A record must not claim a limit that nobody carried out.
            self.fault(row.line, Column::Effect.name(), "this version carries out reject and annotate only");
            return None;
        }
        self.word(row, Column::Effect, possible, ListEffect::as_str)
    }

    fn validity(&mut self, row: &Row<'_>) -> (i64, i64) {
        let from = self.moment(row, Column::ValidFrom).map_or(i64::MIN, |(start, _)| start);
        let until = self.moment(row, Column::ValidUntil).map_or(i64::MAX, |(_, end)| end);
        if until <= from {
            self.fault(row.line, Column::ValidUntil.name(), "ends before it begins");
        }
        (from, until)
    }

    /// Start and end of what the cell names: a moment, or a whole day in China Standard Time.
    fn moment(&mut self, row: &Row<'_>, column: Column) -> Option<(i64, i64)> {
        let cell = row.cell(column);
        if cell.is_empty() {
            return None;
        }
        let whole_day = || format!("{cell}T00:00:00+08:00").parse::<Timestamp>().ok();
        let moment = cell.parse::<Timestamp>().ok().map(|t| (t.unix_ms(), t.unix_ms()));
        let found = moment.or_else(|| whole_day().map(|t| (t.unix_ms(), t.unix_ms() + DAY_MS)));
        if found.is_none() {
            let expected = "expected a day (2026-12-31, in China) or a moment (2026-12-31T18:00:00+08:00)";
            self.fault(row.line, column.name(), expected);
        }
        found
    }

    fn representative(
        &mut self,
        row: &Row<'_>,
        list: ListName,
        kind: SubjectKind,
    ) -> Option<(RepresentativeKind, Option<RepresentativeLevel>)> {
        if list != ListName::Representative {
            for column in
                [Column::RepresentativeKind, Column::Level].into_iter().filter(|c| !row.cell(*c).is_empty())
            {
                self.fault(row.line, column.name(), "only for the representative list");
            }
            return None;
        }
        if !matches!(kind, SubjectKind::Number | SubjectKind::ChannelUser) {
            self.fault(row.line, Column::Kind.name(), "a representative is known by number or channel_user");
        }
        let level = (!row.cell(Column::Level).is_empty())
            .then(|| self.word(row, Column::Level, RepresentativeLevel::ALL, RepresentativeLevel::as_str));
        let kind =
            self.word(row, Column::RepresentativeKind, RepresentativeKind::ALL, RepresentativeKind::as_str)?;
        Some((kind, level.flatten()))
    }

    /// Reasons repeat: each is kept once.
    fn reason(&mut self, reason: &str) -> Option<u32> {
        if reason.is_empty() {
            return None;
        }
        if let Some(id) = self.reason_ids.get(reason) {
            return Some(*id);
        }
        let id = u32::try_from(self.parsed.reasons.len()).ok()?;
        self.parsed.reasons.push(reason.into());
        self.reason_ids.insert(reason.into(), id);
        Some(id)
    }
}

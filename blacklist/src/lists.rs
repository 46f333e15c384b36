//! The handle everybody holds: reads are lock-free, a reload swaps the whole index.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use record::{Caller, ListName, NumberContext, Timestamp, Verdict};
use sha2::{Digest, Sha256};

use crate::config::ListsConfig;
use crate::decide::decide;
use crate::error::ListsError;
use crate::events;
use crate::import::{Importer, LoadReport};
use crate::index::Index;
use crate::source::{self, Format};

/// The caller lists. A clone is the same lists.
#[derive(Clone)]
pub struct Lists(Arc<Shared>);

struct Shared {
    index: ArcSwap<Index>,
    config: ListsConfig,
    context: NumberContext,
    /// Held during a reload, so that an older file never overwrites a newer one.
    reload: Mutex<Reload>,
}

#[derive(Default)]
struct Reload {
    /// The content last looked at, taken or refused.
    seen: Option<[u8; 32]>,
    /// Why the last reload failed; `None` after a good one.
    failure: Option<String>,
}

/// For health checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListsStatus {
    /// Names the content in force, as in records.
    pub policy: String,
    /// Entries of each list.
    pub by_list: Vec<(ListName, usize)>,
    /// Why the file as it is now is not in force; `None` when it is.
    pub failure: Option<String>,
}

impl Lists {
    /// Lists that know nobody and admit everybody.
    pub fn empty() -> Self {
        let context = NumberContext { area_code: String::new(), service_lines: Vec::new() };
        Self::new(Index::empty(), ListsConfig::default(), &context, Reload::default())
    }

    /// Reads the configured file. Without `lists.file` the lists are empty.
    ///
    /// # Errors
    /// At start a bad file is a configuration fault: every bad line is in [`ListsError::Import`].
    pub fn open(config: ListsConfig, context: &NumberContext) -> Result<(Self, LoadReport), ListsError> {
        if config.file.is_none() {
            let index = Index::empty();
            let report = LoadReport {
                by_list: index.by_list.clone(),
                policy: index.policy.clone(),
                ..Default::default()
            };
            return Ok((Self::new(index, config, context, Reload::default()), report));
        }
        let content = Content::read(&config)?;
        let (index, report) = content.compile(&config, context)?;
        events::loaded(&report);
        Ok((Self::new(index, config, context, Reload { seen: Some(content.hash), failure: None }), report))
    }

    /// Lists from a text instead of a file, for a dry run and for tests. They cannot be reloaded.
    ///
    /// # Errors
    /// [`ListsError::Import`] with every bad line.
    pub fn from_text(
        text: &str,
        format: Format,
        config: ListsConfig,
        context: &NumberContext,
    ) -> Result<(Self, LoadReport), ListsError> {
        let config = ListsConfig { file: None, ..config };
        let content = Content::new(text.as_bytes().to_vec(), format);
        let (index, report) = content.compile(&config, context)?;
        Ok((Self::new(index, config, context, Reload::default()), report))
    }

    fn new(index: Index, config: ListsConfig, context: &NumberContext, reload: Reload) -> Self {
        Self(Arc::new(Shared {
            index: ArcSwap::from_pointee(index),
            config,
            context: context.clone(),
            reload: Mutex::new(reload),
        }))
    }

    /// What the lists say about this caller at this moment. Never waits; allocates only when an entry fits.
    pub fn check(&self, caller: &Caller, now: Timestamp) -> Verdict {
        let verdict = decide(&self.0.index.load(), &self.0.config, caller, now);
        events::decided(&verdict);
        verdict
    }

    /// Reads the file again and swaps it in whole.
    ///
    /// # Errors
    /// Whatever is wrong with the file; the lists in force stay as they are and [`Self::status`] tells it.
    pub fn reload(&self) -> Result<LoadReport, ListsError> {
        let mut state = self.state();
        let content = self.read(&mut state)?;
        self.take(&mut state, &content)
    }

    /// Reads the file again if its content is not the one last looked at. `None`: nothing new.
    ///
    /// # Errors
    /// As [`Self::reload`]; the same bad content is refused once.
    pub fn reload_if_changed(&self) -> Result<Option<LoadReport>, ListsError> {
        if self.0.config.file.is_none() {
            return Ok(None);
        }
        let mut state = self.state();
        let content = self.read(&mut state)?;
        if state.seen == Some(content.hash) {
            return Ok(None);
        }
        self.take(&mut state, &content).map(Some)
    }

    /// What is in force, and whether the file is.
    pub fn status(&self) -> ListsStatus {
        let failure = self.state().failure.clone();
        let index = self.0.index.load();
        ListsStatus { policy: index.policy.clone(), by_list: index.by_list.clone(), failure }
    }

    pub(crate) fn config(&self) -> &ListsConfig {
        &self.0.config
    }

    fn state(&self) -> MutexGuard<'_, Reload> {
        self.0.reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, state: &mut Reload) -> Result<Content, ListsError> {
        Content::read(&self.0.config).inspect_err(|error| state.refuse(None, error))
    }

    fn take(&self, state: &mut Reload, content: &Content) -> Result<LoadReport, ListsError> {
        let compiled = content.compile(&self.0.config, &self.0.context);
        let (index, report) = compiled.inspect_err(|error| state.refuse(Some(content.hash), error))?;
        self.0.index.store(Arc::new(index));
        *state = Reload { seen: Some(content.hash), failure: None };
        events::loaded(&report);
        Ok(report)
    }
}

impl Reload {
    fn refuse(&mut self, seen: Option<[u8; 32]>, error: &ListsError) {
        *self = Self { seen, failure: Some(error.to_string()) };
        events::refused(error);
    }
}

/// A list file's bytes and what they are called.
struct Content {
    bytes: Vec<u8>,
    hash: [u8; 32],
    format: Format,
}

impl Content {
    fn new(bytes: Vec<u8>, format: Format) -> Self {
        Self { hash: Sha256::digest(&bytes).into(), bytes, format }
    }

    fn read(config: &ListsConfig) -> Result<Self, ListsError> {
        let path = config.file.as_ref().ok_or(ListsError::NoFile)?;
        let format = Format::of(path).ok_or_else(|| ListsError::UnknownFormat { path: path.clone() })?;
        Ok(Self::new(source::read(path, config.max_file)?, format))
    }

    fn compile(
        &self,
        config: &ListsConfig,
        context: &NumberContext,
    ) -> Result<(Index, LoadReport), ListsError> {
        let mut importer = Importer::new(context, config.max_entries);
        source::rows(source::text(&self.bytes)?, self.format, &mut importer);
        let mut parsed = importer.finish().map_err(|(faults, total)| ListsError::Import { faults, total })?;
        let mut report = LoadReport {
            policy: format!("lists@{}", hex::encode(self.hash.get(..6).unwrap_or_default())),
            by_list: parsed.by_list(),
            warnings: std::mem::take(&mut parsed.warnings),
            warnings_total: parsed.warnings_total,
        };
        let index = Index::new(report.policy.clone(), parsed);
        for line in index.contradictions() {
            report.warn(line, "blocks a person who is also on the representative list: the block holds");
        }
        Ok((index, report))
    }
}

impl std::fmt::Debug for Lists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let index = self.0.index.load();
        f.debug_struct("Lists").field("policy", &index.policy).field("by_list", &index.by_list).finish()
    }
}

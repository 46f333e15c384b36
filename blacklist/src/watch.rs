//! Reloads the list file when it changes.
//!
//! The parent directory is watched, for editors and deployment tools replace files instead of writing
//! them. The system's events only wake the watcher: whether there is anything new is decided by the
//! content ([`Lists::reload_if_changed`]), so missed, doubled and foreign events do no harm.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::error::ListsError;
use crate::import::LoadReport;
use crate::lists::Lists;

/// A file that is being written is left alone for this long after the last event …
const QUIET: Duration = Duration::from_millis(50);
/// … but after so many events in a row it is read all the same: at most 1 s after the first.
const MAX_EVENTS_WAITED: u32 = 20;

/// Watches until dropped. Dropping waits for a running reload.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
    _watcher: RecommendedWatcher,
}

impl Lists {
    /// Starts watching; `None` when `lists.file` or `lists.watch` says that there is nothing to watch.
    /// `on_reload` hears every change and every refused file, on the watcher's own thread; the log and
    /// [`Lists::status`] have it already.
    ///
    /// # Errors
    /// [`ListsError::Watch`] when the system cannot watch the directory.
    pub fn watch(
        &self,
        mut on_reload: impl FnMut(&Result<LoadReport, ListsError>) + Send + 'static,
    ) -> Result<Option<Watch>, ListsError> {
        let Some(file) = self.config().file.clone().filter(|_| self.config().watch) else { return Ok(None) };
        let directory = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => Path::new(".").to_owned(),
        };
        // One slot is enough: a wake-up says only that there may be something new.
        let (wake, woken) = sync_channel::<()>(1);
        let notify = wake.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| concerns(&event, file.file_name())) {
                let _ = notify.try_send(());
            }
        })?;
        watcher.watch(&directory, RecursiveMode::NonRecursive)?;
        // The file may have changed between reading it and watching it.
        let _ = wake.try_send(());
        let stop = Arc::new(AtomicBool::new(false));
        let (lists, stopped) = (self.clone(), Arc::clone(&stop));
        let run = move || {
            while wait(&woken) && !stopped.load(Ordering::Acquire) {
                if let Some(result) = lists.reload_if_changed().transpose() {
                    on_reload(&result);
                }
            }
        };
        let thread = Builder::new().name("lists-watch".to_owned()).spawn(run).map_err(ListsError::Thread)?;
        Ok(Some(Watch { stop, wake, thread: Some(thread), _watcher: watcher }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Full is fine: then the thread is about to wake anyway.
        let _ = self.wake.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for a wake-up and then for quiet. `false` when nobody can wake us any more.
fn wait(woken: &Receiver<()>) -> bool {
    if woken.recv().is_err() {
        return false;
    }
    for _ in 0..MAX_EVENTS_WAITED {
        match woken.recv_timeout(QUIET) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Whether the event may mean new content. Our own reading must not wake us again.
fn concerns(event: &notify::Event, name: Option<&OsStr>) -> bool {
    let by_reading =
        matches!(event.kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write));
    // Kubernetes swaps a symbolic link named `..data` beside the file.
    let ours = |path: &Path| path.file_name() == name || path.file_name() == Some(OsStr::new("..data"));
    !by_reading && (event.need_rescan() || event.paths.iter().any(|path| ours(path)))
}

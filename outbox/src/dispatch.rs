//! Brings every record to every sink: one task and one cursor a sink, so that none waits for another.
//!
//! In order and at least once. The cursor moves after the sink said yes; after a crash the same records are
//! offered again. A record that the sink refuses for good is parked and the sink goes on.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use record::{Uuid, View};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::Outbox;
use crate::cursor::Cursor;
use crate::delivery::Delivery;
use crate::error::OutboxError;
use crate::events;
use crate::retry::{ErrorClass, next_delay};
use crate::sinks::{Sink, SinkError};
use crate::status::{SinkFailure, SinkStatus};

/// How long a delivery in progress may still take after [`Dispatcher::stop`].
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A sink and what it is given.
pub struct Route {
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// What it may see.
    pub view: View,
    /// Most records in one delivery.
    pub batch_records: usize,
    /// Longest time for one delivery; beyond it the delivery is given up and tried again.
    pub timeout: Duration,
}

/// The running tasks, one a sink. Dropping it stops them at once; [`stop`](Self::stop) lets them finish.
pub struct Dispatcher {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Dispatcher {
    /// Starts one task for each route. A sink never seen before begins with the first record.
    pub fn start(outbox: &Outbox, routes: Vec<Route>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let start = |route| tokio::spawn(run(Lane::new(outbox.clone(), route), stopped.clone()));
        Self { tasks: routes.into_iter().map(start).collect(), stop }
    }

    /// Stops after the deliveries in progress, at most five seconds.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            // A task that was aborted or panicked has nothing left to finish.
            let _ = task.await;
        }
    }

    /// Stops at once, in the middle of whatever it is; returns when the tasks have let go of the store.
    pub async fn abort(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn run(mut lane: Lane, mut stopped: watch::Receiver<bool>) {
    let stop = {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.wait_for(|stop| *stop).await;
            sleep_until(Instant::now() + STOP_GRACE).await;
        }
    };
    tokio::select! {
        () = stop => {}
        () = lane.run(&mut stopped) => {}
    }
}

/// One sink's task.
struct Lane {
    outbox: Outbox,
    route: Route,
    cursor: Cursor,
    parked: u64,
    failure: Option<SinkFailure>,
}

impl Lane {
    fn new(outbox: Outbox, route: Route) -> Self {
        Self { outbox, route, cursor: Cursor::default(), parked: 0, failure: None }
    }

    async fn run(&mut self, stopped: &mut watch::Receiver<bool>) {
        let mut head = self.outbox.follow();
        let mut loaded = false;
        while !*stopped.borrow() {
            let result = if loaded { self.step().await } else { self.load().await };
            match result {
                Ok(Step::Loaded) => loaded = true,
                Ok(Step::Progress) => {}
                Ok(Step::Idle(seen)) => {
                    self.report();
                    tokio::select! {
                        // An error means that the store is gone, and with it our work.
                        news = head.wait_for(|head| *head > seen) => if news.is_err() { return },
                        _ = stopped.wait_for(|stop| *stop) => {}
                    }
                }
                Err(error) => {
                    let retry_at = Instant::now() + self.failed(&error);
                    self.report();
                    tokio::select! {
                        () = sleep_until(retry_at) => {}
                        _ = stopped.wait_for(|stop| *stop) => {}
                    }
                }
            }
        }
    }

    /// Finds out where the sink stood.
    async fn load(&mut self) -> Result<Step, SinkError> {
        let name = self.route.sink.name().to_owned();
        let (seq, sequence, parked) = self.outbox.reader().cursor(&name).await.map_err(store_away)?;
        (self.cursor, self.parked) = (Cursor { seq, sequence }, parked);
        Ok(Step::Loaded)
    }

    /// Offers the next records to the sink and moves the cursor over what it took.
    async fn step(&mut self) -> Result<Step, SinkError> {
        // Read before the page: a record that comes between shows as a newer head.
        let seen = self.outbox.head();
        // Only one after a failure, so that a refusal is the first record's own.
        let limit = if self.failure.is_some() { 1 } else { self.route.batch_records.max(1) };
        let page = self.outbox.reader().list(self.cursor.seq, None, limit).await.map_err(store_away)?;
        let mut batch = Vec::with_capacity(page.records.len());
        for (stored, sequence) in page.records.iter().zip(self.cursor.sequence + 1..) {
            match Delivery::new(stored, sequence, self.route.view) {
                Ok(delivery) => batch.push(delivery),
                Err(_) if batch.is_empty() => {
                    self.park(Cursor { seq: stored.seq, sequence }, "unreadable").await?;
                    return Ok(Step::Progress);
                }
                Err(_) => break,
            }
        }
        let Some(first) = batch.first() else { return Ok(Step::Idle(seen)) };
        let first = Cursor { seq: first.seq, sequence: first.sequence };
        match self.deliver(&batch).await {
            Ok(taken) => {
                let Some(last) = batch.get(..taken).and_then(<[_]>::last) else {
                    return Err(SinkError::unknown("took_nothing"));
                };
                self.advance(Cursor { seq: last.seq, sequence: last.sequence }, taken).await;
                Ok(Step::Progress)
            }
            Err(error) if error.class == ErrorClass::Never && batch.len() == 1 => {
                self.park(first, error.reason).await?;
                Ok(Step::Progress)
            }
            // Which of them it refused is not said: the next step offers the first alone.
            Err(error) if error.class == ErrorClass::Never => {
                self.failure.get_or_insert(SinkFailure {
                    class: error.class,
                    reason: error.reason,
                    attempts: 0,
                });
                Ok(Step::Progress)
            }
            Err(error) => Err(error),
        }
    }

    async fn deliver(&mut self, batch: &[Delivery]) -> Result<usize, SinkError> {
        let delivery = AssertUnwindSafe(self.route.sink.deliver(batch)).catch_unwind();
        match timeout(self.route.timeout, delivery).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => Err(SinkError::unknown("panicked")),
            Err(_elapsed) => Err(SinkError::retry("timeout")),
        }
    }

    async fn advance(&mut self, cursor: Cursor, taken: usize) {
        self.cursor = cursor;
        let name = self.route.sink.name();
        events::delivered(name, taken);
        // Should this fail, the cursor is saved with the next delivery; after a crash the sink sees these
        // records again, which it must be ready for anyway.
        let _ = self.outbox.save_cursor(name, cursor).await;
        if let Some(failure) = self.failure.take()
            && failure.attempts > 0
        {
            events::sink_recovered(name, failure.attempts);
        }
        self.report();
    }

    /// Unlike an advance this must be durable before the sink goes on: a parked record stays visible.
    async fn park(&mut self, cursor: Cursor, reason: &'static str) -> Result<(), SinkError> {
        let name = self.route.sink.name();
        self.outbox.park(name, cursor, reason).await.map_err(store_away)?;
        events::parked(name, cursor.seq, reason);
        self.cursor = cursor;
        self.parked += 1;
        self.failure = None;
        self.report();
        Ok(())
    }

    /// Notes the failure and says how long to wait.
    fn failed(&mut self, error: &SinkError) -> Duration {
        let attempts = self.failure.map_or(0, |f| f.attempts).saturating_add(1);
        let rng = Uuid::new_v4().as_u64_pair().0;
        let class = if error.class == ErrorClass::Never { ErrorClass::Unknown } else { error.class };
        let delay = next_delay(attempts, class, error.retry_after, rng).unwrap_or(STOP_GRACE);
        self.failure = Some(SinkFailure { class, reason: error.reason, attempts });
        events::sink_failed(self.route.sink.name(), class, error.reason, attempts, delay);
        delay
    }

    fn report(&self) {
        let (name, head) = (self.route.sink.name(), self.outbox.head());
        let lag = head.saturating_sub(self.cursor.seq);
        events::sink_lag(name, lag, self.parked);
        let status = SinkStatus {
            name: name.to_owned(),
            cursor: self.cursor.seq,
            sequence: self.cursor.sequence,
            head,
            lag,
            parked: self.parked,
            last_error: self.failure,
        };
        self.outbox.shared().sinks.send_modify(|sinks| {
            sinks.insert(name.to_owned(), status);
        });
    }
}

enum Step {
    /// The cursor is known.
    Loaded,
    /// Something was done; there may be more.
    Progress,
    /// Nothing to do until there is a record beyond this one.
    Idle(u64),
}

/// Our own store is away: no fault of the sink, and it will be back.
fn store_away(_: OutboxError) -> SinkError {
    SinkError::retry("store")
}

//! The engine: a few threads among which the rooms of all calls are shared out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::command::{MediaCommand, MediaHandle};
use super::room::Setup;
use super::worker::{Order, Worker};

/// Orders waiting for one thread. Calls wait when it is full, which a thread that is alive does not allow for
/// longer than a turn.
const ORDER_QUEUE: usize = 4096;

/// The threads. They end when the engine and the last call's [`MediaHandle`] are gone.
#[derive(Clone, Debug)]
pub struct Engine {
    threads: Arc<[Link]>,
    last_room: Arc<AtomicU64>,
}

/// The way to one thread.
#[derive(Clone, Debug)]
pub struct Link {
    orders: mpsc::Sender<Order>,
    thread: std::thread::Thread,
    load: Arc<AtomicUsize>,
}

impl Engine {
    /// Starts `threads` threads; zero means one for each core.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = if threads == 0 { cores } else { threads };
        let threads = (0..count).map(Link::start).collect::<std::io::Result<_>>()?;
        Ok(Self { threads, last_room: Arc::new(AtomicU64::new(0)) })
    }

    /// Opens a room on the emptiest thread.
    pub async fn open(&self, setup: Setup) -> MediaHandle {
        let id = self.last_room.fetch_add(1, Ordering::Relaxed) + 1;
        let emptiest = self.threads.iter().min_by_key(|link| link.load.load(Ordering::Relaxed));
        let link = emptiest.expect("an engine has at least one thread").clone();
        link.load.fetch_add(1, Ordering::Relaxed);
        let (handle, told) = MediaHandle::new(link.clone(), id);
        link.order(Order::Open(id, Box::new((setup, told)))).await;
        handle
    }

    /// Rooms on each thread.
    pub fn loads(&self) -> Vec<usize> {
        self.threads.iter().map(|link| link.load.load(Ordering::Relaxed)).collect()
    }
}

impl Link {
    fn start(number: usize) -> std::io::Result<Self> {
        let (orders, receiver) = mpsc::channel(ORDER_QUEUE);
        let load = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::Builder::new().name(format!("media-{number}")).spawn({
            let load = load.clone();
            move || Worker::new(receiver, load).run()
        })?;
        Ok(Self { orders, thread: thread.thread().clone(), load })
    }

    /// A command to a room. A thread that ended takes none: the call sees its events end.
    pub async fn command(&self, room: u64, command: MediaCommand) {
        self.order(Order::Command(room, command)).await;
    }

    async fn order(&self, order: Order) {
        if self.orders.send(order).await.is_ok() {
            self.thread.unpark();
        }
    }
}

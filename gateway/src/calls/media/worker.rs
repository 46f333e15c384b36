//! One media thread: follows orders, runs the rooms whose turn it is, sleeps until the next turn or order.
//!
//! It owns its rooms; nobody else touches them, so there is no lock. A room that panics ends alone. The rooms of
//! one turn go together: all are read for, then all mix, then all send, so that the kernel's way in, our own
//! code and the kernel's way out are each walked while they are in the cache.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::arrival::Moment;
use super::command::{MediaCommand, Told};
use super::priority;
use super::room::{Room, Setup};
use super::sockets::Datagrams;
use super::wheel::{SLOTS, Wheel};

/// Orders followed before the clock is looked at again.
const ORDERS_AT_ONCE: usize = 64;
/// An idle thread looks so often whether the engine is still there.
const IDLE: Duration = Duration::from_secs(1);
/// How often what was counted is told.
const TELL: Duration = Duration::from_secs(1);

/// What a thread is told to do.
pub enum Order {
    /// A new room.
    Open(u64, Box<(Setup, Told)>),
    /// A command to a room.
    Command(u64, MediaCommand),
}

/// A room in its place.
struct Seat {
    id: u64,
    slot: usize,
    room: Box<Room>,
    /// It panicked in this turn.
    over: bool,
}

/// The thread's state.
pub struct Worker {
    orders: mpsc::Receiver<Order>,
    /// Rooms promised to this thread, for the engine to choose the emptiest.
    load: Arc<AtomicUsize>,
    wheel: Wheel<usize>,
    rooms: Vec<Option<Seat>>,
    /// Places in `rooms` nobody has.
    free: Vec<usize>,
    /// By number: the place in `rooms`.
    places: HashMap<u64, usize>,
    datagrams: Datagrams,
    meters: Meters,
}

impl Worker {
    /// A thread's state, made on the thread itself.
    pub fn new(orders: mpsc::Receiver<Order>, load: Arc<AtomicUsize>) -> Self {
        Self {
            orders,
            load,
            wheel: Wheel::new(Instant::now()),
            rooms: Vec::new(),
            free: Vec::new(),
            places: HashMap::new(),
            datagrams: Datagrams::new(),
            meters: Meters::new(),
        }
    }

    /// Runs until the engine and every call are gone.
    pub fn run(mut self) {
        priority::raise();
        loop {
            let ended = self.follow_orders();
            self.run_turns();
            self.meters.tell(&mut self.datagrams);
            if ended && self.places.is_empty() {
                return;
            }
            // An order wakes the thread (`unpark`), one that came since it looked wakes it at once.
            match self.wheel.poll_timeout() {
                Some(due) => std::thread::park_timeout(due.saturating_duration_since(Instant::now())),
                None => std::thread::park_timeout(IDLE),
            }
        }
    }

    /// True when nobody can give orders any more.
    fn follow_orders(&mut self) -> bool {
        for _ in 0..ORDERS_AT_ONCE {
            match self.orders.try_recv() {
                Ok(Order::Open(id, setup)) => self.open(id, *setup),
                Ok(Order::Command(id, command)) => self.command(id, command),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        // More may wait: do not sleep for long, turns come first.
        std::thread::current().unpark();
        false
    }

    fn open(&mut self, id: u64, (setup, told): (Setup, Told)) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.rooms.push(None);
            self.rooms.len() - 1
        });
        let (slot, first) = self.wheel.insert(Instant::now(), place);
        if let Some(seat) = self.rooms.get_mut(place) {
            *seat = Some(Seat { id, slot, room: Box::new(Room::new(setup, told, first)), over: false });
            self.places.insert(id, place);
        }
        metrics::gauge!("jiesu_media_rooms").increment(1.0);
    }

    fn command(&mut self, id: u64, command: MediaCommand) {
        // A room that ended takes no commands; who waits for its figures is told by the dropped channel.
        let Some(&place) = self.places.get(&id) else { return };
        let Some(Seat { room, .. }) = self.rooms.get_mut(place).and_then(Option::as_mut) else { return };
        let datagrams = &mut self.datagrams;
        if let MediaCommand::Finish(done) = command {
            let figures = caught(|| room.finish(datagrams)).unwrap_or_default();
            self.close(place);
            let _ = done.send(figures);
        } else if caught(|| room.perform(command, datagrams)).is_none() {
            self.close(place);
        }
    }

    fn close(&mut self, place: usize) {
        if let Some(Seat { id, slot, .. }) = self.rooms.get_mut(place).and_then(Option::take) {
            self.wheel.remove(slot, place);
            self.places.remove(&id);
            self.free.push(place);
            self.load.fetch_sub(1, Ordering::Relaxed);
            metrics::gauge!("jiesu_media_rooms").decrement(1.0);
        }
    }

    fn run_turns(&mut self) {
        // One round at most: a thread that is too slow for its rooms still follows orders.
        for _ in 0..SLOTS {
            let Some(turn) = self.wheel.poll(Instant::now()) else { return };
            let now = Instant::now();
            self.meters.lateness.record(now.saturating_duration_since(turn.due).as_secs_f64());
            let moment = Moment::present();
            self.each(turn.slot, |room, datagrams| room.receive(moment, datagrams));
            self.each(turn.slot, |room, _| room.tick(now));
            self.each(turn.slot, |room, datagrams| room.send(datagrams));
            // From the end, so that a room that leaves moves none that is still to come.
            for at in (0..self.wheel.rooms(turn.slot).len()).rev() {
                let Some(&place) = self.wheel.rooms(turn.slot).get(at) else { continue };
                let Some(Seat { room, over, .. }) = self.rooms.get_mut(place).and_then(Option::as_mut) else {
                    continue;
                };
                if *over || caught(|| room.end_turn(now, &mut self.datagrams)) != Some(true) {
                    self.close(place);
                }
            }
        }
    }

    /// One part of a turn, for every room of a slot.
    fn each(&mut self, slot: usize, mut part: impl FnMut(&mut Room, &mut Datagrams)) {
        for &place in self.wheel.rooms(slot) {
            let Some(Seat { room, over, .. }) = self.rooms.get_mut(place).and_then(Option::as_mut) else {
                continue;
            };
            if !*over {
                *over = caught(|| part(room, &mut self.datagrams)).is_none();
            }
        }
    }
}

/// A panic ends one room; the hook has counted and logged it. The call's task sees the room's events end.
fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

/// What the thread tells of itself, by handles that cost no look-up.
struct Meters {
    told: Instant,
    lateness: Histogram,
    received: Counter,
    sent: Counter,
    unsent: Counter,
    refused: Counter,
    stale: Counter,
}

impl Meters {
    fn new() -> Self {
        Self {
            told: Instant::now(),
            lateness: metrics::histogram!("jiesu_media_tick_lateness_seconds"),
            received: metrics::counter!("jiesu_rtp_packets_total", "way" => "in"),
            sent: metrics::counter!("jiesu_rtp_packets_total", "way" => "out"),
            unsent: metrics::counter!("jiesu_rtp_unsent_total"),
            refused: metrics::counter!("jiesu_rtp_refused_total"),
            stale: metrics::counter!("jiesu_rtp_stale_total"),
        }
    }

    fn tell(&mut self, datagrams: &mut Datagrams) {
        let now = Instant::now();
        if now.saturating_duration_since(self.told) < TELL {
            return;
        }
        self.told = now;
        let traffic = std::mem::take(&mut datagrams.traffic);
        self.received.increment(traffic.received);
        self.sent.increment(traffic.sent);
        self.unsent.increment(traffic.unsent);
        self.refused.increment(traffic.refused);
        self.stale.increment(traffic.stale);
    }
}

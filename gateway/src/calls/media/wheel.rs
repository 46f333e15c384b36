//! The pacing wheel: twenty slots of one millisecond, gone round every 20 ms. A room sits in one slot and is
//! run once a round, so that a thousand rooms are spread over the round and none waits for all others.
//!
//! Pure: time comes in. What a room does in its turn, and how long it takes, is not known here.

use std::time::{Duration, Instant};

/// Slots of one round.
pub const SLOTS: usize = 20;
/// Length of a slot.
const SLOT: Duration = Duration::from_millis(1);
/// So many rooms sit together before another slot is opened. A turn takes some 10 µs, a wake-up of the thread
/// as much: a few rooms in twenty slots would pay mostly for waking.
const COMPANY: usize = 8;
/// Neighbours in this order are far apart in the round, so that few rooms do not sit side by side.
const STRIDE: usize = 7;

/// A slot whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which.
    pub slot: usize,
    /// When it was due first since its last turn.
    pub due: Instant,
}

/// Where the rooms of one thread sit.
#[derive(Debug)]
pub struct Wheel<T> {
    epoch: Instant,
    slots: [Vec<T>; SLOTS],
    /// The next millisecond to be run, counted from the epoch.
    next: u64,
    /// Slots still to come of the one round that makes up for a stall.
    catching_up: usize,
    rooms: usize,
}

impl<T: Copy + PartialEq> Wheel<T> {
    /// An empty wheel that begins to turn at `epoch`.
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, slots: std::array::from_fn(|_| Vec::new()), next: 0, catching_up: 0, rooms: 0 }
    }

    /// Puts a room into a slot. Returns the slot and the moment of the room's first turn, which
    /// lies after `now`.
    pub fn insert(&mut self, now: Instant, room: T) -> (usize, Instant) {
        self.skip_idle(now);
        let slot = self.choose();
        if let Some(rooms) = self.slots.get_mut(slot) {
            rooms.push(room);
            self.rooms += 1;
        }
        let ahead = (slot + SLOTS - self.slot_of(self.next)) % SLOTS;
        (slot, self.time_of(self.next + ahead as u64))
    }

    /// Takes a room out of its slot.
    pub fn remove(&mut self, slot: usize, room: T) {
        let Some(rooms) = self.slots.get_mut(slot) else { return };
        if let Some(at) = rooms.iter().position(|&other| other == room) {
            rooms.swap_remove(at);
            self.rooms -= 1;
        }
    }

    /// The rooms of a slot.
    pub fn rooms(&self, slot: usize) -> &[T] {
        self.slots.get(slot).map_or(&[], Vec::as_slice)
    }

    /// The next occupied slot that is due. After a stall each slot comes once, however many rounds were
    /// missed: what a room makes up for is its own business.
    pub fn poll(&mut self, now: Instant) -> Option<Turn> {
        let present = self.millisecond(now)?;
        if self.rooms == 0 {
            self.next = present + 1;
            return None;
        }
        if self.catching_up == 0 && present.saturating_sub(self.next) >= SLOTS as u64 {
            self.catching_up = SLOTS;
        }
        while self.next <= present {
            let (slot, due) = (self.slot_of(self.next), self.time_of(self.next));
            self.next += 1;
            if self.catching_up > 0 {
                self.catching_up -= 1;
                if self.catching_up == 0 {
                    self.next = present + 1;
                }
            }
            if self.slots.get(slot).is_some_and(|rooms| !rooms.is_empty()) {
                return Some(Turn { slot, due });
            }
        }
        None
    }

    /// When the next occupied slot is due; none while there are no rooms.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let ahead = (0..SLOTS as u64).find(|ahead| {
            let slot = self.slot_of(self.next + ahead);
            self.slots.get(slot).is_some_and(|rooms| !rooms.is_empty())
        })?;
        Some(self.time_of(self.next + ahead))
    }

    /// A slot somebody sits in already, up to [`COMPANY`]; else an empty one; else the emptiest.
    fn choose(&self) -> usize {
        let rank = |slot: usize| match self.rooms(slot).len() {
            0 => (1, 0),
            rooms if rooms < COMPANY => (0, 0),
            rooms => (2, rooms),
        };
        (0..SLOTS).map(|step| step * STRIDE % SLOTS).min_by_key(|&slot| rank(slot)).unwrap_or(0)
    }

    /// An empty wheel does not turn; it goes on at the present.
    fn skip_idle(&mut self, now: Instant) {
        if let Some(present) = self.millisecond(now).filter(|_| self.rooms == 0) {
            self.next = self.next.max(present + 1);
        }
    }

    fn millisecond(&self, now: Instant) -> Option<u64> {
        let since = now.checked_duration_since(self.epoch)?;
        Some(since.as_secs() * 1_000 + u64::from(since.subsec_millis()))
    }

    fn slot_of(&self, millisecond: u64) -> usize {
        (millisecond % SLOTS as u64) as usize
    }

    fn time_of(&self, millisecond: u64) -> Instant {
        self.epoch
            + SLOT * u32::try_from(millisecond % 1_000).unwrap_or(0)
            + Duration::from_secs(millisecond / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// The turns of a span, as (slot, milliseconds after the beginning).
    fn turns(wheel: &mut Wheel<u32>, start: Instant, from: u64, to: u64) -> Vec<(usize, u64)> {
        let mut seen = Vec::new();
        for at in from..=to {
            while let Some(turn) = wheel.poll(start + milliseconds(at)) {
                seen.push((turn.slot, (turn.due - start).as_millis() as u64));
            }
        }
        seen
    }

    #[test]
    fn a_room_has_its_turn_every_twenty_milliseconds() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let (slot, first) = wheel.insert(start + milliseconds(3), 1);
        let first = (first - start).as_millis() as u64;
        let expected: Vec<_> = (0..5).map(|round| (slot, first + round * 20)).collect();
        assert!((4..=24).contains(&first), "{first}");
        assert_eq!(turns(&mut wheel, start, 4, first + 99), expected);
    }

    #[test]
    fn rooms_are_spread_evenly_and_leave_evenly() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let places: Vec<_> = (0..200).map(|room| (room, wheel.insert(start, room).0)).collect();
        assert!((0..SLOTS).all(|slot| wheel.rooms(slot).len() == 10));
        // Every second leaves; newcomers take the empty places.
        for &(room, slot) in places.iter().step_by(2) {
            wheel.remove(slot, room);
        }
        for room in 200..300 {
            wheel.insert(start, room);
        }
        assert!((0..SLOTS).all(|slot| wheel.rooms(slot).len() == 10));
    }

    #[test]
    fn few_rooms_share_few_wake_ups() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        for room in 0..24 {
            wheel.insert(start, room);
        }
        assert_eq!((0..SLOTS).filter(|&slot| !wheel.rooms(slot).is_empty()).count(), 3);
        turns(&mut wheel, start, 0, 20);
        assert_eq!(turns(&mut wheel, start, 21, 220).len(), 3 * 10);
    }

    #[test]
    fn the_next_moment_is_that_of_the_next_occupied_slot() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        assert_eq!(wheel.poll_timeout(), None);
        let (_, first) = wheel.insert(start, 1);
        assert_eq!(wheel.poll_timeout(), Some(first));
        assert_eq!(wheel.poll(first).map(|turn| turn.due), Some(first));
        assert_eq!(wheel.poll(first), None);
        assert_eq!(wheel.poll_timeout(), Some(first + milliseconds(20)));
    }

    #[test]
    fn after_a_stall_every_room_is_run_once_and_told_how_late_it_is() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        for room in 0..160 {
            wheel.insert(start, room);
        }
        turns(&mut wheel, start, 0, 20);
        let late = start + milliseconds(20 + 65);
        let mut slots = Vec::new();
        while let Some(turn) = wheel.poll(late) {
            assert!(late - turn.due >= milliseconds(45), "{:?}", late - turn.due);
            slots.push(turn.slot);
        }
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), SLOTS);
        assert_eq!(turns(&mut wheel, start, 86, 105).len(), SLOTS);
    }

    #[test]
    fn an_idle_wheel_does_not_make_up_for_its_idleness() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let (slot, _) = wheel.insert(start, 1);
        wheel.remove(slot, 1);
        assert_eq!(wheel.poll(start + milliseconds(5_000)), None);
        let (_, first) = wheel.insert(start + milliseconds(9_000), 2);
        assert!(first > start + milliseconds(9_000));
        assert!(first <= start + milliseconds(9_021));
    }
}

//! The first line against repeated deliveries: a bounded window of recently settled messages.
//!
//! A platform that missed our answer asks again within seconds, often while the first request is still
//! being written. The second waits for the first and gets its receipt without touching the disk. Nothing
//! enters the window before it is durable, and what falls out of it is caught by the store's unique key.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use record::Receipt;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

/// A delivery key, hashed: openids should not lie about in memory, and the window's size is then exact.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of one message on one account.
    pub fn new(channel: &str, account: &str, dedupe_key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [channel, account, dedupe_key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }
}

/// The window. Clones share it.
#[derive(Clone)]
pub struct Window {
    state: Arc<Mutex<State>>,
    capacity: usize,
}

#[derive(Default)]
struct State {
    slots: HashMap<Key, Slot>,
    // Settled keys, oldest first. Keys in flight are not here: their number is bounded by the host.
    settled: VecDeque<Key>,
}

enum Slot {
    InFlight(watch::Receiver<()>),
    Settled(Receipt),
}

/// What a delivery is.
pub enum Claim {
    /// The first one: store it, then [`Ticket::settle`].
    First(Ticket),
    /// A repetition of one that is durable.
    Known(Receipt),
}

/// The duty of the first delivery. Dropped unsettled (failure, panic) it lets the next one try.
pub struct Ticket {
    window: Window,
    key: Key,
    // Dropping it wakes everyone who waits for this delivery.
    _done: watch::Sender<()>,
}

impl Window {
    /// A window that remembers the `capacity` most recently settled messages (about 150 bytes each).
    pub fn new(capacity: usize) -> Self {
        Self { state: Arc::default(), capacity }
    }

    /// Claims a key, waiting for an earlier delivery of the same that is still in flight.
    pub async fn claim(&self, key: Key) -> Claim {
        loop {
            let mut earlier = {
                let mut state = self.lock();
                match state.slots.get(&key) {
                    Some(Slot::Settled(receipt)) => return Claim::Known(receipt.clone()),
                    Some(Slot::InFlight(done)) => done.clone(),
                    None => {
                        let (sender, receiver) = watch::channel(());
                        state.slots.insert(key, Slot::InFlight(receiver));
                        return Claim::First(Ticket { window: self.clone(), key, _done: sender });
                    }
                }
            };
            // An error means that the ticket is gone, which is what is waited for.
            let _ = earlier.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic can happen while it is held; a poisoned window would still be consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The message is durable: every further delivery gets this receipt.
    pub fn settle(self, receipt: Receipt) {
        let mut state = self.window.lock();
        if self.window.capacity > 0 {
            state.slots.insert(self.key, Slot::Settled(receipt));
            state.settled.push_back(self.key);
            while state.settled.len() > self.window.capacity {
                if let Some(oldest) = state.settled.pop_front() {
                    state.slots.remove(&oldest);
                }
            }
        }
        drop(state);
        // `Drop` below wakes the others and finds the slot settled.
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.window.lock();
        if let Some(Slot::InFlight(_)) = state.slots.get(&self.key) {
            state.slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(number: &str) -> Receipt {
        Receipt { record_id: None, record_no: Some(number.to_owned()), duplicate: false }
    }

    async fn first(window: &Window, key: Key) -> Ticket {
        match window.claim(key).await {
            Claim::First(ticket) => ticket,
            Claim::Known(_) => panic!("expected to be first"),
        }
    }

    #[tokio::test]
    async fn a_second_delivery_waits_for_the_first_and_gets_its_receipt() {
        let window = Window::new(8);
        let key = Key::new("wechat_mp", "main", "1");
        let ticket = first(&window, key).await;
        let waiting = std::pin::pin!(window.claim(key));
        let settle = async {
            tokio::task::yield_now().await;
            ticket.settle(receipt("A"));
        };
        let (claim, ()) = tokio::join!(waiting, settle);
        assert!(matches!(claim, Claim::Known(r) if r == receipt("A")));
    }

    #[tokio::test]
    async fn a_failed_first_delivery_lets_the_second_try() {
        let window = Window::new(8);
        let key = Key::new("wechat_mp", "main", "1");
        let ticket = first(&window, key).await;
        let (claim, ()) = tokio::join!(window.claim(key), async { drop(ticket) });
        assert!(matches!(claim, Claim::First(_)));
    }

    #[tokio::test]
    async fn the_window_forgets_the_oldest_at_its_bound() {
        let window = Window::new(2);
        let key = |n: u32| Key::new("c", "a", &n.to_string());
        for n in 0..3 {
            first(&window, key(n)).await.settle(receipt("x"));
        }
        assert!(matches!(window.claim(key(2)).await, Claim::Known(_)));
        assert!(matches!(window.claim(key(1)).await, Claim::Known(_)));
        drop(first(&window, key(0)).await);
        let state = window.lock();
        assert_eq!((state.slots.len(), state.settled.len()), (2, 2));
    }

    #[test]
    fn parts_of_a_key_do_not_run_into_each_other() {
        assert!(Key::new("a", "bc", "d") != Key::new("ab", "c", "d"));
    }
}

//! Token buckets: how many of something a second from whom, in a table that cannot grow without bound.
//!
//! A bucket that is full again is forgotten; when the table is full of busy ones, newcomers share one bucket, so
//! that a flood from many addresses cannot push out those who are known.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// How many a second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens that come back a second.
    pub per_second: f64,
    /// Tokens at most: so many may come at once after a pause.
    pub burst: u32,
}

/// Who may do how much; `K` names a source or the keyed hash of a caller, never a number.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    max: usize,
    buckets: HashMap<K, Bucket>,
    /// For everybody who finds the table full.
    shared: Bucket,
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Option<Instant>,
}

impl Bucket {
    fn full(rate: Rate) -> Self {
        Self { tokens: f64::from(rate.burst), at: None }
    }

    fn refill(&mut self, now: Instant, rate: Rate) {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * rate.per_second).min(f64::from(rate.burst));
    }

    fn take(&mut self, now: Instant, rate: Rate) -> bool {
        self.refill(now, rate);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return true;
        }
        false
    }
}

/// How often full buckets are looked for when the table is full.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl<K: Eq + Hash> Buckets<K> {
    /// Buckets of that rate for at most `max` keys.
    pub fn new(rate: Rate, max: usize) -> Self {
        Self { rate, max, buckets: HashMap::new(), shared: Bucket::full(rate), swept: None }
    }

    /// Takes one token of `key`; false if there is none left.
    pub fn take(&mut self, now: Instant, key: K) -> bool {
        let rate = self.rate;
        if let Some(bucket) = self.buckets.get_mut(&key) {
            return bucket.take(now, rate);
        }
        if self.buckets.len() >= self.max {
            self.sweep(now);
        }
        if self.buckets.len() >= self.max {
            return self.shared.take(now, rate);
        }
        let mut bucket = Bucket::full(rate);
        let taken = bucket.take(now, rate);
        self.buckets.insert(key, bucket);
        taken
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Forgets who has a full bucket again; at most once a second, for it looks at all.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now < swept + SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        let rate = self.rate;
        self.buckets.retain(|_, bucket| {
            bucket.refill(now, rate);
            bucket.tokens < f64::from(rate.burst)
        });
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // one Instant::now a test, as the origin of virtual time
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2.0, burst: 5 };

    fn taken(buckets: &mut Buckets<u32>, now: Instant, key: u32, tries: usize) -> usize {
        (0..tries).filter(|_| buckets.take(now, key)).count()
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let (mut buckets, start) = (Buckets::new(RATE, 10), Instant::now());
        assert_eq!(taken(&mut buckets, start, 1, 20), 5);
        assert_eq!(taken(&mut buckets, start, 2, 20), 5, "each for itself");
        let later = start + Duration::from_secs(1);
        assert_eq!(taken(&mut buckets, later, 1, 20), 2);
        assert_eq!(
            taken(&mut buckets, start + Duration::from_secs(3_600), 1, 20),
            5,
            "never more than a burst"
        );
    }

    #[test]
    fn a_full_table_neither_grows_nor_pushes_out_the_known() {
        let (mut buckets, start) = (Buckets::new(RATE, 3), Instant::now());
        for key in 0..3 {
            assert!(buckets.take(start, key));
        }
        assert_eq!(
            (100..1_100).filter(|key| buckets.take(start, *key)).count(),
            5,
            "all newcomers share one"
        );
        assert_eq!(buckets.len(), 3);
        assert_eq!(taken(&mut buckets, start, 0, 20), 4, "the known ones keep theirs");
        // When theirs are full again they make room.
        let later = start + Duration::from_secs(60);
        assert_eq!(taken(&mut buckets, later, 500, 20), 5);
        assert_eq!(buckets.len(), 1);
    }

    #[test]
    fn a_clock_that_stands_still_gives_nothing() {
        let (mut buckets, start) = (Buckets::new(Rate { per_second: 1.0, burst: 1 }, 3), Instant::now());
        assert!(buckets.take(start, 1));
        assert!(!buckets.take(start, 1));
        assert!(!buckets.take(start - Duration::from_secs(0), 1));
    }
}

//! The door when it is crowded: a share of the calls is kept for lanes that go first, and a caller who rings
//! without pause is told to wait. The endpoint below has the hard limits; which lane a call has is known only here.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use config::SipConfig;
use gateway_call::LaneRule;
use gateway_sip::limits::{Buckets, Rate};
use record::{Caller, IdentityKey};

/// Callers whose rate is remembered.
const MAX_CALLERS: usize = 100_000;

/// The agent's and the far one.
const LEGS_OF_A_CALL_OUT: usize = 2;

/// Who is let in when it is crowded.
#[derive(Debug)]
pub struct Gate {
    /// Above so many calls, agents' legs included, ordinary callers are told to come back.
    ordinary: usize,
    /// By the keyed hash of the number.
    callers: Option<Mutex<Buckets<u64>>>,
}

impl Gate {
    /// From `[sip]`.
    pub fn new(config: &SipConfig) -> Self {
        // A reserve that leaves nothing to ordinary callers is no reserve.
        let reserve = config.limits.reserve.min(config.max_calls / 10);
        let per_minute = config.limits.caller_per_minute;
        let rate = Rate { per_second: f64::from(per_minute) / 60.0, burst: per_minute };
        let callers = (per_minute > 0).then(|| Mutex::new(Buckets::new(rate, MAX_CALLERS)));
        Self { ordinary: config.max_calls.saturating_sub(reserve), callers }
    }

    /// Whether a call of ours may begin while `open` calls and legs are there: its two legs must leave the reserve
    /// alone, unless it goes to an emergency number.
    pub fn admits_call_out(&self, open: usize, emergency: bool) -> bool {
        emergency || open + LEGS_OF_A_CALL_OUT <= self.ordinary
    }

    /// Whether this call may come in while `open` calls and legs are there.
    ///
    /// # Errors
    /// The word for the metric: `reserve` or `caller-rate`.
    pub fn admit(
        &self,
        now: Instant,
        open: usize,
        lane: LaneRule,
        caller: &Caller,
        key: &IdentityKey,
    ) -> Result<(), &'static str> {
        // Who goes first is never sent away by what others, or a false number, did.
        if !lane.is_ordinary() {
            return Ok(());
        }
        if open > self.ordinary {
            return Err("reserve");
        }
        let (Some(callers), Some(number)) = (&self.callers, &caller.number) else { return Ok(()) };
        let number = number.e164.as_ref().unwrap_or(&number.raw);
        let mut hash = DefaultHasher::new();
        key.key("phone", number.reveal()).hash(&mut hash);
        let mut callers = callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.take(now, hash.finish()) { Ok(()) } else { Err("caller-rate") }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // one Instant::now a test, as the origin of virtual time
mod tests {
    use record::{Lane, NumberContext, number::normalise};

    use super::*;

    fn caller(number: &str) -> Caller {
        let context = NumberContext { area_code: "0471".into(), service_lines: Vec::new() };
        Caller { number: Some(normalise(number, &context)), ..Caller::unknown() }
    }

    fn gate(max_calls: usize, reserve: usize, caller_per_minute: u32) -> Gate {
        let mut config = SipConfig { max_calls, ..SipConfig::default() };
        config.limits.reserve = reserve;
        config.limits.caller_per_minute = caller_per_minute;
        Gate::new(&config)
    }

    #[test]
    fn a_share_is_kept_for_lanes_that_go_first() {
        let (gate, now, key) = (gate(100, 10, 0), Instant::now(), IdentityKey::new("key"));
        let ask = |open, lane| gate.admit(now, open, LaneRule::default_for(lane), &Caller::unknown(), &key);
        assert_eq!(ask(90, Lane::Standard), Ok(()));
        assert_eq!(ask(91, Lane::Standard), Err("reserve"));
        for lane in [Lane::Crisis, Lane::Transfer110, Lane::PriorityRep] {
            assert_eq!(ask(100, lane), Ok(()), "{lane:?}");
        }
    }

    #[test]
    fn a_call_out_leaves_the_reserve_alone_unless_it_is_for_help() {
        let gate = gate(100, 10, 0);
        assert!(gate.admits_call_out(88, false));
        assert!(!gate.admits_call_out(89, false));
        assert!(gate.admits_call_out(99, true));
    }

    #[test]
    fn a_reserve_never_shuts_out_everybody() {
        let (gate, now, key) = (gate(10, 500, 0), Instant::now(), IdentityKey::new("key"));
        let lane = LaneRule::default_for(Lane::Standard);
        assert_eq!(gate.admit(now, 9, lane, &Caller::unknown(), &key), Ok(()));
    }

    #[test]
    fn a_caller_without_pause_waits_and_nobody_else() {
        let (gate, now, key) = (gate(100, 10, 3), Instant::now(), IdentityKey::new("key"));
        let ask = |number: &str, lane| gate.admit(now, 1, LaneRule::default_for(lane), &caller(number), &key);
        for _ in 0..3 {
            assert_eq!(ask("13900000001", Lane::Standard), Ok(()));
        }
        assert_eq!(ask("13900000001", Lane::Standard), Err("caller-rate"));
        assert_eq!(
            ask("+86 139 0000 0001", Lane::Standard),
            Err("caller-rate"),
            "the same, written otherwise"
        );
        assert_eq!(ask("13900000002", Lane::Standard), Ok(()));
        assert_eq!(ask("13900000001", Lane::Crisis), Ok(()), "a life may depend on it");
        for _ in 0..9 {
            assert_eq!(
                gate.admit(now, 1, LaneRule::default_for(Lane::Standard), &Caller::unknown(), &key),
                Ok(())
            );
        }
    }
}

//! Whether a gateway is in use: probes with hysteresis, a score of what calls met, and Retry-After.
//!
//! A gateway that answers anything at all is alive; what counts against it is silence, 408, 503 and a broken
//! connection. One good answer clears the score; coming back takes several.

use std::time::Instant;

use super::HealthConfig;

/// What happened with a request to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It answered.
    Alive,
    /// Nothing came, or 408, 503 without Retry-After, a broken connection.
    Failed,
}

/// The state of one gateway. It begins in use: the first call need not wait for a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    failures: u32,
    answers: u32,
    down_since: Option<Instant>,
    /// 503 with Retry-After: no calls until then.
    paused_until: Option<Instant>,
}

impl Health {
    /// A probe was answered or not. Gives the new state if it changed.
    pub(crate) fn probed(&mut self, now: Instant, sign: Sign, config: &HealthConfig) -> Option<bool> {
        match sign {
            Sign::Failed => self.failed(now, config),
            Sign::Alive => {
                self.failures = 0;
                self.answers = self.answers.saturating_add(1);
                if self.down_since.is_some() && self.answers >= config.up_after {
                    self.down_since = None;
                    return Some(true);
                }
                None
            }
        }
    }

    /// A call went through, or did not.
    pub(crate) fn called(&mut self, now: Instant, sign: Sign, config: &HealthConfig) -> Option<bool> {
        match sign {
            Sign::Failed => self.failed(now, config),
            Sign::Alive => {
                self.failures = 0;
                // A call is let through a gateway that is out of use only after its rest: it proved itself.
                self.down_since.take().map(|_| true)
            }
        }
    }

    fn failed(&mut self, now: Instant, config: &HealthConfig) -> Option<bool> {
        self.answers = 0;
        self.failures = self.failures.saturating_add(1);
        if self.down_since.is_some() {
            // The rest begins anew.
            self.down_since = Some(now);
            return None;
        }
        (self.failures >= config.down_after).then(|| {
            self.down_since = Some(now);
            false
        })
    }

    /// No calls until then. Gives false if it was free before.
    pub(crate) fn pause(&mut self, now: Instant, until: Instant) -> Option<bool> {
        let was_paused = self.is_paused(now);
        self.paused_until = Some(until);
        (!was_paused && self.down_since.is_none()).then_some(false)
    }

    /// The pause is over, if it is. Gives true if it is free now.
    pub(crate) fn resume(&mut self, now: Instant) -> Option<bool> {
        self.paused_until.take_if(|until| *until <= now)?;
        self.down_since.is_none().then_some(true)
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    /// Whether it is in use, as told outside.
    pub(crate) fn is_up(&self, now: Instant) -> bool {
        self.down_since.is_none() && !self.is_paused(now)
    }

    /// Whether a call may try it: in use, or without probes rested long enough.
    pub(crate) fn takes_calls(&self, now: Instant, config: &HealthConfig) -> bool {
        if self.is_paused(now) {
            return false;
        }
        match self.down_since {
            None => true,
            Some(since) => config.probe_every.is_none() && now >= since + config.rest,
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // one Instant::now a test, as the origin of virtual time
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_lost_probe_changes_nothing_and_one_answer_does_not_bring_it_back() {
        let (config, now) = (HealthConfig::default(), Instant::now());
        let mut health = Health::default();
        assert_eq!(health.probed(now, Sign::Failed, &config), None);
        assert_eq!(health.probed(now, Sign::Failed, &config), None);
        assert_eq!(health.called(now, Sign::Alive, &config), None, "a good call clears the score");
        for _ in 0..2 {
            assert_eq!(health.probed(now, Sign::Failed, &config), None);
        }
        assert!(health.takes_calls(now, &config));
        assert_eq!(health.called(now, Sign::Failed, &config), Some(false));
        assert!(!health.takes_calls(now, &config));
        assert!(
            !health.takes_calls(now + Duration::from_secs(3_600), &config),
            "probes bring it back, not time"
        );
        assert_eq!(health.probed(now, Sign::Alive, &config), None);
        assert_eq!(health.probed(now, Sign::Failed, &config), None);
        assert_eq!(health.probed(now, Sign::Alive, &config), None);
        assert_eq!(health.probed(now, Sign::Alive, &config), Some(true));
        assert!(health.is_up(now));
    }

    #[test]
    fn without_probes_it_rests_and_a_call_tries_it() {
        let config = HealthConfig { probe_every: None, down_after: 1, ..HealthConfig::default() };
        let now = Instant::now();
        let mut health = Health::default();
        assert_eq!(health.called(now, Sign::Failed, &config), Some(false));
        assert!(!health.takes_calls(now + config.rest / 2, &config));
        let later = now + config.rest;
        assert!(health.takes_calls(later, &config));
        assert_eq!(health.called(later, Sign::Failed, &config), None);
        assert!(!health.takes_calls(later + config.rest / 2, &config), "it rests again");
        assert_eq!(health.called(later + config.rest, Sign::Alive, &config), Some(true));
    }

    #[test]
    fn retry_after_is_a_pause_and_no_failure() {
        let (config, now) = (HealthConfig::default(), Instant::now());
        let mut health = Health::default();
        let until = now + Duration::from_secs(20);
        assert_eq!(health.pause(now, until), Some(false));
        assert_eq!(health.pause(now, until), None);
        assert!(!health.takes_calls(now, &config) && !health.is_up(now));
        assert_eq!(health.resume(now), None);
        assert_eq!(health.resume(until), Some(true));
        assert!(health.takes_calls(until, &config));
    }
}

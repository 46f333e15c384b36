//! What a waiting caller hears: `waiting` once, then ring-back, broken by `still_waiting` now and then.
//! Goes on undisturbed while agents' phones are rung.

use std::time::Instant;

use crate::context::{Context, Playing};
use crate::event::Event;
use crate::prompt::{PromptId, Tone};

/// See the module.
#[derive(Debug)]
pub(crate) enum WaitingSound {
    Prompt(Playing),
    RingBack { until: Instant },
}

impl WaitingSound {
    pub fn start(context: &mut Context, now: Instant) -> Self {
        Self::Prompt(context.play(now, PromptId::WAITING))
    }

    pub fn on_event(self, context: &mut Context, now: Instant, event: &Event) -> Self {
        match self {
            Self::Prompt(playing) if playing.ended_by(event) => Self::ring_back(context, now),
            other => other,
        }
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Self {
        match self {
            Self::Prompt(playing) if playing.deadline <= now => Self::ring_back(context, now),
            Self::RingBack { until } if until <= now => {
                Self::Prompt(context.play(now, PromptId::STILL_WAITING))
            }
            other => other,
        }
    }

    pub fn deadline(&self) -> Instant {
        match self {
            Self::Prompt(playing) => playing.deadline,
            Self::RingBack { until } => *until,
        }
    }

    fn ring_back(context: &mut Context, now: Instant) -> Self {
        context.play_tone(now, Tone::RingBack);
        Self::RingBack { until: now + context.config.still_waiting_every }
    }
}

impl Playing {
    /// Whether the event is the end of this playback, good or bad.
    pub fn ended_by(self, event: &Event) -> bool {
        matches!(event, Event::PlayFinished { play } | Event::PlayFailed { play } if *play == self.play)
    }
}

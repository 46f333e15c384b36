//! No agent: the caller is asked to speak a message after the beep. Nothing said is lost: the call is
//! recorded all along, and a message without a word is still handed in.

use std::time::{Duration, Instant};

use record::Outcome;

use super::Phase;
use crate::context::{Context, Playing};
use crate::ending::Ending;
use crate::event::Event;
use crate::prompt::{PromptId, Tone};
use crate::session::Next;
use crate::summary;

#[derive(Debug)]
pub(crate) struct VoiceMessage {
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// "Please leave a message." Ends with the prompt.
    Asking(Playing),
    /// Ends with the beep.
    Beeping(Playing),
    /// The caller's turn. Ends by `#`, silence after speech, `until`, or hang-up.
    Listening { from: Instant, until: Instant, spoken: bool, silent_since: Option<Instant> },
    /// "Your message was received." Ends with the prompt, and so does the call.
    Thanking(Playing),
}

impl VoiceMessage {
    pub fn enter(context: &mut Context, now: Instant) -> Next {
        if context.ledger.queued.is_some() {
            context.leave_queue(now);
        }
        Self::at(Step::Asking(context.play(now, PromptId::NO_AGENT)))
    }

    pub fn on_event(mut self, context: &mut Context, now: Instant, event: &Event) -> Next {
        if matches!(event, Event::AgentOffered { .. }) {
            // Crossed with our leaving: set the agent free at once.
            context.leave_queue(now);
        }
        match (&mut self.step, event) {
            (Step::Asking(playing) | Step::Beeping(playing) | Step::Thanking(playing), event)
                if playing.ended_by(event) =>
            {
                self.proceed(context, now)
            }
            (Step::Listening { .. }, Event::Digit('#')) => self.proceed(context, now),
            (Step::Listening { spoken, silent_since, .. }, Event::SpeechHeard) => {
                *spoken = true;
                *silent_since = None;
                Next::Phase(Phase::VoiceMessage(self))
            }
            (Step::Listening { from, silent_since, .. }, Event::SilentFor(silence)) => {
                // Silence before the beep is no part of the message; the longest claim of one pause counts.
                let since = now.checked_sub(*silence).unwrap_or(*from).max(*from);
                *silent_since = Some(silent_since.map_or(since, |known| known.min(since)));
                Next::Phase(Phase::VoiceMessage(self))
            }
            _ => Next::Phase(Phase::VoiceMessage(self)),
        }
    }

    pub fn on_timeout(self, context: &mut Context, now: Instant) -> Next {
        if self.deadline(context) <= now {
            return self.proceed(context, now);
        }
        Next::Phase(Phase::VoiceMessage(self))
    }

    /// The caller hung up: the usual way to end a message.
    pub fn abandon(self, context: &mut Context, now: Instant) -> Outcome {
        self.close_message(context, now);
        Outcome::Overflow
    }

    pub fn deadline(&self, context: &Context) -> Instant {
        self.deadline_with(context.config.message_silence)
    }

    fn at(step: Step) -> Next {
        Next::Phase(Phase::VoiceMessage(Self { step }))
    }

    fn proceed(self, context: &mut Context, now: Instant) -> Next {
        match self.step {
            Step::Asking(_) => Self::at(Step::Beeping(context.play_tone(now, Tone::Beep))),
            Step::Beeping(_) => Self::at(Step::Listening {
                from: now,
                until: now + context.config.message_max,
                // Whoever began before the beep is speaking all the same.
                spoken: context.speaking,
                silent_since: None,
            }),
            Step::Listening { .. } => {
                self.close_message(context, now);
                context.stop_recording();
                Self::at(Step::Thanking(context.play(now, PromptId::MESSAGE_SAVED)))
            }
            Step::Thanking(_) => Next::End(Outcome::Overflow, Ending::MessageDone),
        }
    }

    fn close_message(&self, context: &mut Context, now: Instant) {
        if let Step::Listening { from, spoken, .. } = self.step {
            let (from_ms, to_ms) = (context.recording_ms(from), context.recording_ms(now));
            context.ledger.voice_message = Some(summary::VoiceMessage { from_ms, to_ms, speech: spoken });
        }
    }

    fn deadline_with(&self, message_silence: Duration) -> Instant {
        match self.step {
            Step::Asking(playing) | Step::Beeping(playing) | Step::Thanking(playing) => playing.deadline,
            Step::Listening { until, spoken: true, silent_since: Some(since), .. } => {
                until.min(since + message_silence)
            }
            Step::Listening { until, .. } => until,
        }
    }
}

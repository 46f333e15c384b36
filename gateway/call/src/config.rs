//! `[call]` of the configuration: every time limit and bound of a call and of the queue.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use record::Lane;
use record::units::duration;
use serde::{Deserialize, Serialize};

use crate::flow::FlowConfig;
use crate::lane::LaneRule;
use crate::prompt::PromptId;

/// `[call]`. Durations are texts with a unit: `"30s"`, `"500ms"`, `"2m"`, `"4h"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallConfig {
    /// The recording notice: `true` plays the prompt `notice`, a text plays the prompt of that id, `false`
    /// plays none (recording without notice needs a reason under PIPL art. 17). Default: true.
    pub notice: NoticeConfig,
    /// Whether an agent's phone may ring while the notice still plays. It saves the caller some seconds, but
    /// an agent who picks up at once speaks to nobody until the notice has ended. Default: false.
    pub ring_during_notice: bool,
    /// Longest wait for an agent, from joining the queue to the voice message. A phone that is ringing at
    /// that moment may ring out. Default: 60 s.
    #[serde(with = "duration")]
    pub max_wait: Duration,
    /// How long one agent's phone rings before the next is tried. Default: 20 s.
    #[serde(with = "duration")]
    pub ring_time: Duration,
    /// With no agent registered at all, how long a caller waits before the voice message. Default: 5 s.
    #[serde(with = "duration")]
    pub no_agent_grace: Duration,
    /// Ring-back heard between two `still_waiting` prompts. Default: 20 s.
    #[serde(with = "duration")]
    pub still_waiting_every: Duration,
    /// How long an agent is put aside after a phone that was not answered, busy or unreachable.
    /// Default: 30 s.
    #[serde(with = "duration")]
    pub agent_pause_after_no_answer: Duration,
    /// Time an agent has after a call before the next one; `"0s"` for none. Default: 5 s.
    #[serde(with = "duration")]
    pub wrap_up: Duration,
    /// Longest voice message. Default: 2 m.
    #[serde(with = "duration")]
    pub message_max: Duration,
    /// Silence that ends a voice message once something was said; a message silent throughout runs to
    /// `message_max`. Default: 8 s.
    #[serde(with = "duration")]
    pub message_silence: Duration,
    /// Longest call of all, from INVITE to end. Default: 4 h.
    #[serde(with = "duration")]
    pub max_call: Duration,
    /// Longest time a prompt or beep may take to report its end; then the call goes on without it.
    /// Default: 60 s.
    #[serde(with = "duration")]
    pub prompt_max: Duration,
    /// Longest wait for the caller's ACK: a little above SIP's timer H (32 s). Default: 35 s.
    #[serde(with = "duration")]
    pub confirm_max: Duration,
    /// Callers in the queue at most. At the bound the newest caller of the lowest lane gets the voice
    /// message. Default: 500.
    pub queue_capacity: usize,
    /// Every how many assignments of a boosted lane one goes to the longest waiting ordinary caller, if any
    /// waits: 3 means two boosted, one ordinary. At least 2. Default: 3.
    pub priority_burst: u32,
    /// Lanes that stand differently from [`LaneRule::default_for`]. Default: none.
    pub lanes: BTreeMap<Lane, LaneRule>,
    /// `call.service_line` of the record. Default: "12345".
    pub service_line: String,
    /// `call.queue` of the record. Default: "general".
    pub queue: String,
    /// What certain numbers do instead of the above. Default: none.
    pub flows: Vec<FlowConfig>,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self {
            notice: NoticeConfig::Switch(true),
            ring_during_notice: false,
            max_wait: Duration::from_secs(60),
            ring_time: Duration::from_secs(20),
            no_agent_grace: Duration::from_secs(5),
            still_waiting_every: Duration::from_secs(20),
            agent_pause_after_no_answer: Duration::from_secs(30),
            wrap_up: Duration::from_secs(5),
            message_max: Duration::from_secs(120),
            message_silence: Duration::from_secs(8),
            max_call: Duration::from_secs(4 * 3600),
            prompt_max: Duration::from_secs(60),
            confirm_max: Duration::from_secs(35),
            queue_capacity: 500,
            priority_burst: 3,
            lanes: BTreeMap::new(),
            service_line: "12345".to_owned(),
            queue: "general".to_owned(),
            flows: Vec::new(),
        }
    }
}

/// `notice` of [`CallConfig`]: a switch or a prompt id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NoticeConfig {
    /// `true`: the prompt `notice`; `false`: none.
    Switch(bool),
    /// The prompt of this id.
    Prompt(PromptId),
}

impl NoticeConfig {
    /// The prompt to play, if any.
    pub fn prompt(&self) -> Option<PromptId> {
        match self {
            Self::Switch(true) => Some(PromptId::NOTICE),
            Self::Switch(false) => None,
            Self::Prompt(id) => Some(id.clone()),
        }
    }
}

/// A value that cannot work. The operator mends it; `key` is relative to `[call]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {complaint}")]
pub struct ConfigError {
    /// The key, such as `ring_time` or `flows[2].numbers`.
    pub key: Cow<'static, str>,
    /// What is wrong and what would be right.
    pub complaint: &'static str,
}

/// No limit may exceed this: a timer beyond a week is a typing mistake, and `Instant` must not overflow.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

impl CallConfig {
    /// Every complaint about the values, none when they work.
    pub fn check(&self) -> Vec<ConfigError> {
        let mut complaints = Vec::new();
        let mut complain = |key: &'static str, complaint| {
            complaints.push(ConfigError { key: Cow::Borrowed(key), complaint });
        };
        for (key, value) in [
            ("max_wait", self.max_wait),
            ("ring_time", self.ring_time),
            ("still_waiting_every", self.still_waiting_every),
            ("message_max", self.message_max),
            ("message_silence", self.message_silence),
            ("max_call", self.max_call),
            ("prompt_max", self.prompt_max),
            ("confirm_max", self.confirm_max),
        ] {
            if value.is_zero() {
                complain(key, "must be longer than nothing");
            }
        }
        for (key, value) in [
            ("max_wait", self.max_wait),
            ("ring_time", self.ring_time),
            ("no_agent_grace", self.no_agent_grace),
            ("still_waiting_every", self.still_waiting_every),
            ("agent_pause_after_no_answer", self.agent_pause_after_no_answer),
            ("wrap_up", self.wrap_up),
            ("message_max", self.message_max),
            ("message_silence", self.message_silence),
            ("max_call", self.max_call),
            ("prompt_max", self.prompt_max),
            ("confirm_max", self.confirm_max),
        ] {
            if value > LONGEST {
                complain(key, "must not exceed seven days");
            }
        }
        if self.max_call < self.max_wait.saturating_add(self.message_max) {
            complain("max_call", "must leave room for max_wait and message_max together");
        }
        if self.queue_capacity == 0 {
            complain("queue_capacity", "must be at least 1");
        }
        if self.priority_burst < 2 {
            complain("priority_burst", "must be at least 2, otherwise no lane goes before the ordinary one");
        }
        if matches!(&self.notice, NoticeConfig::Prompt(id) if id.as_str().is_empty()) {
            complain("notice", "names no prompt; write false for no notice");
        }
        if self.service_line.is_empty() {
            complain("service_line", "must not be empty");
        }
        self.check_flows(&mut complaints);
        complaints
    }

    /// The rule of a lane: the configured one or the default.
    pub fn lane_rule(&self, lane: Lane) -> LaneRule {
        self.lanes.get(&lane).copied().unwrap_or(LaneRule::default_for(lane))
    }
}

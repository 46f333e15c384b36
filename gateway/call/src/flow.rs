//! `[[call.flows]]`: what a call does depends on the number that was dialled. The merged old lines need it
//! (a notice of their own, a closed line's announcement), and so do technical numbers such as an echo test.
//!
//! The flow is chosen once, when the INVITE comes; a reload does not change it for a call in progress.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::{CallConfig, ConfigError, NoticeConfig};
use crate::prompt::PromptId;

/// Flows at most: the merged lines are 58.
const MAX_FLOWS: usize = 256;
/// Numbers of one flow at most.
const MAX_NUMBERS: usize = 256;
/// Longest number, digits and `+`.
const MAX_NUMBER_CHARS: usize = 32;
/// Longest SIP address of `dial`.
const MAX_ADDRESS_CHARS: usize = 255;

/// One of `[[call.flows]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// Dialled numbers or old lines this is for, written as the trunk delivers them. The dialled number goes
    /// before the old line.
    pub numbers: Vec<String>,
    /// As `call.notice`. Default: `call.notice` when the call is recorded, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<NoticeConfig>,
    /// A prompt of this id, played after the notice. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptId>,
    /// What comes then. Default: `"queue"`.
    #[serde(default)]
    pub then: Then,
    /// Whether both sides are recorded. Default: as `intake`, but never where nothing is heard (`"hold"`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<bool>,
    /// Whether the call makes an intake record. `false` is for technical numbers. Default: true.
    #[serde(default = "yes")]
    pub intake: bool,
    /// `call.queue` of the record. Default: `call.queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

const fn yes() -> bool {
    true
}

/// What follows the notice and the prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Wait for an agent.
    #[default]
    Queue,
    /// End the call.
    HangUp,
    /// Send the caller's sound back.
    Echo,
    /// Stay up and send nothing.
    Hold,
    /// Offer the voice message.
    VoiceMessage,
    /// Ring a phone at a fixed SIP address: `{ dial = "sip:600@192.0.2.9:5060" }`.
    Dial(String),
}

impl Then {
    /// The word for it in the configuration and the record.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::HangUp => "hang_up",
            Self::Echo => "echo",
            Self::Hold => "hold",
            Self::VoiceMessage => "voice_message",
            Self::Dial(_) => "dial",
        }
    }
}

/// What one call does, resolved from the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The recording notice.
    pub notice: Option<PromptId>,
    /// Played after it.
    pub prompt: Option<PromptId>,
    /// What follows.
    pub then: Then,
    /// Both sides are recorded.
    pub record: bool,
    /// The call makes an intake record.
    pub intake: bool,
    /// `call.queue` of the record.
    pub queue: String,
}

impl Flow {
    /// What a number without a flow of its own gets: notice, queue, agent, recorded.
    pub fn default_of(config: &CallConfig) -> Self {
        Self {
            notice: config.notice.prompt(),
            prompt: None,
            then: Then::Queue,
            record: true,
            intake: true,
            queue: config.queue.clone(),
        }
    }

    /// Nobody hears or says anything: the call needs no media at all.
    pub fn is_silent(&self) -> bool {
        self.then == Then::Hold && self.notice.is_none() && self.prompt.is_none() && !self.record
    }
}

impl FlowConfig {
    fn records(&self) -> bool {
        self.record.unwrap_or(self.intake && self.then != Then::Hold)
    }

    fn resolve(&self, config: &CallConfig) -> Flow {
        let record = self.records();
        let notice = match &self.notice {
            Some(notice) => notice.prompt(),
            None if record => config.notice.prompt(),
            None => None,
        };
        Flow {
            notice,
            prompt: self.prompt.clone(),
            then: self.then.clone(),
            record,
            intake: self.intake,
            queue: self.queue.clone().unwrap_or_else(|| config.queue.clone()),
        }
    }

    fn is_for(&self, number: &str) -> bool {
        self.numbers.iter().any(|own| own == number)
    }
}

impl CallConfig {
    /// What a call to `dialled`, come through the old line `legacy_line`, does.
    pub fn flow(&self, dialled: &str, legacy_line: Option<&str>) -> Flow {
        let find = |number: &str| self.flows.iter().find(|flow| flow.is_for(number));
        match find(dialled).or_else(|| legacy_line.and_then(find)) {
            Some(flow) => flow.resolve(self),
            None => Flow::default_of(self),
        }
    }

    /// Every prompt the calls may play by the operator's word, with the key that names it.
    pub fn named_prompts(&self) -> Vec<(String, PromptId)> {
        let mut named = Vec::new();
        if let NoticeConfig::Prompt(id) = &self.notice {
            named.push(("notice".to_owned(), id.clone()));
        }
        for (index, flow) in self.flows.iter().enumerate() {
            if let Some(NoticeConfig::Prompt(id)) = &flow.notice {
                named.push((format!("flows[{index}].notice"), id.clone()));
            }
            if let Some(id) = &flow.prompt {
                named.push((format!("flows[{index}].prompt"), id.clone()));
            }
        }
        named
    }

    pub(crate) fn check_flows(&self, complaints: &mut Vec<ConfigError>) {
        let mut complain =
            |key: String, complaint| complaints.push(ConfigError { key: key.into(), complaint });
        if self.flows.len() > MAX_FLOWS {
            complain("flows".into(), "must be 256 at most");
        }
        let mut seen = BTreeSet::new();
        for (index, flow) in self.flows.iter().enumerate() {
            let key = |name: &str| format!("flows[{index}].{name}");
            if flow.numbers.is_empty() {
                complain(key("numbers"), "names no number");
            }
            if flow.numbers.len() > MAX_NUMBERS {
                complain(key("numbers"), "must be 256 at most");
            }
            for (at, number) in flow.numbers.iter().enumerate() {
                let at = || format!("flows[{index}].numbers[{at}]");
                if !is_number(number) {
                    complain(at(), "expected digits, * and #, with or without a leading +");
                }
                if !seen.insert(number.as_str()) {
                    complain(at(), "stands in another flow, too: a number has one flow");
                }
            }
            let empty = |id: &PromptId| id.as_str().is_empty();
            if matches!(&flow.notice, Some(NoticeConfig::Prompt(id)) if empty(id)) {
                complain(key("notice"), "names no prompt; write false for no notice");
            }
            if flow.prompt.as_ref().is_some_and(empty) {
                complain(key("prompt"), "names no prompt; leave the line out for none");
            }
            if flow.record == Some(true) && flow.then == Then::Hold {
                complain(key("record"), "nothing is heard on a held line: there is nothing to record");
            }
            if flow.record == Some(true) && !flow.intake {
                complain(key("record"), "a recording belongs to a record: it needs intake = true");
            }
            if flow.then == Then::VoiceMessage && !(flow.intake && flow.records()) {
                complain(key("then"), "a voice message needs record = true and intake = true");
            }
            if flow.then == Then::Queue && !flow.intake {
                complain(key("intake"), "a caller who waits for an agent always makes a record");
            }
            if let Then::Dial(address) = &flow.then
                && !is_sip_address(address)
            {
                complain(key("then"), "expected a SIP address such as \"sip:600@192.0.2.9:5060\"");
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty()
        && text.len() <= MAX_NUMBER_CHARS
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#')
}

/// RFC 3261 §19.1.1, as far as an operator needs it: scheme, optional user, host, optional port.
pub fn is_sip_address(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:")) else { return false };
    if text.len() > MAX_ADDRESS_CHARS || rest.bytes().any(|b| !b.is_ascii_graphic() || b"<>\"".contains(&b)) {
        return false;
    }
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = place.split([';', '?']).next().unwrap_or_default();
    let (host, port) = match place.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((host, rest)) if host.parse::<std::net::Ipv6Addr>().is_ok() => {
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').unwrap_or("x")) })
            }
            _ => return false,
        },
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-' || b == b':';
    !host.is_empty()
        && host.bytes().all(plain)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

//! Telephone calls: from the INVITE to the record.
//!
//! `accept` decides whether there is a call, `drive` runs it (`silent_line` one that needs no media, `second_line` what an agent's
//! phone calls meanwhile), `media` carries its sound, `hub` is the queue
//! all calls share, `recording` writes files, `transcribe` turns them into text.

pub mod accept;
pub mod caller;
pub mod decision;
pub mod desk;
pub mod drive;
pub mod gate;
pub mod hub;
pub mod leg;
pub mod media;
pub mod outbound;
pub mod ports;
pub mod prompts;
pub mod recording;
pub mod second_line;
pub mod silent_line;
pub mod transcribe;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use config::{Config, TrunkConfig};
use gateway_call::{CallConfig, CallId, Target};
use gateway_media::MediaConfig;
use gateway_sip::identity::Uri;
use record::{NumberContext, Pii};
use tokio::sync::watch;

use self::drive::is_dialable;
use self::leg::{Side, Towards};
use crate::intake::Middle;
use crate::switch::{Callee, Switch};

/// What every call shares.
pub struct Calls {
    /// The SIP switch.
    pub switch: Switch,
    /// Queue and agents.
    pub hub: hub::Hub,
    /// Lists, records, store.
    pub middle: Middle,
    /// The threads that carry the sound.
    pub engine: media::Engine,
    /// RTP ports.
    pub ports: ports::PortPool,
    /// The address written into SDP.
    pub media_address: IpAddr,
    /// What callers hear.
    pub prompts: prompts::Prompts,
    /// Recording files.
    pub recorder: recording::Recorder,
    /// Media settings.
    pub media: MediaConfig,
    /// What can change while running.
    pub live: ArcSwap<Live>,
    /// Whether speech recognition can take work now.
    pub speech_ready: watch::Receiver<bool>,
    /// Whether recordings are to be transcribed at all.
    pub speech_wanted: bool,
    /// Raised when the process ends.
    pub ending: watch::Receiver<Ending>,
    /// Who is let in when it is crowded.
    pub gate: gate::Gate,
    /// Numbers and counts them.
    pub counters: Counters,
    /// Those in progress, for the desk.
    pub directory: desk::Directory,
}

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Running.
    No,
    /// No new calls; those in progress go on.
    Draining,
    /// Hang up now.
    Now,
}

/// Settings that a reload replaces; calls in progress keep theirs.
pub struct Live {
    /// What a call does.
    pub call: Arc<CallConfig>,
    /// Who may call.
    pub trunks: Vec<TrunkConfig>,
    /// The node's own number context.
    pub numbers: NumberContext,
    /// Agents' accounts.
    pub agents: BTreeSet<String>,
}

impl Live {
    /// From the configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            call: Arc::new(config.call.clone()),
            trunks: config.trunks.clone(),
            numbers: number_context(config),
            agents: config.agents.iter().map(|agent| agent.user.clone()).collect(),
        }
    }

    /// The trunk that numbers are dialled through unless another is named: the first that has a gateway.
    pub fn trunk_out(&self) -> Option<&str> {
        self.trunks.iter().find(|trunk| !trunk.gateways.is_empty()).map(|trunk| trunk.name.as_str())
    }

    /// Whom an agent's phone means by this URI: another agent, or a telephone number. Nobody else is called for
    /// a phone: it must not make the gateway call any address of the internet.
    pub fn target_of(&self, uri: &str) -> Option<Target> {
        let user = match uri.strip_prefix("tel:") {
            Some(number) => number.split(';').next()?.to_owned(),
            None => Uri::parse(uri)?.user?,
        };
        if self.agents.contains(&user) {
            return Some(Target::Agent(user.as_str().into()));
        }
        is_dialable(&user).then(|| Target::Trunk { trunk: None, number: Pii::new(user) })
    }

    fn named(&self, name: &str) -> Option<&TrunkConfig> {
        self.trunks.iter().find(|trunk| trunk.name == name)
    }

    /// The side of a leg through that trunk.
    fn side_of(&self, name: &str) -> Side<'_> {
        self.named(name).map_or(Side::Other, Side::Trunk)
    }

    /// A trunk by name, and the number context of what comes over it.
    pub fn trunk(&self, name: &str) -> (Option<&TrunkConfig>, NumberContext) {
        let trunk = self.named(name);
        let mut numbers = self.numbers.clone();
        if let Some(area_code) = trunk.and_then(|trunk| trunk.area_code.clone()) {
            numbers.area_code = area_code;
        }
        (trunk, numbers)
    }
}

/// The node's number context.
pub fn number_context(config: &Config) -> NumberContext {
    NumberContext {
        area_code: config.node.area_code.clone(),
        service_lines: vec![config.call.service_line.clone()],
    }
}

/// Counts calls; starts at nothing.
#[derive(Debug, Default)]
pub struct Counters {
    last_call: AtomicU64,
    active: AtomicUsize,
}

impl Calls {
    /// Calls in progress.
    pub fn active(&self) -> usize {
        self.counters.active.load(Ordering::Relaxed)
    }

    /// What a leg through that trunk is to know of us.
    pub fn towards_trunk(&self, name: &str) -> Towards {
        Towards::new(&self.media, self.media_address, self.live.load().side_of(name))
    }

    /// Where a carrier is to send sound.
    pub fn address_towards_trunk(&self, name: &str) -> IpAddr {
        leg::address_towards(self.media_address, self.live.load().side_of(name))
    }

    /// What a leg to whom we call is to know of us.
    pub fn towards(&self, callee: &Callee) -> Towards {
        match callee {
            Callee::Trunk { trunk, .. } => self.towards_trunk(trunk),
            Callee::Agent(_) => self.towards_agent(),
            Callee::Phone { .. } => Towards::new(&self.media, self.media_address, Side::Other),
        }
    }

    /// What a leg to or from an agent's phone is to know of us.
    pub fn towards_agent(&self) -> Towards {
        Towards::new(&self.media, self.media_address, Side::Agent)
    }

    fn next_call_id(&self) -> CallId {
        CallId(self.counters.last_call.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Counts a call until the guard goes.
    fn count(self: &Arc<Self>) -> Counted {
        let now = self.counters.active.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("jiesu_calls_active").set(now as f64);
        Counted(self.clone())
    }
}

struct Counted(Arc<Calls>);

impl Drop for Counted {
    fn drop(&mut self) {
        let now = self.0.counters.active.fetch_sub(1, Ordering::Relaxed) - 1;
        metrics::gauge!("jiesu_calls_active").set(now as f64);
    }
}

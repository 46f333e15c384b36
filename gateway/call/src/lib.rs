//! What a call *does*, without SIP, sockets or a clock: greeting, queue, ringing one agent, talking, or
//! leaving a voice message.
//!
//! Two machines. A [`Session`] is one call: the shell feeds it [`Event`]s and performs its [`Action`]s. The
//! [`Hall`] is the queue and the agents, one owner for all calls. They never see each other: a session's
//! [`Action::Hall`] goes into [`Hall::handle`], a [`HallOutput`] becomes an [`Event`] of the call it names
//! (`Event::from`). After every `handle` or `handle_timeout` the caller polls until `None` and re-reads
//! `poll_timeout`. Both machines take `now` from outside, so an hour of calls is tested in a millisecond.
//!
//! There is no menu: GB/T 33358-2016 wants a person within fifteen seconds.
//!
//! ```
//! use gateway_call::{Action, CallConfig, CallId, Event, Flow, Hall, Session, SessionParams};
//! use std::{sync::Arc, time::Instant};
//!
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//! let config = Arc::new(CallConfig::default());
//! let mut hall = Hall::new(config.clone(), now);
//! let (call, lane) = (CallId(1), record::Lane::Standard);
//! let flow = Flow::default_of(&config);
//! let mut session = Session::new(SessionParams { call, lane, skills: Vec::new(), config, flow }, now);
//!
//! let mut pump = |session: &mut Session| {
//!     let mut wanted = Vec::new();
//!     while let Some(action) = session.poll_action() {
//!         match action {
//!             Action::Hall(event) => hall.handle(now, event),
//!             other => wanted.push(other), // performed by the shell
//!         }
//!     }
//!     while let Some(output) = hall.poll_output() {
//!         session.handle(now, Event::from(output)); // in truth: the session of output.call()
//!     }
//!     wanted
//! };
//! assert_eq!(pump(&mut session), [Action::Answer]);
//! session.handle(now, Event::Confirmed);
//! assert!(matches!(pump(&mut session)[..], [Action::StartRecording, Action::Play { .. }]));
//! ```

pub mod action;
pub mod command;
pub mod config;
mod context;
mod ending;
pub mod event;
pub mod flow;
pub mod hall;
pub mod id;
pub mod lane;
mod leg;
mod phase;
pub mod prompt;
pub mod role;
pub mod session;
pub mod summary;
pub mod target;
mod waiting_sound;

pub use action::Action;
pub use command::{Command, CommandRefused, TransferNote};
pub use config::{CallConfig, ConfigError};
pub use event::{Event, TurnedAway};
pub use flow::{Flow, FlowConfig, Then};
pub use hall::{Hall, HallEvent, HallOutput, HallSnapshot, RingFailure};
pub use id::{AgentId, CallId, LegId, PlayId, Skill};
pub use lane::LaneRule;
pub use prompt::{PromptId, Tone};
pub use role::{Role, Watch};
pub use session::{Consultation, PhaseName, Session, SessionParams};
pub use summary::{Notice, Summary, VoiceMessage};
pub use target::Target;

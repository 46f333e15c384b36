//! SIP without sockets: transactions, dialogs and the registrar of the agents' phones.
//!
//! The caller owns time, sockets and tasks. It hands in what happened and then takes out everything that is
//! to be done; nothing blocks, nothing is spawned, no clock is read. One [`Endpoint`] is one thread's business.
//!
//! ```
//! use std::time::Instant;
//! use gateway_sip::{Endpoint, EndpointConfig, Event, Input, LocalAddress, Transport, TrunkConfig};
//!
//! let local = "127.0.0.1:5060".parse().unwrap();
//! let mut endpoint = Endpoint::new(
//!     EndpointConfig {
//!         local: vec![LocalAddress { transport: Transport::Udp, listen: local, external: None }],
//!         trunks: vec![TrunkConfig { name: "carrier".into(), from: vec!["192.0.2.0/24".parse().unwrap()], ..TrunkConfig::default() }],
//!         ..EndpointConfig::default()
//!     },
//!     [7; 32],
//! );
//! # let start = Instant::now();
//! # let (now, remote) = (start, "198.51.100.9:5060".parse().unwrap());
//! // The loop of the shell, once round:
//! endpoint.handle_input(now, Input::Datagram { local, remote, bytes: b"OPTIONS sip:x SIP/2.0\r\n\r\n" });
//! endpoint.handle_timeout(now);
//! while let Some(transmit) = endpoint.poll_transmit() {
//!     let _ = (transmit.path, transmit.bytes); // send them
//! }
//! while let Some(event) = endpoint.poll_event() {
//!     assert!(matches!(event, Event::Refused { rule: "unknown-source", .. }));
//! }
//! let _sleep_until = endpoint.poll_timeout();
//! ```
//!
//! Take out all transmits and events after each input: that is what bounds both queues.
//! What is covered of which RFC: `docs/sip.md`.

mod body;
pub mod config;
mod dialog;
mod endpoint;
mod error;
mod event;
pub mod fields;
pub mod framing;
mod head;
mod header;
mod keys;
pub mod limits;
pub mod message;
mod path;
mod registrar;
mod replaces;
mod session;
mod shed;
mod timers;
mod token;
mod transaction;
pub mod trunk;

pub mod auth;
pub mod identity;
pub mod sdp;

pub use config::{AgentAccount, EndpointConfig, LocalAddress, Reliability, TimerConfig, Transport};
pub use endpoint::Endpoint;
pub use error::CommandError;
pub use event::{
    BindingView, CallHandle, Cause, ConnectionId, Counts, Event, IncomingInvite, IncomingMessage, Input,
    Invitation, MessageId, Path, Refer, Target, Transmit,
};
pub use trunk::{GatewayConfig, GatewayState, TrunkConfig};

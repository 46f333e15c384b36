//! RTP media for telephone calls without sockets, clocks or threads.
//!
//! Datagrams and `now` come in; frames, datagrams and events come out. One [`Stream`] is one leg's
//! bidirectional RTP ([RFC 3550](https://www.rfc-editor.org/rfc/rfc3550),
//! [RFC 3551](https://www.rfc-editor.org/rfc/rfc3551)); one [`CallMedia`] is everything a call does
//! with sound every 20 ms, a room of legs: prompts, mixing, recording, digits. The shell owns the sockets and drives:
//!
//! ```
//! # use std::time::Instant;
//! # use gateway_media::{CallMedia, Leg};
//! # fn drive(call: &mut CallMedia, now: Instant, datagram: &[u8], from: std::net::SocketAddr) {
//! call.receive(now, Leg::CALLER, from, datagram).ok();  // a datagram arrived
//! call.handle_timeout(now);                             // `poll_timeout()` has passed
//! while let Some(packet) = call.poll_transmit() {
//!     // send packet.bytes to packet.remote on the socket of packet.leg and packet.kind
//! #   let _ = packet.bytes;
//! }
//! while let Some(event) = call.poll_event() {
//!     // a digit, the end of a prompt, silence on the line
//! #   let _ = event;
//! }
//! while let Some(block) = call.poll_recording() {
//!     // hand block to the thread that writes files with a `RecordingWriter`
//! #   let _ = block;
//! }
//! # }
//! ```
//!
//! Keys for SRTP come from SDP; inside, sound is 8 kHz.

pub mod activity;
pub mod codec;
pub mod conceal;
pub mod config;
pub mod delay;
pub mod dtmf;
pub mod error;
pub mod event;
pub mod frame;
pub mod inband;
pub mod jitter;
pub mod keys;
pub mod latch;
pub mod leg;
pub mod mixer;
pub mod noise;
mod outgoing;
mod party;
pub mod prompt;
pub mod quality;
pub mod reception;
pub mod recorder;
pub mod recording;
pub mod report;
pub mod resample;
pub mod room;
pub mod rtcp;
pub mod rtp;
pub mod sender;
pub mod session;
pub mod srtp;
pub mod stats;
pub mod tone;
pub mod wav;

pub use codec::Codec;
pub use config::{
    InBandDigits, JitterConfig, LatchPolicy, MediaConfig, RecordingConfig, RecordingFormat, SrtpPolicy,
};
pub use dtmf::{Digit, digit_of_info};
pub use error::{MediaError, RtpError};
pub use event::BridgeEvent;
pub use frame::{FRAME_DURATION, FRAME_SAMPLES, Frame, FrameKind, SAMPLE_RATE, SILENCE, Samples};
pub use leg::{Leg, Role};
pub use outgoing::{Transmit, TransmitKind};
pub use prompt::{Player, Prompt};
pub use recorder::{Pause, PauseReason, Recorder, RecordingBlock};
pub use recording::{RecordingCheck, RecordingWriter};
pub use room::{CallMedia, MAX_LEGS};
pub use session::{Direction, MediaEvent, Payload, Stream, StreamConfig, StreamFormat};
pub use srtp::{SrtpKey, SrtpKeys, SrtpSuite};
pub use stats::StreamStats;

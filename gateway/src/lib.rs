//! The gateway: sockets, tasks and wiring around the crates that decide.
//!
//! Reading order: [`app`] puts everything together; [`intake`] is the middle through which every call and
//! message passes; [`switch`] owns SIP; [`calls`] runs calls; [`compose`] makes records; [`jobs`],
//! [`calls::transcribe`] and [`fetch`] work afterwards; [`recover`] mends what a crash left.

pub mod app;
pub mod attach;
pub mod calls;
pub mod cli;
pub mod compose;
pub mod demo;
pub mod desk;
pub mod fetch;
pub mod http;
pub mod intake;
pub mod jobs;
pub mod net;
pub mod recover;
pub mod secrets;
pub mod settings;
pub mod switch;
pub mod telemetry;
pub mod texts;
pub mod trunks;

/// The wall clock.
pub fn clock() -> record::Timestamp {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    record::Timestamp::from_unix_ms(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

//! The sound of all calls: a few threads, each with a pacing wheel and the rooms that sit in it.
//!
//! Reading order: `command` is the border to the call driver; `engine` shares rooms out; `worker` is one
//! thread; `wheel` says whose turn it is; `room` is one call's turn; `sockets` are the system calls,
//! `rhythm` saves some of them. What is
//! done with sound is decided in `gateway-media`; why threads and not tasks: `docs/adr/0008`.

mod arrival;
mod command;
mod engine;
mod priority;
mod rhythm;
mod room;
mod sockets;
mod wheel;
mod worker;

pub use command::{Figures, MediaCommand, MediaEvent, MediaHandle, StreamChange};
pub use engine::Engine;
pub use room::Setup;
pub use sockets::Port;

//! Recording files, as bytes: blocks of a [`Recorder`](crate::Recorder) in, a file's bytes and a verdict out.
//!
//! For the thread that writes files, never for the one that carries sound: Opus costs ten times what the
//! tick does. It opens no file; what goes where is told to whoever does.

mod check;
pub mod ogg;
mod ogg_opus;
mod writer;

pub use check::{ChannelCheck, Gap, RecordingCheck};
pub use writer::RecordingWriter;

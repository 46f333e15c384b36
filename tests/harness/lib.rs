//! The outermost border: the real binary as a child process, called by foreign peers (sipp, baresip), read
//! through what it publishes: records, API, metrics, log.
//!
//! Reading order: [`rig`] starts a gateway, [`baresip`] and [`sipp`] call it, [`records`] and [`audio`] judge
//! what came out. Nothing here knows the gateway's code but the published schema and digest (`record`) and
//! the decoder of the audio fixtures (`asr::audio`).
//!
//! `JIESU_BIN` names the binary under test; without it, it is built once. `JIESU_MODEL_DIR` names the folder
//! of the speech models. The foreign programs are Debian packages; a missing one fails with its name.

pub mod audio;
pub mod baresip;
pub mod binary;
pub mod patience;
pub mod ports;
pub mod process;
pub mod records;
pub mod redis_server;
pub mod rig;
pub mod settings;
pub mod sip;
pub mod sipp;
pub mod speech;
pub mod wechat;

pub use baresip::Baresip;
pub use patience::{PATIENCE, eventually};
pub use redis_server::RedisServer;
pub use rig::Rig;
pub use settings::Settings;

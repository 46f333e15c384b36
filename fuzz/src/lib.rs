//! One function a parser: bytes in, and whatever must hold for any bytes is asserted.
//!
//! A target does not only wait for a panic: what was read and written is read again, what was split is what was
//! whole, and an endpoint forgets everything in the end. libFuzzer drives these through `fuzz_targets/`, the
//! plain driver through [`TARGETS`].

mod media;
mod sip;
mod texts;

pub use media::{audio_file, media_stream, rtcp, rtp, wav};
pub use sip::{digest, identity, name_address, sdp, sip_endpoint, sip_message, sip_stream, sip_uri};
pub use texts::{channel_xml, config};

/// A target, by the name of its file and of its folder of seeds.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 15] = [
    ("sip_message", sip_message),
    ("sip_stream", sip_stream),
    ("sip_endpoint", sip_endpoint),
    ("sip_uri", sip_uri),
    ("name_address", name_address),
    ("digest", digest),
    ("identity", identity),
    ("sdp", sdp),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("media_stream", media_stream),
    ("wav", wav),
    ("audio_file", audio_file),
    ("channel_xml", channel_xml),
    ("config", config),
];

/// Where the seeds of a target lie: its own, and what the project has anyway.
pub fn seed_folders(name: &str) -> Vec<std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let more: &[&str] = match name {
        "sip_message" | "sip_stream" | "sip_endpoint" => &[
            "../gateway/sip/tests/fixtures/rfc4475",
            "../gateway/sip/tests/fixtures/rfc5118",
            "../gateway/sip/tests/fixtures/field",
        ],
        "audio_file" => &["../asr/tests/audio"],
        "config" => &["../config/examples", "../docker"],
        _ => &[],
    };
    let own = format!("seeds/{name}");
    let folders = std::iter::once(own.as_str()).chain(more.iter().copied()).map(|folder| root.join(folder));
    folders.filter(|folder| folder.is_dir()).collect()
}

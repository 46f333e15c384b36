//! Session descriptions: what the two ends of a call say about their media.
//!
//! [`SessionDescription`] is the parsed text ([RFC 8866](https://www.rfc-editor.org/rfc/rfc8866)); [`answer`],
//! [`offer`] and [`accept_answer`] are the offer/answer model of
//! [RFC 3264](https://www.rfc-editor.org/rfc/rfc3264) for telephony: one audio stream with telephone events
//! ([RFC 4733](https://www.rfc-editor.org/rfc/rfc4733)), in the clear or with keys of `a=crypto` (`crypto.rs`).
//! [`LocalDescription`] adds the memory a dialog needs: the version counter, the media lines already agreed,
//! the secret our keys come from.
//!
//! Not here: ICE, DTLS, video, fax, DNS names as media address. Such lines are refused by port 0, never by
//! silence. Nothing of the other end's text is ever echoed but media kinds, protocols, formats and its `t=`.

mod crypto;
mod description;
mod direction;
mod error;
mod formats;
mod local;
mod negotiate;
mod parse;
mod remote;
mod write;

pub use crypto::{KeySecret, MAX_KEY_MATERIAL, SrtpKey, SrtpKeys, SrtpPolicy, SrtpSuite};
pub use description::{Address, Attribute, MediaDescription, Origin, SessionDescription};
pub use direction::Direction;
pub use error::SdpError;
pub use formats::{Codec, OpusWishes, PayloadTypes};
pub use local::LocalDescription;
pub use negotiate::{Capabilities, LocalMedia, Negotiated, accept_answer, answer, offer};

/// Longest session description that is read, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 64 * 1024;
/// Most `m=` lines in one description.
pub const MAX_MEDIA_LINES: usize = 64;
/// Most formats (payload types) on one `m=` line.
pub const MAX_FORMATS: usize = 64;
/// Most `a=` lines at one level (the session, or one medium).
pub const MAX_ATTRIBUTES: usize = 512;

//! What a channel adapter hands over: one message or event of one person, verified and normalised,
//! before the list check and before it is a record.

use crate::pii::Pii;
use crate::terms::{AttachmentKind, CoordinateSystem, Medium, MessageKind};
use crate::time::Timestamp;

/// What becomes of a verified message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// A citizen's doing: it becomes an intake record.
    Intake,
    /// Kept (raw, deduplicated) and acknowledged, but no intake: receipts, echoes of our own messages,
    /// typing marks, automatic position reports, unsubscribing.
    KeepOnly,
}

/// One verified message or event.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {
    /// Channel code, e.g. `wechat_mp`.
    pub channel: String,
    /// The account's name in the configuration.
    pub account: String,
    /// The medium of the record.
    pub medium: Medium,
    /// The account's id on the platform, e.g. a `gh_…` name.
    pub provider_account: Option<String>,
    /// Who sent it.
    pub sender: Sender,
    /// The platform's conversation; the sender's id where the platform has none.
    pub conversation: String,
    /// The platform's message id, always as text; `None` where it has none (events).
    pub message_id: Option<String>,
    /// Unique per (channel, account): a second delivery with the same key is the same message.
    pub dedupe_key: String,
    /// When the platform says it was sent.
    pub sent_at: Timestamp,
    /// What sort of message; an unknown kind is kept as `event`.
    pub kind: MessageKind,
    /// The platform's own word for the kind, e.g. `shortvideo`, `future_type`.
    pub provider_kind: String,
    /// Title of a form or link.
    pub title: Option<Pii<String>>,
    /// The text a citizen wrote or the platform recognised.
    pub text: Option<Pii<String>>,
    /// Media to be fetched in the background.
    pub media: Vec<InboundMedia>,
    /// A position.
    pub location: Option<InboundLocation>,
    /// A shared link.
    pub link: Option<InboundLink>,
    /// Event name, e.g. `subscribe`.
    pub event: Option<String>,
    /// Event key, e.g. a menu key.
    pub event_key: Option<String>,
    /// Record or keep only.
    pub disposition: Disposition,
    /// The decrypted message as the platform sent it, for the sealed store.
    pub raw: Pii<Vec<u8>>,
}

/// The sender on the platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// Id on the platform (openid, user id, …).
    pub user_id: Pii<String>,
    /// Name, where the platform gives one.
    pub name: Option<Pii<String>>,
    /// Telephone numbers as given.
    pub phones: Vec<Pii<String>>,
    /// E-mail address.
    pub email: Option<Pii<String>>,
}

/// A reference to media on the platform; the bytes are fetched later by the channel.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundMedia {
    /// What it is.
    pub kind: AttachmentKind,
    /// Everything the platform gave to fetch it by: `media_id`, `media_id_16k`, `thumb_media_id`, `url`,
    /// `format`, `name`, … Flat text values.
    pub reference: std::collections::BTreeMap<String, String>,
}

/// A position as the platform gave it; digits are kept as text.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundLocation {
    /// Latitude, degrees, at most 7 decimals.
    pub latitude: Pii<String>,
    /// Longitude, degrees, at most 7 decimals.
    pub longitude: Pii<String>,
    /// Its coordinate system.
    pub crs: CoordinateSystem,
    /// The label shown with it.
    pub label: Option<Pii<String>>,
    /// Accuracy, metres.
    pub accuracy_m: Option<i64>,
}

/// A shared link.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundLink {
    /// Its title.
    pub title: Option<Pii<String>>,
    /// Its description.
    pub description: Option<Pii<String>>,
    /// Its address.
    pub url: Pii<String>,
}

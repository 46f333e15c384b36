//! From the platform's fields to an [`Inbound`]. Pure; an unknown kind is kept as an event.

use std::collections::BTreeMap;

use record::{
    AttachmentKind, CoordinateSystem, Disposition, Inbound, InboundLink, InboundLocation, InboundMedia,
    Medium, MessageKind, Pii, Sender, Timestamp,
};

use crate::channel::{Plain, Refusal};
use crate::xml::{self, Fields};

use super::{CODE, Config};

/// Most decimals of a coordinate: 7 are a centimetre.
const MAX_DECIMALS: usize = 7;

/// Events that are the platform's or our own doing, or report a position every five seconds: kept and
/// acknowledged, but no intake. Compared without regard to case.
const KEPT_EVENTS: [&str; 10] = [
    "unsubscribe",
    "location",
    "templatesendjobfinish",
    "masssendjobfinish",
    "publishjobfinish",
    "subscribe_msg_sent_event",
    "subscribe_msg_change_event",
    "kf_create_session",
    "kf_close_session",
    "kf_switch_session",
];

/// Reads one message or event.
pub fn normalise(config: &Config, plain: &Plain) -> Result<Inbound, Refusal> {
    let fields = xml::read(&plain.body)?;
    let word = fields.filled("MsgType").ok_or(Refusal::malformed("bad_xml"))?;
    let sender = fields.filled("FromUserName").ok_or(Refusal::malformed("bad_xml"))?;
    let provider_account = fields.filled("ToUserName");
    if let (Some(ours), Some(theirs)) = (config.account.as_deref(), provider_account)
        && ours != theirs
    {
        return Err(Refusal::forbidden("app_mismatch"));
    }
    let created = fields.filled("CreateTime");
    let event = if word == "event" { fields.filled("Event") } else { None };
    let message_id = fields.filled("MsgId").filter(|_| word != "event").map(str::to_owned);
    // The platform names sender and time for events; a scan and a subscription can share a second.
    let dedupe_key = message_id
        .clone()
        .unwrap_or_else(|| format!("{sender}|{}|{}", created.unwrap_or_default(), event.unwrap_or(word)));
    let mut inbound = Inbound {
        channel: CODE.to_owned(),
        account: config.name.clone(),
        medium: Medium::Text,
        provider_account: provider_account.map(str::to_owned),
        sender: Sender { user_id: Pii::new(sender.to_owned()), name: None, phones: Vec::new(), email: None },
        conversation: sender.to_owned(),
        message_id,
        dedupe_key,
        sent_at: created.and_then(seconds).unwrap_or(plain.received_at),
        kind: MessageKind::Event,
        provider_kind: word.to_owned(),
        title: None,
        text: None,
        media: Vec::new(),
        location: None,
        link: None,
        event: event.map(str::to_owned),
        event_key: None,
        disposition: Disposition::Intake,
        raw: Pii::new(plain.body.to_vec()),
    };
    fill(&mut inbound, word, &fields);
    Ok(inbound)
}

/// What each kind brings.
fn fill(inbound: &mut Inbound, word: &str, fields: &Fields) {
    match word {
        "text" => {
            inbound.kind = MessageKind::Text;
            inbound.text = text(fields, "Content");
            // Set when the text is a choice from a menu message of ours.
            inbound.event_key = fields.filled("bizmsgmenuid").map(str::to_owned);
        }
        "image" => {
            inbound.kind = MessageKind::Image;
            inbound.media =
                media(AttachmentKind::Image, fields, &[("media_id", "MediaId"), ("url", "PicUrl")]);
        }
        "voice" => {
            inbound.kind = MessageKind::Voice;
            inbound.text = text(fields, "Recognition");
            let keys = [("media_id", "MediaId"), ("media_id_16k", "MediaId16K"), ("format", "Format")];
            inbound.media = media(AttachmentKind::Voice, fields, &keys);
        }
        "video" | "shortvideo" => {
            inbound.kind = MessageKind::Video;
            let keys = [("media_id", "MediaId"), ("thumb_media_id", "ThumbMediaId")];
            inbound.media = media(AttachmentKind::Video, fields, &keys);
        }
        "location" => {
            inbound.kind = MessageKind::Location;
            inbound.text = text(fields, "Label");
            inbound.location = location(fields, "Location_X", "Location_Y");
        }
        "link" => {
            inbound.kind = MessageKind::Link;
            inbound.title = text(fields, "Title");
            inbound.text = text(fields, "Title");
            inbound.link = text(fields, "Url").map(|url| InboundLink {
                title: text(fields, "Title"),
                description: text(fields, "Description"),
                url,
            });
        }
        "event" => fill_event(inbound, fields),
        // Kept as it came, for the operator to see that the platform has something new.
        _ => {}
    }
}

fn fill_event(inbound: &mut Inbound, fields: &Fields) {
    inbound.event_key = fields.filled("EventKey").map(str::to_owned);
    let name = inbound.event.as_deref().unwrap_or_default().to_ascii_lowercase();
    if KEPT_EVENTS.contains(&name.as_str()) {
        inbound.disposition = Disposition::KeepOnly;
    }
    match name.as_str() {
        "location" => inbound.location = location(fields, "Latitude", "Longitude"),
        "location_select" => {
            if let Some(sent) = fields.child("SendLocationInfo") {
                inbound.location = location(sent, "Location_X", "Location_Y");
                inbound.text = text(sent, "Label");
            }
        }
        "scancode_push" | "scancode_waitmsg" => {
            inbound.text = fields.child("ScanCodeInfo").and_then(|scanned| text(scanned, "ScanResult"));
        }
        _ => {}
    }
}

fn text(fields: &Fields, name: &str) -> Option<Pii<String>> {
    fields.filled(name).map(|text| Pii::new(text.to_owned()))
}

/// One medium with every key the platform gave; none when it gave nothing to fetch by.
fn media(kind: AttachmentKind, fields: &Fields, keys: &[(&str, &str)]) -> Vec<InboundMedia> {
    let reference: BTreeMap<String, String> = keys
        .iter()
        .filter_map(|(ours, theirs)| Some(((*ours).to_owned(), fields.filled(theirs)?.to_owned())))
        .collect();
    let fetchable = reference.contains_key("media_id") || reference.contains_key("url");
    if fetchable { vec![InboundMedia { kind, reference }] } else { Vec::new() }
}

/// The platform's maps are Chinese ones, so its points are GCJ-02.
fn location(fields: &Fields, latitude: &str, longitude: &str) -> Option<InboundLocation> {
    Some(InboundLocation {
        latitude: Pii::new(coordinate(fields.filled(latitude)?, 90)?),
        longitude: Pii::new(coordinate(fields.filled(longitude)?, 180)?),
        crs: CoordinateSystem::Gcj02,
        label: text(fields, "Label"),
        accuracy_m: fields.filled("Precision").and_then(whole_metres),
    })
}

/// A coordinate as sent, cut after 7 decimals; never through a float, which would invent digits.
fn coordinate(text: &str, limit_degrees: u32) -> Option<String> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let degrees: u32 = whole.parse().ok().filter(|_| is_digits(whole) && whole.len() <= 3)?;
    let beyond =
        degrees > limit_degrees || (degrees == limit_degrees && fraction.bytes().any(|byte| byte != b'0'));
    if beyond || !is_digits(fraction) || (fraction.is_empty() && unsigned.contains('.')) {
        return None;
    }
    let surplus = fraction.len().saturating_sub(MAX_DECIMALS);
    text.get(..text.len() - surplus).map(str::to_owned)
}

/// Metres, rounded up: a position must not look better than it is.
fn whole_metres(text: &str) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let metres: i64 = whole.parse().ok().filter(|metres| (0..=100_000_000).contains(metres))?;
    Some(if fraction.bytes().any(|byte| byte != b'0') { metres + 1 } else { metres })
}

fn seconds(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.trim().parse().ok()?;
    // Before 2000 or after 9999 it is no time of a message.
    (946_684_800..253_370_764_800).contains(&seconds).then(|| Timestamp::from_unix_ms(seconds * 1000))
}

#[cfg(test)]
mod tests {
    use super::{coordinate, whole_metres};

    #[test]
    fn coordinates_keep_their_digits() {
        let read = |text, limit| coordinate(text, limit);
        assert_eq!(read("30.628412", 90).as_deref(), Some("30.628412"));
        assert_eq!(read("114.40185712349", 180).as_deref(), Some("114.4018571"));
        assert_eq!(read("-0.5", 90).as_deref(), Some("-0.5"));
        assert_eq!(read("40", 90).as_deref(), Some("40"));
        for text in
            ["", "-", ".5", "5.", "1e3", "+5", "91", "90.0000001", "北", "1.2.3", "99999999999", "1,5", "--1"]
        {
            assert_eq!(read(text, 90), None, "{text}");
        }
    }

    #[test]
    fn an_accuracy_is_never_made_better() {
        let read = ["65.000000", "65.2", "0", "-1", "x", ""].map(whole_metres);
        assert_eq!(read, [Some(65), Some(66), Some(0), None, None, None]);
    }
}

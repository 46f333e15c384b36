//! Makes records: the one place where what was heard or read takes the form of the published schema.
//!
//! Pure. What the citizen asks for is never decided here: `request.kind` stays `other` and `urgency`
//! `normal` until a person (or a later rule, marked as such) says more.

use record::{
    Acceptability, Call, Caller, Channel, ChannelUser, Confidential, ConfidentialLevel, IdentityKey, Inbound,
    Integrity, Location, Medium, Message, MessageFrom, MessageKind, NumberContext, Outcome, Phone, Point,
    Presentation, Privacy, PrivacyBasis, Provenance, ProvenanceBy, Record, ReplyBy, Reporter, ReporterKind,
    Request, RequestKind, SCHEMA, Segment, ServiceLevel, Speaker, State, Timestamp, Triage, Trust, Urgency,
    Uuid, Verdict, View,
};

use crate::calls::caller::Dialled;
use crate::texts::SipText;

/// The channel of texts by SIP: what a telephone number writes is a text message (短信), whatever carries it.
pub const CHANNEL_OF_TEXTS: &str = "sms";
/// `ext` key under which the recording notice stands.
pub const EXT_NOTICE: &str = "jiesu.notice";
/// `ext` key under which the word of the number's own flow stands (`hang_up`, `voice_message` …) where it was
/// not the queue.
pub const EXT_FLOW: &str = "jiesu.flow";
/// `ext` key under which a voice message's place on the recording stands.
pub const EXT_VOICE_MESSAGE: &str = "jiesu.voice_message";
/// `ext` key under which stands that a call went out, and the record it was about.
pub const EXT_DIRECTION: &str = "jiesu.direction";
/// `ext` key under which stands how a call ended, in a word.
pub const EXT_END: &str = "jiesu.end";
/// `ext` key under which stands how each leg of ours ended.
pub const EXT_LEGS: &str = "jiesu.legs";
/// `ext` key under which each leg's codec, loss, jitter, round trip and opinion score stand.
pub const EXT_QUALITY: &str = "jiesu.quality";
/// Where sound was lost on its way into the recording.
pub const EXT_RECORDING_GAPS: &str = "jiesu.recording_gaps";
/// `ext` key under which media waits that is not fetched yet.
pub const EXT_PENDING_MEDIA: &str = "jiesu.pending_media";
/// The tag of a representative's request: followed by a person until it is settled.
const TAG_REPRESENTATIVE: &str = "专项盯办";
/// Longest title of the schema, characters.
const MAX_TITLE_CHARS: usize = 120;

/// What of the node stands in every record.
#[derive(Clone, Debug)]
pub struct Node {
    /// Division code.
    pub jurisdiction: String,
    /// A drill.
    pub test: bool,
    /// Retention class.
    pub retention: String,
    /// The key of identity hashes.
    pub identity_key: IdentityKey,
    /// How numbers without an area code are meant.
    pub numbers: NumberContext,
}

/// A record of a call that just came in.
pub fn from_call(
    node: &Node,
    at: Timestamp,
    caller: &Caller,
    verdict: &Verdict,
    dialled: &Dialled,
    line: CallLine<'_>,
) -> Record {
    let channel = Channel {
        code: "voice".into(),
        medium: Medium::Voice,
        provider: Some(line.trunk.into()),
        account: Some(dialled.number.clone()),
        interaction_id: Some(line.record_id.to_string()),
        provider_ids: Some(vec![line.call_id.into()]),
        received_at: at,
        first_response_at: None,
        upstream: None,
    };
    let mut record = blank(node, line.record_id, at, channel, reporter_of_caller(node, caller));
    record.call = Some(Call {
        call_id: line.call_id.into(),
        session_id: line.session_id.map(Into::into),
        dialled: dialled.number.clone(),
        service_line: Some(line.service_line.into()),
        legacy_line: dialled.legacy_line.clone(),
        diversion: Some(dialled.diversion.clone()).filter(|steps| !steps.is_empty()),
        lane: Some(verdict.lane),
        queue: None,
        invited_at: at,
        queued_at: None,
        answered_at: None,
        ended_at: None,
        wait_ms: None,
        talk_ms: None,
        end_by: None,
        sip_code: None,
        q850: None,
        outcome: Outcome::Failed,
        callback_id: None,
        agent_key: None,
        transfers: None,
        signals: None,
    });
    apply_verdict(&mut record, verdict);
    record
}

/// A record of a text by SIP: a text message from a telephone number.
pub fn from_text(node: &Node, record_id: Uuid, at: Timestamp, text: &SipText, verdict: &Verdict) -> Record {
    let channel = Channel {
        code: CHANNEL_OF_TEXTS.into(),
        medium: Medium::Text,
        provider: Some(text.trunk.clone()),
        account: Some(text.account.clone()),
        interaction_id: Some(record_id.to_string()),
        provider_ids: Some(vec![text.key.clone()]),
        received_at: at,
        first_response_at: None,
        upstream: None,
    };
    let mut record = blank(node, record_id, at, channel, reporter_of_caller(node, &text.sender));
    record.messages = Some(vec![written(&text.key, at, text.text.reveal())]);
    record.request.text = text.text.reveal().clone();
    record.request.provenance =
        Some(Provenance { by: ProvenanceBy::Channel, engine: None, confidence: None });
    let refused = verdict.decision == record::Decision::Refuse;
    record.triage = triage(if refused { Acceptability::NotAccepted } else { Acceptability::Accept });
    record.state = State::Final;
    apply_verdict(&mut record, verdict);
    record
}

/// A text a citizen wrote, outside of a call or in it.
pub fn written(key: &str, at: Timestamp, text: &str) -> Message {
    Message {
        id: key.to_owned(),
        at,
        from: MessageFrom::Reporter,
        kind: MessageKind::Text,
        text: Some(text.to_owned()),
        attachment: None,
        dedupe_key: Some(key.to_owned()),
    }
}

/// What the signalling knows of a call.
#[derive(Clone, Copy)]
pub struct CallLine<'a> {
    /// The record's id.
    pub record_id: Uuid,
    /// The Call-ID.
    pub call_id: &'a str,
    /// Session-ID (RFC 7989).
    pub session_id: Option<&'a str>,
    /// The trunk's name.
    pub trunk: &'a str,
    /// The one number everything was merged into.
    pub service_line: &'a str,
}

/// The first assessment that follows from how a call ended.
pub fn assess(record: &mut Record) {
    let Some(call) = &record.call else { return };
    let acceptability = match call.outcome {
        Outcome::Answered | Outcome::Overflow | Outcome::CallbackPromised => Acceptability::Accept,
        Outcome::Blocked => Acceptability::NotAccepted,
        Outcome::AbandonedQueue | Outcome::AbandonedRing | Outcome::Failed => Acceptability::NeedsMore,
    };
    record.triage = triage(acceptability);
    record.channel.first_response_at = call.answered_at;
}

/// Writes a transcript into a record: the segments, and the reporter's words as the request's text while no
/// person has written one.
pub fn add_transcript(record: &mut Record, segments: Vec<Segment>, engine: &str) {
    let said: Vec<&str> = segments
        .iter()
        .filter(|segment| segment.speaker == Speaker::Reporter)
        .map(|segment| segment.text.as_str())
        .collect();
    if record.request.text.is_empty() && !said.is_empty() {
        record.request.text = said.join("\n");
        let sure = segments.iter().filter_map(|segment| segment.confidence).min();
        record.request.provenance =
            Some(Provenance { by: ProvenanceBy::Asr, engine: Some(engine.into()), confidence: sure });
    }
    record.transcript = Some(segments);
}

/// A record of one message.
pub fn from_inbound(
    node: &Node,
    record_id: Uuid,
    at: Timestamp,
    inbound: &Inbound,
    verdict: &Verdict,
) -> Record {
    let sender = &inbound.sender;
    let channel = Channel {
        code: inbound.channel.clone(),
        medium: inbound.medium,
        provider: inbound.provider_account.clone(),
        account: Some(inbound.account.clone()),
        interaction_id: Some(inbound.conversation.clone()),
        provider_ids: inbound.message_id.clone().map(|id| vec![id]),
        received_at: at,
        first_response_at: None,
        upstream: None,
    };
    let phones: Vec<Phone> = sender
        .phones
        .iter()
        .map(|raw| {
            let number = record::number::normalise(raw.reveal(), &node.numbers);
            phone(node, &number, Presentation::Allowed, Trust::SelfDeclared)
        })
        .collect();
    let reporter = Reporter {
        name: sender.name.as_ref().map(|name| name.reveal().clone()),
        name_masked: sender.name.as_ref().map(|name| mask_name(name.reveal())),
        name_key: sender.name.as_ref().map(|name| node.identity_key.key("name", name.reveal())),
        phones: Some(phones).filter(|phones| !phones.is_empty()),
        channel_user: Some(ChannelUser {
            provider: inbound.channel.clone(),
            user_key: node.identity_key.key(&inbound.channel, sender.user_id.reveal()),
            user_id: Some(sender.user_id.reveal().clone()),
        }),
        email: sender.email.as_ref().map(|email| email.reveal().clone()),
        email_masked: sender.email.as_ref().map(|email| mask_email(email.reveal())),
        email_key: sender.email.as_ref().map(|email| node.identity_key.key("email", email.reveal())),
        reply: ReplyBy::Channel,
        ..reporter(ReporterKind::Natural)
    };
    let mut record = blank(node, record_id, at, channel, reporter);
    let text = inbound.text.as_ref().map(|text| text.reveal().clone());
    record.messages = Some(vec![Message {
        id: inbound.message_id.clone().unwrap_or_else(|| inbound.dedupe_key.clone()),
        at: inbound.sent_at,
        from: MessageFrom::Reporter,
        kind: inbound.kind,
        text: text.clone(),
        attachment: None,
        dedupe_key: Some(inbound.dedupe_key.clone()),
    }]);
    record.request.text = text.unwrap_or_default();
    let title = inbound.title.as_ref().or(inbound.link.as_ref().and_then(|link| link.title.as_ref()));
    record.request.title = title.map(|title| title.reveal().chars().take(MAX_TITLE_CHARS).collect());
    record.request.provenance =
        Some(Provenance { by: ProvenanceBy::Channel, engine: None, confidence: None });
    record.location = inbound.location.as_ref().map(|location| Location {
        division: None,
        path: None,
        detail: location.label.as_ref().map(|label| label.reveal().clone()),
        poi: None,
        point: Some(Point {
            lat: location.latitude.reveal().clone(),
            lon: location.longitude.reveal().clone(),
            crs: location.crs,
            accuracy_m: location.accuracy_m,
        }),
        grid: None,
        provenance: Some(Provenance { by: ProvenanceBy::Channel, engine: None, confidence: None }),
    });
    record.ext = extensions(inbound);
    let acceptability = if verdict.decision == record::Decision::Refuse {
        Acceptability::NotAccepted
    } else if inbound.kind == MessageKind::Event {
        Acceptability::NeedsMore
    } else {
        Acceptability::Accept
    };
    record.triage = triage(acceptability);
    record.state = State::Final;
    apply_verdict(&mut record, verdict);
    record
}

/// What the schema has no field for: the platform's own words, and media that is not here yet.
fn extensions(inbound: &Inbound) -> Option<serde_json::Map<String, serde_json::Value>> {
    let mut ext = serde_json::Map::new();
    let mut own = serde_json::Map::new();
    own.insert("kind".into(), inbound.provider_kind.clone().into());
    for (name, value) in [("event", &inbound.event), ("event_key", &inbound.event_key)] {
        if let Some(value) = value {
            own.insert(name.into(), value.clone().into());
        }
    }
    if let Some(link) = &inbound.link {
        own.insert("url".into(), link.url.reveal().clone().into());
        if let Some(description) = &link.description {
            own.insert("description".into(), description.reveal().clone().into());
        }
    }
    ext.insert(format!("jiesu.{}", inbound.channel), own.into());
    if !inbound.media.is_empty() {
        let media = inbound.media.iter().map(|media| {
            let mut entry: serde_json::Map<String, serde_json::Value> =
                media.reference.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            entry.insert("type".into(), media.kind.as_str().into());
            serde_json::Value::from(entry)
        });
        ext.insert(EXT_PENDING_MEDIA.into(), media.collect());
    }
    Some(ext)
}

fn blank(node: &Node, record_id: Uuid, at: Timestamp, channel: Channel, reporter: Reporter) -> Record {
    Record {
        schema: SCHEMA.into(),
        record_id,
        record_no: String::new(),
        revision: 1,
        state: State::Provisional,
        jurisdiction: node.jurisdiction.clone(),
        test: node.test.then_some(true),
        created_at: at,
        updated_at: at,
        channel,
        call: None,
        messages: None,
        reporter,
        lists: None,
        request: Request {
            kind: RequestKind::Other,
            title: None,
            text: String::new(),
            original_language: None,
            occurred_at: None,
            occurred_note: None,
            categories: None,
            tags: None,
            urgency: Urgency::Normal,
            enterprise_related: None,
            wanted: None,
            provenance: None,
        },
        location: None,
        subjects: None,
        handler: None,
        attachments: None,
        transcript: None,
        triage: triage(Acceptability::NeedsMore),
        relations: None,
        alerts: None,
        routing_hint: None,
        service_level: Some(ServiceLevel { received_at: Some(at), due_hint: None, policy: None }),
        evaluation: None,
        push: None,
        privacy: Privacy {
            basis: PrivacyBasis::Pipl133StatutoryDuty,
            notice: None,
            sensitive: None,
            view: View::Sealed,
            masked: Vec::new(),
            retention: node.retention.clone(),
        },
        // The outbox fills it when the record is appended.
        integrity: Integrity {
            canon: "jcs".into(),
            digest: String::new(),
            previous: None,
            node: String::new(),
            seq: 0,
            key_id: None,
            alg: None,
            signature: None,
        },
        ext: None,
    }
}

fn apply_verdict(record: &mut Record, verdict: &Verdict) {
    record.lists = Some(verdict.entries.clone());
    if let Some(representative) = &verdict.representative {
        record.reporter.representative = Some(representative.clone());
        record.request.tags = Some(vec![TAG_REPRESENTATIVE.into()]);
    }
}

fn triage(acceptability: Acceptability) -> Triage {
    Triage {
        acceptability,
        non_accept_code: None,
        online_class: None,
        handover_110: None,
        answered_from: None,
        provenance: Some(Provenance { by: ProvenanceBy::Rule, engine: None, confidence: None }),
    }
}

fn reporter(kind: ReporterKind) -> Reporter {
    Reporter {
        kind,
        name: None,
        name_masked: None,
        name_key: None,
        gender: None,
        phones: None,
        channel_user: None,
        email: None,
        email_masked: None,
        email_key: None,
        labels: None,
        org_name: None,
        org_uscc: None,
        language: None,
        needs: None,
        involved: None,
        representative: None,
        confidential: Confidential { requested: false, level: ConfidentialLevel::Open, basis: None },
        reply: ReplyBy::None,
        callback_phone: None,
    }
}

fn reporter_of_caller(node: &Node, caller: &Caller) -> Reporter {
    let Some(number) = &caller.number else {
        let withheld = Phone {
            e164: None,
            masked: None,
            key: None,
            kind: record::PhoneKind::Unknown,
            presentation: caller.presentation,
            trust: caller.trust,
            raw: None,
        };
        return Reporter { phones: Some(vec![withheld]), ..reporter(ReporterKind::Anonymous) };
    };
    let callable = number.may_be_called_back();
    Reporter {
        phones: Some(vec![phone(node, number, caller.presentation, caller.trust)]),
        reply: if callable { ReplyBy::Phone } else { ReplyBy::None },
        callback_phone: callable.then_some(0),
        ..reporter(ReporterKind::Natural)
    }
}

fn phone(node: &Node, number: &record::Number, presentation: Presentation, trust: Trust) -> Phone {
    let identity = number.e164.as_ref().unwrap_or(&number.raw);
    Phone {
        e164: number.e164.as_ref().map(|e164| e164.reveal().clone()),
        masked: Some(number.masked()),
        key: Some(node.identity_key.key("phone", identity.reveal())),
        kind: number.kind,
        presentation,
        trust,
        raw: Some(number.raw.reveal().clone()),
    }
}

/// `张三丰` → `张**`.
fn mask_name(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(String::from).unwrap_or_default();
    first + &"*".repeat(characters.count().clamp(1, 4))
}

/// `zhang@example.cn` → `z***@example.cn`.
fn mask_email(email: &str) -> String {
    let (user, host) = email.split_once('@').unwrap_or((email, ""));
    format!("{}***@{host}", user.chars().next().map(String::from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_masked_by_characters_not_bytes() {
        assert_eq!(mask_name("张三丰"), "张**");
        assert_eq!(mask_name("张"), "张*");
        assert_eq!(mask_email("zhang@example.cn"), "z***@example.cn");
        assert_eq!(mask_email("坏"), "坏***@");
    }
}

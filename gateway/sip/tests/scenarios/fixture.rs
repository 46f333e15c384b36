//! Messages kept as files, in the notation of [RFC 4475 §2](https://www.rfc-editor.org/rfc/rfc4475#section-2):
//! `<allOneLine>` joins lines, `<hex>` holds bytes no editor shows, `<repeat count=N>` repeats. Line ends are
//! CRLF once read.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use gateway_sip::{ConnectionId, Event, Input};

use crate::rig::*;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 100, and the layer above hears of a call.
    Call,
    /// The layer above hears of a text and will answer it.
    Text,
    /// Answered with this, and no call.
    Status(u16),
    /// No answer; the log hears this rule.
    Silent(&'static str),
    /// No answer and nothing to tell.
    Nothing,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The bytes of a fixture as they stand on the wire.
pub fn read(set: &str, name: &str) -> Vec<u8> {
    let path = folder(set).join(name).with_file_name(format!("{name}.sip"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    expand(&text)
}

/// Every fixture of a set by name.
pub fn names(set: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder(set)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| name.strip_suffix(".sip").unwrap().to_owned()).collect()
}

fn expand(text: &str) -> Vec<u8> {
    let mut joined = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<allOneLine>\n") {
        let (lines, after) = after.split_once("</allOneLine>").expect("closed");
        joined.push_str(before);
        joined.push_str(&lines.replace('\n', ""));
        rest = after;
    }
    joined.push_str(rest);
    let mut bytes = Vec::new();
    let mut rest = joined.as_str();
    while let Some(at) = rest.find(['<', '\n']) {
        let (before, after) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        if let Some(after) = after.strip_prefix("<hex>") {
            let (digits, after) = after.split_once("</hex>").expect("closed");
            bytes.extend(
                (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()),
            );
            rest = after;
        } else if let Some(after) = after.strip_prefix("<repeat count=") {
            let (count, after) = after.split_once('>').unwrap();
            let (what, after) = after.split_once("</repeat>").expect("closed");
            bytes.extend_from_slice(what.repeat(count.parse().unwrap()).as_bytes());
            rest = after;
        } else {
            bytes.extend_from_slice(if after.starts_with('\n') { b"\r\n" } else { b"<" });
            rest = &after[1..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// What a datagram from a peer the message fits to (phones register, carriers do all else) comes to.
pub fn outcome(rig: &mut Rig, from: &str, bytes: &[u8]) -> Outcome {
    rig.udp_bytes(from, bytes);
    let statuses: Vec<u16> = rig.sent().iter().map(Sent::status).collect();
    let events = rig.events();
    let called = events.iter().any(|event| matches!(event, Event::Incoming { .. }));
    let rule = events.iter().find_map(|event| match event {
        Event::Refused { rule, .. } => Some(*rule),
        _ => None,
    });
    if statuses.is_empty() && matches!(events[..], [Event::Message(_)]) {
        return Outcome::Text;
    }
    match (statuses[..].as_ref(), called, rule) {
        ([100], true, None) => Outcome::Call,
        ([status], false, _) => Outcome::Status(*status),
        ([], false, Some(rule)) => Outcome::Silent(rule),
        ([], false, None) => Outcome::Nothing,
        other => panic!("{other:?} in answer to one message"),
    }
}

pub fn sender(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"REGISTER ") { PHONE } else { CARRIER }
}

/// Holds a whole set against its table: the right outcome from a known peer, silence for a stranger, a stream
/// that goes on or is closed but never hangs, and nothing left behind in any case.
pub fn check(
    set: &str,
    config: fn() -> gateway_sip::EndpointConfig,
    from: fn(&[u8]) -> &'static str,
    table: &[(&str, Outcome)],
) {
    let named: BTreeSet<String> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named.len(), table.len(), "a name stands once");
    assert_eq!(named, names(set), "the table names every fixture");
    let mut wrong = Vec::new();
    for (name, expected) in table {
        let bytes = read(set, name);
        let mut rig = Rig::with(config());
        let found = outcome(&mut rig, from(&bytes), &bytes);
        if found != *expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
        // The same again at once: a repeat makes no second call and never another answer.
        let again = {
            rig.udp_bytes(from(&bytes), &bytes);
            rig.sent().iter().map(Sent::status).collect::<Vec<_>>()
        };
        assert!(rig.events().iter().all(|event| !matches!(event, Event::Incoming { .. })), "{name} twice");
        match found {
            Outcome::Call => assert_eq!(again, [100], "{name} again"),
            Outcome::Status(status) => assert_eq!(again, [status], "{name} again"),
            Outcome::Text | Outcome::Silent(_) | Outcome::Nothing => {
                assert!(again.is_empty(), "{name} again")
            }
        }
        rig.assert_nothing_left();
        let mut rig = Rig::with(config());
        rig.udp_bytes(STRANGER, &bytes);
        assert!(rig.sent().is_empty(), "{name}: a stranger was answered");
        rig.assert_nothing_left();
        stream_survives(name, config(), from(&bytes), &bytes);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Byte by byte over TCP; then OPTIONS until one is answered, or the connection was given up. A length that lies
/// may swallow some of them, but no more than the largest message.
fn stream_survives(name: &str, config: gateway_sip::EndpointConfig, from: &str, bytes: &[u8]) {
    let most = config.max_message_bytes;
    let mut rig = Rig::with(config);
    rig.open(1, from);
    for byte in bytes {
        let input = Input::StreamBytes { connection: ConnectionId(1), bytes: std::slice::from_ref(byte) };
        rig.endpoint.handle_input(rig.now, input);
    }
    rig.sent();
    let mut closed = rig.events().iter().any(|event| matches!(event, Event::Disconnect { .. }));
    let options = Ask { method: "OPTIONS", ..Ask::default() }.over("TCP").replace('\n', "\r\n");
    let mut pushed = 0;
    loop {
        if closed || rig.sent().iter().any(|sent| sent.status() == 200) {
            break;
        }
        assert!(pushed <= most + options.len(), "{name}: the connection is deaf");
        let input = Input::StreamBytes { connection: ConnectionId(1), bytes: options.as_bytes() };
        rig.endpoint.handle_input(rig.now, input);
        rig.collect();
        pushed += options.len();
        closed = rig.events().iter().any(|event| matches!(event, Event::Disconnect { .. }));
    }
    rig.close(1);
    rig.assert_nothing_left();
}

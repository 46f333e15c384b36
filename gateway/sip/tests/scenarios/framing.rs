//! Streams: any split gives the same messages; one bad message does not cost the connection.

use gateway_sip::framing::{Frame, Framer};
use proptest::prelude::*;

use crate::rig::*;

fn frames(bytes: &[u8], cuts: &[usize]) -> Vec<Frame> {
    let mut framer = Framer::new(2_000);
    let mut out = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut from = 0;
    for cut in cuts {
        framer.push(&bytes[from..cut]);
        from = cut;
        while let Some(frame) = framer.next() {
            out.push(frame);
        }
    }
    out
}

#[derive(Clone, Debug)]
enum Piece {
    Message(u8, usize),
    Garbage(u8),
    Ping,
    Blank,
    Noise(Vec<u8>),
    Endless,
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        6 => (any::<u8>(), 0..80_usize).prop_map(|(id, body)| Piece::Message(id, body)),
        1 => any::<u8>().prop_map(Piece::Garbage),
        2 => Just(Piece::Ping),
        2 => Just(Piece::Blank),
        1 => prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..12).prop_map(Piece::Noise),
        1 => Just(Piece::Endless),
    ]
}

fn bytes_of(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Message(id, body) => {
                out.extend(format!("INFO sip:{id} SIP/2.0\r\nContent-Length: {body}\r\n\r\n").bytes());
                out.extend(std::iter::repeat_n(b'x', *body));
            }
            Piece::Garbage(id) => out.extend(format!("garbage {id}\r\n\r\n").bytes()),
            Piece::Ping => out.extend(b"\r\n\r\n"),
            Piece::Blank => out.extend(b"\r\n"),
            Piece::Noise(noise) => out.extend(noise),
            Piece::Endless => out.extend(std::iter::repeat_n(b'e', 1_100)),
        }
    }
    out
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(pieces in prop::collection::vec(piece(), 0..8), cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let bytes = bytes_of(&pieces);
        prop_assert_eq!(frames(&bytes, &cuts), frames(&bytes, &[]));
    }
}

#[test]
fn messages_come_out_whole_and_in_order() {
    let bytes = bytes_of(&[
        Piece::Ping,
        Piece::Message(1, 40),
        Piece::Blank,
        Piece::Message(2, 0),
        Piece::Ping,
        Piece::Message(3, 7),
    ]);
    let every: Vec<usize> = (0..bytes.len()).collect();
    let out = frames(&bytes, &every);
    let kinds: Vec<usize> = out
        .iter()
        .map(|frame| match frame {
            Frame::Message(bytes) => bytes.len(),
            Frame::Ping => 0,
            Frame::Lost(_) => usize::MAX,
        })
        .collect();
    assert_eq!(kinds, [0, 82, 41, 0, 48]);
}

#[test]
fn a_ping_is_answered_with_a_pong() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    rig.tcp(1, "\r\n\r\n");
    let sent = rig.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].bytes, b"\r\n");
}

#[test]
fn a_bad_message_is_answered_and_the_next_one_is_heard() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    let options = Ask { method: "OPTIONS", ..Ask::default() }.over("TCP");
    rig.tcp(
        1,
        &format!(
            "{}{}what is this\r\nContent-Length: 3\r\n\r\nabc{options}",
            options.replace("Max-Forwards: 70", "Max-Forwards: many"),
            "\r\n"
        ),
    );
    assert_eq!(rig.said(), ["400", "200"]);
    assert_eq!(
        rig.heard(),
        [format!("Refused({CARRIER}, malformed)"), format!("Refused({CARRIER}, not-sip)")]
    );
}

#[test]
fn an_impossible_content_length_is_400_and_the_end_of_the_connection() {
    for length in ["18446744073709551615", "99999999999999999999999", "-1", "70000", "3\r\nl: 4"] {
        let mut rig = Rig::new();
        rig.open(1, CARRIER);
        let options = Ask { method: "OPTIONS", ..Ask::default() }.over("TCP");
        rig.tcp(1, &options.replace("Content-Length: 0", &format!("Content-Length: {length}")));
        assert_eq!(rig.said(), ["400"], "{length}");
        assert_eq!(
            rig.heard(),
            [format!("Refused({CARRIER}, stream-framing-lost)"), "Disconnect(1)".to_owned()]
        );
        rig.tcp(1, &options);
        assert!(rig.sent().is_empty());
    }
}

#[test]
fn a_head_without_end_is_not_kept() {
    let mut rig = Rig::new();
    rig.open(1, CARRIER);
    for _ in 0..80 {
        rig.tcp(1, &"x".repeat(1_000));
    }
    assert_eq!(rig.heard(), [format!("Refused({CARRIER}, stream-framing-lost)"), "Disconnect(1)".to_owned()]);
}

#[test]
fn strangers_are_not_let_in() {
    let mut rig = Rig::new();
    rig.open(1, STRANGER);
    rig.tcp(1, &Ask::default().over("TCP"));
    assert!(rig.sent().is_empty());
    assert_eq!(rig.heard(), [format!("Refused({STRANGER}, unknown-source)"), "Disconnect(1)".to_owned()]);
}

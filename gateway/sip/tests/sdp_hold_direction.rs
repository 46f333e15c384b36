//! Hold and resume: carriers hang up on a wrong direction, and a held party must not be fed speech.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::sdp::Direction::{self, Inactive, RecvOnly, SendOnly, SendRecv};
use gateway_sip::sdp::{Capabilities, LocalMedia, SessionDescription, accept_answer, answer, offer};

fn local(direction: Direction) -> LocalMedia {
    let address = "198.51.100.7".parse().unwrap();
    LocalMedia { address, port: 20000, session_id: 1, version: 1, direction, secret: None }
}

fn describe(address: &str, session: &str, media: &str) -> SessionDescription {
    let text = format!("v=0\nc=IN IP4 {address}\n{session}m=audio 4000 RTP/AVP 8\n{media}");
    SessionDescription::parse(&text).unwrap()
}

#[track_caller]
fn check_offer(theirs: &SessionDescription, wanted: Direction, expected: Direction, on_hold: bool) {
    let (text, agreed) = answer(theirs, &local(wanted), &Capabilities::default()).unwrap();
    assert_eq!((agreed.direction, agreed.on_hold), (expected, on_hold));
    let written = SessionDescription::parse(&text).unwrap();
    assert_eq!(written.direction_of(&written.media[0]), expected);
}

#[test]
fn each_offered_direction_gets_its_counterpart() {
    let offered = |name: &str| describe("192.0.2.1", "", &format!("a={name}\n"));
    check_offer(&offered("sendrecv"), SendRecv, SendRecv, false);
    check_offer(&offered("sendonly"), SendRecv, RecvOnly, true);
    check_offer(&offered("recvonly"), SendRecv, SendOnly, false);
    check_offer(&offered("inactive"), SendRecv, Inactive, true);
    check_offer(&offered("SendOnly"), SendRecv, RecvOnly, true);
    check_offer(&describe("192.0.2.1", "", ""), SendRecv, SendRecv, false);
}

#[test]
fn our_own_hold_is_kept_while_they_hold() {
    let offered = |name: &str| describe("192.0.2.1", "", &format!("a={name}\n"));
    check_offer(&offered("sendrecv"), SendOnly, SendOnly, false);
    check_offer(&offered("sendonly"), SendOnly, Inactive, true);
    check_offer(&offered("sendonly"), Inactive, Inactive, true);
    check_offer(&offered("recvonly"), RecvOnly, Inactive, false);
}

#[test]
fn the_media_level_outweighs_the_session_level() {
    check_offer(&describe("192.0.2.1", "a=sendonly\n", ""), SendRecv, RecvOnly, true);
    check_offer(&describe("192.0.2.1", "a=inactive\n", "a=sendrecv\n"), SendRecv, SendRecv, false);
}

#[test]
fn the_old_hold_by_null_address_is_never_sent_to() {
    check_offer(&describe("0.0.0.0", "", ""), SendRecv, RecvOnly, true);
    check_offer(&describe("0.0.0.0", "", "a=sendonly\n"), SendRecv, RecvOnly, true);
    check_offer(&describe("0.0.0.0", "", "a=recvonly\n"), SendRecv, Inactive, true);
    check_offer(&describe("192.0.2.1", "", "c=IN IP4 0.0.0.0\n"), SendRecv, RecvOnly, true);
    let (_, agreed) =
        answer(&describe("0.0.0.0", "", ""), &local(SendRecv), &Capabilities::default()).unwrap();
    assert_eq!(agreed.remote_rtcp, None);
}

#[test]
fn the_answer_to_our_hold_is_read_from_our_side() {
    let check = |ours: Direction, theirs: &str, expected: Direction, on_hold: bool| {
        let text = offer(&local(ours), &Capabilities::default());
        let agreed =
            accept_answer(&text, &describe("192.0.2.1", "", &format!("a={theirs}\n")), None).unwrap();
        assert_eq!((agreed.direction, agreed.on_hold), (expected, on_hold), "{ours:?} answered {theirs}");
    };
    check(SendRecv, "sendrecv", SendRecv, false);
    check(SendRecv, "sendonly", RecvOnly, true);
    check(SendOnly, "recvonly", SendOnly, false);
    check(SendOnly, "sendrecv", SendOnly, false); // their fault, our hold stands
    check(SendOnly, "inactive", Inactive, true);
    check(Inactive, "inactive", Inactive, false); // our doing, not theirs
}

//! Within a dialog: the version rises only with a change, lines and payload types keep their places.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::IpAddr;

use gateway_sip::sdp::{Capabilities, Direction, LocalDescription, SdpError, SessionDescription};

const VIDEO_FIRST: &str = "v=0\nc=IN IP4 192.0.2.1\nm=video 5000 RTP/AVP 99\nm=audio 4000 RTP/AVP 97 101 98\n\
    a=rtpmap:97 PCMA/8000\na=rtpmap:101 PCMU/8000\na=rtpmap:98 telephone-event/8000\n";

fn here() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

fn version(text: &str) -> u64 {
    SessionDescription::parse(text).unwrap().origin.unwrap().version.parse().unwrap()
}

#[test]
fn the_version_rises_by_one_with_each_change_and_only_then() {
    let capabilities = Capabilities::default();
    let mut ours = LocalDescription::new(500);
    let first = ours.offer(here(), 20000, Direction::SendRecv, &capabilities);
    let again = ours.offer(here(), 20000, Direction::SendRecv, &capabilities);
    let hold = ours.offer(here(), 20000, Direction::SendOnly, &capabilities);
    let resume = ours.offer(here(), 20000, Direction::SendRecv, &capabilities);
    assert_eq!(first, again);
    assert_eq!((version(&first), version(&hold), version(&resume)), (500, 501, 502));
    assert_eq!(ours.sent(), Some(resume.as_str()));
}

#[test]
fn answers_count_too_and_a_failed_one_changes_nothing() {
    let capabilities = Capabilities::default();
    let offer = SessionDescription::parse(VIDEO_FIRST).unwrap();
    let mut ours = LocalDescription::new(9);
    let (first, _) = ours.answer(&offer, here(), 20000, Direction::SendRecv, &capabilities).unwrap();
    let (repeated, _) = ours.answer(&offer, here(), 20000, Direction::SendRecv, &capabilities).unwrap();
    assert_eq!(first, repeated);
    let none = SessionDescription::parse("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 18\n").unwrap();
    let refused = ours.answer(&none, here(), 20000, Direction::SendRecv, &capabilities);
    assert_eq!(refused.unwrap_err(), SdpError::NoCommonCodec);
    assert_eq!(ours.sent(), Some(first.as_str()));
    let (moved, _) = ours.answer(&offer, here(), 20002, Direction::SendRecv, &capabilities).unwrap();
    assert_eq!((version(&first), version(&moved)), (9, 10));
}

#[test]
fn a_later_offer_keeps_places_and_numbers() {
    let capabilities = Capabilities::default();
    let mut ours = LocalDescription::new(1);
    let offer = SessionDescription::parse(VIDEO_FIRST).unwrap();
    ours.answer(&offer, here(), 20000, Direction::SendRecv, &capabilities).unwrap();
    let text = ours.offer(here(), 20000, Direction::SendOnly, &capabilities);
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 99", "m=audio 20000 RTP/AVP 97 0 9 107 13 98 110"]);
    let answer = "v=0\nc=IN IP4 192.0.2.1\nm=video 0 RTP/AVP 99\nm=audio 4000 RTP/AVP 97\na=rtpmap:97 PCMA/8000\n\
        a=recvonly\n";
    let agreed = ours.accept_answer(&SessionDescription::parse(answer).unwrap()).unwrap();
    assert_eq!((agreed.direction, agreed.payload_type.send), (Direction::SendOnly, 97));
}

#[test]
fn an_answer_without_an_offer_is_refused() {
    let answer = SessionDescription::parse("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\n").unwrap();
    assert_eq!(LocalDescription::new(1).accept_answer(&answer).unwrap_err(), SdpError::AnswerMismatch);
}

//! Damaged descriptions never panic, and what is written is read back as the same.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::sdp::{
    Address, Capabilities, Direction, KeySecret, LocalDescription, LocalMedia, SessionDescription,
    SrtpPolicy, accept_answer, answer, offer,
};
use proptest::prelude::*;

const SAMPLE: &str = "v=0\r\no=user 1 IN 2 IN IP4 192.0.2.1\r\ns=call\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\n\
    a=sendonly\r\nm=audio 49170/2 RTP/AVP 0 8 97 101\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:97 PCMA/8000/1\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:30\r\na=maxptime:40\r\n\
    a=rtcp:53020 IN IP4 192.0.2.2\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 WSH=64\r\n\
    m=video 0 RTP/SAVP 99\r\na=inactive\r\n";

fn local() -> LocalMedia {
    LocalMedia {
        address: "198.51.100.7".parse().unwrap(),
        port: 20000,
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
        secret: Some(KeySecret([7; 32])),
    }
}

/// Everything a received text goes through.
fn exercise(text: &str) {
    let Ok(parsed) = SessionDescription::parse(text) else { return };
    let written = parsed.to_string();
    assert_eq!(SessionDescription::parse(&written).as_ref(), Ok(&parsed), "{written:?}");
    for policy in [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required] {
        agree(&parsed, &Capabilities { srtp: policy, ..Capabilities::default() });
    }
}

fn agree(parsed: &SessionDescription, capabilities: &Capabilities) {
    if let Ok((text, agreed)) = answer(parsed, &local(), capabilities) {
        let ours = SessionDescription::parse(&text).expect("our own answer is readable");
        assert_eq!(ours.media.len(), parsed.media.len());
        assert_eq!(ours.media.iter().filter(|line| line.port != 0).count(), 1);
        assert!(!(agreed.direction.sends() && agreed.remote_rtp.ip().is_unspecified()));
        assert!((20..=60).contains(&agreed.ptime_ms));
        let mut dialog = LocalDescription::new(4).with_secret(KeySecret([7; 32]));
        dialog.answer(parsed, local().address, 20000, Direction::SendRecv, capabilities).unwrap();
        let later = dialog.offer(local().address, 20000, Direction::SendOnly, capabilities);
        let later = SessionDescription::parse(&later).expect("our own offer is readable");
        assert_eq!(later.media.len(), parsed.media.len());
    }
    let _ = accept_answer(&offer(&local(), capabilities), parsed, local().secret.as_ref());
}

#[test]
fn the_sample_itself_is_agreed_to() {
    exercise(SAMPLE);
    let parsed = SessionDescription::parse(SAMPLE).unwrap();
    assert_eq!(parsed.media.len(), 2);
    assert!(
        answer(
            &parsed,
            &LocalMedia { address: "2001:db8::7".parse().unwrap(), ..local() },
            &Capabilities::default()
        )
        .is_ok()
    );
}

/// A C library's string may take its NUL along, before the multicast suffix as well as at the end of a line.
#[test]
fn the_end_of_a_c_string_is_not_part_of_an_address() {
    for line in ["c=IN IP4 192.0.2.1\0/127", "c=IN IP4 192.0.2.1\0", "c=IN IP4 192.0.2.1\0 \x0c"] {
        let text = format!("v=0\r\n{line}\r\na=recvonly\0\u{a0}\r\nm=audio 4000 RTP/AVP 8\0\x0c\r\n");
        exercise(&text);
        let parsed = SessionDescription::parse(&text).unwrap();
        assert_eq!(parsed.connection, Some(Address::Ip("192.0.2.1".parse().unwrap())), "{line:?}");
        assert_eq!(parsed.media[0].formats, ["8"]);
        assert_eq!(parsed.direction_of(&parsed.media[0]), Direction::RecvOnly);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_samples(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..8)) {
        let mut bytes = SAMPLE.replace("IP6 2001:db8::1", "IP4 192.0.2.3").into_bytes();
        for (place, byte, kind) in edits {
            if bytes.is_empty() { break; }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => bytes.truncate(at + 1),
            }
        }
        exercise(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn shuffled_lines(order in Just(SAMPLE.lines().skip(1).collect::<Vec<_>>()).prop_shuffle(), keep in 0..24_usize) {
        let body: Vec<_> = order.into_iter().take(keep).collect();
        exercise(&format!("v=0\n{}", body.join("\n")));
    }

    #[test]
    fn arbitrary_text(text in "(v=0\n)?([vosctam]=[ -~\u{80}-\u{2fff}\t]{0,40}\r?\n){0,12}") {
        exercise(&text);
    }
}

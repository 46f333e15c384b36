//! livekit #95: SDP answered PCMU and G.722 was sent. An answer names one codec; a later offer of ours keeps it.
//! rtpengine #2044: two telephone-event lines confuse phones. An answer names the one of its codec's clock.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::IpAddr;

use gateway_sip::sdp::{
    Capabilities, Codec, Direction, LocalDescription, Negotiated, PayloadTypes, SessionDescription,
};

const HEAD: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";
const EVERYTHING: &str = "m=audio 4000 RTP/AVP 111 9 0 8 13 96 97 98\na=rtpmap:111 opus/48000/2\n\
    a=fmtp:111 minptime=10;useinbandfec=1; maxaveragebitrate=16000\na=rtpmap:96 telephone-event/48000\n\
    a=rtpmap:97 telephone-event/16000\na=rtpmap:98 telephone-event/8000\na=ptime:40\n";

fn here() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

fn answer(codecs: &[Codec], lines: &str) -> (String, Negotiated) {
    let offer = SessionDescription::parse(&format!("{HEAD}{lines}")).unwrap();
    let capabilities = Capabilities { codecs: codecs.to_vec(), ..Capabilities::default() };
    LocalDescription::new(1).answer(&offer, here(), 20000, Direction::SendRecv, &capabilities).unwrap()
}

#[test]
fn each_codec_comes_with_the_events_and_noise_of_its_clock() {
    let formats = |codecs: &[Codec]| {
        let (text, agreed) = answer(codecs, EVERYTHING);
        let line = text.lines().find(|line| line.starts_with("m=")).unwrap().to_owned();
        (line, agreed)
    };
    let (line, agreed) = formats(&Codec::ALL);
    assert_eq!(line, "m=audio 20000 RTP/AVP 8 13 98");
    assert_eq!(
        (agreed.codec, agreed.comfort_noise, agreed.telephone_event_clock),
        (Codec::Pcma, true, 8_000)
    );
    assert_eq!(agreed.ptime_ms, 40);
    let (line, agreed) = formats(&[Codec::G722]);
    assert_eq!(line, "m=audio 20000 RTP/AVP 9 13 98");
    assert_eq!(agreed.codec, Codec::G722);
    let (line, agreed) = formats(&[Codec::Opus, Codec::Pcma]);
    assert_eq!(line, "m=audio 20000 RTP/AVP 111 96");
    assert_eq!(agreed.telephone_event, Some(PayloadTypes { send: 96, receive: 96 }));
    assert_eq!((agreed.telephone_event_clock, agreed.comfort_noise, agreed.ptime_ms), (48_000, false, 20));
    assert!(agreed.opus.forward_error_correction);
    assert_eq!(agreed.opus.max_average_bitrate, Some(16_000));
}

#[test]
fn opus_is_written_as_rfc_7587_wants_it() {
    let (text, _) = answer(&[Codec::Opus], EVERYTHING);
    assert!(text.contains("a=rtpmap:111 opus/48000/2\r\n") && text.contains("a=fmtp:111 useinbandfec=1;"));
    // Old gear leaves the channels out, or has events at 8 kHz only.
    let (_, agreed) = answer(
        &Codec::ALL,
        "m=audio 4000 RTP/AVP 96 101\na=rtpmap:96 OPUS/48000\na=rtpmap:101 telephone-event/8000\n",
    );
    assert_eq!((agreed.codec, agreed.telephone_event_clock), (Codec::Opus, 8_000));
}

#[test]
fn g722_is_known_by_its_wrong_clock_and_by_its_right_one() {
    for encoding in ["", "a=rtpmap:9 G722/8000\n", "a=rtpmap:9 g722/16000\n"] {
        let (text, agreed) = answer(&Codec::ALL, &format!("m=audio 4000 RTP/AVP 9\n{encoding}"));
        assert_eq!(agreed.codec, Codec::G722, "{encoding}");
        assert!(text.contains("a=rtpmap:9 G722/8000\r\n"));
    }
}

#[test]
fn a_hold_of_ours_does_not_change_the_codec() {
    let capabilities = Capabilities::default();
    let mut ours = LocalDescription::new(1);
    ours.offer(here(), 20000, Direction::SendRecv, &capabilities);
    let text = format!("{HEAD}m=audio 4000 RTP/AVP 9 101\na=rtpmap:101 telephone-event/8000\n");
    let agreed = ours.accept_answer(&SessionDescription::parse(&text).unwrap()).unwrap();
    assert_eq!(agreed.codec, Codec::G722);
    let hold = ours.offer(here(), 20000, Direction::SendOnly, &capabilities);
    assert!(hold.contains("m=audio 20000 RTP/AVP 9 8 0 107 13 101 110\r\n"), "{hold}");
    // An answerer that takes the first codec, as most do, stays with what runs.
    let mut theirs = LocalDescription::new(2);
    let offer = SessionDescription::parse(&hold).unwrap();
    let (_, held) = theirs
        .answer(
            &offer,
            here(),
            30000,
            Direction::SendRecv,
            &Capabilities { codecs: vec![Codec::G722, Codec::Pcma], ..Capabilities::default() },
        )
        .unwrap();
    assert_eq!((held.codec, held.direction), (Codec::G722, Direction::RecvOnly));
}

#[test]
fn rtcp_on_the_rtp_port_is_agreed_to_when_offered() {
    let (text, agreed) = answer(&Codec::ALL, "m=audio 4000 RTP/AVP 8\na=rtcp:4001\na=rtcp-mux\n");
    assert!(agreed.rtcp_mux && text.contains("a=rtcp-mux\r\n"));
    assert_eq!(agreed.remote_rtcp, Some("192.0.2.1:4000".parse().unwrap()));
    let (text, agreed) = answer(&Codec::ALL, "m=audio 4000 RTP/AVP 8\na=rtcp:4011\n");
    assert!(!agreed.rtcp_mux && !text.contains("rtcp-mux"));
    assert_eq!(agreed.remote_rtcp, Some("192.0.2.1:4011".parse().unwrap()));
}

#[test]
fn nothing_of_theirs_is_echoed() {
    // livekit #603: the offer came back as the answer.
    let (text, _) = answer(
        &Codec::ALL,
        "a=group:BUNDLE 0\nm=audio 4000 RTP/AVPF 8\na=ice-ufrag:secret\na=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\n\
         a=mid:0\nm=video 4002 RTP/AVP 99\na=rtpmap:99 H264/90000\nm=image 4004 udptl t38\na=T38FaxVersion:0\n",
    );
    for foreign in ["BUNDLE", "ice", "candidate", "mid", "H264", "T38", "192.0.2.1"] {
        assert!(!text.contains(foreign), "{foreign}: {text}");
    }
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=audio 20000 RTP/AVPF 8", "m=video 0 RTP/AVP 99", "m=image 0 udptl t38"]);
}

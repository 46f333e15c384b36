//! Offers as carriers, border controllers and phones write them, and the answer each should get.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::sdp::{
    Capabilities, Codec, Direction, LocalMedia, Negotiated, PayloadTypes, SdpError, SessionDescription,
    accept_answer, answer, offer,
};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn local() -> LocalMedia {
    LocalMedia {
        address: "198.51.100.7".parse().unwrap(),
        port: 20000,
        session_id: 77,
        version: 3,
        direction: Direction::SendRecv,
        secret: None,
    }
}

fn respond(text: &str) -> Result<(String, Negotiated), SdpError> {
    answer(&SessionDescription::parse(text)?, &local(), &Capabilities::default())
}

fn media(lines: &str) -> Result<(String, Negotiated), SdpError> {
    respond(&format!("{HEAD}{lines}"))
}

#[test]
fn a_plain_offer_gets_one_codec_and_one_event_clock() {
    let (text, agreed) = media(
        "m=audio 49170 RTP/AVP 0 18 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n",
    )
    .unwrap();
    assert_eq!(
        text,
        "v=0\r\no=- 77 3 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    assert_eq!(agreed.codec, Codec::Pcma);
    assert_eq!(agreed.payload_type, PayloadTypes { send: 8, receive: 8 });
    assert_eq!(agreed.telephone_event, Some(PayloadTypes { send: 101, receive: 101 }));
    assert_eq!(agreed.remote_rtp, "192.0.2.1:49170".parse().unwrap());
    assert_eq!(agreed.remote_rtcp, Some("192.0.2.1:49171".parse().unwrap()));
    assert_eq!((agreed.ptime_ms, agreed.direction, agreed.on_hold), (20, Direction::SendRecv, false));
}

#[test]
fn the_codec_is_found_by_static_number_or_by_map() {
    let codec = |lines: &str| media(lines).map(|(_, agreed)| (agreed.codec, agreed.payload_type.send));
    assert_eq!(codec("m=audio 4000 RTP/AVP 0\r\n"), Ok((Codec::Pcmu, 0)));
    assert_eq!(codec("m=audio 4000 rtp/avp 97\r\na=rtpmap:97 pcma/8000/1\r\n"), Ok((Codec::Pcma, 97)));
    // A map outweighs the static meaning of a number, and other clocks and channels are other codecs.
    assert_eq!(codec("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 G729/8000\r\n"), Err(SdpError::NoCommonCodec));
    assert_eq!(codec("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMA/16000\r\n"), Err(SdpError::NoCommonCodec));
    assert_eq!(codec("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000/2\r\n"), Err(SdpError::NoCommonCodec));
    assert_eq!(codec("m=audio 4000 RTP/AVP 18 4 13\r\n").unwrap_err().status(), 488);
}

#[test]
fn of_two_event_clocks_only_that_of_g711_is_answered() {
    let (text, agreed) = media(
        "m=audio 4000 RTP/AVP 8 100 96\r\na=rtpmap:100 telephone-event/48000\r\na=rtpmap:96 telephone-event/8000\r\n",
    )
    .unwrap();
    assert_eq!(agreed.telephone_event, Some(PayloadTypes { send: 96, receive: 96 }));
    assert_eq!(text.matches("telephone-event").count(), 1);
    let (text, agreed) =
        media("m=audio 4000 RTP/AVP 8 100\r\na=rtpmap:100 telephone-event/16000\r\n").unwrap();
    assert_eq!(agreed.telephone_event, None);
    assert!(!text.contains("telephone-event"));
}

#[test]
fn every_line_is_mirrored_and_all_but_one_refused() {
    let (text, agreed) = media(
        "m=audio 5000 RTP/SAVP 8\r\nm=audio 0 RTP/AVP 8\r\nm=video 5002 RTP/AVP 31 99\r\n\
         m=audio 5004 RTP/AVP 18\r\nm=audio 5006 RTP/AVP 8\r\nc=IN IP4 192.0.2.9\r\nm=image 5008 udptl t38\r\n\
         m=audio 5010 RTP/AVP 8\r\n",
    )
    .unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=audio 0 RTP/SAVP 8",
            "m=audio 0 RTP/AVP 8",
            "m=video 0 RTP/AVP 31 99",
            "m=audio 0 RTP/AVP 18",
            "m=audio 20000 RTP/AVP 8",
            "m=image 0 udptl t38",
            "m=audio 0 RTP/AVP 8"
        ]
    );
    assert_eq!(agreed.remote_rtp, "192.0.2.9:5006".parse().unwrap());
    assert_eq!(media("m=audio 5000 RTP/SAVP 8\r\n").unwrap_err(), SdpError::NoAudio);
    assert_eq!(media("m=audio 0 RTP/AVP 8\r\n").unwrap_err(), SdpError::NoAudio);
    assert_eq!(media("").unwrap_err().status(), 488);
}

#[test]
fn sloppy_text_is_read() {
    let (_, agreed) = respond(
        "v=0\no=Some Phone 2.1 12345678901234567890123 1 IN IP4 gw.example\nb=AS:64\nx=what\n\n\
         m=audio 4000/2 RTP/AVP 8 101 \nc=IN IP4 192.0.2.5/127\na= rtpmap: 101 telephone-event/8000 \n\0",
    )
    .unwrap();
    assert_eq!(agreed.remote_rtp, "192.0.2.5:4000".parse().unwrap());
    assert_eq!(agreed.telephone_event.map(|types| types.send), Some(101));
    let six = SessionDescription::parse("v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap();
    let here = LocalMedia { address: "2001:db8::7".parse().unwrap(), ..local() };
    let (text, agreed) = answer(&six, &here, &Capabilities::default()).unwrap();
    assert_eq!(agreed.remote_rtp, "[2001:db8::1]:4000".parse().unwrap());
    assert!(text.contains("c=IN IP6 2001:db8::7\r\n") && text.contains("t=0 0\r\n"));
}

#[test]
fn what_cannot_be_read_is_400() {
    for text in [
        "",
        "hello",
        "v=1\r\n",
        "s=-\r\nv=0\r\n",
        "v=0\r\nnonsense\r\n",
        "v=0\r\nxx=1\r\n",
        "v=0\r\nv=0\r\n",
        "v=0\r\no=- 1 1 IN IP4\r\n",
        "v=0\r\nc=IN IP4\r\n",
        "v=0\r\nm=audio\r\n",
        "v=0\r\nm=audio 4000 RTP/AVP\r\n",
        "v=0\r\nm=audio 70000 RTP/AVP 8\r\n",
        "v=0\r\nm=audio -1 RTP/AVP 8\r\n",
        "v=0\r\nm=audio 4000 RTP/AVP 8\r\n", // no c= at all
    ] {
        assert_eq!(respond(text).unwrap_err().status(), 400, "{text:?}");
    }
}

#[test]
fn more_than_we_keep_is_400_and_the_limit_itself_is_fine() {
    let parse = |text: String| SessionDescription::parse(&text);
    assert!(parse(format!("{HEAD}{}", "m=a 1 x 0\n".repeat(64))).is_ok());
    assert_eq!(
        parse(format!("{HEAD}{}", "m=a 1 x 0\n".repeat(65))).unwrap_err(),
        SdpError::TooMany { what: "media lines" }
    );
    assert!(parse(format!("{HEAD}m=audio 1 RTP/AVP{}", " 8".repeat(64))).is_ok());
    assert_eq!(
        parse(format!("{HEAD}m=audio 1 RTP/AVP{}", " 8".repeat(65))).unwrap_err(),
        SdpError::TooMany { what: "formats" }
    );
    assert_eq!(
        parse(format!("{HEAD}{}", "a=x\n".repeat(513))).unwrap_err(),
        SdpError::TooMany { what: "attributes" }
    );
    assert_eq!(parse(format!("{HEAD}{}", "\n".repeat(64 * 1024))).unwrap_err(), SdpError::TooLong);
}

#[test]
fn media_is_never_sent_where_it_could_flood_others() {
    for address in
        ["IP4 224.2.1.1/127", "IP4 255.255.255.255", "IP6 ff02::1", "IP4 media.example", "IP6 2001:db8::1"]
    {
        let text = format!("v=0\nm=audio 4000 RTP/AVP 8\nc=IN {address}\n");
        assert!(matches!(respond(&text), Err(SdpError::UnusableAddress { .. })), "{address}");
    }
}

#[test]
fn packet_length_follows_the_other_end_within_its_maximum() {
    let ptime = |lines: &str| media(&format!("m=audio 4000 RTP/AVP 8\r\n{lines}")).unwrap().1.ptime_ms;
    assert_eq!(ptime(""), 20);
    assert_eq!(ptime("a=ptime:30\r\n"), 30);
    assert_eq!(ptime("a=ptime:30\r\na=maxptime:20\r\n"), 20);
    // Our clock ticks every 20 ms: shorter packets are taken, not made.
    assert_eq!(ptime("a=maxptime:15\r\n"), 20);
    assert_eq!(ptime("a=ptime:10\r\n"), 20);
    assert_eq!(ptime("a=ptime:60\r\na=maxptime:45\r\n"), 40);
    assert_eq!(ptime("a=ptime:0\r\na=maxptime:0\r\n"), 20);
    assert_eq!(ptime("a=ptime:200\r\n"), 20);
    assert_eq!(ptime("a=ptime:x\r\n"), 20);
}

#[test]
fn rtcp_may_live_elsewhere() {
    let rtcp = |lines: &str| media(lines).unwrap().1.remote_rtcp;
    let line = "m=audio 4000 RTP/AVP 8\r\n";
    assert_eq!(rtcp(&format!("{line}a=rtcp:5001\r\n")), Some("192.0.2.1:5001".parse().unwrap()));
    assert_eq!(
        rtcp(&format!("{line}a=rtcp:5001 IN IP4 192.0.2.8\r\n")),
        Some("192.0.2.8:5001".parse().unwrap())
    );
    for bad in ["0", "x", "5001 IN IP4 224.0.0.1", "5001 IN IP4 name.example", "5001 IN IP6 2001:db8::1"] {
        assert_eq!(rtcp(&format!("{line}a=rtcp:{bad}\r\n")), None, "{bad}");
    }
    assert_eq!(rtcp("m=audio 65535 RTP/AVP 8\r\n"), None);
}

#[test]
fn an_answer_to_our_offer_may_use_other_numbers() {
    let ours = offer(&local(), &Capabilities::default());
    assert!(ours.contains("m=audio 20000 RTP/AVP 8 0 9 107 13 101 110\r\n"));
    let read = |lines: &str| {
        accept_answer(&ours, &SessionDescription::parse(&format!("{HEAD}{lines}")).unwrap(), None)
    };
    let agreed =
        read("m=audio 6000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:40\r\n").unwrap();
    assert_eq!(agreed.codec, Codec::Pcmu);
    assert_eq!(agreed.telephone_event, Some(PayloadTypes { send: 96, receive: 101 }));
    assert_eq!((agreed.ptime_ms, agreed.direction, agreed.on_hold), (40, Direction::SendRecv, false));
    assert_eq!(read("m=audio 0 RTP/AVP 8\r\n").unwrap_err(), SdpError::Refused);
    assert_eq!(read("m=audio 6000 RTP/AVP 18\r\n").unwrap_err(), SdpError::NoCommonCodec);
    assert_eq!(read("m=video 6000 RTP/AVP 31\r\n").unwrap_err(), SdpError::AnswerMismatch);
    assert_eq!(read("m=audio 6000 RTP/SAVP 8\r\n").unwrap_err(), SdpError::AnswerMismatch);
    assert_eq!(read("").unwrap_err().status(), 400);
}

#[test]
fn both_ends_agree_when_we_answer_ourselves() {
    let ours = offer(&local(), &Capabilities::default());
    let far = LocalMedia { address: "203.0.113.4".parse().unwrap(), port: 31000, ..local() };
    let (text, theirs) =
        answer(&SessionDescription::parse(&ours).unwrap(), &far, &Capabilities::default()).unwrap();
    let agreed = accept_answer(&ours, &SessionDescription::parse(&text).unwrap(), None).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type), (theirs.codec, theirs.payload_type));
    assert_eq!(agreed.telephone_event, theirs.telephone_event);
    assert_eq!(agreed.remote_rtp, "203.0.113.4:31000".parse().unwrap());
    assert_eq!(theirs.remote_rtp, "198.51.100.7:20000".parse().unwrap());
}

#[test]
fn debug_shows_neither_number_nor_address() {
    let offer = SessionDescription::parse(
        "v=0\no=13912345678 1 1 IN IP4 192.0.2.1\ns=13912345678\nc=IN IP4 192.0.2.1\na=13912345678:x\nm=audio 4000 RTP/AVP 8\n",
    )
    .unwrap();
    let (_, agreed) = answer(&offer, &local(), &Capabilities::default()).unwrap();
    let shown = format!("{offer:?} {:?} {agreed:?} {:?}", offer.origin, offer.connection);
    assert!(!shown.contains("139") && !shown.contains("192.0"), "{shown}");
}

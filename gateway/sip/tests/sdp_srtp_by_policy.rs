//! Keys in the description (RFC 4568): who gets an encrypted call, who a plain one, who none.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::IpAddr;

use gateway_sip::sdp::{
    Capabilities, Direction, KeySecret, LocalDescription, Negotiated, SdpError, SessionDescription,
    SrtpPolicy, SrtpSuite,
};

/// The key of RFC 4568's examples: 30 octets.
const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const HEAD: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";

fn here() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

fn with(policy: SrtpPolicy) -> Capabilities {
    Capabilities { srtp: policy, ..Capabilities::default() }
}

fn ours() -> LocalDescription {
    LocalDescription::new(1).with_secret(KeySecret([9; 32]))
}

fn answer(policy: SrtpPolicy, lines: &str) -> Result<(String, Negotiated), SdpError> {
    let offer = SessionDescription::parse(&format!("{HEAD}{lines}")).unwrap();
    ours().answer(&offer, here(), 20000, Direction::SendRecv, &with(policy))
}

fn media_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("m=")).collect()
}

#[test]
fn a_protected_offer_is_answered_with_our_key_under_its_tag() {
    let lines = format!("m=audio 4000 RTP/SAVP 8\na=crypto:7 AES_CM_128_HMAC_SHA1_32 {KEY}|2^20|1:4\n");
    let (text, agreed) = answer(SrtpPolicy::Optional, &lines).unwrap();
    assert_eq!(media_lines(&text), ["m=audio 20000 RTP/SAVP 8"]);
    let keys = agreed.srtp.unwrap();
    assert_eq!(keys.suite, SrtpSuite::AesCm128HmacSha1_32);
    assert_eq!(keys.receive.key(), b"YS___semctl () {");
    assert_eq!(keys.receive.salt(), b"\t220;}\n}\nunles");
    assert_eq!(keys.receive.mki_length, 4);
    assert!(text.contains("a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:"), "{text}");
    assert!(!text.contains("WVNf"), "their key is not ours to repeat");
    assert_ne!(keys.send.key(), keys.receive.key());
    assert_eq!((keys.send.key().len(), keys.send.salt().len(), keys.send.mki_length), (16, 14, 0));
}

#[test]
fn of_a_protected_and_a_plain_line_the_protected_one_is_taken() {
    let lines = format!(
        "m=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\n"
    );
    let (text, agreed) = answer(SrtpPolicy::Optional, &lines).unwrap();
    assert_eq!(media_lines(&text), ["m=audio 0 RTP/AVP 8", "m=audio 20000 RTP/SAVP 8"]);
    assert!(agreed.srtp.is_some());
    let (text, agreed) = answer(SrtpPolicy::Off, &lines).unwrap();
    assert_eq!(media_lines(&text), ["m=audio 20000 RTP/AVP 8", "m=audio 0 RTP/SAVP 8"]);
    assert!(agreed.srtp.is_none() && !text.contains("crypto"));
}

#[test]
fn required_keys_that_are_not_there_refuse_the_call() {
    let plain = "m=audio 4000 RTP/AVP 8\n";
    assert_eq!(answer(SrtpPolicy::Required, plain).unwrap_err(), SdpError::NoKeys);
    assert_eq!(SdpError::NoKeys.status(), 488);
    assert!(answer(SrtpPolicy::Optional, plain).unwrap().1.srtp.is_none());
    // RFC 8643: keys under the plain profile count as keys.
    let opportunistic = format!("{plain}a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\n");
    let (text, agreed) = answer(SrtpPolicy::Required, &opportunistic).unwrap();
    assert!(agreed.srtp.is_some() && text.contains("RTP/AVP 8") && text.contains("a=crypto:1 "));
    // A protected line is no plain one, whatever the policy.
    assert_eq!(answer(SrtpPolicy::Off, "m=audio 4000 RTP/SAVP 8\n").unwrap_err(), SdpError::NoAudio);
    assert_eq!(answer(SrtpPolicy::Optional, "m=audio 4000 RTP/SAVP 8\n").unwrap_err(), SdpError::NoKeys);
}

#[test]
fn lines_that_weaken_or_break_the_protection_are_passed_over() {
    let good = format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 {KEY} WSH=64\n");
    for bad in [
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY} UNAUTHENTICATED_SRTP"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY} KDR=4"),
        format!("a=crypto:1 F8_128_HMAC_SHA1_80 {KEY}"),
        format!("a=crypto:1 AEAD_AES_128_GCM {KEY}"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}|1:4;{KEY}|2:4"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}|1:999"),
        format!("a=crypto:4294967296 AES_CM_128_HMAC_SHA1_80 {KEY}"),
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:####".to_owned(),
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inlin\u{e9}:x".to_owned(),
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80".to_owned(),
        "a=crypto:".to_owned(),
    ] {
        let lines = format!("m=audio 4000 RTP/SAVP 8\n{bad}\n{good}");
        let (text, agreed) = answer(SrtpPolicy::Required, &lines).unwrap();
        assert!(text.contains("a=crypto:2 ") && agreed.srtp.is_some(), "{bad}");
        let alone = answer(SrtpPolicy::Required, &format!("m=audio 4000 RTP/SAVP 8\n{bad}\n"));
        assert_eq!(alone.unwrap_err(), SdpError::NoKeys, "{bad}");
    }
}

#[test]
fn both_ends_of_our_own_come_to_the_same_keys() {
    for (policy, profile) in [(SrtpPolicy::Optional, "RTP/AVP"), (SrtpPolicy::Required, "RTP/SAVP")] {
        let mut near = ours();
        let mut far = LocalDescription::new(2).with_secret(KeySecret([4; 32]));
        let offer = near.offer(here(), 20000, Direction::SendRecv, &with(policy));
        assert!(offer.contains(&format!("m=audio 20000 {profile} ")), "{offer}");
        let offer = SessionDescription::parse(&offer).unwrap();
        let (text, theirs) =
            far.answer(&offer, here(), 30000, Direction::SendRecv, &with(SrtpPolicy::Optional)).unwrap();
        assert_eq!(text.matches("a=crypto:").count(), 1);
        let agreed = near.accept_answer(&SessionDescription::parse(&text).unwrap()).unwrap();
        let (near_keys, far_keys) = (agreed.srtp.unwrap(), theirs.srtp.unwrap());
        assert_eq!(near_keys.suite, far_keys.suite);
        assert_eq!((near_keys.send, near_keys.receive), (far_keys.receive, far_keys.send));
        // Hold changes no key: whoever keeps the stream keeps its counters.
        let hold = near.offer(here(), 20000, Direction::SendOnly, &with(policy));
        let (_, held) = far
            .answer(
                &SessionDescription::parse(&hold).unwrap(),
                here(),
                30000,
                Direction::SendRecv,
                &with(policy),
            )
            .unwrap();
        assert_eq!(held.srtp, Some(far_keys));
    }
}

#[test]
fn an_answer_may_only_choose_what_was_offered() {
    let offered = |policy| {
        let mut near = ours();
        near.offer(here(), 20000, Direction::SendRecv, &with(policy));
        near
    };
    let read = |policy, lines: &str| {
        offered(policy).accept_answer(&SessionDescription::parse(&format!("{HEAD}{lines}")).unwrap())
    };
    let required = SrtpPolicy::Required;
    let wrong_tag = format!("m=audio 4000 RTP/SAVP 8\na=crypto:9 AES_CM_128_HMAC_SHA1_80 {KEY}\n");
    assert_eq!(read(required, &wrong_tag).unwrap_err(), SdpError::NoKeys);
    assert_eq!(read(required, "m=audio 4000 RTP/SAVP 8\n").unwrap_err(), SdpError::NoKeys);
    assert_eq!(read(required, "m=audio 4000 RTP/AVP 8\n").unwrap_err(), SdpError::AnswerMismatch);
    assert!(read(SrtpPolicy::Optional, "m=audio 4000 RTP/AVP 8\n").unwrap().srtp.is_none());
}

#[test]
fn debug_shows_no_key() {
    let lines = format!("m=audio 4000 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\n");
    let (_, agreed) = answer(SrtpPolicy::Optional, &lines).unwrap();
    let shown = format!("{agreed:?} {:?} {:?}", agreed.srtp, ours());
    assert!(!shown.contains("WVNf") && !shown.contains("89") && !shown.contains("[9"), "{shown}");
}

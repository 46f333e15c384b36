//! 微信公众号: what the vectors do not ask. Other data formats, key change, what is kept without an intake.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::sync::Arc;

use axum::Router;
use channels::sign::{BizKey, sig3, sig4};
use channels::{Channels, ChannelsConfig, Limits};
use record::{CoordinateSystem, Disposition, Inbound, MessageKind};
use support::{Answered, FakeIntake, ask, clock_at, post, runtime};

const TOKEN: &str = "the-token-itself";
const APP_ID: &str = "wx1";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const OLD_KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
const CITIZEN: &str = "oQB2C157SdQ7zKN7FkApXwQJXM7A";

fn router(intake: &Arc<FakeIntake>, more: &str) -> Router {
    let text = format!(
        "[wechat_mp.main]\ntoken = \"{TOKEN}\"\napp_id = \"{APP_ID}\"\nencoding_aes_key = \"{KEY}\"\n\
         previous_encoding_aes_key = \"{OLD_KEY}\"\naccount = \"gh_1\"\n{more}\n"
    );
    let config: ChannelsConfig = toml::from_str(&text).unwrap();
    Channels::build(&config).unwrap().router(intake.clone(), clock_at(1_763_880_000), Limits::default())
}

fn plain(router: &Router, body: &str) -> Answered {
    let signature = sig3(TOKEN, "1763880000", "9");
    let uri = format!("/in/wechat_mp/main?signature={signature}&timestamp=1763880000&nonce=9");
    runtime().block_on(ask(router, post(&uri, body.to_owned())))
}

fn safe(router: &Router, key: &str, message: &str, envelope: fn(&str) -> String) -> Answered {
    let encrypt = BizKey::parse(key).unwrap().seal(&[b'r'; 16], message, APP_ID).unwrap();
    let signature = sig4(TOKEN, "1763880000", "9", &encrypt);
    let uri =
        format!("/in/wechat_mp/main?msg_signature={signature}&timestamp=1763880000&nonce=9&encrypt_type=aes");
    runtime().block_on(ask(router, post(&uri, envelope(&encrypt))))
}

fn message(inner: &str) -> String {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>{CITIZEN}</FromUserName>\
         <CreateTime>1763880000</CreateTime>{inner}</xml>"
    )
}

fn event(name: &str, inner: &str) -> String {
    message(&format!("<MsgType>event</MsgType><Event>{name}</Event>{inner}"))
}

/// The message as handed over, in plain mode.
fn taken(body: &str) -> Inbound {
    let intake = FakeIntake::open();
    let answered = plain(&router(&intake, "mode = \"plain\""), body);
    assert_eq!((answered.status, answered.body.as_slice()), (200, b"success".as_slice()), "{body}");
    intake.offered.lock().unwrap().pop().unwrap()
}

fn text(value: Option<&record::Pii<String>>) -> Option<&str> {
    value.map(|text| text.reveal().as_str())
}

#[test]
fn json_is_taken_like_xml() {
    let json = format!(
        r#"{{"ToUserName":"gh_1","FromUserName":"{CITIZEN}","CreateTime":1763880000,"MsgType":"text","Content":"路灯坏了","MsgId":24793737202303644}}"#
    );
    let inbound = taken(&json);
    assert_eq!(
        (text(inbound.text.as_ref()), inbound.dedupe_key.as_str()),
        (Some("路灯坏了"), "24793737202303644")
    );
    let intake = FakeIntake::open();
    let sealed = safe(&router(&intake, ""), KEY, &json, |encrypt| format!(r#"{{"Encrypt":"{encrypt}"}}"#));
    assert_eq!(sealed.status, 200);
    let offered = intake.offered.lock().unwrap();
    assert_eq!((offered[0].kind, offered[0].text.clone()), (MessageKind::Text, inbound.text));
}

#[test]
fn the_old_key_still_opens_while_it_is_being_changed() {
    let envelope = |encrypt: &str| format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
    let body = message("<MsgType>text</MsgType><Content>x</Content><MsgId>1</MsgId>");
    let router = router(&FakeIntake::open(), "");
    assert_eq!(safe(&router, KEY, &body, envelope).status, 200);
    assert_eq!(safe(&router, OLD_KEY, &body, envelope).status, 200);
    let stranger = safe(&router, "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", &body, envelope);
    assert_eq!((stranger.status, stranger.body.len()), (403, 0));
}

#[test]
fn what_no_citizen_did_makes_no_intake() {
    let kept = ["LOCATION", "location", "unsubscribe", "TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH"];
    let intakes =
        ["subscribe", "SCAN", "CLICK", "VIEW", "view_miniprogram", "pic_weixin", "an_event_of_next_year"];
    for (names, disposition) in [(&kept[..], Disposition::KeepOnly), (&intakes[..], Disposition::Intake)] {
        for name in names {
            let inbound = taken(&event(name, ""));
            assert_eq!((inbound.disposition, inbound.kind), (disposition, MessageKind::Event), "{name}");
            assert_eq!(inbound.dedupe_key, format!("{CITIZEN}|1763880000|{name}"));
        }
    }
    let unknown = taken(&message("<MsgType>hologram</MsgType><MsgId>7</MsgId>"));
    assert_eq!((unknown.disposition, unknown.provider_kind.as_str()), (Disposition::Intake, "hologram"));
}

#[test]
fn what_a_menu_brings_is_not_lost() {
    let sent = "<SendLocationInfo><Location_X>40.84189123456</Location_X><Location_Y>111.7</Location_Y>\
                <Label>新城区</Label></SendLocationInfo><EventKey>K</EventKey>";
    let chosen = taken(&event("location_select", sent));
    let location = chosen.location.unwrap();
    assert_eq!((location.latitude.reveal().as_str(), location.crs), ("40.8418912", CoordinateSystem::Gcj02));
    assert_eq!((text(location.label.as_ref()), chosen.event_key.as_deref()), (Some("新城区"), Some("K")));
    let scanned =
        taken(&event("scancode_push", "<ScanCodeInfo><ScanResult>路灯-58</ScanResult></ScanCodeInfo>"));
    assert_eq!(text(scanned.text.as_ref()), Some("路灯-58"));
    let nowhere =
        "<MsgType>location</MsgType><MsgId>1</MsgId><Location_X>north</Location_X><Location_Y>1</Location_Y>";
    assert_eq!(taken(&message(nowhere)).location, None);
}

#[test]
fn a_stranger_does_not_learn_that_a_body_was_malformed() {
    let router = router(&FakeIntake::open(), "");
    let known = plain(&router, "<xml><Encrypt>");
    assert_eq!((known.status, known.reason), (400, Some("bad_xml")));
    let uri = "/in/wechat_mp/main?signature=1&timestamp=1763880000&nonce=9&msg_signature=1";
    let stranger = runtime().block_on(ask(&router, post(uri, "<xml><Encrypt>")));
    assert_eq!((stranger.status, stranger.reason), (403, Some("bad_signature")));
}

#[test]
fn a_message_for_another_account_is_refused() {
    let intake = FakeIntake::open();
    let body = message("<MsgType>text</MsgType><MsgId>1</MsgId>").replace("gh_1", "gh_2");
    let answered = plain(&router(&intake, "mode = \"plain\""), &body);
    assert_eq!((answered.status, answered.reason, intake.offered()), (403, Some("app_mismatch"), 0));
}

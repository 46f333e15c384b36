//! A message over HTTP: signed, sealed, answered once its record is on disk, and one record however often
//! the platform repeats itself.

use std::collections::BTreeMap;

use e2e::wechat::{self, ACCOUNT, Account};
use e2e::{Rig, Settings, eventually, records};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_message_is_one_record_however_often_it_comes() {
    let rig = Rig::start(Settings::default().sections(&ACCOUNT.section())).await;
    let delivery = ACCOUNT.text("oUser0001", 9001, "小区北门的路灯坏了。");
    assert_eq!(rig.deliver(&ACCOUNT, &delivery).await, (200, "success".into()));
    let record = rig.record("the message's record", |_| true).await;
    assert_eq!(record["channel"]["code"], "wechat_mp");
    assert_eq!(record["channel"]["account"], "main");
    assert_eq!(record["request"]["text"], "小区北门的路灯坏了。");
    assert_eq!(record["messages"][0]["id"], "9001");
    assert_eq!(record["reporter"]["channel_user"]["user_id"], "oUser0001");
    assert_eq!(record["state"], "final");

    // A retry of the same bytes, and one sealed anew.
    assert_eq!(rig.deliver(&ACCOUNT, &delivery).await, (200, "success".into()));
    let again = ACCOUNT.text("oUser0001", 9001, "小区北门的路灯坏了。");
    assert_eq!(rig.deliver(&ACCOUNT, &again).await, (200, "success".into()));
    // Both were answered; a message after them bounds what they may have left.
    assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser0001", 9002, "再报一次")).await.0, 200);
    let all = rig.records_at_least(2).await;
    assert_eq!(all.len(), 2);
    records::check_once_each(&all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_from_the_platform_is_refused_without_a_record() {
    let rig = Rig::start(Settings::default().sections(&ACCOUNT.section())).await;
    let good = ACCOUNT.text("oUser0001", 9001, "您好");
    let mut forged = good.clone();
    forged.query = wechat::sign("not the token", "anything");
    assert_eq!(rig.deliver(&ACCOUNT, &forged).await.0, 403);
    let mut oversize = good.clone();
    oversize.body = "x".repeat((1 << 20) + 1);
    assert_eq!(rig.deliver(&ACCOUNT, &oversize).await.0, 413);
    let stranger = Account { name: "nobody", ..ACCOUNT };
    assert_eq!(rig.deliver(&stranger, &good).await.0, 404);
    assert!(
        rig.metric("jiesu_channel_refused_total", "bad_signature").await >= 1.0,
        "{}",
        rig.metrics().await
    );
    assert!(rig.metric("jiesu_channel_refused_total", "too_large").await >= 1.0);
    assert_eq!(rig.deliver(&ACCOUNT, &good).await.0, 200);
    assert_eq!(rig.records_at_least(1).await.len(), 1);
}

/// The published cases, each against an account with its own configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_published_case_is_answered_as_it_says() {
    let path = e2e::binary::workspace().join("channels/fixtures/wechat_mp/vectors.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    // Cases about sealing alone have no request; they are tested where the sealing is.
    let cases: Vec<Value> = cases.into_iter().filter(|case| case["request"]["method"].is_string()).collect();
    assert!(cases.len() >= 50, "{}", cases.len());
    let mut accounts: BTreeMap<String, String> = BTreeMap::new();
    let mut sections = String::new();
    for case in &cases {
        let key = case["config"].to_string();
        let name = format!("a{}", accounts.len() + 1);
        if accounts.contains_key(&key) {
            continue;
        }
        sections += &format!("[channels.wechat_mp.{name}]\n");
        for (field, value) in case["config"].as_object().unwrap() {
            sections += &format!("{field} = {value}\n");
        }
        accounts.insert(key, name);
    }
    let rig = Rig::start(Settings::default().sections(&sections)).await;
    let mut expected: Vec<(String, Value)> = Vec::new();
    for case in &cases {
        let name = &accounts[&case["config"].to_string()];
        let (status, body) = send(&rig, name, case).await;
        let expect = &case["expect"]["response"];
        assert_eq!(status, expect["status"], "{}", case["case"]);
        if let Some(wanted) = expect["body"].as_str() {
            assert_eq!(body, wanted, "{}", case["case"]);
        }
        let fields = &case["expect"]["fields"];
        let key = fields["dedup_key"].as_str().or(fields["message_id"].as_str());
        if let (Some(key), 200) = (key, status) {
            let key = format!("{name}/{key}");
            if !expected.iter().any(|(known, _)| *known == key) {
                expected.push((key, fields.clone()));
            }
        }
    }
    let of = |record: &Value| {
        let account = record["channel"]["account"].as_str().unwrap_or_default();
        format!("{account}/{}", record["messages"][0]["dedupe_key"].as_str().unwrap_or_default())
    };
    // The last case is a message: when its record is there, all are, in order.
    let last = expected.last().unwrap().0.clone();
    rig.record("the last case's record", |record| of(record) == last || record["request"]["text"] == "")
        .await;
    let all = eventually("all records", async || {
        Some(rig.records()).filter(|all| all.iter().any(|r| of(r) == last))
    })
    .await;
    let keys: Vec<String> = all.iter().map(of).collect();
    records::check_once_each(&all);
    for (key, fields) in &expected {
        let Some(at) = keys.iter().position(|known| known == key) else {
            // Kept raw, no intake: leaving, and what the platform does of its own accord.
            assert_eq!(fields["kind"], "event", "{key} has no record: {fields}");
            continue;
        };
        assert_eq!(keys.iter().filter(|known| *known == key).count(), 1, "{key}");
        if let Some(text) = fields["text"].as_str().filter(|_| fields["kind"] == "text") {
            assert_eq!(all[at]["request"]["text"], text, "{key}");
        }
        if let Some(sender) = fields["sender_id"].as_str() {
            assert_eq!(all[at]["reporter"]["channel_user"]["user_id"], sender, "{key}");
        }
    }
    for key in &keys {
        assert!(expected.iter().any(|(known, _)| known == key), "{key} was not expected to be a record");
    }
}

async fn send(rig: &Rig, account: &str, case: &Value) -> (u16, String) {
    let request = &case["request"];
    let mut query = request["raw_query"].as_str().unwrap_or_default().to_owned();
    let body = request["body"].as_str().unwrap_or_default();
    if case["case"] == "pos-inside-window" {
        // Its clock is a year ago; the same message is signed for now.
        let sealed = body
            .split("<Encrypt><![CDATA[")
            .nth(1)
            .and_then(|rest| rest.split("]]>").next())
            .expect("the case is complete");
        query = wechat::sign(case["config"]["token"].as_str().expect("the case is complete"), sealed);
    }
    let url = rig.http_url(&format!("/in/wechat_mp/{account}?{query}"));
    let method =
        request["method"].as_str().expect("the case is complete").parse().expect("the case is complete");
    let mut sent = rig.http().request(method, url).body(body.to_owned());
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        sent = sent.header(name, value.as_str().unwrap_or_default());
    }
    let answer = sent.send().await.expect("the gateway answers");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

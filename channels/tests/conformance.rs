//! Every registered channel × every vector in `fixtures/<code>/vectors.json`, asked at the HTTP border.
//!
//! A new channel needs no test code: its line in the registry makes it run here, and a missing fixture, an
//! unknown `op` or an unknown expected field is a failure. What is demanded beyond the vectors is gated by
//! the channel's capabilities.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use channels::{Channels, Entry, Limits, REGISTRY, Seed};
use proptest::prelude::*;
use record::{Inbound, IntakeError, MessageKind, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use support::{Answered, Counts, FakeIntake, ask, clock_at, fixed_seed, one_account, runtime};

/// The clock of cases that name none; they do not check ages.
const SOME_TIME: i64 = 1_763_880_000;

#[derive(Deserialize)]
struct Case {
    case: String,
    kind: String,
    #[serde(default)]
    op: Option<String>,
    #[serde(default)]
    clock: Option<i64>,
    config: Value,
    request: Value,
    expect: Value,
}

impl Case {
    fn is_request(&self) -> bool {
        self.op.is_none()
    }

    fn is_positive_post(&self) -> bool {
        self.is_request() && self.kind == "positive" && self.request["method"] == "POST"
    }

    fn body(&self) -> Vec<u8> {
        use base64::Engine;
        match self.request["body_b64"].as_str() {
            Some(text) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
            None => self.request["body"].as_str().unwrap_or_default().as_bytes().to_vec(),
        }
    }

    fn uri(&self, code: &str) -> String {
        match self.request["raw_query"].as_str() {
            Some(query) if !query.is_empty() => format!("/in/{code}/main?{query}"),
            _ => format!("/in/{code}/main"),
        }
    }

    fn request_with(&self, code: &str, body: Vec<u8>) -> Request<Body> {
        let method: Method = self.request["method"].as_str().unwrap().parse().unwrap();
        let mut request = Request::builder().method(method).uri(self.uri(code));
        for (name, value) in self.request["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap());
        }
        request.body(Body::from(body)).unwrap()
    }

    fn request(&self, code: &str) -> Request<Body> {
        self.request_with(code, self.body())
    }

    fn channels(&self, code: &str) -> Channels {
        Channels::build(&one_account(code, &self.config))
            .unwrap_or_else(|faults| panic!("{}: {faults:?}", self.case))
    }

    fn router(&self, code: &str, intake: &Arc<FakeIntake>) -> Router {
        let clock = clock_at(self.clock.unwrap_or(SOME_TIME));
        self.channels(code).router_with_seeds(intake.clone(), clock, Limits::default(), Arc::new(fixed_seed))
    }
}

fn cases(entry: &Entry) -> Vec<Case> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(entry.code).join("vectors.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.iter().any(Case::is_positive_post), "{} has no message that is taken", entry.code);
    assert!(
        cases.iter().any(|case| case.kind == "negative"),
        "{} has no message that is refused",
        entry.code
    );
    cases
}

/// Runs a check on every case that matters to it and reports all failures together.
fn check_all(matters: impl Fn(&Case) -> bool, check: impl Fn(&Entry, &[Case], &Case) -> Result<(), String>) {
    let mut failures = Vec::new();
    for entry in REGISTRY {
        let cases = cases(entry);
        let mut ran = 0;
        for case in cases.iter().filter(|case| matters(case)) {
            ran += 1;
            if let Err(failure) = check(entry, &cases, case) {
                failures.push(format!("{}/{}: {failure}", entry.code, case.case));
            }
        }
        assert!(ran > 0, "{}: no case of this kind", entry.code);
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: got {got:?}, expected {wanted:?}")) }
}

fn check_response(answered: &Answered, expected: &Value) -> Result<(), String> {
    equal("status", Some(u64::from(answered.status)), expected["status"].as_u64())?;
    if let Some(content_type) = expected["content_type"].as_str() {
        equal("content type", answered.content_type.as_deref(), Some(content_type))?;
    }
    if let Some(body) = expected["body"].as_str() {
        equal("body", String::from_utf8_lossy(&answered.body).as_ref(), body)?;
    }
    if expected.get("json").is_some() {
        equal("json", serde_json::from_slice(&answered.body).unwrap_or_default(), expected["json"].clone())?;
    }
    Ok(())
}

#[test]
fn every_vector_is_answered_as_its_platform_expects() {
    check_all(
        |_| true,
        |entry, cases, case| match case.op.as_deref() {
            Some("encrypt") => check_sealing(entry, case),
            Some(other) => Err(format!("nothing here runs op {other}")),
            None if case.kind == "negative" => check_refusal(entry, case),
            None => check_acceptance(entry, cases, case),
        },
    );
}

fn check_sealing(entry: &Entry, case: &Case) -> Result<(), String> {
    let input = &case.request["encrypt_input"];
    let text = |key: &str| input[key].as_str().map(str::to_owned);
    let seconds: i64 = text("timestamp").map_or(SOME_TIME, |t| t.parse().unwrap());
    let mut random = [0; 32];
    let head = text("random16").unwrap();
    random[..head.len()].copy_from_slice(head.as_bytes());
    let nonce = text("nonce").unwrap_or_default();
    let seed = Seed { now: Timestamp::from_unix_ms(seconds * 1000), random, nonce };
    let webhook = case.channels(entry.code).webhook(entry.code, "main").unwrap();
    let sealed = webhook.seal(&text("message").unwrap(), &seed).ok_or("the channel does not seal")?;
    equal("encrypt", Some(sealed.encrypt.as_str()), case.expect["encrypt"].as_str())?;
    if let Some(signature) = case.expect["msg_signature"].as_str() {
        equal("signature", sealed.signature.as_str(), signature)?;
    }
    if let Some(response) = case.expect.get("response") {
        equal("status", Some(u64::from(sealed.answer.status)), response["status"].as_u64())?;
        equal("content type", sealed.answer.content_type, response["content_type"].as_str())?;
        equal("body", std::str::from_utf8(&sealed.answer.body).ok(), response["body"].as_str())?;
    }
    Ok(())
}

fn check_refusal(entry: &Entry, case: &Case) -> Result<(), String> {
    const DECRYPT_FAILED: [&str; 5] =
        ["bad_padding", "bad_length", "receiveid_mismatch", "bad_json", "bad_ciphertext_length"];
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let intake = FakeIntake::open();
    let answered = runtime().block_on(ask(&case.router(entry.code, &intake), case.request(entry.code)));
    check_response(&answered, &case.expect["response"])?;
    if case.expect["response"].get("body").is_none() {
        equal("body length", answered.body.len(), 0)?;
    }
    let reason = answered.reason.ok_or("refused without a reason")?;
    match case.expect["error"].as_str().ok_or("the case names no error")? {
        "decrypt_failed" if DECRYPT_FAILED.contains(&reason) => {}
        wanted => equal("reason", reason, wanted)?,
    }
    let metric = format!("jiesu_channel_refused_total{{channel={},reason={reason}}}", entry.code);
    equal("metric", counts.of(&metric), 1)?;
    equal("handed over", intake.offered(), 0)
}

fn check_acceptance(entry: &Entry, cases: &[Case], case: &Case) -> Result<(), String> {
    let intake = FakeIntake::open();
    let runtime = runtime();
    let mut rows = 0;
    if let Some(first) = case.expect["duplicate_of"].as_str() {
        let first = cases.iter().find(|case| case.case == first).ok_or("the first delivery is not here")?;
        runtime.block_on(ask(&first.router(entry.code, &intake), first.request(entry.code)));
        rows = intake.rows();
        equal("rows after the first delivery", rows, 1)?;
    }
    // Another router than the first delivery's, as after a restart: the store's key must catch it.
    let router = case.router(entry.code, &intake);
    let answered = runtime.block_on(ask(&router, case.request(entry.code)));
    check_response(&answered, &case.expect["response"])?;
    equal("reason", answered.reason, None)?;
    let is_handshake = case.expect.get("fields").is_none();
    let offered = intake.offered.lock().unwrap().clone();
    equal("handed over", offered.len(), if is_handshake { 0 } else { 1 + rows })?;
    if let Some(inbound) = offered.last() {
        check_fields(inbound, &case.expect)?;
        equal("rows", intake.rows(), 1)?;
    }
    // The same request once more: the same answer, and the window spares the store.
    let again = runtime.block_on(ask(&router, case.request(entry.code)));
    equal("second answer", &again, &answered)?;
    equal("handed over after a retry", intake.offered(), offered.len())
}

fn check_fields(inbound: &Inbound, expect: &Value) -> Result<(), String> {
    if let Some(decrypted) = expect["decrypted"].as_str() {
        equal("raw", String::from_utf8_lossy(inbound.raw.reveal()).as_ref(), decrypted)?;
    }
    equal("account", inbound.account.as_str(), "main")?;
    for (key, wanted) in expect["fields"].as_object().ok_or("no fields")? {
        let got: Option<String> = match key.as_str() {
            "sender_id" => Some(inbound.sender.user_id.reveal().clone()),
            "sender_name" => inbound.sender.name.as_ref().map(|name| name.reveal().clone()),
            "account_id" => inbound.provider_account.clone(),
            "conversation_id" => Some(inbound.conversation.clone()),
            "message_id" => inbound.message_id.clone(),
            "dedup_key" => Some(inbound.dedupe_key.clone()),
            "timestamp_ms" => Some(inbound.sent_at.unix_ms().to_string()),
            "text" => inbound.text.as_ref().map(|text| text.reveal().clone()),
            "event" => inbound.event.clone(),
            "event_key" => inbound.event_key.clone(),
            "scene" => inbound.event_key.as_ref().map(|key| key.trim_start_matches("qrscene_").to_owned()),
            "kind" => {
                // The record has no word for unknown: it is an event that no platform event is behind.
                let unknown = inbound.kind == MessageKind::Event && inbound.event.is_none();
                Some(if unknown { "unknown" } else { inbound.kind.as_str() }.to_owned())
            }
            "media" => {
                check_media(inbound, wanted)?;
                continue;
            }
            "location" => {
                check_location(inbound, wanted)?;
                continue;
            }
            "link" => {
                check_link(inbound, wanted)?;
                continue;
            }
            other => return Err(format!("nothing here compares {other}")),
        };
        equal(key, got, plain(wanted))?;
    }
    Ok(())
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn check_media(inbound: &Inbound, wanted: &Value) -> Result<(), String> {
    let wanted = wanted.as_array().ok_or("media is no list")?;
    equal("media", inbound.media.len(), wanted.len())?;
    for (medium, wanted) in inbound.media.iter().zip(wanted) {
        for (key, value) in wanted.as_object().ok_or("a medium is no object")? {
            let got = if key == "type" {
                Some(medium.kind.as_str().replace("document", "file"))
            } else {
                medium.reference.get(key).cloned()
            };
            equal(&format!("media.{key}"), got, plain(value))?;
        }
    }
    Ok(())
}

fn check_location(inbound: &Inbound, wanted: &Value) -> Result<(), String> {
    let location = inbound.location.as_ref().ok_or("no location")?;
    for (key, value) in wanted.as_object().ok_or("the location is no object")? {
        match key.as_str() {
            "lat" => equal("lat", Some(location.latitude.reveal().clone()), plain(value))?,
            "lng" => equal("lng", Some(location.longitude.reveal().clone()), plain(value))?,
            "label" => {
                equal("label", location.label.as_ref().map(|label| label.reveal().clone()), plain(value))?
            }
            "precision_m" => {
                equal("precision", location.accuracy_m, value.as_f64().map(|m| m.ceil() as i64))?
            }
            // Where the vendor leaves it open ("WGS-84-or-GCJ-02"), either is right.
            "crs" => {
                let wanted = value.as_str().unwrap_or_default().to_lowercase().replace('-', "");
                let crs = location.crs.as_str();
                if !wanted.split("or").any(|one| one == crs) {
                    return Err(format!("crs: {crs} is not in {wanted}"));
                }
            }
            other => return Err(format!("nothing here compares location.{other}")),
        }
    }
    Ok(())
}

fn check_link(inbound: &Inbound, wanted: &Value) -> Result<(), String> {
    let link = inbound.link.as_ref().ok_or("no link")?;
    let text = |value: &Option<record::Pii<String>>| value.as_ref().map(|text| text.reveal().clone());
    equal("link.title", text(&link.title), plain(&wanted["title"]))?;
    equal("link.desc", text(&link.description), plain(&wanted["desc"]))?;
    equal("link.url", Some(link.url.reveal().clone()), plain(&wanted["url"]))
}

#[test]
fn a_body_over_the_cap_is_refused_before_it_is_read_into_memory() {
    check_all(Case::is_positive_post, |entry, _, case| {
        let intake = FakeIntake::open();
        let request = case.request_with(entry.code, vec![b'a'; (1 << 20) + 1]);
        let answered = runtime().block_on(ask(&case.router(entry.code, &intake), request));
        equal("status", answered.status, 413)?;
        equal("reason", answered.reason, Some("too_large"))
    });
}

#[test]
fn garbage_is_the_senders_fault_not_ours() {
    let bodies: [&[u8]; 8] =
        [b"", b"\x00\xff\xfe", b"<", b"{", b"{}", b"<xml/>", b"a=b&c=d", "路灯坏了".as_bytes()];
    check_all(Case::is_request, |entry, _, case| {
        let intake = FakeIntake::open();
        let router = case.router(entry.code, &intake);
        let runtime = runtime();
        for body in bodies {
            for query in
                ["", "?", "?signature=%FF&timestamp=x", "?signature=1&timestamp=1&nonce=1&msg_signature=1"]
            {
                let uri = format!("/in/{}/main{query}", entry.code);
                let answered = runtime.block_on(ask(&router, support::post(&uri, body.to_vec())));
                if !(400..500).contains(&answered.status) || !answered.body.is_empty() {
                    return Err(format!("{} for {uri} {body:?}", answered.status));
                }
            }
        }
        equal("handed over", intake.offered(), 0)
    });
}

#[test]
fn a_platform_is_told_to_come_again_while_the_store_cannot_write() {
    check_all(
        |case| case.is_positive_post() && case.expect.get("fields").is_some(),
        |entry, _, case| {
            for fault in [IntakeError::StoreUnavailable, IntakeError::Overloaded] {
                let intake = FakeIntake::open();
                intake.faults.lock().unwrap().push(Some(fault));
                let router = case.router(entry.code, &intake);
                let runtime = runtime();
                let refused = runtime.block_on(ask(&router, case.request(entry.code)));
                equal("status", refused.status, 503)?;
                equal("can wait", refused.headers.contains_key("retry-after"), true)?;
                equal("rows", intake.rows(), 0)?;
                let answered = runtime.block_on(ask(&router, case.request(entry.code)));
                check_response(&answered, &case.expect["response"])?;
                equal("rows after the retry", intake.rows(), 1)?;
            }
            Ok(())
        },
    );
}

#[test]
fn methods_outside_the_capabilities_are_refused() {
    for entry in REGISTRY {
        let cases = cases(entry);
        let case = cases.iter().find(|case| case.is_positive_post()).unwrap();
        let router = case.router(entry.code, &FakeIntake::open());
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS]
        {
            let request = Request::builder()
                .method(&method)
                .uri(case.uri(entry.code))
                .body(Body::from(case.body()))
                .unwrap();
            let status = runtime().block_on(ask(&router, request)).status;
            assert_eq!(
                status == 405,
                !entry.capabilities.methods.contains(&method),
                "{} {method}",
                entry.code
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutated_body_breaks_an_adapter(
        pick in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..12),
    ) {
        for entry in REGISTRY {
            let mut cases = cases(entry);
            cases.retain(Case::is_positive_post);
            let case = &cases[pick.index(cases.len())];
            let mut body = case.body();
            for (at, byte, how) in &edits {
                let at = at.index(body.len().max(1)).min(body.len());
                match how {
                    0 if at < body.len() => body[at] = *byte,
                    1 if at < body.len() => { body.remove(at); }
                    2 => body.truncate(at),
                    _ => body.insert(at, *byte),
                }
            }
            let router = case.router(entry.code, &FakeIntake::open());
            let answered = runtime().block_on(ask(&router, case.request_with(entry.code, body)));
            prop_assert!(answered.status < 500, "{} after {}", answered.status, case.case);
        }
    }
}

//! The API at its HTTP border, over a desk with one record.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use console::{AttachmentFile, Desk, DeskFuture, RecordPage, Role, Token, router};
use console::{CallOut, CallRefusal, CallTarget, CallWish};
use http_body_util::BodyExt as _;
use record::{Record, Uuid};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const EXAMPLE: &str = include_str!("../../record/examples/example.intake.json");
const ID: &str = "01945a10-7c00-7abc-8def-0123456789ab";

struct OneRecord;

fn sealed() -> Record {
    let mut record: Record = serde_json::from_str(EXAMPLE).unwrap();
    record.privacy.view = record::View::Sealed;
    record.reporter.name = Some("张三丰".into());
    record
}

impl Desk for OneRecord {
    fn records(&self, after: u64, _: Option<String>, _: usize) -> DeskFuture<'_, RecordPage> {
        let records = if after < sealed().integrity.seq { vec![sealed()] } else { Vec::new() };
        Box::pin(async { Ok(RecordPage { records, next: None }) })
    }
    fn record(&self, id: Uuid, _: Option<u32>) -> DeskFuture<'_, Option<Record>> {
        Box::pin(async move { Ok(Some(sealed()).filter(|record| record.record_id == id)) })
    }
    fn record_by_number(&self, number: String) -> DeskFuture<'_, Option<Record>> {
        Box::pin(async move { Ok(Some(sealed()).filter(|record| record.record_no == number)) })
    }
    fn cloud_event(&self, record: &Record) -> Option<Value> {
        Some(json!({ "specversion": "1.0", "data": record }))
    }
    fn attachment(&self, _: Record, index: usize) -> DeskFuture<'_, Option<AttachmentFile>> {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"));
        let file = AttachmentFile { path, media_type: "audio/wav".into() };
        Box::pin(async move { Ok(Some(file).filter(|_| index == 0)) })
    }
    fn calls(&self, after: u64, limit: usize) -> DeskFuture<'_, Vec<Value>> {
        let calls = [json!({ "id": 7 }), json!({ "id": 9 })].into_iter();
        let calls = calls.filter(move |call| call["id"].as_u64() > Some(after)).take(limit).collect();
        Box::pin(async { Ok(calls) })
    }
    fn call(&self, id: u64) -> DeskFuture<'_, Option<Value>> {
        Box::pin(async move { Ok((id == 7).then(|| json!({ "id": 7, "phase": "talking" }))) })
    }
    fn dial(&self, wanted: CallOut) -> DeskFuture<'_, Result<Value, CallRefusal>> {
        let begun = match wanted.agent.as_str() {
            "1001" => Ok(json!({ "id": 8, "record_no": "X" })),
            "draining" => Err(CallRefusal::NotNow("draining")),
            _ => Err(CallRefusal::BadTarget),
        };
        Box::pin(async move { Ok(begun) })
    }
    fn call_of(&self, agent: String) -> DeskFuture<'_, Option<u64>> {
        Box::pin(async move { Ok((agent == "1001").then_some(7)) })
    }
    fn wish(&self, id: u64, wish: CallWish) -> DeskFuture<'_, Result<(), CallRefusal>> {
        let granted = match (id, wish) {
            (7, CallWish::Resume) => Err(CallRefusal::NotNow("nothing_to_do")),
            (7, CallWish::Consult(CallTarget::Agent { agent })) if agent == "9999" => {
                Err(CallRefusal::BadTarget)
            }
            (7, _) => Ok(()),
            _ => Err(CallRefusal::NoSuchCall),
        };
        Box::pin(async move { Ok(granted) })
    }
    fn queues(&self) -> DeskFuture<'_, Value> {
        Box::pin(async { Ok(json!({ "waiting": 0 })) })
    }
    fn sinks(&self) -> Value {
        json!([])
    }
}

async fn get(path: &str, token: Option<&str>) -> (StatusCode, Vec<u8>) {
    let tokens = vec![
        Token::new("platform", Role::Reader, "reader-token-0000"),
        Token::new("hall", Role::Supervisor, "supervisor-token-0"),
        Token::of_agent("anna", "1001", "agent-token-000000"),
        Token::of_agent("berta", "1002", "agent-token-222222"),
    ];
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response =
        router(Arc::new(OneRecord), tokens).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

const READER: Option<&str> = Some("reader-token-0000");
const SUPERVISOR: Option<&str> = Some("supervisor-token-0");

#[tokio::test]
async fn without_a_token_only_the_contract_is_served() {
    for path in ["/api/v1/records", &format!("/api/v1/records/{ID}"), "/api/v1/queues", "/api/v1/sinks"] {
        assert_eq!(get(path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(get(path, Some("guess")).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    let (status, schema) = get("/api/v1/schemas/intake-record", None).await;
    assert_eq!((status, schema.as_slice()), (StatusCode::OK, record::SCHEMA_JSON.as_bytes()));
}

#[tokio::test]
async fn a_reader_never_sees_what_is_sealed() {
    for path in ["/api/v1/records".into(), format!("/api/v1/records/{ID}")] {
        let (status, body) = get(&path, READER).await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("\"view\":\"dispatch\"") && !text.contains("张三丰"), "{text}");
        assert_eq!(get(&format!("{path}?view=sealed"), READER).await.0, StatusCode::FORBIDDEN);
        let (_, body) = get(&path, SUPERVISOR).await;
        assert!(String::from_utf8(body).unwrap().contains("张三丰"));
    }
    let recording = format!("/api/v1/records/{ID}/attachments/0");
    assert_eq!(get(&recording, READER).await.0, StatusCode::FORBIDDEN);
    assert_eq!(get(&recording, SUPERVISOR).await, (StatusCode::OK, console::OPENAPI.as_bytes().to_vec()));
}

#[tokio::test]
async fn a_page_has_records_and_next() {
    let (_, body) = get("/api/v1/records?after=0&channel=voice&limit=5", SUPERVISOR).await;
    let page: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["records"][0]["record_id"], ID);
    assert_eq!(page["next"], Value::Null);
    let (_, body) = get("/api/v1/records?after=48211", SUPERVISOR).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["records"], json!([]));
}

#[tokio::test]
async fn a_record_is_found_by_its_number_too() {
    assert_eq!(get("/api/v1/records/150100-20250111-01-000123", READER).await.0, StatusCode::OK);
    assert_eq!(get("/api/v1/records/150100-20250111-01-000124", READER).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cloud_event_holds_the_view_the_role_allows() {
    let (status, body) = get(&format!("/api/v1/records/{ID}?format=cloudevent"), READER).await;
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &event["data"]["privacy"]["view"]), (StatusCode::OK, &json!("dispatch")));
    assert!(event["data"]["reporter"].get("name").is_none());
}

#[tokio::test]
async fn a_slip_in_a_parameter_is_told_not_ignored() {
    for query in
        ["limit=0", "limit=1001", "limit=x", "after=-1", "chanel=voice", "channel=fax", "view=secret"]
    {
        let (status, body) = get(&format!("/api/v1/records?{query}"), SUPERVISOR).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["code"], "E-API-0400");
    }
    assert_eq!(get(&format!("/api/v1/records/{ID}?format=vcon"), READER).await.0, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn every_described_path_answers() {
    let described: Value = serde_json::from_str(console::OPENAPI).unwrap();
    for (path, methods) in described["paths"].as_object().unwrap() {
        let path = path.replace("{record_id}", ID).replace("{index}", "0");
        let path = path.replace("{id}", "7").replace("{wish}", "hold");
        if methods.get("get").is_some() {
            assert_eq!(get(&path, SUPERVISOR).await.0, StatusCode::OK, "{path}");
        } else {
            assert_eq!(post(&path, "supervisor-token-0", "").await.0, StatusCode::ACCEPTED, "{path}");
        }
    }
}

async fn post(path: &str, token: &str, body: &str) -> (StatusCode, Value) {
    let tokens = vec![
        Token::new("platform", Role::Reader, "reader-token-0000"),
        Token::new("hall", Role::Supervisor, "supervisor-token-0"),
        Token::of_agent("anna", "1001", "agent-token-000000"),
        Token::of_agent("berta", "1002", "agent-token-222222"),
        Token::new("chief", Role::Admin, "admin-token-000000"),
    ];
    let request = Request::post(path).header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = router(Arc::new(OneRecord), tokens).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn an_agent_touches_the_call_they_are_in_charge_of_and_nothing_else() {
    let (anna, berta) = ("agent-token-000000", "agent-token-222222");
    let calls = |token| async move { get("/api/v1/calls", Some(token)).await };
    let own: Value = serde_json::from_slice(&calls(anna).await.1).unwrap();
    assert_eq!(own["calls"].as_array().map(Vec::len), Some(1));
    let (status, body) = calls(berta).await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, br#"{"calls":[]}"#.as_slice()));
    assert_eq!(get("/api/v1/calls/7", Some(anna)).await.0, StatusCode::OK);
    assert_eq!(get("/api/v1/calls/7", Some(berta)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(post("/api/v1/calls/7/hold", anna, "").await.0, StatusCode::ACCEPTED);
    assert_eq!(post("/api/v1/calls/7/hold", berta, "").await.0, StatusCode::NOT_FOUND);
    let listen = r#"{"target":{"agent":"1001"},"mode":"listen"}"#;
    assert_eq!(post("/api/v1/calls/7/supervise", anna, listen).await.0, StatusCode::FORBIDDEN);
    let phone = r#"{"target":{"phone":"sip:600@192.0.2.9"}}"#;
    assert_eq!(post("/api/v1/calls/7/transfer", anna, phone).await.0, StatusCode::FORBIDDEN);
    let out = r#"{"agent":"1001","number":"13900000000"}"#;
    assert_eq!(post("/api/v1/calls", berta, out).await.0, StatusCode::FORBIDDEN, "another's phone");
    assert_ne!(post("/api/v1/calls", anna, out).await.0, StatusCode::FORBIDDEN);
    for path in [
        "/api/v1/records".to_owned(),
        format!("/api/v1/records/{ID}"),
        "/api/v1/queues".into(),
        "/api/v1/sinks".into(),
    ] {
        assert_eq!(get(&path, Some(anna)).await.0, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn calls_are_for_supervisors() {
    let (status, _) = get("/api/v1/calls", Some("reader-token-0000")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, body) = get("/api/v1/calls?after=7", Some("supervisor-token-0")).await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, br#"{"calls":[{"id":9}]}"#.as_slice()));
    assert_eq!(get("/api/v1/calls/7", Some("supervisor-token-0")).await.0, StatusCode::OK);
    assert_eq!(get("/api/v1/calls/8", Some("supervisor-token-0")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(post("/api/v1/calls/7/hold", "reader-token-0000", "").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_call_is_made_for_supervisors_and_refused_with_a_reason() {
    let supervisor = "supervisor-token-0";
    let path = "/api/v1/calls";
    let body = r#"{"agent": "1001", "number": "13900000001"}"#;
    assert_eq!(post(path, "reader-token-0000", body).await.0, StatusCode::FORBIDDEN);
    let (status, answer) = post(path, supervisor, body).await;
    assert_eq!((status, &answer["id"]), (StatusCode::ACCEPTED, &json!(8)));
    let (status, answer) = post(path, supervisor, r#"{"agent": "draining", "number": "1"}"#).await;
    assert_eq!((status, &answer["error"]["reason"]), (StatusCode::CONFLICT, &json!("draining")));
    for body in [
        "",
        r#"{"agent": "1001"}"#,
        r#"{"agent": "9", "number": "1"}"#,
        r#"{"agent": "1001", "number": "1", "x": 1}"#,
    ] {
        assert_eq!(post(path, supervisor, body).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    let about = r#"{"agent": "1001", "number": "1", "record_id": "no-uuid"}"#;
    assert_eq!(post(path, supervisor, about).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_wanted_of_a_call_is_granted_or_refused_with_a_reason() {
    let supervisor = "supervisor-token-0";
    for (path, body) in [
        ("hold", ""),
        ("hang_up", "{}"),
        ("consult", r#"{"target": {"agent": "1002"}}"#),
        ("conference", ""),
        ("conference", r#"{"target": {"number": "110", "trunk": "carrier"}}"#),
        ("transfer", r#"{"target": {"number": "12319"}}"#),
        ("supervise", r#"{"target": {"agent": "1009"}, "mode": "whisper"}"#),
    ] {
        let (status, answer) = post(&format!("/api/v1/calls/7/{path}"), supervisor, body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{path} {body} {answer}");
    }
    let (status, answer) = post("/api/v1/calls/7/resume", supervisor, "").await;
    assert_eq!((status, &answer["error"]["reason"]), (StatusCode::CONFLICT, &json!("nothing_to_do")));
    assert_eq!(post("/api/v1/calls/8/hold", supervisor, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(post("/api/v1/calls/7/explode", supervisor, "").await.0, StatusCode::NOT_FOUND);
    for (path, body, parameter) in [
        ("consult", r#"{"target": {"agent": "9999"}}"#, "target"),
        ("consult", "", "body"),
        ("consult", r#"{"target": {"agent": "1", "number": "2"}}"#, "body"),
        ("supervise", r#"{"target": {"agent": "1"}, "mode": "shout"}"#, "body"),
        ("hold", r#"{"targte": 1}"#, "body"),
        ("hold", "not json", "body"),
    ] {
        let (status, answer) = post(&format!("/api/v1/calls/7/{path}"), supervisor, body).await;
        let told = &answer["error"]["parameter"];
        assert_eq!((status, told), (StatusCode::BAD_REQUEST, &json!(parameter)), "{path} {body}");
    }
}

#[tokio::test]
async fn only_an_administrator_dials_any_address() {
    let body = r#"{"target": {"phone": "sip:600@192.0.2.9"}}"#;
    assert_eq!(post("/api/v1/calls/7/consult", "supervisor-token-0", body).await.0, StatusCode::FORBIDDEN);
    assert_eq!(post("/api/v1/calls/7/consult", "admin-token-000000", body).await.0, StatusCode::ACCEPTED);
}

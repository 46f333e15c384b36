//! The API at its HTTP border, over a desk with one record.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use console::{AttachmentFile, Desk, DeskFuture, RecordPage, Role, Token, router};
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
    for path in described["paths"].as_object().unwrap().keys() {
        let path = path.replace("{record_id}", ID).replace("{index}", "0");
        assert_eq!(get(&path, SUPERVISOR).await.0, StatusCode::OK, "{path}");
    }
}

//! The published documents: schema, OpenAPI, a page to read it.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

/// `GET /api/v1/schemas/intake-record`
pub async fn schema() -> Response {
    ([(header::CONTENT_TYPE, "application/schema+json")], record::SCHEMA_JSON).into_response()
}

/// `GET /api/openapi.json`
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], crate::OPENAPI).into_response()
}

/// `GET /api/docs`: needs nothing from outside, for machines without internet.
pub async fn page() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}

//! Records: a page, one, and the files that belong to one.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use record::{Record, Uuid, View};
use serde_json::{Value, json};

use crate::auth::{Role, view_for};
use crate::error::ApiError;
use crate::shared::Shared;

/// Records on a page when the request names no limit.
const DEFAULT_LIMIT: usize = 100;
/// Most records on a page.
const MAX_LIMIT: usize = 1000;

/// `GET /api/v1/records?after=SEQ&channel=CODE&limit=N&view=VIEW`
pub async fn list(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let token = shared.require(&headers, Role::Reader)?;
    let query = Query::read(query.as_deref(), &["after", "channel", "limit", "view"])?;
    let view = view_for(token.role(), query.view()?).ok_or(ApiError::Forbidden)?;
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT as u64);
    if limit == 0 || limit > MAX_LIMIT as u64 {
        return Err(ApiError::BadParameter("limit"));
    }
    let after = query.number("after")?.unwrap_or(0);
    let channel = query.text("channel").map(str::to_owned);
    if channel.as_deref().is_some_and(|code| record::channel_code::digits(code).is_none()) {
        return Err(ApiError::BadParameter("channel"));
    }
    let page =
        shared.desk.records(after, channel, limit as usize).await.map_err(|_| ApiError::Unavailable)?;
    let records: Vec<Record> = page.records.iter().map(|record| record::view::apply(record, view)).collect();
    Ok(Json(json!({ "records": records, "next": page.next })))
}

/// `GET /api/v1/records/{record_id}?revision=N&format=record&view=VIEW`; a `record_no` serves as well.
pub async fn one(
    State(shared): State<Shared>,
    Path(record_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let token = shared.require(&headers, Role::Reader)?;
    let query = Query::read(query.as_deref(), &["revision", "format", "view"])?;
    let view = view_for(token.role(), query.view()?).ok_or(ApiError::Forbidden)?;
    let as_event = match query.text("format") {
        None | Some("record") => false,
        Some("cloudevent") => true,
        Some("vcon") => return Err(ApiError::NotAcceptable),
        Some(_) => return Err(ApiError::BadParameter("format")),
    };
    let revision = match query.number("revision")? {
        None => None,
        Some(revision) => Some(u32::try_from(revision).map_err(|_| ApiError::BadParameter("revision"))?),
    };
    let record = record::view::apply(&find(&shared, &record_id, revision).await?, view);
    if as_event {
        return shared.desk.cloud_event(&record).map(Json).ok_or(ApiError::Unavailable);
    }
    Ok(Json(json!(record)))
}

/// `GET /api/v1/records/{record_id}/attachments/{index}`: the file, streamed. Every look is logged.
pub async fn attachment(
    State(shared): State<Shared>,
    Path((record_id, index)): Path<(String, usize)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = shared.require(&headers, Role::Supervisor)?;
    let record = find(&shared, &record_id, None).await?;
    let id = record.record_id;
    let file = shared.desk.attachment(record, index).await.map_err(|_| ApiError::Unavailable)?;
    let file = file.ok_or(ApiError::NotFound)?;
    let opened = tokio::fs::File::open(&file.path).await.map_err(|_| ApiError::NotFound)?;
    let length = opened.metadata().await.map_err(|_| ApiError::NotFound)?.len();
    tracing::info!(record.id = %id, token = token.name(), index, "An attachment was read.");
    let body = Body::from_stream(tokio_util::io::ReaderStream::new(opened));
    let headers = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "no-store".into()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}-{index}\"")),
    ];
    Ok((headers, body).into_response())
}

async fn find(shared: &Shared, name: &str, revision: Option<u32>) -> Result<Record, ApiError> {
    let found = match name.parse::<Uuid>() {
        Ok(id) => shared.desk.record(id, revision).await,
        Err(_) if name.len() <= 40 && revision.is_none() => {
            shared.desk.record_by_number(name.to_owned()).await
        }
        Err(_) => return Err(ApiError::NotFound),
    };
    found.map_err(|_| ApiError::Unavailable)?.ok_or(ApiError::NotFound)
}

/// Query parameters; one that is not known is refused, so that a slip does not change the meaning.
pub(super) struct Query<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Query<'a> {
    pub(super) fn read(query: Option<&'a str>, known: &[&'static str]) -> Result<Self, ApiError> {
        let mut read = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known.iter().find(|known| **known == name).ok_or(ApiError::BadParameter("unknown"))?;
            read.push((*name, value));
        }
        Ok(Self(read))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty())
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, ApiError> {
        self.text(name).map(|value| value.parse().map_err(|_| ApiError::BadParameter(name))).transpose()
    }

    fn view(&self) -> Result<Option<View>, ApiError> {
        let Some(asked) = self.text("view") else { return Ok(None) };
        let view = View::ALL.iter().find(|view| view.as_str() == asked);
        view.copied().map(Some).ok_or(ApiError::BadParameter("view"))
    }
}

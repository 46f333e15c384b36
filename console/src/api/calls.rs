//! Calls in progress: the list, one, and what may be wanted of one. Every wish leaves a line in the log, with the
//! token and without any number.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::records::Query;
use crate::auth::{Role, Token};
use crate::call::{CallOut, CallRefusal, CallTarget, CallWatch, CallWish};
use crate::error::ApiError;
use crate::shared::Shared;

/// Calls on a page when the request names no limit.
const DEFAULT_LIMIT: u64 = 100;
/// Most calls on a page.
const MAX_LIMIT: u64 = 1000;

/// `GET /api/v1/calls?after=ID&limit=N`
pub async fn list(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let token = shared.require_calls(&headers)?;
    let query = Query::read(query.as_deref(), &["after", "limit"])?;
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(ApiError::BadParameter("limit"));
    }
    let after = query.number("after")?.unwrap_or(0);
    if let Some(agent) = token.agent() {
        let own = own_call(&shared, agent).await?.filter(|id| *id > after);
        let call = match own {
            Some(id) => shared.desk.call(id).await.map_err(|_| ApiError::Unavailable)?,
            None => None,
        };
        return Ok(Json(json!({ "calls": call.as_slice() })));
    }
    let calls = shared.desk.calls(after, limit as usize).await.map_err(|_| ApiError::Unavailable)?;
    Ok(Json(json!({ "calls": calls })))
}

/// `GET /api/v1/calls/{id}`
pub async fn one(
    State(shared): State<Shared>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let token = shared.require_calls(&headers)?;
    own_or_any(&shared, token, id).await?;
    let call = shared.desk.call(id).await.map_err(|_| ApiError::Unavailable)?;
    call.map(Json).ok_or(ApiError::NotFound)
}

/// `POST /api/v1/calls`: the agent's phone rings, then the number is called.
pub async fn dial(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let token = shared.require_calls(&headers)?;
    let wanted: CallOut = parse(&body)?;
    if token.agent().is_some_and(|agent| agent != wanted.agent) {
        return Err(ApiError::Forbidden);
    }
    let begun = shared.desk.dial(wanted).await.map_err(|_| ApiError::Unavailable)?;
    tracing::info!(token = token.name(), begun = begun.is_ok(), "The desk wants a call made.");
    let call = begun.map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(call)))
}

fn refused(why: CallRefusal) -> ApiError {
    match why {
        CallRefusal::NoSuchCall => ApiError::NotFound,
        CallRefusal::NoSuchRecord => ApiError::BadParameter("record_id"),
        CallRefusal::BadTarget => ApiError::BadParameter("target"),
        CallRefusal::NotNow(why) => ApiError::NotNow(why),
        CallRefusal::Busy => ApiError::Unavailable,
        CallRefusal::Crowded => ApiError::Crowded,
    }
}

/// An agent's token is for the call that agent is in charge of; others' are not there for it.
async fn own_or_any(shared: &Shared, token: &Token, id: u64) -> Result<(), ApiError> {
    let Some(agent) = token.agent() else { return Ok(()) };
    if own_call(shared, agent).await? == Some(id) { Ok(()) } else { Err(ApiError::NotFound) }
}

async fn own_call(shared: &Shared, agent: &str) -> Result<Option<u64>, ApiError> {
    shared.desk.call_of(agent.to_owned()).await.map_err(|_| ApiError::Unavailable)
}

/// `POST /api/v1/calls/{id}/{wish}`: 202 when granted; what comes of it is seen in the call.
pub async fn wish(
    State(shared): State<Shared>,
    Path((id, wish)): Path<(u64, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let token = shared.require_calls(&headers)?;
    let (name, wish) = read(&wish, &body)?;
    if matches!(target_of(&wish), Some(CallTarget::Phone { .. })) && token.role() < Role::Admin {
        // Any address of the internet: for whoever configures the gateway.
        return Err(ApiError::Forbidden);
    }
    if matches!(wish, CallWish::Supervise(..)) && token.role() < Role::Supervisor {
        return Err(ApiError::Forbidden);
    }
    own_or_any(&shared, token, id).await?;
    let granted = shared.desk.wish(id, wish).await.map_err(|_| ApiError::Unavailable)?;
    tracing::info!(
        call.id = id,
        token = token.name(),
        wish = name,
        granted = granted.is_ok(),
        "The desk wants something of a call."
    );
    granted.map(|()| StatusCode::ACCEPTED).map_err(refused)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithTarget {
    target: CallTarget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MayHaveTarget {
    target: Option<CallTarget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Supervision {
    target: CallTarget,
    mode: CallWatch,
}

fn read(name: &str, body: &[u8]) -> Result<(&'static str, CallWish), ApiError> {
    Ok(match name {
        "hold" => ("hold", parse::<Nothing>(body).map(|_| CallWish::Hold)?),
        "resume" => ("resume", parse::<Nothing>(body).map(|_| CallWish::Resume)?),
        "hang_up" => ("hang_up", parse::<Nothing>(body).map(|_| CallWish::HangUp)?),
        "consult" => ("consult", CallWish::Consult(parse::<WithTarget>(body)?.target)),
        "conference" => ("conference", CallWish::Conference(parse::<MayHaveTarget>(body)?.target)),
        "transfer" => ("transfer", CallWish::Transfer(parse::<MayHaveTarget>(body)?.target)),
        "supervise" => {
            let Supervision { target, mode } = parse(body)?;
            ("supervise", CallWish::Supervise(target, mode))
        }
        _ => return Err(ApiError::NotFound),
    })
}

/// An empty body is an empty object.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}".as_slice() } else { body };
    serde_json::from_slice(body).map_err(|_| ApiError::BadParameter("body"))
}

const fn target_of(wish: &CallWish) -> Option<&CallTarget> {
    match wish {
        CallWish::Consult(target) | CallWish::Supervise(target, _) => Some(target),
        CallWish::Conference(target) | CallWish::Transfer(target) => target.as_ref(),
        CallWish::Hold | CallWish::Resume | CallWish::HangUp => None,
    }
}

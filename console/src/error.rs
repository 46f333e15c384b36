//! Refusals of the API: a status, a code that is the same in every language, and a sentence in both.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// No token, or not one of ours.
    Unauthorized,
    /// The token's role may not.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// A parameter cannot be read; its name.
    BadParameter(&'static str),
    /// The form is not offered by this version.
    NotAcceptable,
    /// The call cannot do that now; a word for why.
    NotNow(&'static str),
    /// The store cannot answer now.
    Unavailable,
    /// There are too many calls for another ordinary one.
    Crowded,
}

/// When it may be tried again after [`ApiError::Crowded`], in seconds.
const CROWDED_RETRY_AFTER_S: &str = "10";

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, zh, en) = match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "E-API-0401",
                "需要有效的访问令牌",
                "a valid bearer token is needed",
            ),
            Self::Forbidden => {
                (StatusCode::FORBIDDEN, "E-API-0403", "该令牌无此权限", "this token's role may not do this")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "E-API-0404", "没有找到", "there is no such thing"),
            Self::BadParameter(_) => {
                (StatusCode::BAD_REQUEST, "E-API-0400", "参数有误", "a parameter cannot be read")
            }
            Self::NotAcceptable => (
                StatusCode::NOT_ACCEPTABLE,
                "E-API-0406",
                "本版本不提供该格式",
                "this version does not offer that form",
            ),
            Self::NotNow(_) => (
                StatusCode::CONFLICT,
                "E-API-0409",
                "通话当前状态不允许此操作",
                "the call cannot do that now",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "E-API-0503",
                "存储暂时不可用",
                "the store cannot answer now",
            ),
            Self::Crowded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "E-API-0503",
                "通话过多，请稍后再试",
                "there are too many calls, try again later",
            ),
        };
        let mut body = json!({ "error": { "code": code, "message": { "zh": zh, "en": en } } });
        if let Self::BadParameter(name) = self {
            body["error"]["parameter"] = name.into();
        }
        if let Self::NotNow(reason) = self {
            body["error"]["reason"] = reason.into();
        }
        if self == Self::Crowded {
            body["error"]["reason"] = "crowded".into();
        }
        let mut response = (status, Json(body)).into_response();
        if self == Self::Crowded {
            let seconds = axum::http::HeaderValue::from_static(CROWDED_RETRY_AFTER_S);
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds);
        }
        if self == Self::Unauthorized {
            let bearer = axum::http::HeaderValue::from_static("Bearer realm=\"jiesu\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn who_is_sent_away_by_the_crowd_learns_when_to_come_again() {
        let response = ApiError::Crowded.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), CROWDED_RETRY_AFTER_S);
        assert_eq!(ApiError::Unavailable.into_response().headers().get(RETRY_AFTER), None);
    }
}

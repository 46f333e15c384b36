//! What the platform's error codes mean for whoever wants to try again.
//!
//! Policy: busy and the quota of a minute are retried; a closed reply window or a refusing user is final
//! (another channel must reach the citizen); what an operator has to mend raises an alarm.
//! Codes: 全局返回码 (<https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html>).

use crate::outbound::{Class, FetchError, SendError};

/// The platform does not take our token (any more).
pub const TOKEN_REASON: &str = "token";

/// The error of a code other than 0.
pub fn classify(code: i64) -> SendError {
    let (class, reason, alarm, retry_after_s) = match code {
        -1 => (Class::Retry, "busy", false, None),
        40001 | 40014 | 42001 => (Class::Retry, TOKEN_REASON, false, None),
        40003 => (Class::Never, "bad_user", false, None),
        40007 => (Class::Never, "gone", false, None),
        40013 | 40125 => (Class::Never, "bad_credentials", true, None),
        // Nothing is wrong with the message: it can go once our address is on the list.
        40164 => (Class::Retry, "address_not_listed", true, Some(600)),
        41001 => (Class::Never, "no_token", true, None),
        43004 => (Class::Never, "not_a_follower", false, None),
        45002 => (Class::Never, "text_too_long", false, None),
        45009 => (Class::Retry, "daily_quota", true, Some(3600)),
        45011 => (Class::Retry, "minute_quota", false, Some(60)),
        45015 => (Class::Never, "window_over", false, None),
        45047 => (Class::Never, "count_over", false, None),
        48001 => (Class::Never, "no_permission", true, None),
        48002 => (Class::Never, "user_refuses", false, None),
        50002 => (Class::Never, "account_limited", true, None),
        _ => (Class::Never, "platform_error", false, None),
    };
    SendError { class, code: Some(code), reason, alarm, retry_after_s }
}

impl From<SendError> for FetchError {
    fn from(error: SendError) -> Self {
        // Fetching changes nothing on the other side: doubt is a reason to try again.
        let class = if error.class == Class::Unknown { Class::Retry } else { error.class };
        Self { class, code: error.code, reason: error.reason, alarm: error.alarm }
    }
}

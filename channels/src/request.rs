//! One webhook request as an adapter sees it: raw bytes first, decoded views beside them.
//!
//! Signatures cover bytes, so the body and the query are kept as they came on the wire; decoding happens
//! once and never replaces the original.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use record::Timestamp;

/// Most query parameters looked at; further ones are ignored. No platform sends more than ten.
const MAX_QUERY_PAIRS: usize = 64;

/// A request whose body has been read completely and is within the cap.
#[derive(Clone)]
pub struct Request {
    /// `GET` or `POST` …; a `HEAD` arrives as `GET`.
    pub method: Method,
    /// The path as on the wire, not decoded: some signatures cover it.
    pub path: String,
    /// What follows the account in `/in/{code}/{account}/…`, without the leading slash; else empty.
    pub rest: String,
    /// The query as on the wire, without `?`; empty when there is none.
    pub raw_query: String,
    /// The query decoded once, in order, `+` as a space.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// When the body had arrived.
    pub received_at: Timestamp,
    /// Where the request came from; behind a trusted proxy, what the proxy says.
    pub client: Option<IpAddr>,
    /// `https` or `http`, as the platform addressed us.
    pub scheme: String,
    /// Host and port, as the platform addressed us.
    pub authority: String,
}

impl Request {
    /// The first value of a query parameter. An empty one counts as absent.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Like [`param`](Self::param), or the refusal `missing_param`.
    ///
    /// # Errors
    /// `missing_param` when it is absent or empty.
    pub fn require(&self, name: &str) -> Result<&str, crate::Refusal> {
        self.param(name).ok_or(crate::Refusal::forbidden("missing_param"))
    }

    /// A base64 query parameter: form decoding turned a literal plus into a space, which is put back.
    pub fn param_base64(&self, name: &str) -> Option<String> {
        self.param(name).map(|value| value.replace(' ', "+"))
    }

    /// The first value of a header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Shows only what cannot hold a citizen's data or a signature.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("query_pairs", &self.query.len())
            .field("body_bytes", &self.body.len())
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

/// Decodes a query once. Bytes that are not UTF-8 become U+FFFD: no signature covers the decoded form.
pub fn decode_query(raw_query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    raw_query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .take(MAX_QUERY_PAIRS)
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::decode_query;

    #[test]
    fn a_query_is_decoded_once_and_only_once() {
        assert_eq!(
            decode_query("a=%252B&b=%2B&c=x+y&&d&e=%E8%B7%AF%FF"),
            [("a", "%2B"), ("b", "+"), ("c", "x y"), ("d", ""), ("e", "路\u{fffd}")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
    }

    #[test]
    fn ten_thousand_parameters_do_not_become_ten_thousand_strings() {
        assert_eq!(decode_query(&"a=1&".repeat(10_000)).len(), super::MAX_QUERY_PAIRS);
    }
}

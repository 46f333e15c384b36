//! Who called, as far as that can be believed: `Forwarded` (RFC 7239) and `X-Forwarded-*` count only when
//! the peer itself is a trusted proxy, and then only up to the first address that is not one.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::HOST;
use ipnet::IpNet;

/// Most proxies walked through.
const MAX_HOPS: usize = 16;

/// The request's origin as the platform made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address; `None` when the server does not tell its peers.
    pub client: Option<IpAddr>,
    /// `https` or `http`.
    pub scheme: String,
    /// Host and port.
    pub authority: String,
}

/// Finds the origin of a request that came from `peer`.
pub fn origin(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &[IpNet]) -> Origin {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut found = Origin {
        client: peer,
        scheme: "http".to_owned(),
        authority: text(HOST.as_str()).unwrap_or_default().to_owned(),
    };
    let Some(peer) = peer.filter(|peer| is_trusted(*peer)) else { return found };
    found.client = Some(peer);
    if let Some(forwarded) = text("forwarded") {
        for element in forwarded.rsplit(',').take(MAX_HOPS) {
            let pair = |wanted: &str| {
                element.split(';').find_map(|pair| {
                    let (key, value) = pair.trim().split_once('=')?;
                    key.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"'))
                })
            };
            set(&mut found.scheme, pair("proto"));
            set(&mut found.authority, pair("host"));
            let Some(address) = pair("for").and_then(address) else { break };
            found.client = Some(address);
            if !is_trusted(address) {
                break;
            }
        }
        return found;
    }
    let last = |name: &str| text(name).and_then(|list| list.rsplit(',').next()).map(str::trim);
    set(&mut found.scheme, last("x-forwarded-proto"));
    set(&mut found.authority, last("x-forwarded-host"));
    for hop in text("x-forwarded-for").unwrap_or_default().rsplit(',').take(MAX_HOPS) {
        let Some(address) = address(hop.trim()) else { break };
        found.client = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    found
}

fn set(field: &mut String, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty() && value.len() <= 255) {
        value.clone_into(field);
    }
}

/// An address with or without a port, IPv6 in brackets.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> (String, String, String) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let origin = origin(&map, Some(peer.parse().unwrap()), &trusted);
        (origin.client.unwrap().to_string(), origin.scheme, origin.authority)
    }

    #[test]
    fn a_stranger_cannot_name_another_address() {
        let headers = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=2.2.2.2"), ("host", "h")];
        assert_eq!(client("203.0.113.9", &headers).0, "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_stranger() {
        let headers = [
            ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2"),
            ("x-forwarded-proto", "https"),
            ("host", "in"),
        ];
        assert_eq!(client("10.0.0.1", &headers), ("203.0.113.9".into(), "https".into(), "in".into()));
        let headers = [(
            "forwarded",
            "for=1.1.1.1, for=\"[2001:db8::9]:443\";proto=https;host=hotline.example, for=10.0.0.3",
        )];
        assert_eq!(
            client("10.0.0.1", &headers),
            ("2001:db8::9".into(), "https".into(), "hotline.example".into())
        );
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "garbage")]).0, "10.0.0.1");
    }
}

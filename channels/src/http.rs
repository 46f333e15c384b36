//! The HTTP client side all channels share: bounded bodies, guarded second hops, media types by content.
//!
//! A platform may answer with an address to fetch from, and a forged message may name one. Such hops go
//! only to hosts on the account's list, never to a private address, over at most two redirects.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use sha2::{Digest, Sha256};

use crate::outbound::{Class, FetchError, FetchedMedia};

/// Longest file name kept, characters.
const MAX_NAME_CHARS: usize = 128;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_REDIRECTS: usize = 2;

/// Where a second hop may go.
#[derive(Clone, Debug)]
pub struct HopGuard {
    /// Host names, or their parents: `qpic.cn` allows `mmbiz.qpic.cn`.
    pub hosts: Arc<[String]>,
    /// Private and loopback addresses are allowed: only where the platform itself is configured to be one.
    pub private: bool,
}

impl HopGuard {
    /// Whether this address may be fetched from.
    pub fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        matches!(url.scheme(), "https" | "http")
            && url.username().is_empty()
            && url.password().is_none()
            && self.hosts.iter().any(|allowed| {
                host == *allowed
                    || host.strip_suffix(allowed.as_str()).is_some_and(|rest| rest.ends_with('.'))
            })
            && (self.private || literal(&host).is_none_or(is_public))
    }
}

/// A client for the platform's own interface: the address is configured by the operator.
///
/// # Errors
/// When the TLS back end cannot start.
pub fn api_client(timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(Policy::none())
        .pool_max_idle_per_host(8)
        .build()
}

/// A client for addresses that came in a message or an answer.
///
/// # Errors
/// When the TLS back end cannot start.
pub fn hop_client(timeout: Duration, guard: &HopGuard) -> reqwest::Result<Client> {
    let on_redirect = guard.clone();
    let builder = Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS || !on_redirect.allows(attempt.url()) {
                return attempt.stop();
            }
            attempt.follow()
        }))
        .pool_max_idle_per_host(4);
    if guard.private { builder.build() } else { builder.dns_resolver(Arc::new(PublicOnly)).build() }
}

/// Whether the host of a configured address is a private or loopback one.
pub fn is_private_base(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || literal(host).is_some_and(|address| !is_public(address))
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves names as usual and drops every address that is not on the public network, so that a name on
/// the list cannot be pointed at the inside (DNS rebinding: the connection uses this very answer).
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address lies on the public network (RFC 6890 special ranges excluded).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            let [first, second, third, .., high, low] = v6.segments();
            let embedded = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
            let is_v4_mapped = v6.to_ipv4_mapped().is_some();
            // 64:ff9b::/96 is NAT64: the IPv4 address at its end is where it goes.
            let is_nat64 = (first, second, third) == (0x64, 0xff9b, 0);
            if is_v4_mapped || is_nat64 {
                return is_public_v4(embedded);
            }
            // Global unicast is 2000::/3; 2001::/23 is special use, 2001:db8::/32 documentation, 2002::/16 6to4.
            (first & 0xe000) == 0x2000
                && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
                && first != 0x2002
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (b & 0xc0) == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b & 0xfe) == 18))
}

/// Reads an answer's body up to `max_bytes`.
///
/// # Errors
/// `too_large` beyond it, `network` when it breaks off.
pub async fn read_body(mut response: Response, max_bytes: usize) -> Result<Bytes, FetchError> {
    let too_large = FetchError::new(Class::Never, "too_large");
    if response.content_length().is_some_and(|announced| announced > max_bytes as u64) {
        return Err(too_large);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::new(Class::Retry, "network"))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Puts fetched bytes together with their type, name and digest.
pub fn fetched(bytes: Bytes, header_type: Option<&str>, disposition: Option<&str>) -> FetchedMedia {
    FetchedMedia {
        media_type: media_type(&bytes, header_type),
        name: disposition.and_then(file_name),
        sha256: hex::encode(Sha256::digest(&bytes)),
        bytes,
    }
}

/// The media type by the first bytes; else what the header says; else unknown.
pub fn media_type(bytes: &[u8], header: Option<&str>) -> String {
    const MAGIC: [(usize, &[u8], &str); 12] = [
        (0, b"\xff\xd8\xff", "image/jpeg"),
        (0, b"\x89PNG\r\n\x1a\n", "image/png"),
        (0, b"GIF8", "image/gif"),
        (8, b"WEBP", "image/webp"),
        (0, b"#!AMR-WB\n", "audio/amr-wb"),
        (0, b"#!AMR\n", "audio/amr"),
        (0, b"#!SILK", "audio/silk"),
        (1, b"#!SILK", "audio/silk"),
        (4, b"ftyp", "video/mp4"),
        (0, b"ID3", "audio/mpeg"),
        (0, b"OggS", "audio/ogg"),
        (0, b"%PDF-", "application/pdf"),
    ];
    let by_content = MAGIC
        .iter()
        .find(|(at, magic, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
        .map(|(.., media_type)| *media_type);
    let by_header = header.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_' | '/');
    by_content
        .map(str::to_owned)
        .or(by_header.filter(|t| t.len() <= 100 && t.matches('/').count() == 1 && t.chars().all(is_token)))
        .unwrap_or_else(|| "application/octet-stream".to_owned())
}

/// The file name of a `Content-Disposition`, without folders, control characters and quotes.
fn file_name(disposition: &str) -> Option<String> {
    let (_, after) = disposition.split_once("filename=")?;
    let quoted = after.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let name = quoted.map_or_else(|| after.split(';').next().unwrap_or_default(), |(name, _)| name);
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let clean: String = last.chars().filter(|c| !c.is_control() && *c != '"').take(MAX_NAME_CHARS).collect();
    (!clean.is_empty() && clean != "." && clean != "..").then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_hosts_are_fetched_from() {
        let guard =
            HopGuard { hosts: vec!["qpic.cn".to_owned(), "10.0.0.7".to_owned()].into(), private: false };
        let allows = |url: &str| guard.allows(&url.parse().unwrap());
        assert!(
            allows("http://mmbiz.qpic.cn/a") && allows("https://qpic.cn/a") && allows("https://QPIC.cn./a")
        );
        for url in [
            "http://evilqpic.cn/",
            "http://qpic.cn.evil.example/",
            "http://a@qpic.cn/",
            "file://qpic.cn/etc/passwd",
            "http://169.254.169.254/latest/meta-data",
            "http://10.0.0.7/",
            "http://[::1]/",
        ] {
            assert!(!allows(url), "{url}");
        }
    }

    #[test]
    fn the_inside_is_not_public() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "203.205.254.1", "240e::1", "2408:8000::1", "::ffff:8.8.8.8"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn content_wins_over_the_header_and_names_are_cleaned() {
        assert_eq!(media_type(b"\xff\xd8\xff\xe0", Some("text/plain")), "image/jpeg");
        assert_eq!(media_type(b"#!AMR\n...", None), "audio/amr");
        assert_eq!(media_type(b"??", Some("Video/MP4; x=y")), "video/mp4");
        assert_eq!(media_type(b"??", Some("a b\r\nc/d")), "application/octet-stream");
        assert_eq!(file_name("attachment; filename=\"../../a/b.jpg\"; x=1").as_deref(), Some("b.jpg"));
        assert_eq!(file_name("attachment; filename=c.amr").as_deref(), Some("c.amr"));
        assert_eq!(file_name("attachment; filename=\"..\""), None);
    }
}

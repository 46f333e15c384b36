//! 微信公众号, the other direction: against a local stand-in for the platform that keeps its own books.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use channels::{Channels, ChannelsConfig, Class, MediaSource, Outbound};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";
/// SHA-256 of [`JPEG`], computed by another program.
const JPEG_SHA256: &str = "99e3da308f4130cccd5b2a43b8065c57225754310ac1b577769d354aa3637859";
const CITIZEN: &str = "oQB2C157SdQ7zKN7FkApXwQJXM7A";

/// The platform's own state.
#[derive(Default)]
struct Platform {
    tokens_given: AtomicUsize,
    token_fault: Mutex<Option<i64>>,
    /// The token it takes; `None` takes every token it has given.
    valid: Mutex<Option<String>>,
    /// Error codes for the next sends.
    faults: Mutex<Vec<i64>>,
    sent: Mutex<Vec<Vec<u8>>>,
    asked: Mutex<Vec<Value>>,
    base: Mutex<String>,
}

async fn stable_token(State(platform): State<Arc<Platform>>, body: axum::Json<Value>) -> Response {
    platform.asked.lock().unwrap().push(body.0);
    if let Some(code) = *platform.token_fault.lock().unwrap() {
        platform.tokens_given.fetch_add(1, Ordering::SeqCst);
        return axum::Json(json!({"errcode": code, "errmsg": "no"})).into_response();
    }
    let number = platform.tokens_given.fetch_add(1, Ordering::SeqCst) + 1;
    axum::Json(json!({"access_token": format!("T{number}"), "expires_in": 7200})).into_response()
}

impl Platform {
    fn token_is_right(&self, query: &BTreeMap<String, String>) -> bool {
        let valid = self.valid.lock().unwrap();
        query.get("access_token").is_some_and(|token| valid.as_ref().is_none_or(|valid| valid == token))
    }
}

async fn send(
    State(platform): State<Arc<Platform>>,
    Query(query): Query<BTreeMap<String, String>>,
    body: axum::body::Bytes,
) -> Response {
    if !platform.token_is_right(&query) {
        return axum::Json(json!({"errcode": 42001, "errmsg": "access_token expired"})).into_response();
    }
    if let Some(code) = platform.faults.lock().unwrap().pop() {
        return axum::Json(json!({"errcode": code, "errmsg": "no"})).into_response();
    }
    platform.sent.lock().unwrap().push(body.to_vec());
    axum::Json(json!({"errcode": 0, "errmsg": "ok"})).into_response()
}

async fn media(
    State(platform): State<Arc<Platform>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if !platform.token_is_right(&query) {
        return ([(header::CONTENT_TYPE, "text/plain")], r#"{"errcode":40001,"errmsg":"x"}"#).into_response();
    }
    let base = platform.base.lock().unwrap().clone();
    match query.get("media_id").map(String::as_str).unwrap_or_default() {
        "picture" => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
            headers.insert(header::CONTENT_DISPOSITION, "attachment; filename=\"../a.jpg\"".parse().unwrap());
            (headers, JPEG).into_response()
        }
        "voice16k" => b"#!SILK_V3 sixteen".as_slice().into_response(),
        "large" => vec![0_u8; 4096].into_response(),
        "large-chunked" => {
            let chunks = (0..8).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 512]));
            axum::body::Body::from_stream(futures_util::stream::iter(chunks)).into_response()
        }
        "video" => axum::Json(json!({"video_url": format!("{base}/video")})).into_response(),
        "video-inside" => axum::Json(json!({"video_url": "http://169.254.169.254/latest"})).into_response(),
        "video-hops" => axum::Json(json!({"video_url": format!("{base}/hop/3")})).into_response(),
        "video-away" => axum::Json(json!({"video_url": format!("{base}/away")})).into_response(),
        "busy" => StatusCode::BAD_GATEWAY.into_response(),
        _ => ([(header::CONTENT_TYPE, "text/plain")], r#"{"errcode":40007,"errmsg":"invalid media_id"}"#)
            .into_response(),
    }
}

async fn hop(axum::extract::Path(left): axum::extract::Path<u32>) -> Response {
    let to = if left == 0 { "/video".to_owned() } else { format!("/hop/{}", left - 1) };
    axum::response::Redirect::temporary(&to).into_response()
}

/// Starts the platform and one account that uses it.
async fn start() -> (Arc<Platform>, Channels) {
    let platform = Arc::new(Platform::default());
    let router = Router::new()
        .route("/cgi-bin/stable_token", post(stable_token))
        .route("/cgi-bin/message/custom/send", post(send))
        .route("/cgi-bin/media/get", get(media))
        .route("/video", get(|| async { b"\x00\x00\x00\x18ftypmp42".as_slice() }))
        .route("/hop/{left}", get(hop))
        .route("/away", get(|| async { axum::response::Redirect::temporary("http://elsewhere.example/") }))
        .with_state(platform.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    *platform.base.lock().unwrap() = base.clone();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (platform, account(&base))
}

fn account(base: &str) -> Channels {
    let config: ChannelsConfig = toml::from_str(&format!(
        "[wechat_mp.main]\ntoken = \"t\"\nmode = \"plain\"\napp_id = \"wx1\"\napp_secret = \"hush\"\n\
         api_base = \"{base}\"\nmedia_hosts = [\"127.0.0.1\"]\nmax_media_bytes = 2048\n"
    ))
    .unwrap();
    Channels::build(&config).unwrap()
}

fn outbound(channels: &Channels) -> Arc<dyn Outbound> {
    channels.outbound("wechat_mp", "main").unwrap()
}

fn source(channels: &Channels) -> Arc<dyn MediaSource> {
    channels.media("wechat_mp", "main").unwrap()
}

fn reference(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_senders_at_once_ask_for_one_token() {
    let (platform, channels) = start().await;
    let sender = outbound(&channels);
    let sends = (0..50).map(|n| {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send_text(CITIZEN, &format!("{n}")).await })
    });
    for sent in futures_util::future::join_all(sends).await {
        sent.unwrap().unwrap();
    }
    assert_eq!(platform.sent.lock().unwrap().len(), 50);
    assert_eq!(platform.tokens_given.load(Ordering::SeqCst), 1);
    let asked = platform.asked.lock().unwrap();
    let wanted =
        json!({"grant_type": "client_credential", "appid": "wx1", "secret": "hush", "force_refresh": false});
    assert_eq!(*asked, [wanted]);
}

#[tokio::test]
async fn a_citizen_reads_chinese_and_not_escapes() {
    let (platform, channels) = start().await;
    outbound(&channels).send_text(CITIZEN, "您的诉求已受理🙏 \"急\"").await.unwrap();
    let sent = platform.sent.lock().unwrap();
    let body = std::str::from_utf8(&sent[0]).unwrap();
    assert!(body.contains("您的诉求已受理🙏") && !body.contains("\\u"), "{body}");
    let wanted =
        json!({"touser": CITIZEN, "msgtype": "text", "text": {"content": "您的诉求已受理🙏 \"急\""}});
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_renewed_once_by_all_who_meet_it() {
    let (platform, channels) = start().await;
    let sender = outbound(&channels);
    sender.send_text(CITIZEN, "first").await.unwrap();
    *platform.valid.lock().unwrap() = Some("T2".to_owned());
    let sends = (0..20).map(|_| {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send_text(CITIZEN, "again").await })
    });
    for sent in futures_util::future::join_all(sends).await {
        sent.unwrap().unwrap();
    }
    assert_eq!(platform.tokens_given.load(Ordering::SeqCst), 2);
    // Media meet the same rule.
    *platform.valid.lock().unwrap() = Some("T3".to_owned());
    source(&channels).fetch(&reference(&[("media_id", "picture")])).await.unwrap();
    assert_eq!(platform.tokens_given.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_refused_twice_is_given_up_with_an_alarm() {
    let (platform, channels) = start().await;
    *platform.valid.lock().unwrap() = Some("never".to_owned());
    let error = outbound(&channels).send_text(CITIZEN, "x").await.unwrap_err();
    assert_eq!((error.class, error.reason, error.alarm), (Class::Retry, "token", true));
    assert_eq!(platform.tokens_given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refused_secret_is_not_asked_for_by_every_waiting_sender() {
    let (platform, channels) = start().await;
    *platform.token_fault.lock().unwrap() = Some(40125);
    let sender = outbound(&channels);
    let sends = (0..20).map(|_| sender.send_text(CITIZEN, "x"));
    for sent in futures_util::future::join_all(sends).await {
        let error = sent.unwrap_err();
        assert_eq!((error.class, error.code, error.alarm), (Class::Never, Some(40125), true));
    }
    assert_eq!(platform.tokens_given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_platforms_codes_say_whether_to_try_again() {
    let (platform, channels) = start().await;
    let sender = outbound(&channels);
    let expected = [
        (-1, Class::Retry, false),
        (45011, Class::Retry, false),
        (45015, Class::Never, false),
        (45047, Class::Never, false),
        (43004, Class::Never, false),
        (48002, Class::Never, false),
        (40003, Class::Never, false),
        (40164, Class::Retry, true),
        (48001, Class::Never, true),
        (99999, Class::Never, false),
    ];
    for (code, class, alarm) in expected {
        platform.faults.lock().unwrap().push(code);
        let error = sender.send_text(CITIZEN, "x").await.unwrap_err();
        assert_eq!((error.code, error.class, error.alarm), (Some(code), class, alarm), "{code}");
    }
    assert_eq!(platform.sent.lock().unwrap().len(), 0);
    let error = sender.send_text(CITIZEN, &"长".repeat(683)).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Never, "text_too_long"));
}

#[tokio::test]
async fn an_unreachable_platform_is_tried_again_and_a_lost_answer_is_not_guessed() {
    // A port that was just free: nobody listens there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = outbound(&account(&base)).send_text(CITIZEN, "x").await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Retry, "token_network"));

    // A platform that takes the message and says nothing intelligible.
    let router = Router::new()
        .route("/cgi-bin/stable_token", post(|| async { r#"{"access_token":"T","expires_in":7200}"# }))
        .route("/cgi-bin/message/custom/send", post(|| async { (StatusCode::BAD_GATEWAY, "<html>") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let error = outbound(&account(&base)).send_text(CITIZEN, "x").await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Unknown, "answer_lost"));
}

#[tokio::test]
async fn a_connection_cut_after_the_message_left_is_not_a_safe_retry() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // Tokens are given; whoever sends is cut off as soon as the request has come.
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 64];
            let read = stream.read(&mut head).await.unwrap();
            if head[..read].starts_with(b"POST /cgi-bin/stable_token") {
                let body = r#"{"access_token":"T","expires_in":7200}"#;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                // The rest of the request is read first, else closing would reset the connection.
                let mut rest = [0; 4096];
                while !rest.windows(6).any(|part| part == b"secret")
                    && stream.read(&mut rest).await.unwrap() > 0
                {}
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    let error = outbound(&account(&base)).send_text(CITIZEN, "x").await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Unknown, "network"));
}

#[tokio::test]
async fn media_are_known_by_their_content() {
    let (_platform, channels) = start().await;
    let source = source(&channels);
    let picture = source.fetch(&reference(&[("media_id", "picture"), ("url", "http://x/")])).await.unwrap();
    assert_eq!((picture.bytes.as_ref(), picture.media_type.as_str()), (JPEG, "image/jpeg"));
    assert_eq!((picture.name.as_deref(), picture.sha256.as_str()), (Some("a.jpg"), JPEG_SHA256));
    let video = source.fetch(&reference(&[("media_id", "video"), ("thumb_media_id", "t")])).await.unwrap();
    assert_eq!(video.media_type, "video/mp4");
    let voice =
        source.fetch(&reference(&[("media_id", "gone"), ("media_id_16k", "voice16k")])).await.unwrap();
    assert_eq!(voice.media_type, "audio/silk");
    let voice = source.fetch(&reference(&[("media_id", "picture"), ("media_id_16k", "gone")])).await.unwrap();
    assert_eq!(voice.bytes.as_ref(), JPEG);
}

#[tokio::test]
async fn a_picture_the_platform_forgot_comes_from_its_address() {
    let (platform, channels) = start().await;
    let url = format!("{}/video", platform.base.lock().unwrap());
    let fetched = source(&channels).fetch(&reference(&[("media_id", "gone"), ("url", &url)])).await.unwrap();
    assert_eq!(fetched.media_type, "video/mp4");
}

#[tokio::test]
async fn what_cannot_be_fetched_says_why() {
    let (_platform, channels) = start().await;
    let source = source(&channels);
    let expected = [
        (vec![("media_id", "gone")], Class::Never, "gone"),
        (vec![("media_id", "large")], Class::Never, "too_large"),
        (vec![("media_id", "large-chunked")], Class::Never, "too_large"),
        (vec![("media_id", "busy")], Class::Retry, "http_status"),
        (vec![("media_id", "video-inside")], Class::Never, "host_refused"),
        (vec![("media_id", "video-hops")], Class::Never, "redirect_refused"),
        (vec![("media_id", "video-away")], Class::Never, "redirect_refused"),
        (vec![("url", "file:///etc/passwd")], Class::Never, "host_refused"),
        (vec![("url", "http://elsewhere.example/")], Class::Never, "host_refused"),
        (vec![("url", "not an address")], Class::Never, "bad_url"),
        (vec![("format", "amr")], Class::Never, "no_reference"),
    ];
    for (pairs, class, reason) in expected {
        let error = source.fetch(&reference(&pairs)).await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{pairs:?}");
    }
}

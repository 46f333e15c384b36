//! A photo a citizen sent: kept by reference at once, fetched from the platform afterwards, and the record
//! amended, once, with the file, its digest and its place in the message.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use blacklist::Lists;
use channels::{Channels, ChannelsConfig};
use gateway::compose::Node;
use gateway::intake::{JOB_FETCH_MEDIA, Middle};
use gateway::{attach, clock, fetch};
use outbox::{Outbox, OutboxConfig};
use record::{
    AttachmentKind, Disposition, IdentityKey, Inbound, InboundMedia, Intake as _, Medium, MessageKind,
    NumberContext, Pii, Record, Sender, State, Uuid,
};
use tokio::sync::watch;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a broken street lamp";

/// Stands in for the platform; gives every asker the same picture.
async fn platform() -> String {
    let routes = axum::Router::new()
        .route("/cgi-bin/stable_token", post(async || r#"{"access_token":"T","expires_in":7200}"#))
        .route("/cgi-bin/media/get", get(async || ([("content-type", "image/jpeg")], JPEG)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    base
}

fn channels(api_base: &str) -> Channels {
    let table = format!(
        "[wechat_mp.main]\ntoken = \"t\"\nmode = \"plain\"\napp_id = \"wx1\"\napp_secret = \"s\"\napi_base = \"{api_base}\"\n"
    );
    Channels::build(&toml::from_str::<ChannelsConfig>(&table).unwrap()).unwrap()
}

fn photo() -> Inbound {
    let reference = BTreeMap::from([("media_id".to_owned(), "M1".to_owned())]);
    Inbound {
        channel: "wechat_mp".into(),
        account: "main".into(),
        medium: Medium::Text,
        provider_account: None,
        sender: Sender { user_id: Pii::new("openid".into()), name: None, phones: Vec::new(), email: None },
        conversation: "openid".into(),
        message_id: Some("1".into()),
        dedupe_key: "1".into(),
        sent_at: clock(),
        kind: MessageKind::Image,
        provider_kind: "image".into(),
        title: None,
        text: None,
        media: vec![InboundMedia { kind: AttachmentKind::Image, reference }],
        location: None,
        link: None,
        event: None,
        event_key: None,
        disposition: Disposition::Intake,
        raw: Pii::new(b"<xml/>".to_vec()),
    }
}

async fn revision(middle: &Middle, id: Uuid, revision: u32) -> Record {
    middle.outbox().get(id, Some(revision)).await.unwrap().unwrap().record().unwrap()
}

#[tokio::test]
async fn a_photo_amends_its_record_once() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = NumberContext { area_code: "0471".into(), service_lines: vec!["12345".into()] };
    let node = Node {
        jurisdiction: "150100".into(),
        test: true,
        retention: "class-B".into(),
        identity_key: IdentityKey::new(*b"0123456789abcdef"),
        numbers,
    };
    let store = OutboxConfig::new(folder.path().join("outbox.db"), "gw-1", "150100");
    let middle = Middle::new(node, Lists::empty(), Outbox::open(store).unwrap(), clock);
    let receipt = middle.accept(photo()).await.unwrap();
    let id = receipt.record_id.unwrap();
    let first = revision(&middle, id, 1).await;
    assert!(first.attachments.is_none() && first.ext.unwrap().contains_key("jiesu.pending_media"));

    let mut head = middle.outbox().follow();
    let (stop, stopped) = watch::channel(false);
    let channels = Arc::new(channels(&platform().await));
    let files = folder.path().join("attachments");
    let worker = tokio::spawn(fetch::work(middle.clone(), channels, files, stopped));
    let amended = tokio::time::timeout(Duration::from_secs(30), head.wait_for(|head| *head >= 2)).await;
    amended.unwrap().unwrap();

    let second = revision(&middle, id, 2).await;
    let attachment = &second.attachments.as_ref().unwrap()[0];
    assert_eq!(second.state, State::Amended);
    assert_eq!((attachment.media_type.as_str(), attachment.bytes), ("image/jpeg", Some(JPEG.len() as i64)));
    assert_eq!(std::fs::read(attach::file_path(&attachment.uri).unwrap()).unwrap(), JPEG);
    assert_eq!(second.messages.as_ref().unwrap()[0].attachment, Some(0));
    assert!(!second.ext.as_ref().unwrap().contains_key("jiesu.pending_media"));
    // The platform's retry makes neither a record nor a job.
    assert!(middle.accept(photo()).await.unwrap().duplicate);
    stop.send_replace(true);
    worker.await.unwrap();
    assert_eq!(middle.outbox().count_jobs(JOB_FETCH_MEDIA).await.unwrap(), 0);
    assert_eq!(middle.outbox().head(), 2);
}

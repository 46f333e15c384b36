//! A careless log line is a data leak. Alone in its binary: tracing remembers for the whole process whether
//! anybody listens to a line, so that tests beside it would sometimes deafen this one.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::sync::{Arc, Mutex};

use axum::Router;
use channels::sign::sig3;
use channels::{Channels, ChannelsConfig, Limits};
use support::{Answered, FakeIntake, ask, clock_at, post, runtime};

const TOKEN: &str = "the-token-itself";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const CITIZEN: &str = "oQB2C157SdQ7zKN7FkApXwQJXM7A";

fn router() -> Router {
    let text = format!(
        "[wechat_mp.main]\ntoken = \"{TOKEN}\"\nmode = \"plain\"\nencoding_aes_key = \"{KEY}\"\naccount = \"gh_1\"\n"
    );
    let config: ChannelsConfig = toml::from_str(&text).unwrap();
    Channels::build(&config).unwrap().router(FakeIntake::open(), clock_at(1_763_880_000), Limits::default())
}

fn plain(router: &Router, body: &str) -> Answered {
    let signature = sig3(TOKEN, "1763880000", "9");
    let uri = format!("/in/wechat_mp/main?signature={signature}&timestamp=1763880000&nonce=9");
    runtime().block_on(ask(router, post(&uri, body.to_owned())))
}

/// Writes every field of every event into one text.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<String>>);

impl tracing::field::Visit for Listener {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{field}={value:?}\n"));
    }
}

impl tracing::Subscriber for Listener {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        attributes.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn nothing_of_a_citizen_or_a_secret_is_logged() {
    let heard = Listener::default();
    let counts = support::Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    tracing::subscriber::with_default(heard.clone(), || {
        let router = router();
        let good = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>{CITIZEN}</FromUserName><MsgType>text</MsgType>\
             <CreateTime>1763880000</CreateTime><Content>我被打了</Content><MsgId>1</MsgId></xml>"
        );
        assert_eq!(plain(&router, &good).status, 200);
        assert_eq!(plain(&router, &good.replace("gh_1", "gh_2")).status, 403);
        assert_eq!(plain(&router, &good[..good.len() - 3]).status, 400);
        let unsigned = post("/in/wechat_mp/main?signature=x&timestamp=1&nonce=2", good);
        assert_eq!(runtime().block_on(ask(&router, unsigned)).status, 403);
    });
    let heard = heard.0.lock().unwrap().clone();
    let said = heard.clone() + &counts.names().join("\n");
    assert_eq!(heard.matches("reason=").count(), 3, "three refusals are logged: {heard}");
    for secret in [CITIZEN, "我被打了", TOKEN, KEY, &sig3(TOKEN, "1763880000", "9")] {
        assert!(!said.contains(secret), "{said}");
    }
}

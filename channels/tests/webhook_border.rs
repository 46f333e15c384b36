//! The webhook host itself, with an adapter made for the purpose: what the frame promises every channel.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use channels::account::Account;
use channels::{Answer, Capabilities, Channels, Limits, Plain, Refusal, Seed, Verified, Webhook};
use record::{Disposition, Inbound, IntakeError, Medium, MessageKind, Pii, Receipt, Sender, Timestamp};
use support::{Counts, FakeIntake, ask, clock_at, fixed_seed, post, runtime};

/// One message a line; lines that start with `panic` panic in the named step.
#[derive(Default)]
struct Toy {
    clients: Mutex<Vec<(Option<IpAddr>, String)>>,
}

const CAPABILITIES: Capabilities = Capabilities {
    methods: &[Method::GET, Method::POST],
    handshake: false,
    encrypted: false,
    outbound_text: false,
    media: false,
    reply_window_s: None,
    max_text_bytes: None,
};

impl Webhook for Toy {
    fn code(&self) -> &'static str {
        "toy"
    }
    fn account(&self) -> &str {
        "main"
    }
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }
    fn verify<'a>(&self, request: &'a channels::Request, _now: Timestamp) -> Result<Verified<'a>, Refusal> {
        assert!(!request.body.starts_with(b"panic verify"), "citizen's secret in a panic");
        self.clients.lock().unwrap().push((request.client, request.rest.clone()));
        Ok(Verified::vouch(request))
    }
    fn normalise(&self, plain: Plain) -> Result<Vec<Inbound>, Refusal> {
        assert!(!plain.body.starts_with(b"panic normalise"));
        let text = String::from_utf8_lossy(&plain.body).into_owned();
        Ok(text.lines().map(|line| inbound(line, plain.received_at)).collect())
    }
    fn answer(&self, receipts: &[Receipt], _seed: &Seed) -> Answer {
        assert!(receipts.len() != 3, "three are too many for this toy");
        let numbers: Vec<String> = receipts.iter().filter_map(|receipt| receipt.record_no.clone()).collect();
        Answer::text(numbers.join(","))
    }
}

fn inbound(key: &str, at: Timestamp) -> Inbound {
    Inbound {
        channel: "toy".to_owned(),
        account: "main".to_owned(),
        medium: Medium::Text,
        provider_account: None,
        sender: Sender { user_id: Pii::new("u".to_owned()), name: None, phones: Vec::new(), email: None },
        conversation: "u".to_owned(),
        message_id: None,
        dedupe_key: key.to_owned(),
        sent_at: at,
        kind: MessageKind::Text,
        provider_kind: "text".to_owned(),
        title: None,
        text: None,
        media: Vec::new(),
        location: None,
        link: None,
        event: None,
        event_key: None,
        disposition: Disposition::Intake,
        raw: Pii::new(Vec::new()),
    }
}

fn toy_router(toy: &Arc<Toy>, intake: &Arc<FakeIntake>, limits: Limits) -> Router {
    let account = Account {
        code: "toy",
        name: "main".to_owned(),
        webhook: toy.clone(),
        outbound: None,
        media: None,
        path: Some("/legacy/toy".to_owned()),
    };
    let channels = Channels::from_accounts(vec![account]);
    channels.router_with_seeds(intake.clone(), clock_at(1_763_880_000), limits, Arc::new(fixed_seed))
}

fn router(intake: &Arc<FakeIntake>, limits: Limits) -> Router {
    toy_router(&Arc::default(), intake, limits)
}

#[test]
fn an_unknown_account_is_not_found_and_says_nothing() {
    let router = router(&FakeIntake::open(), Limits::default());
    for uri in ["/in/toy/other", "/in/toy", "/in/other/main", "/in/toy/mai%6E", "/legacy/toys", "/in/toy/%FF"]
    {
        let answered = runtime().block_on(ask(&router, post(uri, "1")));
        assert_eq!((answered.status, answered.body.len()), (404, 0), "{uri}");
    }
}

#[test]
fn an_account_is_served_below_its_address_and_at_its_own_path() {
    let toy = Arc::new(Toy::default());
    let router = toy_router(&toy, &FakeIntake::open(), Limits::default());
    for uri in ["/in/toy/main", "/in/toy/main/", "/in/toy/main/a/b?x=1", "/legacy/toy", "/legacy/toy/event"] {
        assert_eq!(runtime().block_on(ask(&router, post(uri, "1"))).status, 200, "{uri}");
    }
    let rests: Vec<String> = toy.clients.lock().unwrap().iter().map(|(_, rest)| rest.clone()).collect();
    assert_eq!(rests, ["", "", "a/b", "", "event"]);
}

#[test]
fn a_wrong_method_learns_the_right_ones_and_head_is_a_get_without_body() {
    let router = router(&FakeIntake::open(), Limits::default());
    let with =
        |method: Method| Request::builder().method(method).uri("/in/toy/main").body(Body::from("7")).unwrap();
    let put = runtime().block_on(ask(&router, with(Method::PUT)));
    assert_eq!((put.status, put.headers["allow"].as_str()), (405, "GET, POST"));
    let head = runtime().block_on(ask(&router, with(Method::HEAD)));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_panic_anywhere_is_500_without_content_and_the_next_request_works() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let runtime = runtime();
    let good = router(&FakeIntake::open(), Limits::default());
    let broken_store = router(&FakeIntake::with(1, true), Limits::default());
    let requests = [
        (&good, "panic verify"),
        (&good, "panic normalise"),
        (&good, "1\n2\n3"),
        (&broken_store, "anything"),
    ];
    for (router, body) in requests {
        let answered = runtime.block_on(ask(router, post("/in/toy/main", body)));
        assert_eq!(
            (answered.status, answered.body.len(), answered.reason),
            (500, 0, Some("panic")),
            "{body}"
        );
    }
    std::panic::set_hook(hook);
    assert_eq!(counts.of("jiesu_channel_refused_total{channel=toy,reason=panic}"), 4);
    assert_eq!(runtime.block_on(ask(&good, post("/in/toy/main", "4"))).status, 200);
}

#[test]
fn at_the_bound_a_platform_is_told_to_come_again() {
    let intake = FakeIntake::closed();
    let router = router(&intake, Limits { max_in_flight: 1, ..Limits::default() });
    runtime().block_on(async {
        let first = tokio::spawn({
            let router = router.clone();
            async move { ask(&router, post("/in/toy/main", "1")).await }
        });
        intake.entered.acquire().await.unwrap().forget();
        let second = ask(&router, post("/in/toy/main", "2")).await;
        assert_eq!((second.status, second.reason), (503, Some("busy")));
        assert!(second.headers.contains_key("retry-after"));
        intake.gate.add_permits(1);
        assert_eq!(first.await.unwrap().status, 200);
        assert_eq!(ask(&router, post("/in/toy/main", "2")).await.status, 200);
    });
}

#[test]
fn two_deliveries_at_once_are_stored_once_and_answered_alike() {
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let intake = FakeIntake::closed();
    let router = router(&intake, Limits::default());
    let (first, second) = runtime().block_on(async {
        let release = async {
            intake.entered.acquire().await.unwrap().forget();
            intake.gate.add_permits(1);
        };
        let (first, second, ()) = tokio::join!(
            ask(&router, post("/in/toy/main", "same")),
            ask(&router, post("/in/toy/main", "same")),
            release
        );
        (first, second)
    });
    assert_eq!((first.status, first.body.as_slice()), (200, b"NO1".as_slice()));
    assert_eq!(first, second);
    assert_eq!(intake.offered(), 1);
    assert_eq!(counts.of("jiesu_channel_accepted_total{channel=toy,kind=text}"), 1);
    assert_eq!(counts.of("jiesu_channel_duplicates_total{channel=toy}"), 1);
    assert_eq!(counts.of("jiesu_channel_answer_seconds{channel=toy}"), 2);
}

#[test]
fn no_answer_leaves_before_the_store_has_it() {
    let intake = FakeIntake::closed();
    let router = router(&intake, Limits::default());
    runtime().block_on(async {
        let mut request = Box::pin(ask(&router, post("/in/toy/main", "1")));
        tokio::select! {
            biased;
            _ = &mut request => panic!("answered before the message was durable"),
            entered = intake.entered.acquire() => entered.unwrap().forget(),
        }
        assert!(futures_util::FutureExt::now_or_never(&mut request).is_none());
        intake.gate.add_permits(1);
        assert_eq!(request.await.status, 200);
    });
}

#[test]
fn a_platform_that_hangs_up_does_not_interrupt_the_store() {
    let intake = FakeIntake::closed();
    let router = router(&intake, Limits::default());
    runtime().block_on(async {
        let mut request = Box::pin(ask(&router, post("/in/toy/main", "1")));
        tokio::select! {
            _ = &mut request => panic!("answered before the message was durable"),
            entered = intake.entered.acquire() => entered.unwrap().forget(),
        }
        drop(request);
        intake.gate.add_permits(1);
        let retried = ask(&router, post("/in/toy/main", "1")).await;
        assert_eq!((retried.status, retried.body.as_slice()), (200, b"NO1".as_slice()));
    });
    assert_eq!(intake.offered(), 1);
    assert_eq!(
        intake.entered.available_permits(),
        0,
        "the store was asked again: the first call was cut off"
    );
}

#[test]
fn half_a_batch_that_failed_is_not_stored_twice() {
    let intake = FakeIntake::open();
    intake.faults.lock().unwrap().extend([None, Some(IntakeError::StoreUnavailable)]);
    let router = router(&intake, Limits::default());
    let runtime = runtime();
    assert_eq!(runtime.block_on(ask(&router, post("/in/toy/main", "1\n2"))).status, 503);
    let answered = runtime.block_on(ask(&router, post("/in/toy/main", "1\n2")));
    assert_eq!((answered.status, answered.body.as_slice()), (200, b"NO1,NO2".as_slice()));
    assert_eq!(intake.offered(), 2);
}

#[test]
fn a_body_that_never_comes_does_not_hold_a_place() {
    let limits = Limits { body_timeout: Duration::from_millis(20), max_in_flight: 1, ..Limits::default() };
    let router = router(&FakeIntake::open(), limits);
    let runtime = runtime();
    let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    assert_eq!(runtime.block_on(ask(&router, post("/in/toy/main", never))).status, 408);
    assert_eq!(runtime.block_on(ask(&router, post("/in/toy/main", "1"))).status, 200);
}

#[test]
fn only_a_trusted_proxy_names_the_client() {
    let toy = Arc::new(Toy::default());
    let limits = Limits { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Limits::default() };
    let router = toy_router(&toy, &FakeIntake::open(), limits);
    for peer in ["10.0.0.1:1000", "203.0.113.5:1000"] {
        let mut request = post("/in/toy/main", "1");
        request.headers_mut().insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        runtime().block_on(ask(&router, request));
    }
    let clients: Vec<String> =
        toy.clients.lock().unwrap().iter().map(|(ip, _)| ip.unwrap().to_string()).collect();
    assert_eq!(clients, ["198.51.100.7", "203.0.113.5"]);
}

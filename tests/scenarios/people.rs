//! The people of the scenarios: one agent's phone, one caller, as most of them need it.

use std::net::Ipv4Addr;

use e2e::baresip::{Baresip, Line, Phone, Transport};
use e2e::settings::AGENT_SECRET;
use e2e::sipp::{Call, Course, Sipp};
use e2e::{Rig, Settings, audio, eventually};
use serde_json::Value;

/// The caller of most scenarios.
pub const CALLER: &str = "13847100001";
/// That caller's `From`.
pub const FROM: &str = "<sip:13847100001@carrier.example>";
/// That caller as the network asserts it.
pub const ASSERTED: &str = "P-Asserted-Identity: <sip:+8613847100001@carrier.example>";

/// Agent 1001, registered and free. Says `says` in its call and hangs up at its end.
pub async fn agent(rig: &Rig, says: &[i16]) -> Baresip {
    agent_on(rig, says, Line::default()).await
}

/// Where a phone on this line finds the gateway: TLS has a port of its own.
pub fn server(rig: &Rig, line: Line<'_>) -> std::net::SocketAddr {
    if line.transport == Transport::Tls { rig.sips() } else { rig.sip() }
}

/// The same agent on this line.
pub async fn agent_on(rig: &Rig, says: &[i16], line: Line<'_>) -> Baresip {
    let phone = Phone {
        port: rig.ports.phone(0),
        user: "1001",
        password: Some(AGENT_SECRET),
        server: server(rig, line),
        says,
        line,
    };
    let agent = Baresip::start(phone).await;
    rig.agents_free(1).await;
    agent
}

/// Agent 1002, registered and free beside agent 1001.
pub async fn colleague(rig: &Rig, says: &[i16]) -> Baresip {
    let (password, line) = (Some(AGENT_SECRET), Line::default());
    let phone = Phone { port: rig.ports.phone(3), user: "1002", password, server: rig.sip(), says, line };
    let colleague = Baresip::start(phone).await;
    rig.agents_free(2).await;
    colleague
}

/// A citizen with a real phone of its own.
pub async fn citizen(rig: &Rig, says: &[i16]) -> Baresip {
    citizen_on(rig, says, Line::default()).await
}

/// The same citizen on this line.
pub async fn citizen_on(rig: &Rig, says: &[i16], line: Line<'_>) -> Baresip {
    let server = server(rig, line);
    Baresip::start(Phone { port: rig.ports.phone(1), user: CALLER, password: None, server, says, line }).await
}

/// Speech, and then time to be hung up by somebody else.
pub fn and_silence(mut speech: Vec<i16>) -> Vec<i16> {
    speech.extend(audio::silence(120_000));
    speech
}

/// `speech`, said after so many seconds of the call, and then time to be hung up by somebody else.
pub fn said_after(seconds: usize, speech: &[i16]) -> Vec<i16> {
    let mut says = audio::silence(seconds * 1_000);
    says.extend(speech);
    and_silence(says)
}

/// The usual caller, ready to be given a course and a sound.
pub fn caller(rig: &Rig) -> Call<'static> {
    Call::new(rig.ports.phone(2), rig.sip(), FROM, &[ASSERTED])
}

/// The usual caller is refused with `status`.
pub async fn is_refused(call: Call<'_>, status: u16) {
    Sipp::start(&call.course(Course::Refused(status))).succeeded().await;
}

/// Hangs the caller up and waits until its call is over.
pub async fn hang_up(rig: &Rig, sipp: Sipp) {
    sipp.hang_up();
    eventually("the call to be over", async || {
        if rig.api("/api/v1/queues").await["calls"] == 0 {
            return Some(());
        }
        sipp.hang_up();
        None
    })
    .await;
    sipp.succeeded().await;
}

/// Where the carrier is; the phones are at 127.0.0.1.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The carrier and the phones, each in a network of its own; callers are put through at once.
pub fn two_networks() -> Settings {
    let settings = Settings {
        trunk_from: format!("{CARRIER}/32"),
        agent_networks: "127.0.0.1/32".into(),
        ..Settings::default()
    };
    settings.call("notice = false")
}

/// The one call in progress, once it fits.
pub async fn the_call(rig: &Rig, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let calls = rig.api("/api/v1/calls").await["calls"].clone();
        assert!(calls.as_array().is_none_or(|calls| calls.len() < 2), "the second call is none of its own");
        (calls[0].is_object() && fits(&calls[0])).then(|| calls[0].clone())
    })
    .await
}

//! The people of the scenarios: one agent's phone, one caller, as most of them need it.

use e2e::baresip::{Baresip, Phone};
use e2e::settings::AGENT_SECRET;
use e2e::sipp::{Call, Course, Sipp};
use e2e::{Rig, audio, eventually};

/// The caller of most scenarios.
pub const CALLER: &str = "13847100001";
/// That caller's `From`.
pub const FROM: &str = "<sip:13847100001@carrier.example>";
/// That caller as the network asserts it.
pub const ASSERTED: &str = "P-Asserted-Identity: <sip:+8613847100001@carrier.example>";

/// Agent 1001, registered and free. Says `says` in its call and hangs up at its end.
pub async fn agent(rig: &Rig, says: &[i16]) -> Baresip {
    let phone = Phone {
        port: rig.ports.phone(0),
        user: "1001",
        password: Some(AGENT_SECRET),
        server: rig.sip(),
        says,
    };
    let agent = Baresip::start(phone).await;
    rig.agents_free(1).await;
    agent
}

/// A citizen with a real phone of its own.
pub async fn citizen(rig: &Rig, says: &[i16]) -> Baresip {
    Baresip::start(Phone { port: rig.ports.phone(1), user: CALLER, password: None, server: rig.sip(), says })
        .await
}

/// Speech, and then time to be hung up by somebody else.
pub fn and_silence(mut speech: Vec<i16>) -> Vec<i16> {
    speech.extend(audio::silence(120_000));
    speech
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

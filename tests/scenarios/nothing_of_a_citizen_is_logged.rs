//! Over a whole run at the most talkative level: neither the log nor the metrics hold a number, a name, a
//! text, a platform's user or a secret.

use e2e::sipp::{Call, Sipp};
use e2e::wechat::ACCOUNT;
use e2e::{Rig, Settings, audio, settings};

use crate::people::{ASSERTED, FROM, agent, and_silence, caller, hang_up, is_refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_in_the_log_nor_in_the_metrics() {
    let mut config = Settings::default()
        .call("notice = false")
        .sections(&ACCOUNT.section())
        .lists("block,number,139-4710-0009,无理纠缠,2099-12-31,,\nrepresentative,number,138-4710-0001,,2099-12-31,npc_deputy,city");
    config.environment.push(("JIESU_LOG".into(), "debug".into()));
    let mut rig = Rig::start(config).await;
    let mut agent = agent(&rig, &and_silence(audio::fixture("agent-heating"))).await;

    let named = "\"张三丰\" <sip:13847100001@carrier.example>";
    let sipp = Sipp::start(&Call { from: named, headers: &[ASSERTED], ..caller(&rig) });
    agent.event("CALL_ESTABLISHED").await;
    hang_up(&rig, sipp).await;
    let blocked = "P-Asserted-Identity: <sip:+8613947100009@carrier.example>";
    is_refused(Call { from: FROM, headers: &[blocked], ..caller(&rig) }, 603).await;
    // Damaged with the number in it: complaints must not quote it.
    let raw = e2e::sip::RawSip::bind([127, 0, 0, 1].into(), rig.sip()).await;
    raw.send(
        raw.invite("bad").replace("13800138000", "13847100001").replace("m=audio", "m=nonsense").as_bytes(),
    )
    .await;
    assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oCitizen77", 1, "路灯坏了请来修")).await.0, 200);
    let mut forged = ACCOUNT.text("oCitizen77", 2, "路灯坏了请来修");
    forged.query.push('0');
    assert_eq!(rig.deliver(&ACCOUNT, &forged).await.0, 403);
    rig.records_at_least(3).await;
    let metrics = rig.metrics().await;
    assert!(rig.stop().await.success());

    let log = rig.log();
    assert!(
        log.contains("DEBUG") && metrics.contains("jiesu_calls_total"),
        "there is something to look into"
    );
    let hidden = [
        "13847100001",
        "3847100001",
        "13947100009",
        "139-4710-0009",
        "张三丰",
        "路灯坏了",
        "oCitizen77",
        ACCOUNT.token,
        ACCOUNT.aes_key,
        settings::AGENT_SECRET,
        settings::API_TOKEN,
        settings::IDENTITY_KEY,
        "无理纠缠",
    ];
    for secret in hidden {
        for (place, text) in [("log", &log), ("metrics", &metrics)] {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} stands in the {place}: {}", line.unwrap_or_default());
        }
    }
}

//! The gateway starts without a speech model: records go out at once, and again with what was said when the
//! model has been put in place. Needs `JIESU_MODEL_DIR`.

use std::time::Duration;

use e2e::records::outcome;
use e2e::sipp::{Course, Sipp, Sound};
use e2e::speech::heard_percent;
use e2e::{Rig, Settings, audio, binary, patience};

use crate::people::{agent, and_silence, caller};

/// What the clip `caller-heating` says.
const SPOKEN: &str = "您好，我要反映一个问题。我们小区三号楼暖气不热，家里只有十四度，希望尽快处理。";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_without_a_transcript_is_amended() {
    let models = binary::models();
    let settings = Settings { speech: "model_poll = \"1s\"\n".into(), ..Settings::default() };
    let rig = Rig::start(settings.call("notice = false")).await;
    let mut speech = audio::silence(2_000);
    speech.extend(audio::fixture("caller-heating"));
    let mut agent = agent(&rig, &audio::silence(11_000)).await;
    let sipp =
        Sipp::start(&caller(&rig).sound(Sound::Speech(&and_silence(speech))).course(Course::GatewayHangsUp));
    agent.event("CALL_CLOSED").await;
    sipp.succeeded().await;
    let first = rig.record("the record without a transcript", |record| outcome(record) == "answered").await;
    assert_eq!((&first["revision"], &first["state"]), (&1.into(), &"final".into()));
    assert!(first["transcript"].is_null(), "{first:#}");
    let (_, report) = rig.readiness().await;
    assert_eq!(report["checks"]["speech"]["status"], "missing");

    let folder = rig.data().join("models");
    std::fs::create_dir_all(&folder).unwrap();
    for name in [binary::VAD_MODEL, binary::MODEL] {
        // Beside and renamed: a model half copied is none.
        std::fs::copy(models.join(name), folder.join("part")).unwrap();
        std::fs::rename(folder.join("part"), folder.join(name)).unwrap();
    }
    let second = patience::within(Duration::from_secs(180), "the amended record", async || {
        rig.records().into_iter().find(|record| record["revision"] == 2)
    })
    .await;
    assert_eq!(second["record_id"], first["record_id"]);
    assert_eq!(second["state"], "amended");
    let said = second["request"]["text"].as_str().unwrap_or_default();
    assert!(heard_percent(SPOKEN, said) >= 75, "{said}");
    assert!(
        second["transcript"].as_array().is_some_and(|all| all.iter().any(|s| s["speaker"] == "reporter")),
        "{second:#}"
    );
    assert_eq!(second["request"]["provenance"]["by"], "asr");
}

//! The command line as an operator meets it: statuses, both languages, JSON, and no colour in a pipe.

use std::process::Output;

use e2e::ports::Ports;
use e2e::speech::heard_percent;
use e2e::wechat::ACCOUNT;
use e2e::{Rig, Settings, audio, binary};
use serde_json::Value;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

#[tokio::test]
async fn check_says_every_fault_at_once_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| binary::run(arguments, &[], folder.path()).await;
    let good = Settings::default().render(&Ports::lease());
    std::fs::write(folder.path().join("good.toml"), &good).unwrap();
    let output = run(&["check", "--config", "good.toml"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let bad = good
        .replace("[call]\n", "[call]\nring_tme = \"5s\"\nmax_wait = \"soon\"\n")
        .replace("rtp_ports", "rtp_prots");
    std::fs::write(folder.path().join("bad.toml"), &bad).unwrap();
    let line = |text: &str| bad.lines().position(|line| line.starts_with(text)).map(|line| line + 1).unwrap();
    let output = run(&["check", "--config", "bad.toml", "--lang", "en"]).await;
    assert_eq!(output.status.code(), Some(78));
    let complaints = stderr(&output);
    for (key, nearest) in [("ring_tme", "ring_time"), ("max_wait", ""), ("rtp_prots", "rtp_ports")] {
        let place = format!("bad.toml:{}", line(key));
        let said = complaints.lines().find(|said| said.contains(&place));
        let said = said.unwrap_or_else(|| panic!("{place} ({key}) is not in:\n{complaints}"));
        assert!(said.contains(nearest) && said.contains(key), "{said}");
    }
    let output = run(&["check", "--config", "bad.toml", "--json"]).await;
    let report = json(&output);
    assert_eq!(report["ok"], false);
    assert!(report["faults"].as_array().unwrap().len() >= 3, "{report:#}");
    // `serve` refuses it the same way, before a port is bound.
    let output = run(&["serve", "--config", "bad.toml"]).await;
    assert_eq!(output.status.code(), Some(78));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_listed_and_shown() {
    let rig = Rig::start(Settings::default().sections(&ACCOUNT.section())).await;
    for (id, text) in [(1, "路灯坏了"), (2, "暖气不热")] {
        assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser", id, text)).await.0, 200);
    }
    let folder = rig.folder();
    let run = async |arguments: &[&str]| {
        let mut all = vec!["--config", "jiesu.toml"];
        all.extend(arguments);
        binary::run(&all, &[("NO_COLOR", "1"), ("LANG", "zh_CN.UTF-8")], &folder).await
    };
    let list = json(&run(&["records", "list", "--json"]).await);
    let texts: Vec<&str> =
        list["records"].as_array().unwrap().iter().filter_map(|r| r["request"]["text"].as_str()).collect();
    assert_eq!(texts, ["路灯坏了", "暖气不热"]);
    let number = list["records"][0]["record_no"].as_str().unwrap();
    let output = run(&["records", "list"]).await;
    assert!(stdout(&output).contains(number) && stdout(&output).contains("路灯坏了"), "{}", stdout(&output));
    assert!(!stdout(&output).contains('\u{1b}'), "no colour in a pipe");

    for name in [number, list["records"][0]["record_id"].as_str().unwrap()] {
        let output = run(&["records", "show", name]).await;
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains("路灯坏了"));
        let shown = json(&run(&["records", "show", name, "--json"]).await);
        assert_eq!(shown, list["records"][0]);
        e2e::records::check(&shown);
    }
    let masked = json(&run(&["records", "show", number, "--view", "dispatch", "--json"]).await);
    assert!(masked["reporter"]["channel_user"]["user_id"].is_null(), "{masked:#}");
    let missing = run(&["records", "show", "no-such-record"]).await;
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("E-REC-0404"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_finds_what_is_wrong() {
    let rig = Rig::prepare(Settings::default());
    let folder = rig.folder();
    let run = async |arguments: &[&str]| {
        let mut all = vec!["doctor", "--config", "jiesu.toml"];
        all.extend(arguments);
        binary::run(&all, &[], &folder).await
    };
    // Nothing runs, speech is off: all well (a full or slow disk of the test machine is a warning).
    let output = run(&["--json"]).await;
    let checks = json(&output)["checks"].as_array().unwrap().clone();
    assert!(checks.iter().all(|check| check["status"] != "failure"), "{checks:#?}");
    assert_eq!(
        output.status.code() == Some(0),
        checks.iter().all(|check| check["status"] == "ok"),
        "{checks:#?}"
    );

    let taken = std::net::TcpListener::bind(rig.ports.address(e2e::ports::HTTP)).unwrap();
    let output = run(&["--lang", "en"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(stdout(&output).lines().any(|line| line.contains(&port) && line.contains("cannot be bound")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fixture_is_transcribed() {
    let models = binary::models();
    let rig = Rig::prepare(Settings {
        speech: format!("model = {:?}\n", models.join(binary::MODEL)),
        ..Settings::default()
    });
    let file = audio::fixture_path("caller-streetlight");
    let file = file.to_str().unwrap();
    let output =
        binary::run(&["transcribe", "--config", "jiesu.toml", "--json", file], &[], &rig.folder()).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text: String = json(&output)[0]["segments"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|segment| segment["text"].as_str())
        .collect();
    let spoken = "小区北门的路灯坏了一个星期，晚上看不见路，请派人来修一下。";
    assert!(heard_percent(spoken, &text) >= 75, "{text}");
    let output =
        binary::run(&["transcribe", "--config", "jiesu.toml", "jiesu.toml"], &[], &rig.folder()).await;
    assert_eq!(output.status.code(), Some(1), "a file that is no sound");
    assert!(stderr(&output).contains("E-ASR-0003"), "{}", stderr(&output));
}

#[tokio::test]
async fn an_unknown_command_is_answered_with_the_usage() {
    let folder = tempfile::tempdir().unwrap();
    let output = binary::run(&["serv"], &[], folder.path()).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("serve") && stderr(&output).contains("Usage"), "{}", stderr(&output));
    let output = binary::run(&["--help"], &[], folder.path()).await;
    assert_eq!(output.status.code(), Some(0));
    for command in ["serve", "check", "demo", "doctor", "transcribe", "records"] {
        assert!(stdout(&output).contains(command), "{command}");
    }
}

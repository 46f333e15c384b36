//! `jiesu demo`: the gateway on loopback, a real SIP call with real speech, a signed WeChat message, and the
//! records they become.
//!
//! `stage` sets up, `scenario` plays with [`phone`]s and the platform's side of WeChat, `narrator` tells. No
//! configuration of the machine is read; the data directory stays, so that the recording can be heard.

mod api;
mod narrator;
pub mod phone;
mod scenario;
mod stage;
mod wechat;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use record::Record;
use serde_json::json;
use tokio::sync::mpsc;

use crate::app::{App, Control};
use crate::cli::{Common, FAILED, OK, Screen, records};
use crate::telemetry::{self, LogForm};
use crate::{attach, secrets};

use narrator::Narrator;
use scenario::Players;
use stage::Stage;

/// `jiesu demo`
#[derive(clap::Args)]
pub struct DemoArguments {
    /// 结束后删除新建的数据目录 / remove the new data directory afterwards (not with --data)
    #[arg(long)]
    discard: bool,
}

/// Plays the demonstration. Exit status 0 when everything came about, else 1.
pub async fn run(common: &Common, arguments: DemoArguments, screen: &Screen) -> u8 {
    telemetry::start_log(LogForm::Quiet);
    let stage = match Stage::set(common.data.as_deref()) {
        Ok(stage) => stage,
        Err(error) => return failed(screen, &error),
    };
    let data_dir = stage.data_dir.clone();
    let discard = arguments.discard && common.data.is_none();
    let result = perform(stage, screen, discard).await;
    if discard {
        // What cannot be removed stays where temporary files are cleaned up.
        let _ = std::fs::remove_dir_all(&data_dir);
    }
    match result {
        Ok(()) => OK,
        Err(error) => failed(screen, &error),
    }
}

fn failed(screen: &Screen, error: &anyhow::Error) -> u8 {
    screen.fault("E-DEMO-0001", "演示未能完成", "the demonstration failed", &format!("{error:#}"));
    FAILED
}

async fn perform(stage: Stage, screen: &Screen, discard: bool) -> anyhow::Result<()> {
    let tell = Narrator(screen);
    let Stage { data_dir, config, wechat, model } = stage;
    tell.line(
        screen.bold("接诉演示：网关只监听本机；电话、语音和签名消息都是真的，人和号码是虚构的。"),
        screen.bold("jiesu demo: a gateway on loopback; call, speech and signed message are real, people and numbers made up."),
    );
    announce_model(&tell, model.as_deref());
    let app = App::build(config, telemetry::metrics()).await.context("the gateway cannot start")?;
    let addresses = app.addresses()?;
    let sip: Vec<String> = addresses.sip.iter().map(ToString::to_string).collect();
    let players = Players::new(&app, &addresses, wechat, model.is_some())?;
    tell.done(
        format!("网关已启动：SIP {}，HTTP {}", sip.join(" "), addresses.http),
        format!("the gateway is up: SIP {}, HTTP {}", sip.join(" "), addresses.http),
    );

    let (control, commands) = mpsc::channel(1);
    let mut running = tokio::spawn(app.run(commands, || None));
    let played = tokio::select! {
        played = players.play(&tell) => played,
        ended = &mut running => match ended.context("the gateway's task")? {
            Ok(()) => bail!("the gateway ended before the demonstration did"),
            Err(error) => return Err(error.context("the gateway failed")),
        },
    };
    // Also after a failure: what was recorded so far is written before the process ends.
    let _ = control.send(Control::Stop).await;
    let stopped = running.await.context("the gateway's task")?;
    let made = played?;
    stopped.context("the gateway did not end well")?;
    show(&made, &data_dir, screen, discard);
    Ok(())
}

fn announce_model(tell: &Narrator<'_>, model: Option<&Path>) {
    match model {
        Some(model) => {
            let name = model.file_name().unwrap_or_default().to_string_lossy();
            tell.done(format!("语音模型：{name}"), format!("speech model: {name}"));
        }
        None => tell.note(
            "没有语音模型，本次不转写。获取：asr/model/fetch-model.sh jiesu-data/models（或用 JIESU_MODEL_DIR 指定目录）",
            "no speech model: nothing is transcribed. Fetch it with asr/model/fetch-model.sh jiesu-data/models \
             (or name its folder in JIESU_MODEL_DIR)",
        ),
    }
}

fn show(made: &[Record], data_dir: &Path, screen: &Screen, discard: bool) {
    let recordings: Vec<PathBuf> = made
        .iter()
        .flat_map(|record| record.attachments.iter().flatten())
        .filter_map(|attachment| attach::file_path(&attachment.uri))
        .collect();
    let records_file = data_dir.join("records.jsonl");
    if screen.is_json() {
        return screen.json(&json!({
            "records": made, "data_dir": data_dir, "recordings": recordings, "records_file": records_file,
            "lists_file": data_dir.join(stage::LISTS_FILE), "secrets_file": data_dir.join(secrets::FILE),
        }));
    }
    let tell = Narrator(screen);
    tell.heading("受理记录", "Intake records");
    for record in made {
        screen.line("");
        records::card(record, screen);
    }
    if !discard {
        files(&tell, &recordings, data_dir);
    }
    tell.heading("接下来", "Next");
    tell.line(
        "  jiesu serve   启动网关，再用软电话接入：\n  服务器 127.0.0.1:5060（UDP），用户 1001，口令见 jiesu-data/secrets.toml；另一部电话拨 12345",
        "  jiesu serve   starts the gateway; then point a softphone at it:\n  server 127.0.0.1:5060 (UDP), user 1001, \
         password in jiesu-data/secrets.toml; dial 12345 from another",
    );
}

fn files(tell: &Narrator<'_>, recordings: &[PathBuf], data_dir: &Path) {
    let records_file = data_dir.join("records.jsonl");
    tell.heading("文件", "Files");
    for recording in recordings {
        let path = recording.display();
        tell.line(
            format!("  录音（左：市民，右：坐席）  {path}"),
            format!("  recording (left: citizen, right: agent)  {path}"),
        );
    }
    let (file, data) = (records_file.display(), data_dir.display());
    tell.line(
        format!("  记录（每行一条 JSON）  {file}"),
        format!("  records (one JSON object a line)  {file}"),
    );
    tell.line(
        format!("  再看  jiesu records list --data {data}"),
        format!("  look again  jiesu records list --data {data}"),
    );
}

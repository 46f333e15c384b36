//! `jiesu serve`: runs the gateway until SIGTERM.

use std::io::IsTerminal as _;

use config::{Config, LoadOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{Common, INTERNAL, OK, Screen, load};
use crate::app::{Addresses, App, Control};
use crate::telemetry::{self, LogForm};

/// SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads.
pub async fn run(common: &Common, screen: &Screen) -> u8 {
    telemetry::start_log(if common.json { LogForm::Json } else { LogForm::Text });
    let loaded = match load(common, screen) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let app = match App::build(loaded.config, telemetry::metrics()).await {
        Ok(app) => app,
        Err(error) => {
            screen.fault("E-SYS-0002", "网关无法启动", "the gateway cannot start", &format!("{error:#}"));
            return INTERNAL;
        }
    };
    match app.addresses() {
        Ok(addresses) => announce(screen, &addresses, app.config(), loaded.file.is_none()),
        Err(error) => tracing::warn!(%error, "The addresses cannot be told."),
    }
    let (sender, control) = mpsc::channel(8);
    if let Err(error) = forward_signals(sender) {
        screen.fault("E-SYS-0003", "无法接收信号", "signals cannot be received", &error.to_string());
        return INTERNAL;
    }
    let options = LoadOptions::from_process(common.config.clone(), common.data.clone());
    match app.run(control, move || reload(&options)).await {
        Ok(()) => OK,
        Err(error) => {
            screen.fault("E-SYS-0004", "网关异常退出", "the gateway failed", &format!("{error:#}"));
            INTERNAL
        }
    }
}

fn reload(options: &LoadOptions) -> Option<Config> {
    let mut loaded = match config::load(options) {
        Ok(loaded) => loaded,
        Err(faults) => {
            for fault in faults {
                tracing::error!("The configuration was not taken over: {fault}");
            }
            return None;
        }
    };
    match crate::secrets::complete(&mut loaded.config) {
        Ok(()) => Some(loaded.config),
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "The configuration was not taken over.");
            None
        }
    }
}

fn forward_signals(control: mpsc::Sender<Control>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            let next = tokio::select! {
                _ = terminate.recv() => if asked { Control::Stop } else { Control::Drain },
                _ = interrupt.recv() => if asked { Control::Stop } else { Control::Drain },
                _ = hang_up.recv() => Control::Reload,
            };
            asked |= next != Control::Reload;
            if control.send(next).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// One readable block, so that whoever starts it sees what to do next.
fn announce(screen: &Screen, addresses: &Addresses, config: &Config, defaults: bool) {
    let sip: Vec<String> = addresses.sip.iter().map(ToString::to_string).collect();
    tracing::info!(sip = sip.join(" "), http = %addresses.http, metrics = %addresses.metrics, "The gateway is up.");
    if !std::io::stdout().is_terminal() {
        return;
    }
    screen.line(screen.bold(screen.say("接诉 jiesu 已启动", "jiesu is up")));
    screen.line(format!("  SIP      {}", sip.join("  ")));
    screen.line(format!("  HTTP     http://{}/readyz  /api/docs", addresses.http));
    screen.line(format!("  metrics  http://{}/metrics", addresses.metrics));
    screen.line(format!("  {}  {}", screen.say("数据", "data"), config.node.data_dir.display()));
    if defaults {
        let secrets = config.node.data_dir.join(crate::secrets::FILE);
        screen.tell(
            format!("  当前为内置默认配置（仅本机）。话务员话机口令与接口令牌见 {}", secrets.display()),
            format!(
                "  Embedded defaults (this machine only). Agents' passwords and the API token: {}",
                secrets.display()
            ),
        );
    }
}

//! The command line: one file a command, exit statuses as published.

mod check;
mod doctor;
pub(crate) mod records;
mod route_test;
mod screen;
mod serve;
mod transcribe;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use config::{LoadOptions, Loaded};

pub use screen::{Language, Screen};

/// Clean end.
pub const OK: u8 = 0;
/// The command could not do what it was asked.
pub const FAILED: u8 = 1;
/// A fault of ours or of the machine (EX_SOFTWARE).
pub const INTERNAL: u8 = 70;
/// The configuration is wrong (EX_CONFIG).
pub const BAD_CONFIG: u8 = 78;

/// 接诉：城市听取民声的网关。
///
/// jiesu, the gateway through which a city hears its citizens: telephone calls and messages become intake
/// records.
#[derive(Parser)]
#[command(name = "jiesu", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// Flags of every command.
#[derive(clap::Args, Clone)]
pub struct Common {
    /// 配置文件 / configuration file (default: $JIESU_CONFIG, ./jiesu.toml, embedded defaults)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// 数据目录 / data directory
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// 以 JSON 输出 / print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// 语言 / language of messages: zh or en (default: by $LANG)
    #[arg(long, global = true, value_name = "LANG")]
    pub lang: Option<Language>,
}

#[derive(Subcommand)]
enum Command {
    /// 运行网关 / run the gateway
    Serve,
    /// 检查配置 / check the configuration
    Check,
    /// 演示：一通真实电话和一条微信消息 / a real call and a WeChat message become records
    Demo(crate::demo::DemoArguments),
    /// 体检 / live checks of this machine and its surroundings
    Doctor,
    /// 试算来话去向 / what would happen to this call now
    RouteTest(route_test::Arguments),
    /// 语音转文字 / speech to text
    Transcribe(transcribe::Arguments),
    /// 受理记录 / intake records
    #[command(subcommand)]
    Records(records::Command),
}

/// Parses, runs, and gives the exit status.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = Screen::new(cli.common.lang, cli.common.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.fault("E-SYS-0001", "无法启动运行时", "the runtime cannot be started", &error.to_string());
            return ExitCode::from(INTERNAL);
        }
    };
    let status = runtime.block_on(async {
        match cli.command {
            Command::Serve => serve::run(&cli.common, &screen).await,
            Command::Check => check::run(&cli.common, &screen),
            Command::Demo(arguments) => crate::demo::run(&cli.common, arguments, &screen).await,
            Command::Doctor => doctor::run(&cli.common, &screen).await,
            Command::RouteTest(arguments) => route_test::run(&cli.common, arguments, &screen).await,
            Command::Transcribe(arguments) => transcribe::run(&cli.common, arguments, &screen).await,
            Command::Records(command) => records::run(&cli.common, command, &screen).await,
        }
    });
    // Blocking threads (a decode in progress) are not waited for.
    runtime.shutdown_background();
    ExitCode::from(status)
}

/// Loads the configuration, or says every fault and gives the exit status.
pub fn load(common: &Common, screen: &Screen) -> Result<Loaded, u8> {
    let options = LoadOptions::from_process(common.config.clone(), common.data.clone());
    config::load(&options).map_err(|faults| {
        check::show_faults(screen, &faults);
        BAD_CONFIG
    })
}

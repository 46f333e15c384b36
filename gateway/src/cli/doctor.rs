//! `jiesu doctor`: live checks of this machine and its surroundings.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use asr::{ModelStatus, Pool};
use config::{Config, Listen};
use outbox::SinkConfig;
use serde_json::json;

use super::{Common, Screen, load};
use crate::telemetry::{self, LogForm};

/// Free disk space below which intake would soon be refused.
const MIN_FREE_BYTES: u64 = 1 << 30;
/// An fsync slower than this delays every answer to a platform.
const SLOW_FSYNC: Duration = Duration::from_millis(50);
/// How long a remote service may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is asked whether the probes of the trunks are over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Ok,
    Warning,
    Failure,
}

struct Finding {
    check: &'static str,
    verdict: Verdict,
    zh: String,
    en: String,
}

/// Exit status 0: all well, 1: warnings, 2: failures.
pub async fn run(common: &Common, screen: &Screen) -> u8 {
    telemetry::start_log(LogForm::Quiet);
    let loaded = match load(common, screen) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let config = loaded.config;
    let running = is_running(&config).await;
    let mut findings = vec![gateway(running)];
    findings.extend(ports(&config, running));
    findings.push(rtp(&config));
    findings.extend(disk(&config.node.data_dir));
    findings.push(speech(&config).await);
    findings.push(lists(&config));
    findings.extend(trunks(&config).await);
    for sink in &config.sinks {
        findings.push(self::sink(sink, &config.node.data_dir).await);
    }
    report(&findings, screen);
    findings.iter().map(|finding| finding.verdict).max().map_or(0, |worst| worst as u8)
}

fn finding(check: &'static str, verdict: Verdict, zh: impl Into<String>, en: impl Into<String>) -> Finding {
    Finding { check, verdict, zh: zh.into(), en: en.into() }
}

fn report(findings: &[Finding], screen: &Screen) {
    let word = |verdict| match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Failure => "failure",
    };
    if screen.is_json() {
        let findings: Vec<_> = findings
            .iter()
            .map(|f| json!({ "check": f.check, "status": word(f.verdict), "zh": f.zh, "en": f.en }))
            .collect();
        return screen.json(&json!({ "checks": findings }));
    }
    for f in findings {
        let mark = match f.verdict {
            Verdict::Ok => screen.green("✓"),
            Verdict::Warning => screen.yellow("!"),
            Verdict::Failure => screen.red("✗"),
        };
        screen.line(format!("{mark} {:<10} {}", f.check, screen.say(&f.zh, &f.en)));
    }
}

/// A running gateway holds its ports; that is no fault then.
async fn is_running(config: &Config) -> bool {
    let url = format!("http://{}/healthz", config.http.listen);
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build();
    match client {
        Ok(client) => client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()),
        Err(_) => false,
    }
}

fn gateway(running: bool) -> Finding {
    if running {
        finding("gateway", Verdict::Ok, "网关正在运行", "the gateway is running")
    } else {
        finding(
            "gateway",
            Verdict::Ok,
            "网关未运行（将检查端口是否可用）",
            "the gateway is not running (its ports are tried)",
        )
    }
}

fn ports(config: &Config, running: bool) -> Vec<Finding> {
    if running {
        return Vec::new();
    }
    let tcp = |address: SocketAddr| std::net::TcpListener::bind(address).map(drop);
    let mut tried: Vec<(String, std::io::Result<()>)> = config
        .sip
        .listen
        .iter()
        .map(|listen| {
            let bound = match listen {
                Listen::Udp(address) => UdpSocket::bind(address).map(drop),
                other => tcp(other.address()),
            };
            (format!("sip {listen}"), bound)
        })
        .collect();
    tried.push((format!("http {}", config.http.listen), tcp(config.http.listen)));
    tried.push((format!("metrics {}", config.metrics.listen), tcp(config.metrics.listen)));
    tried
        .into_iter()
        .map(|(what, bound)| match bound {
            Ok(()) => finding("port", Verdict::Ok, format!("{what} 可用"), format!("{what} is free")),
            Err(error) => finding(
                "port",
                Verdict::Failure,
                format!("{what} 无法绑定：{error}"),
                format!("{what} cannot be bound: {error}"),
            ),
        })
        .collect()
}

/// Asks every gateway of every trunk for its OPTIONS, from ports of our own, over the ways the gateway would use.
async fn trunks(config: &Config) -> Vec<Finding> {
    if config.trunks.iter().all(|trunk| trunk.gateways.is_empty()) {
        return Vec::new();
    }
    match probe(config).await {
        Ok(states) => states
            .into_iter()
            .map(|state| {
                let what = format!("{} {}", state.trunk, state.gateway);
                match (state.address, state.answered == Some(true), state.up) {
                    (None, ..) => finding(
                        "trunk",
                        Verdict::Warning,
                        format!("{what} 域名无法解析"),
                        format!("{what}: the name cannot be looked up"),
                    ),
                    (Some(_), true, true) => {
                        finding("trunk", Verdict::Ok, format!("{what} 有应答"), format!("{what} answers"))
                    }
                    (Some(_), true, false) => finding(
                        "trunk",
                        Verdict::Warning,
                        format!("{what} 有应答，但目前不接呼叫"),
                        format!("{what} answers, but takes no calls now"),
                    ),
                    (Some(_), false, _) => finding(
                        "trunk",
                        Verdict::Warning,
                        format!("{what} 对 OPTIONS 无应答"),
                        format!("{what} does not answer OPTIONS"),
                    ),
                }
            })
            .collect(),
        Err(error) => {
            let text = format!("{error:#}");
            vec![finding("trunk", Verdict::Failure, text.clone(), text)]
        }
    }
}

async fn probe(config: &Config) -> anyhow::Result<Vec<gateway_sip::GatewayState>> {
    let mut config = config.clone();
    // Beside the running gateway: other ports, one probe, no registration.
    for listen in &mut config.sip.listen {
        *listen = Listen::new(listen.transport(), SocketAddr::new(listen.address().ip(), 0));
    }
    config.sip.listen.retain(|listen| !matches!(listen, Listen::Ws(_) | Listen::Wss(_)));
    for trunk in &mut config.trunks {
        trunk.registration = None;
        trunk.health.down_after = 1;
        trunk.health.probe_every = Duration::from_secs(3_600);
        trunk.health.probe_limit = PATIENCE - Duration::from_secs(1);
    }
    let tls = crate::net::tls::Tls::load(&config)?;
    let sockets = crate::switch::Sockets::bind(&config.sip.listen).await?;
    let endpoint = crate::settings::endpoint_config(&config, &sockets);
    let secured = crate::switch::Secured { tls, origins: std::sync::Arc::default() };
    let started = crate::switch::start(sockets, secured, endpoint, rand::random())?;
    let switch = &started.switch;
    // Until each gateway answered or was given up; a name nobody can look up would have us wait for ever.
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut states = Vec::new();
    let all = async {
        loop {
            looks.tick().await;
            states = switch.trunk_states().await;
            if states.iter().all(|state| state.answered.is_some()) {
                break;
            }
        }
    };
    let _given_up = tokio::time::timeout(PATIENCE, all).await;
    Ok(states)
}

fn rtp(config: &Config) -> Finding {
    let [first, last] = config.media.rtp_ports;
    let address = std::net::Ipv4Addr::UNSPECIFIED;
    let sample: Vec<u16> = (0..16u32)
        .map(|i| (u32::from(first) + (u32::from(last) - u32::from(first)) * i / 15) as u16)
        .collect();
    let taken: Vec<u16> =
        sample.iter().copied().filter(|port| UdpSocket::bind((address, *port)).is_err()).collect();
    let calls = (u32::from(last) - u32::from(first)).div_ceil(4);
    if taken.is_empty() {
        finding(
            "rtp",
            Verdict::Ok,
            format!("RTP 端口 {first}–{last}，可供约 {calls} 路通话"),
            format!("RTP ports {first}-{last}, room for about {calls} calls"),
        )
    } else {
        finding(
            "rtp",
            Verdict::Warning,
            format!("RTP 端口 {first}–{last} 中有被占用的：{taken:?}"),
            format!("some of the RTP ports {first}-{last} are taken: {taken:?}"),
        )
    }
}

fn disk(data: &Path) -> Vec<Finding> {
    if let Err(error) = std::fs::create_dir_all(data) {
        let zh = format!("数据目录 {} 无法建立：{error}", data.display());
        let en = format!("the data directory {} cannot be made: {error}", data.display());
        return vec![finding("disk", Verdict::Failure, zh, en)];
    }
    let mut findings = Vec::new();
    match outbox::free_bytes(data) {
        Some(free) => {
            let gib = free >> 30;
            let verdict = if free < MIN_FREE_BYTES { Verdict::Warning } else { Verdict::Ok };
            findings.push(finding(
                "disk",
                verdict,
                format!("磁盘剩余 {gib} GiB"),
                format!("{gib} GiB of disk are free"),
            ));
        }
        None => findings.push(finding(
            "disk",
            Verdict::Warning,
            "无法得知磁盘剩余空间",
            "free disk space cannot be told",
        )),
    }
    match fsync_latency(data) {
        Ok(took) => {
            let verdict = if took > SLOW_FSYNC { Verdict::Warning } else { Verdict::Ok };
            let ms = took.as_micros() as f64 / 1000.0;
            findings.push(finding(
                "fsync",
                verdict,
                format!("落盘延迟 {ms:.1} ms"),
                format!("an fsync takes {ms:.1} ms"),
            ));
        }
        Err(error) => {
            let (zh, en) = (
                format!("数据目录不可写：{error}"),
                format!("the data directory cannot be written: {error}"),
            );
            findings.push(finding("fsync", Verdict::Failure, zh, en));
        }
    }
    findings
}

/// The slowest of ten.
fn fsync_latency(folder: &Path) -> std::io::Result<Duration> {
    use std::io::Write as _;
    let mut file = tempfile::tempfile_in(folder)?;
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let started = Instant::now();
        file.write_all(&[0u8; 4096])?;
        file.sync_data()?;
        slowest = slowest.max(started.elapsed());
    }
    Ok(slowest)
}

async fn speech(config: &Config) -> Finding {
    let pool = match Pool::start(&config.speech, &config.node.data_dir) {
        Ok(pool) => pool,
        Err(error) => return finding("speech", Verdict::Failure, error.to_string(), error.to_string()),
    };
    match pool.settled().await {
        ModelStatus::Ready { name, .. } => {
            let rate = real_time_factor(&pool).await;
            let (zh, en) = match rate {
                Some(rate) => (
                    format!("语音模型就绪：{name}，耗时为音频的 {rate:.2} 倍"),
                    format!("speech model ready: {name}, real-time factor {rate:.2}"),
                ),
                None => (format!("语音模型就绪：{name}"), format!("speech model ready: {name}")),
            };
            finding("speech", Verdict::Ok, zh, en)
        }
        ModelStatus::Off => finding("speech", Verdict::Ok, "语音识别已关闭", "speech recognition is off"),
        status => {
            let fetch = "asr/model/fetch-model.sh DATA_DIR/models";
            let zh = format!("没有语音模型，录音将在模型就位后补充转写（{fetch}）");
            let en =
                format!("no speech model ({status}): recordings are transcribed once it is there ({fetch})");
            finding("speech", Verdict::Warning, zh, en)
        }
    }
}

/// Measured on the shipped notice.
async fn real_time_factor(pool: &Pool) -> Option<f64> {
    let samples =
        asr::audio::decode_mono(include_bytes!("../../prompts/notice.ogg"), asr::audio::RATE_HZ).ok()?;
    let job = asr::Job {
        input: asr::Input::Channels(vec![asr::audio::Audio16k::new(samples)]),
        speakers: vec![record::Speaker::Agent],
        lane: record::Lane::Standard,
        language: None,
    };
    let transcript = pool.transcribe(job).await.ok()?;
    Some(transcript.took_ms as f64 / transcript.audio_ms.max(1) as f64)
}

fn lists(config: &Config) -> Finding {
    match blacklist::Lists::open(config.lists.clone(), &crate::calls::number_context(config)) {
        Ok((_, report)) => {
            let entries: usize = report.by_list.iter().map(|(_, count)| count).sum();
            finding("lists", Verdict::Ok, format!("名单 {entries} 条"), format!("{entries} list entries"))
        }
        Err(error) => finding("lists", Verdict::Failure, error.to_string(), error.to_string()),
    }
}

async fn sink(sink: &SinkConfig, data: &Path) -> Finding {
    let name = sink.name().to_owned();
    match sink {
        SinkConfig::File(file) => {
            let path = data.join(&file.path);
            let folder = path.parent().unwrap_or(data);
            match std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder)) {
                Ok(_) => finding(
                    "sink",
                    Verdict::Ok,
                    format!("{name}：文件可写"),
                    format!("{name}: the file can be written"),
                ),
                Err(error) => {
                    finding("sink", Verdict::Failure, format!("{name}：{error}"), format!("{name}: {error}"))
                }
            }
        }
        SinkConfig::Redis(redis) => match tokio::time::timeout(PATIENCE, outbox::sinks::ping(redis)).await {
            Ok(Ok(())) => {
                finding("sink", Verdict::Ok, format!("{name}：Redis 正常"), format!("{name}: Redis answers"))
            }
            _ => finding(
                "sink",
                Verdict::Warning,
                format!("{name}：Redis 无应答，记录会留在本机等待"),
                format!("{name}: Redis does not answer; records wait here"),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one OPTIONS as a carrier's gateway would.
    async fn answer_one(socket: tokio::net::UdpSocket) {
        let mut buffer = [0; 4_096];
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        let fields: Vec<&str> =
            request.split("\r\n").filter(|line| kept.iter().any(|name| line.starts_with(name))).collect();
        let answer = format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", fields.join("\r\n"));
        socket.send_to(answer.as_bytes(), from).await.unwrap();
    }

    #[tokio::test]
    async fn a_gateway_that_says_nothing_is_not_called_well() {
        let good = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let gateway = |socket: &tokio::net::UdpSocket| config::GatewayConfig {
            address: socket.local_addr().unwrap().to_string(),
            transport: config::GatewayTransport::Udp,
            priority: 0,
            weight: 1,
        };
        let trunk = config::TrunkConfig {
            name: "carrier".into(),
            gateways: vec![gateway(&good), gateway(&silent)],
            ..config::TrunkConfig::default()
        };
        let config = Config { trunks: vec![trunk], ..Config::default() };
        let answering = tokio::spawn(answer_one(good));
        let found: Vec<Verdict> = trunks(&config).await.iter().map(|finding| finding.verdict).collect();
        tokio::time::timeout(PATIENCE, answering).await.unwrap().unwrap();
        assert!(found == [Verdict::Ok, Verdict::Warning]);
    }
}

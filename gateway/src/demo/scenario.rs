//! What happens in the demonstration: a blocked call, a conversation, a WeChat message delivered twice.
//!
//! Every step waits for what it needs to hear or see, never for a time to pass, and every step that does not
//! come about fails the demonstration.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use config::Listen;
use gateway_sip::auth::Secret;
use record::{Outcome, Record};

use super::api::Api;
use super::narrator::Narrator;
use super::phone::{Dial, Phone, PhoneCall, PhoneError};
use super::stage::{BLOCKED, CITIZEN, MERGED_LINE, REPRESENTATIVE, WechatKeys};
use super::wechat;
use crate::app::{Addresses, App};
use crate::clock;

const CALLER_SPEECH: &[u8] = include_bytes!("../../../tests/fixtures/audio/caller-heating.ogg");
const AGENT_SPEECH: &[u8] = include_bytes!("../../../tests/fixtures/audio/agent-heating.ogg");
/// In the agent's clip the greeting (您好，请讲。) ends here, milliseconds; the answer follows.
const AGENT_GREETING_MS: usize = 1240;
/// Telephone sound.
const RATE_HZ: u32 = 8000;
/// What the representative writes.
const MESSAGE: &str =
    "我是市人大代表，群众反映新华大街与哲里木路口的信号灯配时太短，老人过不了马路，请研究调整。";

/// How long one step of signalling may take.
const STEP: Duration = Duration::from_secs(20);
/// How long a part of the conversation may take: the notice plays before the line opens.
const CONVERSATION: Duration = Duration::from_secs(60);
/// So much silence after speech means that the other has finished, milliseconds.
const FINISHED_MS: u64 = 500;
/// Least speech each side must have heard of the other, milliseconds.
const LEAST_SPEECH_MS: u64 = 2500;
/// How long the records may take without speech to text, and with it.
const RECORDS: Duration = Duration::from_secs(20);
const TRANSCRIPT: Duration = Duration::from_secs(180);

/// What the players must know of the running gateway.
pub struct Players {
    sip: std::net::SocketAddr,
    api: Api,
    agent: (String, Secret),
    wechat: WechatKeys,
    speech: bool,
}

impl Players {
    /// Reads accounts and addresses off a gateway that is about to run.
    pub fn new(app: &App, addresses: &Addresses, wechat: WechatKeys, speech: bool) -> anyhow::Result<Self> {
        let udp = addresses.sip.iter().find_map(|listen| match listen {
            Listen::Udp(address) => Some(*address),
            _ => None,
        });
        let config = app.config();
        let agent = config.agents.first().context("no agent is configured")?;
        let token = config.api.tokens.first().context("no API token is configured")?;
        Ok(Self {
            sip: udp.context("no UDP listener")?,
            api: Api::new(addresses.http, token.token.reveal())?,
            agent: (agent.user.clone(), Secret::Plain(agent.secret.reveal().to_owned())),
            wechat,
            speech,
        })
    }

    /// Plays everything; the records it made.
    pub async fn play(&self, tell: &Narrator<'_>) -> anyhow::Result<Vec<Record>> {
        let before = self.api.newest().await.context("the API")?;
        let agent =
            Phone::register(self.sip, &self.agent.0, self.agent.1.clone()).await.context("REGISTER")?;
        tell.done(
            format!("话机注册：坐席 {}（SIP 摘要认证 SHA-256）", self.agent.0),
            format!("phone registered: agent {} (SIP digest, SHA-256)", self.agent.0),
        );
        let carrier = Phone::open(self.sip).await?;
        blocked_call(&carrier, tell).await.context("the blocked call")?;
        self.conversation(&carrier, &agent, tell).await.context("the conversation")?;
        self.message(tell).await.context("the WeChat message")?;
        self.gather(before, tell).await
    }

    async fn conversation(&self, carrier: &Phone, agent: &Phone, tell: &Narrator<'_>) -> anyhow::Result<()> {
        let asks = asr::decode_mono(CALLER_SPEECH, RATE_HZ).context("the caller's clip")?;
        let speaks = asr::decode_mono(AGENT_SPEECH, RATE_HZ).context("the agent's clip")?;
        let (greets, answers) =
            speaks.split_at(speaks.len().min(AGENT_GREETING_MS * RATE_HZ as usize / 1000));

        let mut citizen = carrier.call(Dial::to(MERGED_LINE).from(CITIZEN), STEP).await?;
        citizen.background(true).await?;
        tell.done(
            format!("来电：市民拨打 {MERGED_LINE}（已并入 12345），网关应答并播放录音告知"),
            format!("incoming: a citizen dials {MERGED_LINE} (merged into 12345); the gateway answers and plays the notice"),
        );
        let ringing = agent.ringing(CONVERSATION).await?;
        let desk = ringing.answer().await?;
        desk.background(true).await?;
        tell.done(
            format!("坐席 {} 振铃、应答", self.agent.0),
            format!("agent {} rings and answers", self.agent.0),
        );

        desk.until("the line to open after the notice", CONVERSATION, |heard| heard.sound_ms >= 100).await?;
        let talking = Instant::now();
        tell.done(
            "告知播完，双方接通。坐席：“您好，请讲。”",
            "the notice is over, the line is open; the agent greets",
        );
        say_and_be_heard(&desk, greets, &citizen).await?;
        tell.done(
            format!("市民讲话 {}", seconds(asks.len())),
            format!("the citizen speaks for {}", seconds(asks.len())),
        );
        say_and_be_heard(&citizen, &asks, &desk).await?;
        tell.done(
            format!("坐席答复 {}", seconds(answers.len())),
            format!("the agent answers for {}", seconds(answers.len())),
        );
        say_and_be_heard(&desk, answers, &citizen).await?;
        for (who, call) in [("the agent", &desk), ("the citizen", &citizen)] {
            let heard = call.heard().speech_ms;
            ensure!(heard >= LEAST_SPEECH_MS, "{who} heard only {heard} ms of speech");
        }
        citizen.hang_up().await?;
        desk.ended(STEP).await?;
        let talked = talking.elapsed().as_secs();
        tell.done(format!("市民挂机，通话 {talked} 秒"), format!("the citizen hangs up after {talked} s"));
        Ok(())
    }

    async fn message(&self, tell: &Narrator<'_>) -> anyhow::Result<()> {
        let delivery = wechat::delivery(&self.wechat, REPRESENTATIVE, MESSAGE, clock().unix_ms() / 1000)?;
        for attempt in ["first", "repeated"] {
            let answer = self.api.post(&delivery.target, delivery.body.clone()).await?;
            ensure!(answer == "success", "the {attempt} delivery was not answered with success");
        }
        tell.done(
            "微信消息：AES 加密、签名验证通过；平台重发同一条，仍只受理一次",
            "WeChat message: AES-sealed, signature verified; the platform repeats it and it is taken once",
        );
        Ok(())
    }

    async fn gather(&self, before: u64, tell: &Narrator<'_>) -> anyhow::Result<Vec<Record>> {
        let started = Instant::now();
        if self.speech {
            tell.line("… 正在转写录音", "… transcribing the recording");
        }
        let wanted = |records: &[Record]| is_complete(records, self.speech);
        let limit = if self.speech { TRANSCRIPT } else { RECORDS };
        let records = self.api.records(before, limit, wanted).await?;
        let messages = records.iter().filter(|record| record.channel.code == "wechat_mp").count();
        ensure!(messages == 1 && records.len() == 3, "{} records, {messages} of WeChat", records.len());
        if self.speech {
            let took = started.elapsed().as_secs_f32();
            let segments = records.iter().flat_map(|record| &record.transcript).map(Vec::len).sum::<usize>();
            ensure!(segments > 0, "the transcript is empty");
            tell.done(
                format!("转写完成：{segments} 段，{took:.1} 秒"),
                format!("transcribed: {segments} segments in {took:.1} s"),
            );
        }
        tell.done("三条受理记录已落盘并写出", "three intake records are on disk and delivered");
        Ok(records)
    }
}

async fn blocked_call(carrier: &Phone, tell: &Narrator<'_>) -> anyhow::Result<()> {
    match carrier.call(Dial::to("12345").from(BLOCKED), STEP).await {
        Err(PhoneError::Refused(603)) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => anyhow::bail!("a blocked number was answered"),
    }
    tell.done(
        "黑名单来电：603 拒绝，不占坐席，留有记录",
        "blocked number: refused with 603, no agent disturbed, a record kept",
    );
    Ok(())
}

/// Speaks until the other has heard that it is over.
async fn say_and_be_heard(speaker: &PhoneCall, words: &[i16], listener: &PhoneCall) -> anyhow::Result<()> {
    let before = listener.heard().speech_ms;
    speaker.play(words).await?;
    let heard = |heard: &super::phone::Heard| heard.speech_ms > before + 200 && heard.quiet_ms >= FINISHED_MS;
    listener.until("the other to be heard", STEP, heard).await?;
    Ok(())
}

/// One refused call, one conversation (with its transcript, when there is speech to text), one message.
fn is_complete(records: &[Record], speech: bool) -> bool {
    let outcome = |wanted| {
        let mut calls = records.iter();
        calls.find(|record| record.call.as_ref().is_some_and(|call| call.outcome == wanted))
    };
    let talked = outcome(Outcome::Answered).is_some_and(|call| !speech || call.transcript.is_some());
    let written = records.iter().any(|record| record.messages.is_some());
    outcome(Outcome::Blocked).is_some() && talked && written
}

fn seconds(samples: usize) -> String {
    let tenths = samples * 10 / RATE_HZ as usize;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

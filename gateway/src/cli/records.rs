//! `jiesu records`: looks at the store, also while the gateway runs.

use outbox::Reader;
use record::{MessageFrom, Record, Speaker, Uuid, View, channel_code};
use serde_json::json;

use super::{Common, FAILED, OK, Screen, load};

/// Lines of text shown of one record in a list.
const SUMMARY_CHARS: usize = 36;

/// `jiesu records …`
#[derive(clap::Subcommand)]
pub enum Command {
    /// 按受理顺序列出 / in order of acceptance
    List {
        /// 渠道代码 / channel code, e.g. voice, wechat_mp
        #[arg(long)]
        channel: Option<String>,
        /// 从该序号之后 / after this seq
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// 条数 / how many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// 查看一条 / one record by record_no or record_id
    Show {
        /// 受理编号或 record_id / record_no or record_id
        record: String,
        /// 版本 / a certain revision
        #[arg(long)]
        revision: Option<u32>,
        /// 视图 / the view
        #[arg(long, value_parser = view)]
        view: Option<View>,
    },
}

fn view(text: &str) -> Result<View, String> {
    let all: Vec<&str> = View::ALL.iter().map(|view| view.as_str()).collect();
    let view = View::ALL.iter().find(|view| view.as_str() == text);
    view.copied().ok_or_else(|| format!("one of {}", all.join(", ")))
}

/// Runs one of them.
pub async fn run(common: &Common, command: Command, screen: &Screen) -> u8 {
    let loaded = match load(common, screen) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let path = crate::app::store_path(&loaded.config.node.data_dir);
    let reader = match Reader::open(&path) {
        Ok(reader) => reader,
        Err(error) => {
            let detail = format!("{}: {error}", path.display());
            screen.fault("E-REC-0001", "无法打开记录库", "the store cannot be opened", &detail);
            return FAILED;
        }
    };
    let done = match command {
        Command::List { channel, after, limit } => list(&reader, channel, after, limit.into(), screen).await,
        Command::Show { record, revision, view } => show(&reader, &record, revision, view, screen).await,
    };
    done.unwrap_or_else(|error| {
        screen.fault("E-REC-0002", "无法读取记录", "the records cannot be read", &error.to_string());
        FAILED
    })
}

async fn list(
    reader: &Reader,
    channel: Option<String>,
    after: u64,
    limit: usize,
    screen: &Screen,
) -> Result<u8, outbox::OutboxError> {
    let page = reader.list(after, channel, limit).await?;
    let records = page.records.iter().map(|stored| stored.record()).collect::<Result<Vec<_>, _>>()?;
    if screen.is_json() {
        screen.json(&json!({ "records": records, "next": page.next }));
        return Ok(OK);
    }
    if records.is_empty() {
        screen.tell("还没有记录。", "There are no records.");
    }
    for record in &records {
        screen.line(summary(record, screen));
    }
    if let Some(next) = page.next {
        screen.line(screen.dim(&format!("… --after {next}")));
    }
    Ok(OK)
}

async fn show(
    reader: &Reader,
    name: &str,
    revision: Option<u32>,
    view: Option<View>,
    screen: &Screen,
) -> Result<u8, outbox::OutboxError> {
    let stored = match name.parse::<Uuid>() {
        Ok(id) => reader.get(id, revision).await?,
        Err(_) => match reader.get_by_number(name.to_owned()).await? {
            Some(newest) if revision.is_some() => reader.get(newest.record_id, revision).await?,
            found => found,
        },
    };
    let Some(stored) = stored else {
        screen.fault("E-REC-0404", "没有这条记录", "there is no such record", name);
        return Ok(FAILED);
    };
    let record = record::view::apply(&stored.record()?, view.unwrap_or(View::Sealed));
    if screen.is_json() {
        screen.json(&json!(record));
    } else {
        card(&record, screen);
    }
    Ok(OK)
}

/// One line of a list.
fn summary(record: &Record, screen: &Screen) -> String {
    let (zh, en) = channel_code::names(&record.channel.code).unwrap_or(("?", "?"));
    let at = record.created_at.to_string();
    let what = match &record.call {
        Some(call) => outcome(call.outcome, screen).to_owned(),
        None => String::new(),
    };
    let text: String = record.request.text.replace('\n', " ").chars().take(SUMMARY_CHARS).collect();
    let revision = if record.revision > 1 { format!(" r{}", record.revision) } else { String::new() };
    format!(
        "{}{revision}  {}  {}  {}  {what}{}{text}",
        screen.bold(&record.record_no),
        at.get(5..16).unwrap_or(&at).replace('T', " "),
        screen.say(zh, en),
        who(record),
        if what.is_empty() { "" } else { "  " },
    )
}

/// A record as a person reads it. The number is masked: a screen has many readers.
pub fn card(record: &Record, screen: &Screen) {
    let (zh, en) = channel_code::names(&record.channel.code).unwrap_or(("?", "?"));
    let row = |name_zh: &str, name_en: &str, value: String| {
        if !value.is_empty() {
            screen.line(format!("  {}  {value}", screen.dim(screen.say(name_zh, name_en))));
        }
    };
    screen.line(format!("{}  {}", screen.bold(&record.record_no), screen.green(screen.say(zh, en))));
    row("受理", "received", record.created_at.to_string());
    row("来源", "reporter", who(record));
    if let Some(call) = &record.call {
        let line = call.legacy_line.as_deref().filter(|line| *line != call.dialled);
        let line = line.map(|line| format!(" ({line})")).unwrap_or_default();
        row("拨打", "dialled", format!("{}{line}", call.dialled));
        let seconds =
            |ms: Option<i64>| ms.map(|ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100)).unwrap_or_default();
        let lane = call.lane.map(|lane| lane.as_str()).unwrap_or_default();
        row("结果", "outcome", format!("{}  {lane}", outcome(call.outcome, screen)));
        row("等待", "waited", seconds(call.wait_ms));
        row("通话", "talked", seconds(call.talk_ms));
        row("坐席", "agent", call.agent_key.clone().unwrap_or_default());
    }
    let decisions: Vec<String> = record
        .lists
        .iter()
        .flatten()
        .map(|entry| format!("{} {} → {}", entry.list.as_str(), entry.entry, entry.effect.as_str()))
        .collect();
    row("名单", "lists", decisions.join("; "));
    row("标题", "title", record.request.title.clone().unwrap_or_default());
    row("告知", "notice", record.privacy.notice.clone().unwrap_or_default());
    conversation(record, screen);
    if let Some(location) = &record.location {
        let point = location.point.as_ref().map(|p| format!(" {},{} {}", p.lat, p.lon, p.crs.as_str()));
        row("地点", "place", location.detail.clone().unwrap_or_default() + &point.unwrap_or_default());
    }
    for attachment in record.attachments.iter().flatten() {
        let kind = attachment.kind.as_str();
        let place = crate::attach::file_path(&attachment.uri)
            .map_or_else(|| attachment.uri.clone(), |path| path.display().to_string());
        row("附件", "file", format!("{kind} {place}"));
    }
    let digest = record.integrity.digest.get(..23).unwrap_or(&record.integrity.digest);
    let chain = format!("seq {}  r{}  {}…", record.integrity.seq, record.revision, digest);
    row("存证", "chain", screen.dim(&chain));
}

fn conversation(record: &Record, screen: &Screen) {
    let said = |name: &str, text: &str| screen.line(format!("    {}  {text}", screen.yellow(name)));
    for segment in record.transcript.iter().flatten() {
        let name = match segment.speaker {
            Speaker::Reporter => screen.say("市民", "citizen"),
            Speaker::Agent => screen.say("坐席", "agent"),
            Speaker::Third => screen.say("第三方", "third"),
            Speaker::Bot => screen.say("系统", "system"),
        };
        let at = format!("{:>2}:{:02}", segment.from_ms / 60_000, segment.from_ms / 1000 % 60);
        said(&format!("{at} {name}"), &segment.text);
    }
    for message in record.messages.iter().flatten() {
        let name = if message.from == MessageFrom::Reporter {
            screen.say("市民", "citizen")
        } else {
            message.from.as_str()
        };
        let text = message.text.clone().unwrap_or_else(|| format!("[{}]", message.kind.as_str()));
        said(name, &text);
    }
}

fn who(record: &Record) -> String {
    let phone = record.reporter.phones.iter().flatten().find_map(|phone| phone.masked.clone());
    let name = record.reporter.name_masked.clone();
    let user = record.reporter.channel_user.as_ref().map(|user| {
        // Enough to tell two people apart on a screen.
        let key: String = user.user_key.chars().rev().take(6).collect();
        format!("#{key}")
    });
    phone.or(name).or(user).unwrap_or_else(|| record.reporter.kind.as_str().to_owned())
}

fn outcome(outcome: record::Outcome, screen: &Screen) -> &str {
    use record::Outcome::{
        AbandonedQueue, AbandonedRing, Answered, Blocked, CallbackPromised, Failed, Overflow,
    };
    match outcome {
        Answered => screen.say("已接通", "answered"),
        AbandonedQueue => screen.say("排队中挂断", "abandoned while waiting"),
        AbandonedRing => screen.say("振铃中挂断", "abandoned while ringing"),
        Blocked => screen.say("名单拦截", "blocked by the lists"),
        Overflow => screen.say("语音留言", "voice message"),
        Failed => screen.say("未成功", "failed"),
        CallbackPromised => screen.say("承诺回电", "call-back promised"),
    }
}

//! `jiesu route-test`: what would happen to this call now, without a call. Decided by the code that decides on real
//! ones ([`crate::calls::decision`], the endpoint's own choice of gateways).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use blacklist::Lists;
use config::Config;
use gateway_sip::identity::{IdentityHeaders, RawIdentity, read_diversion};
use gateway_sip::message::Message;
use gateway_sip::{Endpoint, EndpointConfig, IncomingInvite, Invitation, LocalAddress, Target, Transport};
use record::{Decision, Timestamp, Trust};
use serde_json::{Value, json};

use super::{Common, FAILED, OK, Screen, load};
use crate::calls::decision::{self, Decided};
use crate::calls::{Live, number_context};
use crate::trunks;

/// Flags of `route-test`.
#[derive(clap::Args)]
pub struct Arguments {
    /// 主叫号码 / the caller's number; `anonymous` for a withheld one
    #[arg(long, value_name = "NUMBER")]
    from: String,
    /// 被叫号码 / the number dialled
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// 中继 / the trunk (default: the first one)
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// 转自的旧号码 / the old line the call was diverted from
    #[arg(long, value_name = "NUMBER")]
    diverted_from: Option<String>,
    /// 时刻（目前仅名单有效期随之变化）/ at that time, RFC 3339 (default: now); only lists depend on it yet
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// 呼出 / a call of ours through the trunk
    #[arg(long)]
    out: bool,
    /// 呼出时隐藏号码 / with the number withheld
    #[arg(long, requires = "out")]
    privacy: bool,
}

/// Exit status 0: the call would be taken or sent, 1: not.
pub async fn run(common: &Common, arguments: Arguments, screen: &Screen) -> u8 {
    let config = match load(common, screen) {
        Ok(loaded) => loaded.config,
        Err(status) => return status,
    };
    let result = match arguments.out {
        true => outgoing(&config, &arguments).await,
        false => incoming(&config, &arguments),
    };
    match result {
        Ok(report) => {
            let good = report["taken"] == true;
            show(&report, screen);
            if good { OK } else { FAILED }
        }
        Err(error) => {
            screen.fault("E-SIP-0001", "无法试算", "the call cannot be tried", &format!("{error:#}"));
            FAILED
        }
    }
}

/// What would happen to a call that comes.
pub fn incoming(config: &Config, arguments: &Arguments) -> anyhow::Result<Value> {
    let live = Live::new(config);
    let named = arguments.trunk.as_deref().or_else(|| config.trunks.first().map(|trunk| trunk.name.as_str()));
    let trunk = named.and_then(|name| config.trunks.iter().find(|trunk| trunk.name == name));
    let Some(trunk) = trunk else {
        let rule = "unknown-source";
        return Ok(
            json!({ "direction": "in", "taken": false, "rule": rule, "trunk": named, "status": null }),
        );
    };
    let at = arguments.at.unwrap_or_else(crate::clock);
    let (lists, _) = Lists::open(config.lists.clone(), &number_context(config))?;
    let invite = invite(&trunk.name, arguments);
    let Decided { identity, dialled, flow, verdict } =
        decision::decide(&live, &invite, |caller| lists.check(caller, at));
    let taken = verdict.decision != Decision::Refuse;
    let rule = live.call.lane_rule(verdict.lane);
    let trust = match identity.trust {
        _ if identity.number.is_none() => "withheld",
        Trust::NetworkAsserted => "network-asserted",
        Trust::PreferredUnverified => "preferred-unverified",
        Trust::FromOnly => "from-only",
        _ => "unknown",
    };
    let entries: Vec<Value> =
        verdict.entries.iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect();
    Ok(json!({
        "direction": "in",
        "taken": taken,
        "status": if taken { 200 } else { 603 },
        "at": at.to_string(),
        "trunk": trunk.name,
        "caller": {
            "number": identity.number.as_ref().and_then(|number| number.e164.as_ref()).map(|n| n.reveal().clone()),
            "trust": trust,
        },
        "dialled": { "number": dialled.number, "legacy_line": dialled.legacy_line },
        "lists": entries,
        "lane": verdict.lane.as_str(),
        "precedence": rule.precedence,
        "kept_share": !rule.is_ordinary(),
        "flow": {
            "notice": flow.notice.as_ref().map(|prompt| prompt.as_str()),
            "prompt": flow.prompt.as_ref().map(|prompt| prompt.as_str()),
            "then": flow.then.as_str(),
            "queue": flow.queue,
            "record": flow.record,
            "intake": flow.intake,
        },
    }))
}

fn invite(trunk: &str, arguments: &Arguments) -> IncomingInvite {
    let uri = |number: &str| format!("sip:{number}@route-test.invalid");
    let anonymous = arguments.from.eq_ignore_ascii_case("anonymous");
    let from = if anonymous { "sip:anonymous@anonymous.invalid".into() } else { uri(&arguments.from) };
    let identity = format!("<{from}>");
    let asserted: &[&str] = if anonymous { &[] } else { &[&identity] };
    let diverted =
        arguments.diverted_from.as_deref().map(|number| format!("<{}>;reason=unconditional", uri(number)));
    let diverted: Vec<&str> = diverted.iter().map(String::as_str).collect();
    IncomingInvite {
        call_id: "route-test".into(),
        trunk: trunk.to_owned(),
        remote: SocketAddr::from(([192, 0, 2, 1], 5060)),
        transport: Transport::Udp,
        request_uri: uri(&arguments.to),
        to_uri: uri(&arguments.to),
        from_uri: from.clone(),
        from_display: None,
        identity: IdentityHeaders::read(&RawIdentity {
            asserted,
            from: Some(&identity),
            ..RawIdentity::default()
        }),
        history: Vec::new(),
        diversion: read_diversion(&diverted),
        session_id: None,
        user_agent: None,
        sdp: None,
        agent: None,
        replaces: None,
        max_forwards: 70,
    }
}

/// What a call of ours would look like, and the gateways in the order of trying.
async fn outgoing(config: &Config, arguments: &Arguments) -> anyhow::Result<Value> {
    let with_gateways = || config.trunks.iter().find(|trunk| !trunk.gateways.is_empty());
    let trunk = match &arguments.trunk {
        Some(name) => config.trunks.iter().find(|trunk| trunk.name == *name),
        None => with_gateways(),
    };
    let Some(trunk) = trunk else {
        return Ok(
            json!({ "direction": "out", "taken": false, "rule": "no-such-trunk", "trunk": arguments.trunk }),
        );
    };
    let now = Instant::now();
    let external = config.sip.external_address;
    let local = |listen: &config::Listen| LocalAddress {
        transport: listen.transport(),
        listen: listen.address(),
        external: external.map(|ip| SocketAddr::new(ip, listen.address().port()).to_string()),
    };
    let endpoint = EndpointConfig {
        realm: config.sip.realm.clone(),
        local: config.sip.listen.iter().map(local).collect(),
        trunks: trunks::sip_trunks(config),
        ..EndpointConfig::default()
    };
    let mut endpoint = Endpoint::new(endpoint, rand::random());
    for gateway in trunks::sip_trunks(config).iter().flat_map(|trunk| &trunk.gateways) {
        if gateway.literal().is_none() {
            let addresses: Vec<IpAddr> = trunks::look_up(gateway.host()).await;
            endpoint.set_addresses(now, gateway.host(), &addresses);
        }
    }
    let running = running_states(config).await;
    let order: Vec<Value> = endpoint
        .gateways_in_order(now, &trunk.name)
        .into_iter()
        .map(|state| {
            let known =
                running.iter().find(|seen| seen["trunk"] == state.trunk && seen["gateway"] == state.gateway);
            let configured = trunk.gateways.iter().find(|gateway| gateway.address == state.gateway);
            json!({
                "gateway": state.gateway,
                "address": state.address.map(|address| address.to_string()),
                "priority": configured.map(|gateway| gateway.priority),
                "weight": configured.map(|gateway| gateway.weight),
                "up": known.map(|seen| seen["up"].clone()),
            })
        })
        .collect();
    let target = Target::Trunk { trunk: &trunk.name, number: &arguments.to };
    let sdp = "v=0\r\n";
    let invitation = Invitation {
        target,
        caller_user: &arguments.from,
        privacy: arguments.privacy,
        sdp,
        ..Invitation::default()
    };
    let made = endpoint.invite(now, invitation);
    let sent = endpoint.poll_transmit().and_then(|transmit| Message::parse(&transmit.bytes).ok());
    let shown = |name: &str| sent.as_ref().and_then(|message| message.value(name)).map(str::to_owned);
    Ok(json!({
        "direction": "out",
        "taken": made.is_ok() && !order.is_empty(),
        "rule": made.err().map(|error| error.to_string()),
        "trunk": trunk.name,
        "gateways": order,
        "request_uri": sent.as_ref().map(|message| message.request_uri().to_owned()),
        "from": shown("From").map(|from| from.split(";tag=").next().unwrap_or_default().to_owned()),
        "asserted": shown("P-Asserted-Identity"),
        "preferred": shown("P-Preferred-Identity"),
        "privacy": shown("Privacy"),
        "diversion": shown("Diversion"),
    }))
}

/// The gateways' states, from the gateway itself if it runs.
async fn running_states(config: &Config) -> Vec<Value> {
    let url = format!("http://{}/readyz", config.http.listen);
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(2)).no_proxy().build();
    let Ok(client) = client else { return Vec::new() };
    let Ok(answer) = client.get(url).send().await else { return Vec::new() };
    let report: Value = answer.json().await.unwrap_or_default();
    report["checks"]["trunks"].as_array().cloned().unwrap_or_default()
}

/// One line a fact; the keys are those of the JSON.
fn show(report: &Value, screen: &Screen) {
    if screen.is_json() {
        return screen.json(report);
    }
    let taken = report["taken"] == true;
    let verdict = match (taken, report["direction"] == "out") {
        (true, false) => screen.green(screen.say("接通", "taken")),
        (false, false) => screen.red(screen.say("拒绝", "refused")),
        (true, true) => screen.green(screen.say("可呼出", "can be called")),
        (false, true) => screen.red(screen.say("无法呼出", "cannot be called")),
    };
    screen.line(verdict);
    let label = |key: &str| -> (&'static str, &'static str) {
        match key {
            "trunk" => ("中继", "trunk"),
            "caller" => ("主叫", "caller"),
            "dialled" => ("被叫", "dialled"),
            "lists" => ("名单", "lists"),
            "lane" => ("通道", "lane"),
            "precedence" => ("优先级", "precedence"),
            "kept_share" => ("享有预留", "kept share"),
            "flow" => ("流程", "flow"),
            "gateways" => ("网关顺序", "gateways in order"),
            "request_uri" => ("被叫写法", "request-URI"),
            "from" => ("显示的主叫", "caller shown"),
            "rule" => ("规则", "rule"),
            "status" => ("状态码", "status"),
            "at" => ("时刻", "at"),
            "asserted" => ("网络断言身份", "P-Asserted-Identity"),
            "preferred" => ("首选身份", "P-Preferred-Identity"),
            "privacy" => ("隐私", "Privacy"),
            "diversion" => ("转移", "Diversion"),
            _ => ("", ""),
        }
    };
    for (key, value) in report.as_object().into_iter().flatten() {
        let (zh, en) = label(key);
        if zh.is_empty() || value.is_null() {
            continue;
        }
        match value {
            Value::Array(items) if items.is_empty() => screen.line(format!("  {}: -", screen.say(zh, en))),
            Value::Array(items) => {
                screen.line(format!("  {}:", screen.say(zh, en)));
                for item in items {
                    screen.line(format!("    {}", plain(item)));
                }
            }
            value => screen.line(format!("  {}: {}", screen.say(zh, en), plain(value))),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields.map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(" ")
        }
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(from: &str, to: &str) -> Arguments {
        Arguments {
            from: from.into(),
            to: to.into(),
            trunk: None,
            diverted_from: None,
            at: None,
            out: false,
            privacy: false,
        }
    }

    fn config(list: Option<&std::path::Path>) -> Config {
        let mut config = Config::default();
        config.trunks = vec![config::TrunkConfig {
            name: "carrier".into(),
            trust_asserted_identity: true,
            gateways: vec![config::GatewayConfig {
                address: "198.51.100.7".into(),
                transport: config::GatewayTransport::Udp,
                priority: 0,
                weight: 1,
            }],
            caller_id: config::CallerIdConfig { number: Some("047112345".into()), ..Default::default() },
            ..Default::default()
        }];
        config.http.listen = SocketAddr::from(([127, 0, 0, 1], 1));
        config.lists.file = list.map(std::path::Path::to_owned);
        config
    }

    #[test]
    fn an_ordinary_call_is_taken_in_the_standard_lane() {
        let report = incoming(&config(None), &arguments("13900000000", "12345")).unwrap();
        assert_eq!((&report["taken"], &report["lane"]), (&json!(true), &json!("standard")));
        assert_eq!(report["caller"], json!({ "number": "+8613900000000", "trust": "network-asserted" }));
        assert_eq!(report["flow"]["then"], "queue");
        let withheld = incoming(&config(None), &arguments("anonymous", "12345")).unwrap();
        assert_eq!(withheld["caller"], json!({ "number": null, "trust": "withheld" }));
    }

    #[test]
    fn a_trunk_nobody_knows_is_no_answer_at_all() {
        let asked = Arguments { trunk: Some("nobody".into()), ..arguments("1", "12345") };
        let report = incoming(&config(None), &asked).unwrap();
        assert_eq!((&report["taken"], &report["rule"]), (&json!(false), &json!("unknown-source")));
    }

    #[test]
    fn an_old_line_is_found_by_its_diversion() {
        let asked = Arguments { diverted_from: Some("12319".into()), ..arguments("13900000000", "12345") };
        assert_eq!(incoming(&config(None), &asked).unwrap()["dialled"]["legacy_line"], "12319");
    }

    #[tokio::test]
    async fn a_call_of_ours_shows_the_gateways_and_what_the_carrier_sees() {
        let report = outgoing(&config(None), &arguments("13900000000", "110")).await.unwrap();
        assert_eq!(report["taken"], true, "{report}");
        assert_eq!(report["gateways"][0]["gateway"], "198.51.100.7");
        assert_eq!(report["request_uri"], "sip:110@198.51.100.7");
        let from = report["from"].as_str().unwrap_or_default();
        assert!(from.starts_with("<sip:047112345@"), "the citizen's number stays in the house: {from}");
        let refused = outgoing(&config(None), &arguments("1", "110>")).await.unwrap();
        assert_eq!(refused["taken"], false);
    }
}

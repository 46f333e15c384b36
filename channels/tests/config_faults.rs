//! A wrong configuration is told completely, by key path, without the secrets in it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use channels::{Channels, ChannelsConfig, ConfigFault};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fn faults(text: &str) -> Vec<String> {
    let config: ChannelsConfig = toml::from_str(text).unwrap();
    match Channels::build(&config) {
        Ok(channels) => panic!("built {channels:?}"),
        Err(faults) => faults.iter().map(ConfigFault::to_string).collect(),
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let found = faults(
        r#"
        [wechat_mp.main]
        tokn = "hush"
        mode = "secret"
        encoding_aes_key = "too short hush"
        replay_window_s = -1
        max_media_bytes = "20 apples"
        path = "/in/steal"
        [wechat_mp."bad name"]
        [wechat_mb.main]
        [telegram.main]
        [fax.main]
        "#,
    );
    let expected = [
        "channels.fax: is not a known channel; known are wechat_mp",
        "channels.telegram: channel telegram is not available in this version",
        "channels.wechat_mb: is not a known channel; did you mean `wechat_mp`?",
        "channels.wechat_mp.bad name: an account name has 1 to 64 letters, digits, - or _",
        "channels.wechat_mp.main.token: is required",
        "channels.wechat_mp.main.mode: must be \"safe\", \"compat\" or \"plain\"",
        "channels.wechat_mp.main.encoding_aes_key: an EncodingAESKey is 43 characters of base64",
        "channels.wechat_mp.main.app_id: is required",
        "channels.wechat_mp.main.replay_window_s: must be a whole number from 0 to 86400",
        "channels.wechat_mp.main.max_media_bytes: must be a size such as \"20MiB\" or a number of bytes",
        "channels.wechat_mp.main.path: is one of the gateway's own paths",
        "channels.wechat_mp.main.tokn: is not a known key; did you mean `token`?",
    ];
    assert_eq!(found, expected);
    assert!(!found.join(" ").contains("hush"));
}

#[test]
fn two_accounts_cannot_share_a_path() {
    let account = |name: &str, path: &str| {
        format!(
            "[wechat_mp.{name}]\ntoken = \"t\"\napp_id = \"wx1\"\nencoding_aes_key = \"{KEY}\"\npath = \"{path}\"\n"
        )
    };
    let found = faults(&(account("a", "/wechat") + &account("b", "/wechat/")));
    assert_eq!(found, ["channels.wechat_mp.b.path: another account is already served at this path"]);
}

#[test]
fn an_account_without_a_secret_only_receives() {
    let text = format!(
        "[wechat_mp.a]\ntoken = \"t\"\napp_id = \"wx1\"\nencoding_aes_key = \"{KEY}\"\n\
         [wechat_mp.b]\ntoken = \"t\"\napp_id = \"wx1\"\nencoding_aes_key = \"{KEY}\"\napp_secret = \"s\"\n"
    );
    let config: ChannelsConfig = toml::from_str(&text).unwrap();
    assert!(!format!("{config:?}").contains(KEY), "a key is shown");
    let channels = Channels::build(&config).unwrap();
    assert_eq!(channels.names(), [("wechat_mp", "a"), ("wechat_mp", "b")]);
    assert!(channels.outbound("wechat_mp", "a").is_none() && channels.media("wechat_mp", "a").is_none());
    assert!(channels.outbound("wechat_mp", "b").is_some() && channels.media("wechat_mp", "b").is_some());
    assert!(channels.outbound("wechat_mp", "c").is_none());
}

//! What an operator writes, and what comes of it.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::{Path, PathBuf};

use config::{Config, DEFAULT_FILE, Fault, LoadOptions, Loaded, load};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn from(folder: &Path, text: &str, environment: &[(&str, &str)]) -> Result<Loaded, Vec<Fault>> {
    load(&LoadOptions {
        file: Some(write(folder, "jiesu.toml", text)),
        data_dir: None,
        folder: None,
        environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    })
}

fn faults(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let found = from(folder.path(), text, &[]).map(|_| ()).unwrap_err();
    let prefix = format!("{}/", folder.path().display());
    found.iter().map(|fault| fault.to_string().replace(&prefix, "")).collect()
}

#[test]
fn the_shipped_file_says_what_the_code_does() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = from(folder.path(), DEFAULT_FILE, &[]).unwrap();
    assert!(shipped.warnings.is_empty(), "{:?}", shipped.warnings);
    let mut config = shipped.config;
    // What only the shipped file has, because a production file must say it itself.
    assert_eq!(config.trunks.len(), 1);
    assert_eq!(config.sinks.len(), 1);
    config.trunks.clear();
    config.sinks.clear();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn without_a_file_the_embedded_default_runs_on_loopback_only() {
    let loaded = load(&LoadOptions::default()).unwrap();
    assert_eq!(loaded.file, None);
    let loopback = loaded.config.sip.listen.iter().all(|listen| listen.address().ip().is_loopback());
    assert!(loopback && loaded.config.http.listen.ip().is_loopback());
    assert!(loaded.config.metrics.listen.ip().is_loopback());
}

#[test]
fn every_example_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Secrets of the examples lie where this machine has none.
        let text = std::fs::read_to_string(&path).unwrap();
        let text: String = text
            .lines()
            .map(|line| match line.split_once("\"${") {
                Some((before, rest)) => {
                    let after = rest.split_once("}\"").map_or("", |(_, after)| after);
                    let is_url = before.trim_start().starts_with("url");
                    let value = if is_url {
                        "redis://127.0.0.1"
                    } else {
                        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
                    };
                    format!("{before}\"{value}\"{after}\n")
                }
                None => format!("{line}\n"),
            })
            .collect();
        let scratch = tempfile::tempdir().unwrap();
        let loaded = from(scratch.path(), &text, &[]);
        assert!(loaded.is_ok(), "{}: {:?}", path.display(), loaded.unwrap_err());
        count += 1;
    }
    assert!(count >= 3, "the examples are gone");
}

#[test]
fn every_fault_is_told_at_once_with_line_key_and_nearest_name() {
    let told = faults(
        "[node]\nname = 3\njurisdiction = \"15\"\n\n[sip]\nlisen = [\"udp:127.0.0.1:5060\"]\n\n[[trunks]]\nname = \"a\"\nfrom = [\"nowhere\"]\n\n[call]\nring_time = \"soon\"\n",
    );
    let expected = [
        ("jiesu.toml:2: node.name:", "string"),
        ("jiesu.toml:3: node.jurisdiction:", "GB/T 2260"),
        ("jiesu.toml:6: sip.lisen:", "did you mean `listen`?"),
        ("jiesu.toml:10: trunks[0].from[0]:", "IP"),
        ("jiesu.toml:13: call.ring_time:", ""),
    ];
    for (start, part) in expected {
        assert!(
            told.iter().any(|line| line.starts_with(start) && line.contains(part)),
            "{start} not in {told:#?}"
        );
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_syntax_error_names_its_line() {
    assert!(faults("[node]\nname = \n")[0].starts_with("jiesu.toml:2:"), "{:?}", faults("[node]\nname = \n"));
}

#[test]
fn later_layers_win_and_lists_of_tables_add_up() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "conf.d/20-b.toml",
        "[sip]\nmax_calls = 30\n[[trunks]]\nname = \"b\"\nfrom = [\"192.0.2.2/32\"]\n",
    );
    write(folder.path(), "conf.d/10-a.toml", "[sip]\nmax_calls = 20\n");
    write(folder.path(), "conf.d/ignored.txt", "nonsense");
    let text =
        "[sip]\nmax_calls = 10\nrealm = \"city\"\n[[trunks]]\nname = \"a\"\nfrom = [\"192.0.2.1/32\"]\n";
    let loaded = from(folder.path(), text, &[]).unwrap();
    assert_eq!((loaded.config.sip.max_calls, loaded.config.sip.realm.as_str()), (30, "city"));
    let names: Vec<&str> = loaded.config.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let environment = [
        ("JIESU__SIP__MAX_CALLS", "40"),
        ("JIESU__NODE__NAME", "gw-env"),
        ("JIESU__CHANNELS__WECHAT_MP__M__TOKEN", "t"),
    ];
    let told = from(folder.path(), text, &environment).map(|_| ()).unwrap_err();
    assert!(told.iter().all(|fault| fault.path.starts_with("channels.wechat_mp.m")), "{told:?}");
    let loaded = from(folder.path(), text, &environment[..2]).unwrap();
    assert_eq!((loaded.config.sip.max_calls, loaded.config.node.name.as_str()), (40, "gw-env"));
}

#[test]
fn a_fault_in_a_drop_in_names_that_file() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "conf.d/b.toml",
        "[[trunks]]\nname = \"b\"\nfrom = [\"192.0.2.2/32\"]\ncolour = 1\n",
    );
    let text = "[[trunks]]\nname = \"a\"\nfrom = [\"192.0.2.1/32\"]\n";
    let told = from(folder.path(), text, &[]).map(|_| ()).unwrap_err();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].to_string().contains("b.toml:4: trunks[1].colour"), "{}", told[0]);
}

#[test]
fn a_secret_comes_from_its_file_and_is_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = write(folder.path(), "secret", "hunter2hunter2hunter2\n");
    let text = format!("[node]\nidentity_key = \"${{file:{}}}\"\n", secret.display());
    let loaded = from(folder.path(), &text, &[]).unwrap();
    assert_eq!(loaded.config.node.identity_key.as_ref().unwrap().reveal(), "hunter2hunter2hunter2");
    assert!(!format!("{:?}", loaded.config).contains("hunter2"));
    let told = faults("[node]\nidentity_key = \"${file:/does/not/exist}\"\n");
    assert!(told[0].starts_with("jiesu.toml:2: node.identity_key: cannot read"), "{told:?}");
    let told = faults("[node]\nidentity_key = \"short-secret\"\n");
    assert!(told.len() == 1 && !told[0].contains("short-secret"), "{told:?}");
}

#[test]
fn what_could_not_work_is_refused_before_a_port_is_bound() {
    for (text, key) in [
        ("[sip]\nlisten = [\"udp:0.0.0.0:5060\"]\n", "sip.external_address"),
        ("[sip]\nlisten = [\"tls:127.0.0.1:5061\"]\n", "sip.tls"),
        ("[sip]\nlisten = [\"sctp:127.0.0.1:5061\"]\n", "sip.listen[0]"),
        ("[sip]\nlisten = []\n", "sip.listen"),
        ("[media]\nrtp_ports = [20000, 20001]\n", "media.rtp_ports"),
        ("[[sinks]]\nname = \"a\"\nkind = \"carrier-pigeon\"\n", "sinks"),
        ("[channels.wechat_mq.a]\n", "channels.wechat_mq"),
        ("[channels.weibo.a]\n", "channels.weibo"),
        ("[[api.tokens]]\nname = \"a\"\nrole = \"reader\"\ntoken = \"short\"\n", "api.tokens[0].token"),
        ("[[agents]]\nuser = \"1001\"\nsecret = \"\"\n", "agents[0].secret"),
    ] {
        let told = faults(text);
        assert!(told.iter().any(|line| line.contains(key)), "{key}: {told:?}");
    }
}

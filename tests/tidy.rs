//! The house rules that a compiler does not know: who may depend on whom, what the pure crates may not
//! touch, what belongs beside each channel, and what must not stand in any file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Package → folder → ours it may depend on (docs/ARCHITECTURE.md). An edge more is the change that deserves
/// the longest thought.
const EDGES: [(&str, &str, &[&str]); 13] = [
    ("record", "record", &[]),
    ("gateway-sip", "gateway/sip", &[]),
    ("gateway-media", "gateway/media", &[]),
    ("gateway-call", "gateway/call", &["record"]),
    ("channels", "channels", &["record"]),
    ("asr", "asr", &["record"]),
    ("blacklist", "blacklist", &["record"]),
    ("outbox", "outbox", &["record"]),
    ("console", "console", &["record"]),
    (
        "config",
        "config",
        &[
            "record",
            "gateway-sip",
            "gateway-media",
            "gateway-call",
            "channels",
            "asr",
            "blacklist",
            "outbox",
            "console",
        ],
    ),
    (
        "gateway",
        "gateway",
        &[
            "record",
            "gateway-sip",
            "gateway-media",
            "gateway-call",
            "channels",
            "asr",
            "blacklist",
            "outbox",
            "console",
            "config",
        ],
    ),
    // The tests' own level: the fixtures' decoder, and the published schema.
    ("e2e", "tests", &["gateway", "config", "record", "asr"]),
    // The far end of RTP in load tests: a measuring instrument, foreign to all it measures.
    ("rtp-peer", "tests/load", &[]),
];

/// Crates whose time, chance and bytes come in as arguments.
const PURE: [&str; 4] = ["record", "gateway/sip", "gateway/media", "gateway/call"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn manifest(folder: &str) -> toml::Table {
    read(&format!("{folder}/Cargo.toml"))
        .parse()
        .unwrap_or_else(|error| panic!("{folder}/Cargo.toml: {error}"))
}

/// Names under `[dependencies]` and `[build-dependencies]`; those for tests alone are free.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let tables =
        ["dependencies", "build-dependencies"].into_iter().filter_map(|name| manifest.get(name)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// Every file of the project: what git tracks or would track.
fn files() -> Vec<PathBuf> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output()
        .expect("git comes with the Debian package `git`");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("UTF-8 names");
    let files: Vec<PathBuf> = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    assert!(files.len() > 100, "the project has files");
    files.into_iter().filter(|file| root().join(file).is_file()).collect()
}

/// Text files with their contents.
fn texts() -> Vec<(String, String)> {
    let text = |file: PathBuf| {
        let contents = std::fs::read(root().join(&file)).ok()?;
        Some((file.to_str()?.to_owned(), String::from_utf8(contents).ok()?))
    };
    files().into_iter().filter_map(text).collect()
}

/// Lines of Rust without what follows `//`, with file and number.
fn code_lines(texts: &[(String, String)]) -> impl Iterator<Item = (&str, usize, &str)> {
    let rust = texts.iter().filter(|(file, _)| file.ends_with(".rs"));
    rust.flat_map(|(file, text)| {
        text.lines()
            .enumerate()
            .map(move |(i, line)| (file.as_str(), i + 1, line.split("//").next().unwrap_or("")))
    })
}

#[test]
fn crates_depend_downwards_only() {
    let ours: BTreeMap<&str, &str> = EDGES.iter().map(|(name, folder, _)| (*name, *folder)).collect();
    let workspace = read("Cargo.toml").parse::<toml::Table>().unwrap();
    let members: BTreeSet<&str> = workspace["workspace"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|member| member.as_str())
        .collect();
    assert_eq!(members, ours.values().copied().collect(), "the table above names every package");
    for (name, folder, allowed) in EDGES {
        let manifest = manifest(folder);
        assert_eq!(manifest["package"]["name"].as_str(), Some(name));
        let used = dependencies(&manifest);
        for used in used.iter().filter(|used| ours.contains_key(used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{name} must not depend on {used}");
        }
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{name} takes the workspace's lints"
        );
    }
}

#[test]
fn pure_crates_know_no_runtime_clock_socket_or_thread() {
    let runtimes = [
        "tokio",
        "tokio-util",
        "axum",
        "reqwest",
        "hyper",
        "tower",
        "redis",
        "rusqlite",
        "socket2",
        "mio",
        "rustix",
    ];
    for folder in PURE {
        let used = dependencies(&manifest(folder));
        let found: Vec<&&str> = runtimes.iter().filter(|name| used.contains(**name)).collect();
        assert!(found.is_empty(), "{folder} depends on {found:?}");
    }
    let forbidden = [
        "std::net::UdpSocket",
        "std::net::TcpStream",
        "std::net::TcpListener",
        "Instant::now",
        "SystemTime::now",
        "thread::spawn",
        "thread::Builder",
        "rand::rng",
        "rand::random",
        "thread_rng",
        "std::env::var",
        "File::open",
        "File::create",
    ];
    let texts = texts();
    let tests_begin: BTreeMap<&str, usize> = texts
        .iter()
        .filter_map(|(file, text)| {
            Some((file.as_str(), text.lines().position(|line| line == "#[cfg(test)]")? + 1))
        })
        .collect();
    let mut found = Vec::new();
    for (file, line, code) in code_lines(&texts) {
        let pure = PURE.iter().any(|folder| file.starts_with(&format!("{folder}/src/")));
        // The tests at a file's end may take one real instant: it is where their virtual time begins.
        let in_tests = tests_begin.get(file).is_some_and(|begin| line > *begin);
        let allowed = |name: &str| in_tests && name == "Instant::now";
        if pure && let Some(name) = forbidden.iter().find(|name| code.contains(**name) && !allowed(name)) {
            found.push(format!("{file}:{line}: {name}"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_is_left_to_do_and_nothing_sleeps() {
    // Put together here, so that this file does not find itself.
    let forbidden = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("thread::", "sleep"),
        concat!("tokio::time::", "sleep("),
        concat!("#[ig", "nore"),
    ];
    let texts = texts();
    let mut found = Vec::new();
    for (file, line, code) in code_lines(&texts) {
        if let Some(name) = forbidden.iter().find(|name| code.contains(**name)) {
            found.push(format!("{file}:{line}: {name}"));
        }
    }
    let marks = [concat!("FIX", "ME"), concat!("XX", "X:"), concat!("TO", "DO")];
    for (file, text) in texts.iter().filter(|(file, _)| file.ends_with(".rs") || file.ends_with(".toml")) {
        for (i, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                found.push(format!("{file}:{}: {mark}", i + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_names_a_machine() {
    // Folders and hosts that exist on one machine only; written in halves for the same reason as above.
    let forbidden = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("..", "/shared"),
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("files.pythonhosted", ".org"),
        concat!("pypi", ".org"),
        concat!("proxy.golang", ".org"),
    ];
    let mut found = Vec::new();
    for (file, text) in texts().iter().filter(|(file, _)| !file.ends_with("Cargo.lock")) {
        for (i, line) in text.lines().enumerate() {
            if let Some(name) = forbidden.iter().find(|name| line.contains(**name)) {
                found.push(format!("{file}:{}: {name}", i + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn each_channel_has_its_fixtures_and_its_page() {
    let registry = read("channels/src/registry.rs");
    let folders: Vec<String> = std::fs::read_dir(root().join("channels/src"))
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| record::channel_code::digits(name).is_some())
        .collect();
    assert!(!folders.is_empty(), "there are channels");
    for code in folders {
        assert!(registry.contains(&code), "{code} is not in channels/src/registry.rs");
        assert!(root().join(format!("channels/fixtures/{code}")).is_dir(), "{code} has no fixtures");
        assert!(root().join(format!("docs/channels/{code}.md")).is_file(), "{code} has no page");
        assert!(read("docs/channels/README.md").contains(&code), "{code} is not in the list of pages");
        assert!(read("docs/config.md").contains(&code), "{code} is not in docs/config.md");
    }
}

#[test]
fn the_papers_are_there_and_name_each_other() {
    for (paper, names) in [
        ("README.md", ["README.zh-CN.md", "docs/ARCHITECTURE.md"].as_slice()),
        ("README.zh-CN.md", &["README.md", "docs/ARCHITECTURE.md"]),
        ("docs/ARCHITECTURE.md", &["adr"]),
        ("docs/sip.md", &["robustness.md"]),
        ("CHANGELOG.md", &["Unreleased"]),
    ] {
        let text = read(paper);
        for name in names {
            assert!(text.contains(name), "{paper} does not mention {name}");
        }
    }
}

#[test]
fn each_fault_of_others_is_watched_by_a_test_that_exists() {
    let paper = read("docs/robustness.md");
    let rows: Vec<&str> =
        paper.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| symptom |")).collect();
    assert!(rows.len() >= 45, "{} rows: a fault that was watched stays watched", rows.len());
    for row in rows {
        let watched = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let files: Vec<&str> = watched.split('`').skip(1).step_by(2).collect();
        assert!(!files.is_empty(), "nobody watches: {row}");
        for file in files {
            assert!(root().join(file).is_file(), "{file} is not there: {row}");
        }
    }
}

#[test]
fn decisions_are_numbered_without_gaps() {
    let mut names: Vec<String> = std::fs::read_dir(root().join("docs/adr"))
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".md") && name != "README.md")
        .collect();
    names.sort();
    for (i, name) in names.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}-", i + 1)), "{name} should be number {:04}", i + 1);
    }
    assert!(!names.is_empty());
}

#[test]
fn sound_is_what_its_manifest_says() {
    for (folder, table) in [("tests/fixtures/audio", "clip"), ("gateway/prompts", "")] {
        let manifest = read(&format!("{folder}/manifest.toml")).parse::<toml::Table>().unwrap();
        let entries: Vec<&toml::Value> = manifest
            .iter()
            .filter(|(name, _)| table.is_empty() || *name == table)
            .filter_map(|(_, value)| value.as_array())
            .flatten()
            .collect();
        let mut named = BTreeSet::new();
        for entry in entries {
            let (Some(file), Some(wanted)) = (entry.get("file"), entry.get("sha256")) else { continue };
            let file = file.as_str().unwrap();
            named.insert(file.to_owned());
            let bytes = std::fs::read(root().join(folder).join(file))
                .unwrap_or_else(|e| panic!("{folder}/{file}: {e}"));
            assert_eq!(hex::encode(Sha256::digest(bytes)), wanted.as_str().unwrap(), "{folder}/{file}");
        }
        let there: BTreeSet<String> = std::fs::read_dir(root().join(folder))
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".ogg"))
            .collect();
        assert_eq!(named, there, "{folder}: the manifest names every file");
    }
}

//! A consumer in another language: Python's `jsonschema` and `hashlib` judge what the file sink holds, by
//! the schema the gateway serves.

use std::path::{Path, PathBuf};

use e2e::wechat::ACCOUNT;
use e2e::{Rig, Settings, binary};
use tokio::process::Command;

use crate::people::{caller, is_refused};

/// RFC 8785 for what a record holds (no floats), then the rule of the schema: everything but digest and signature.
const JUDGE: &str = r#"
import hashlib, json, sys
import jsonschema
schema = json.load(open(sys.argv[1], encoding="utf-8"))
validator = jsonschema.Draft202012Validator(schema)
validator.check_schema(schema)
count = 0
for line in open(sys.argv[2], encoding="utf-8"):
    record = json.loads(line)
    validator.validate(record)
    bare = json.loads(line)
    digest = bare["integrity"].pop("digest")
    bare["integrity"].pop("signature", None)
    text = json.dumps(bare, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest(), "digest"
    count += 1
print(count)
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_calls_and_messages() {
    let settings = Settings::default()
        .sections(&ACCOUNT.section())
        .lists("block,number,138-4710-0001,无理纠缠,2099-12-31,,");
    let rig = Rig::start(settings).await;
    is_refused(caller(&rig), 603).await;
    let text = "<xml>&\u{8}表情😀 \"引号\" \\ 换行\n结束";
    assert_eq!(rig.deliver(&ACCOUNT, &ACCOUNT.text("oUser", 1, text)).await.0, 200);
    rig.records_at_least(2).await;
    let schema = rig.folder().join("schema.json");
    std::fs::write(&schema, rig.api("/api/v1/schemas/intake-record").await.to_string()).unwrap();
    let judged = Command::new(python().await)
        .args(["-c", JUDGE])
        .arg(&schema)
        .arg(rig.data().join("records.jsonl"))
        .output()
        .await
        .unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    assert_eq!(String::from_utf8_lossy(&judged.stdout).trim(), "2");
}

/// A Python that has `jsonschema`: the system's, or a virtual environment under `target/`.
async fn python() -> PathBuf {
    let has_it = async |python: &Path| {
        let tried = Command::new(python).args(["-c", "import jsonschema"]).output().await;
        tried.is_ok_and(|tried| tried.status.success())
    };
    let folder = binary::workspace().join("target/python-jsonschema");
    let own = folder.join("bin/python3");
    for python in [PathBuf::from("python3"), own.clone()] {
        if has_it(&python).await {
            return python;
        }
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output().await;
    let made = made.expect("python3 comes with the Debian package `python3`");
    assert!(made.status.success(), "a virtual environment needs the Debian package `python3-venv`");
    let installed = Command::new(&own).args(["-m", "pip", "install", "--quiet", "jsonschema"]).output().await;
    let installed = installed.expect("the new environment has pip");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    own
}

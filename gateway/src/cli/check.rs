//! `jiesu check`: every fault of the configuration at once.

use config::{Fault, LoadOptions};
use serde_json::json;

use super::{BAD_CONFIG, Common, OK, Screen};

/// Reads the configuration as `serve` would, and the list file with it.
pub fn run(common: &Common, screen: &Screen) -> u8 {
    let options = LoadOptions::from_process(common.config.clone(), common.data.clone());
    let loaded = match config::load(&options) {
        Ok(loaded) => loaded,
        Err(faults) => {
            show_faults(screen, &faults);
            return BAD_CONFIG;
        }
    };
    let unknown = crate::calls::prompts::unknown(&loaded.config);
    if !unknown.is_empty() {
        let fault = |(key, id): &(String, String)| Fault::new(None, key.clone(), prompt_fault(id));
        show_faults(screen, &unknown.iter().map(fault).collect::<Vec<_>>());
        return BAD_CONFIG;
    }
    let numbers = crate::calls::number_context(&loaded.config);
    let mut warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    match blacklist::Lists::open(loaded.config.lists.clone(), &numbers) {
        Ok((_, report)) => warnings.extend(
            report.warnings.iter().map(|warning| format!("lists.file:{}: {}", warning.line, warning.message)),
        ),
        Err(blacklist::ListsError::Import { faults, .. }) => {
            let fault = |fault: &blacklist::ImportError| {
                let at = format!("lists.file:{} ({})", fault.line, fault.column);
                Fault::new(None, at, fault.message.clone())
            };
            show_faults(screen, &faults.iter().map(fault).collect::<Vec<_>>());
            return BAD_CONFIG;
        }
        Err(error) => {
            show_faults(screen, &[Fault::new(None, "lists.file", error.to_string())]);
            return BAD_CONFIG;
        }
    }
    let source = loaded.file.as_ref().map(|path| path.display().to_string());
    if screen.is_json() {
        screen.json(&json!({ "ok": true, "file": source, "faults": [], "warnings": warnings }));
        return OK;
    }
    for warning in &warnings {
        screen.line(format!("{} {warning}", screen.yellow(screen.say("提醒", "warning"))));
    }
    let source = source.unwrap_or_else(|| screen.say("内置默认配置", "the embedded defaults").into());
    screen.line(format!("{} {source}", screen.green(screen.say("配置正确：", "configuration is good:"))));
    OK
}

fn prompt_fault(id: &str) -> String {
    format!(
        "no prompt `{id}`: it is neither shipped nor a file of prompts.folder (wav, ogg, mp3, flac) / \
         没有这个提示音：既非内置，也不在 prompts.folder 中"
    )
}

/// Prints faults, each with file, line and key path.
pub fn show_faults(screen: &Screen, faults: &[Fault]) {
    if screen.is_json() {
        let faults: Vec<_> = faults
            .iter()
            .map(|fault| {
                json!({ "at": fault.origin.as_ref().map(ToString::to_string), "key": fault.path, "message": fault.message })
            })
            .collect();
        return screen.json(&json!({ "ok": false, "faults": faults }));
    }
    let count = faults.len();
    for fault in faults {
        screen.fault("E-CFG-0001", "配置有误", "configuration fault", &fault.to_string());
    }
    screen.tell(format!("共 {count} 处错误。"), format!("{count} fault(s)."));
}

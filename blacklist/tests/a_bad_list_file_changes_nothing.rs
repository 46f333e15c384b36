//! Import: every fault at once with its line, in both forms; and a bad file never takes effect.

mod support;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use blacklist::{Format, ImportError, Lists, ListsConfig, ListsError};
use record::{Decision, ListName};
use support::{HEADER, caller, hohhot, load, now};

/// The (line, column) of every fault; no message repeats a cell.
#[track_caller]
fn faults_of(text: &str, format: Format) -> Vec<(u32, &'static str)> {
    match Lists::from_text(text, format, ListsConfig::default(), &hohhot()) {
        Err(ListsError::Import { faults, total }) => {
            assert_eq!(total, faults.len());
            faults
                .iter()
                .map(|fault: &ImportError| {
                    assert!(
                        !fault.to_string().contains("SECRET") && !fault.message.contains("1391234"),
                        "{fault}"
                    );
                    (fault.line, fault.column)
                })
                .collect()
        }
        Err(other) => panic!("{other}"),
        Ok((lists, _)) => panic!("taken: {lists:?}"),
    }
}

fn refuses(lists: &Lists, number: &str) -> bool {
    lists.check(&caller(number), now()).decision == Decision::Refuse
}

#[test]
fn all_faults_of_a_csv_are_told_with_their_lines() {
    let rows = "block,number,13912345678,骚扰,,,2027-01-01,,,,\n\
                blok,number,SECRET,骚扰,,,,,,,\n\
                # a remark\n\
                \n\
                block,number,SECRET,,limit,2027-13-01,yesterday,npc_deputy,,,\n\
                allow,number,13912345678,,reject,2027-01-02,2027-01-01,,,,\n\
                representative,prefix,+86471,,,,,mayor,village,,\n\
                block,prefix,0471,骚扰,,,,,,,\n\
                block,prefix,139,骚扰,,,,,,,\n\
                block,network,0.0.0.0/0,骚扰,,,,,,,\n\
                block,withheld,all,骚扰,,,,,,,\n\
                block,channel_user,SECRET:1,骚扰,,,,,,,\n\
                block,email,SECRET,骚扰,,,,,,,\n\
                block,number,13912345678\n";
    let expected = [
        (3, "list"),
        (3, "value"),
        (6, "value"),
        (6, "effect"),
        (6, "valid_from"),
        (6, "valid_until"),
        (6, "representative_kind"),
        (6, "reason"),
        (7, "effect"),
        (7, "valid_until"),
        (8, "kind"),
        (8, "level"),
        (8, "representative_kind"),
        (9, "value"),
        (10, "value"),
        (11, "value"),
        (12, "value"),
        (13, "value"),
        (14, "value"),
        (15, "-"),
    ];
    let text = format!("{HEADER}{rows}");
    assert_eq!(faults_of(&text, Format::Csv), expected);
    // The same file from a spreadsheet.
    assert_eq!(faults_of(&format!("\u{feff}{}", text.replace('\n', "\r\n")), Format::Csv), expected);
}

#[test]
fn a_header_is_checked_by_name() {
    assert_eq!(faults_of("", Format::Csv), [(1, "-")]);
    assert_eq!(faults_of("list,kind\n", Format::Csv), [(1, "value")]);
    assert_eq!(faults_of("list,kind,value,list,SECRET\n", Format::Csv), [(1, "-"), (1, "list")]);
    // Any order, only what is needed.
    let (lists, report) = load("value,list,kind\n95588,watch,number\n").unwrap();
    assert_eq!(lists.status().by_list[4], (ListName::Watch, 1));
    assert_eq!(report.entries(), 1);
}

#[test]
fn quotes_crlf_and_a_byte_order_mark_are_read() {
    let text = "\u{feff}list,kind,value,reason,valid_until\r\n\"block\",number,\" 13912345678 \",\"骂人, \"\"多次\"\"\",2027-01-01\r\n";
    let (lists, report) = load(text).unwrap();
    assert_eq!(report.warnings, []);
    let verdict = lists.check(&caller("13912345678"), now());
    assert_eq!(verdict.entries[0].reason.as_deref(), Some("骂人, \"多次\""));
    assert_eq!(verdict.entries[0].entry, "line:2");
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let whole = format!("{HEADER}block,number,13912345678,骚扰,,,2027-01-01,,,,\n");
    assert_eq!(faults_of(whole.trim_end(), Format::Csv), [(2, "-")]);
    // An unclosed quote would swallow the lines below it.
    let quote =
        format!("{HEADER}block,number,13912345678,\"骚扰,,,,,,,\nblock,number,13900000001,骚扰,,,,,,,\n");
    assert!(!faults_of(&quote, Format::Csv).is_empty());
    assert_eq!(faults_of("", Format::Toml), [(1, "format")]);
    assert_eq!(faults_of("format = 1\n[[entry]]\nlist = \"blo", Format::Toml), [(3, "-")]);
}

#[test]
fn gbk_is_named_as_the_likely_mistake() {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    let mut bytes = b"list,kind,value,reason\nblock,number,13912345678,".to_vec();
    bytes.extend_from_slice(b"\xc9\xa7\xc8\xc5\n"); // 骚扰 in GBK
    fs::write(file.path(), bytes).unwrap();
    let config = ListsConfig { file: Some(file.path().to_owned()), ..ListsConfig::default() };
    let error = Lists::open(config, &hohhot()).unwrap_err();
    assert!(matches!(error, ListsError::Encoding { line: 2 }), "{error}");
    assert!(error.to_string().contains("GB18030"));
}

#[test]
fn the_toml_form_has_the_same_columns() {
    let text = "format = 1\n\n[[entry]]\nlist = \"block\"\nkind = \"number\"\nvalue = \"13912345678\"\n\
                reason = \"骚扰\"\nvalid_from = 2026-11-01\nvalid_until = 2026-12-31T18:00:00+08:00\nref = \"案-7\"\n";
    let (lists, report) = Lists::from_text(text, Format::Toml, ListsConfig::default(), &hohhot()).unwrap();
    assert_eq!(report.warnings, []);
    assert!(refuses(&lists, "13912345678"));
    assert_eq!(lists.check(&caller("13912345678"), now()).entries[0].entry, "案-7");

    let bad = "format = 2\nextra = 1\n[[entry]]\nlist = \"block\"\nvalue = 13912345678\n\n[[entry]]\nlist = \"blok\"\n\
               kind = \"number\"\nvalue = \"SECRET\"\nphone = \"SECRET\"\n\n[[entry]]\nlist = \"blok\"\nkind = \"withheld\"\n";
    let mut faults = faults_of(bad, Format::Toml);
    faults.sort_unstable();
    assert_eq!(faults, [(1, "format"), (1, "format"), (2, "-"), (5, "value"), (11, "-"), (13, "list")]);
}

#[test]
fn an_endless_block_and_a_contradiction_are_warned_about() {
    let rows = "block,number,13912345678,骚扰,,,,,,,\n\
                block,number,13900000001,骚扰,,,2027-01-01,,,,\n\
                representative,number,+8613900000001,,,,,npc_deputy,,,\n";
    let (_, report) = load(&format!("{HEADER}{rows}")).unwrap();
    let lines: Vec<u32> = report.warnings.iter().map(|w| w.line).collect();
    assert_eq!((lines.as_slice(), report.warnings_total), ([2, 3].as_slice(), 2));
}

#[test]
fn bounds_hold() {
    let mut many = HEADER.to_owned();
    for _ in 0..300 {
        many.push_str("blok,number,13912345678,,,,,,,,\n");
    }
    match load(&many) {
        Err(ListsError::Import { faults, total }) => assert_eq!((faults.len(), total), (100, 300)),
        other => panic!("{other:?}"),
    }
    let config = ListsConfig { max_entries: 1, ..ListsConfig::default() };
    let two = format!("{HEADER}watch,number,95588,,,,,,,,\nwatch,number,95533,,,,,,,,\n");
    assert!(matches!(
        Lists::from_text(&two, Format::Csv, config, &hohhot()),
        Err(ListsError::Import { total: 1, .. })
    ));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lists.csv");
    fs::write(&file, &two).unwrap();
    let small = ListsConfig { file: Some(file.clone()), max_file: 10, ..ListsConfig::default() };
    assert!(matches!(Lists::open(small, &hohhot()), Err(ListsError::TooLarge { max_bytes: 10 })));
    for (name, expected) in [("lists.txt", "ends in .toml or .csv"), ("none.csv", "none.csv"), ("", "csv")] {
        let config = ListsConfig { file: Some(directory.path().join(name)), ..ListsConfig::default() };
        assert!(Lists::open(config, &hohhot()).unwrap_err().to_string().contains(expected), "{name}");
    }
}

fn block(number: &str) -> String {
    format!("{HEADER}block,number,{number},骚扰,,,2027-01-01,,,,\n")
}

#[test]
fn a_bad_file_keeps_the_old_lists_until_it_is_mended() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lists.csv");
    fs::write(&file, block("13912345678")).unwrap();
    let config = ListsConfig { file: Some(file.clone()), ..ListsConfig::default() };
    let (lists, first) = Lists::open(config, &hohhot()).unwrap();
    let same = lists.clone();
    assert_eq!(lists.reload_if_changed().unwrap(), None);

    for bad in
        [String::new(), block("13900000001").trim_end().to_owned(), format!("{}x\n", block("13900000001"))]
    {
        fs::write(&file, bad).unwrap();
        assert!(lists.reload_if_changed().is_err());
        assert!(lists.status().failure.is_some());
        assert_eq!(lists.status().policy, first.policy);
        assert!(refuses(&same, "13912345678") && !refuses(&same, "13900000001"));
        assert_eq!(lists.reload_if_changed().unwrap(), None, "the same bad content is told once");
        assert!(lists.reload().is_err(), "but an explicit reload tells it again");
    }
    fs::remove_file(&file).unwrap();
    assert!(matches!(lists.reload_if_changed(), Err(ListsError::Read { .. })));
    assert!(refuses(&same, "13912345678"));

    let new = directory.path().join("new");
    fs::write(&new, block("13900000001")).unwrap();
    fs::rename(&new, &file).unwrap();
    let report = lists.reload_if_changed().unwrap().unwrap();
    assert_ne!(report.policy, first.policy);
    assert_eq!((lists.status().policy, lists.status().failure), (report.policy, None));
    assert!(!refuses(&same, "13912345678") && refuses(&same, "13900000001"));
}

#[test]
fn a_replaced_file_takes_effect_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lists.csv");
    fs::write(&file, block("13912345678")).unwrap();
    let config = ListsConfig { file: Some(file.clone()), ..ListsConfig::default() };
    let (lists, _) = Lists::open(config, &hohhot()).unwrap();
    let (heard, reloads) = mpsc::channel();
    let watch = lists.watch(move |result| heard.send(result.is_ok()).unwrap()).unwrap().unwrap();
    let next = || reloads.recv_timeout(Duration::from_secs(30)).unwrap();

    for (text, good) in
        [(block("13900000001"), true), ("broken\n".to_owned(), false), (block("13900000002"), true)]
    {
        let new = directory.path().join("lists.csv.tmp");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &file).unwrap();
        assert_eq!(next(), good);
    }
    assert!(refuses(&lists, "13900000002") && !refuses(&lists, "13900000001"));
    drop(watch);
    assert!(reloads.recv().is_err(), "a dropped watch has ended");
}

#[test]
fn without_a_file_everybody_is_admitted() {
    let (lists, report) = Lists::open(ListsConfig::default(), &hohhot()).unwrap();
    assert_eq!(report.entries(), 0);
    assert!(lists.watch(|_| {}).unwrap().is_none());
    assert!(matches!(lists.reload(), Err(ListsError::NoFile)));
    assert_eq!(lists.check(&caller("13912345678"), now()), record::Verdict::admitted());
    assert_eq!(Lists::empty().check(&caller("13912345678"), now()), record::Verdict::admitted());
}

//! Nanoseconds per check and bytes per entry with a million exact entries. Run: `cargo bench -p blacklist`.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::alloc::System;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use blacklist::{Format, Lists, ListsConfig};
use record::{Caller, NumberContext, Presentation, Timestamp, Trust, number};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CHECKS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` only wants to know that it runs.
    let entries: u64 = if std::env::args().any(|arg| arg == "--bench") { 1_000_000 } else { 10_000 };
    let context = NumberContext { area_code: "0471".into(), service_lines: vec!["12345".into()] };
    let mut text = "list,kind,value,reason,valid_until\n".to_owned();
    for i in 0..entries {
        writeln!(text, "block,number,{},骚扰,2030-01-01", mobile(2 * i))?;
    }
    let before = Region::new(ALLOCATOR);
    let started = Instant::now();
    let (lists, report) = Lists::from_text(&text, Format::Csv, ListsConfig::default(), &context)?;
    let loaded = started.elapsed();
    let change = before.change();
    let held = change.bytes_allocated.saturating_sub(change.bytes_deallocated) as u64;
    println!("load        {} entries in {loaded:.2?}, {} bytes each", report.entries(), held / entries);

    let now = Timestamp::from_unix_ms(1_795_000_000_000);
    for (name, offset) in [("unlisted", 1), ("listed", 0)] {
        // A stride that is prime to the number of entries visits them out of order.
        let callers: Vec<Caller> =
            (0..4096).map(|i| caller(&mobile(2 * (i * 244_140_611 % entries) + offset), &context)).collect();
        let mut took: Vec<u128> = Vec::with_capacity(CHECKS as usize);
        for i in 0..CHECKS {
            let Some(caller) = callers.get((i % 4096) as usize) else { continue };
            let started = Instant::now();
            black_box(lists.check(black_box(caller), now));
            took.push(started.elapsed().as_nanos());
        }
        took.sort_unstable();
        let at = |share: usize| took.get(took.len() * share / 1000).copied().unwrap_or(0);
        println!(
            "{name:<11} p50 {} ns, p99 {} ns, p99.9 {} ns per check (with the clock)",
            at(500),
            at(990),
            at(999)
        );
    }
    Ok(())
}

/// Spread over all mobile ranges.
fn mobile(i: u64) -> String {
    format!("1{:010}", 3_000_000_000 + i * 3_001 % 7_000_000_000)
}

fn caller(digits: &str, context: &NumberContext) -> Caller {
    Caller {
        number: Some(number::normalise(digits, context)),
        presentation: Presentation::Allowed,
        trust: Trust::NetworkAsserted,
        ..Caller::unknown()
    }
}

//! Fuzzing without nightly, without coverage: seeds changed at random for a bounded time.
//!
//!     mutate TARGET|all SECONDS [SEED]
//!     mutate TARGET FILE           one input again, and how long it took
//!     mutate --targets             their names, each followed by the folders of its seeds
//!
//! An input that panics, or takes longer than a second each time it is tried, is written to `artifacts/TARGET/`;
//! the other targets still run, and the end is status 1.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use jiesu_fuzz::{TARGETS, Target, seed_folders};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};

/// As long as a datagram can be.
const LONGEST: usize = 64 << 10;
/// A parser linear in its input is far below, in a debug build on a slow machine, too; one that is not is above
/// for an input filled up with repetitions.
const SLOW: Duration = Duration::from_secs(1);
/// A busy machine may halt us for seconds: only what is slow so often is slow.
const ATTEMPTS: u32 = 3;
/// What parsers look for; a random byte would rarely be one of them.
const WORDS: [&[u8]; 30] = [
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\0",
    b";",
    b",",
    b"<",
    b">",
    b"\"",
    b"\\",
    b"\\\"",
    b":",
    b"::",
    b"@",
    b"=",
    b"%00",
    b"%",
    b"[",
    b"]",
    b"*",
    b" ",
    b"\t",
    b"-1",
    b"4294967296",
    b"18446744073709551616",
    b"\xff\xff",
    b"\xd5\x5c",
    b"SIP/2.0",
    b"Content-Length: 9",
    b"]]>",
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "--targets") {
        for (name, _) in TARGETS {
            let folders: Vec<String> =
                seed_folders(name).iter().map(|folder| folder.display().to_string()).collect();
            println!("{name} {}", folders.join(" "));
        }
        return ExitCode::SUCCESS;
    }
    let (Some(name), Some(what)) = (arguments.next(), arguments.next()) else {
        eprintln!("mutate TARGET|all SECONDS [SEED]\nmutate TARGET FILE\nmutate --targets");
        return ExitCode::from(2);
    };
    let chosen: Vec<Target> =
        TARGETS.into_iter().filter(|(known, _)| name == "all" || name == *known).collect();
    if chosen.is_empty() {
        eprintln!("no target {name}; there are {:?}", TARGETS.map(|(known, _)| known));
        return ExitCode::from(2);
    }
    let Ok(seconds) = what.parse() else { return again(&chosen, Path::new(&what)) };
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let seed = arguments.next().and_then(|text| text.parse().ok()).unwrap_or_else(clock);
    let share = Duration::from_secs(seconds) / chosen.len() as u32;
    let mut status = ExitCode::SUCCESS;
    for target in chosen {
        if let Err(found) = run(target, share, seed) {
            eprintln!("{}: {} (seed {seed})", target.0, found.display());
            status = ExitCode::FAILURE;
        }
    }
    status
}

/// A finding once more; a panic is let through, for its message and where it was.
fn again(targets: &[Target], file: &Path) -> ExitCode {
    let input = match std::fs::read(file) {
        Ok(input) => input,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    for (name, target) in targets {
        let begin = Instant::now();
        target(&input);
        println!("{name}: {} bytes in {:.3} s", input.len(), begin.elapsed().as_secs_f64());
    }
    ExitCode::SUCCESS
}

fn run((name, target): Target, time: Duration, seed: u64) -> Result<(), PathBuf> {
    let seeds = seeds(name);
    let mut random = SmallRng::seed_from_u64(seed);
    let begin = Instant::now();
    let mut count = 0_u64;
    let mut slowest = Duration::ZERO;
    for seed in &seeds {
        slowest = slowest.max(attempt(name, target, seed)?);
    }
    while begin.elapsed() < time {
        slowest = slowest.max(attempt(name, target, &mutate(&mut random, &seeds))?);
        count += 1;
    }
    println!(
        "{name}: {count} inputs from {} seeds in {:.0} s, the slowest {} ms, seed {seed}",
        seeds.len(),
        begin.elapsed().as_secs_f64(),
        slowest.as_millis()
    );
    Ok(())
}

/// Gives how long it took, or where the finding lies.
fn attempt(name: &str, target: fn(&[u8]), input: &[u8]) -> Result<Duration, PathBuf> {
    let mut kind = "slow";
    for _ in 0..ATTEMPTS {
        let begin = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
            kind = "crash";
            break;
        }
        let took = begin.elapsed();
        if took < SLOW {
            return Ok(took);
        }
    }
    let folder = root().join("artifacts").join(name);
    let path = folder.join(format!("{kind}-{:016x}", fnv(input)));
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, input))
        .expect("artifacts can be written");
    Err(path)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = seed_folders(name)
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())))
        .collect();
    files.sort();
    let mut seeds: Vec<Vec<u8>> = files.iter().filter_map(|file| std::fs::read(file).ok()).collect();
    for (file, seed) in files.iter().zip(&mut seeds) {
        // Fixtures have the line ends of the repository; on the wire it is CRLF.
        if file.extension().is_some_and(|extension| extension == "sip") {
            *seed = String::from_utf8_lossy(seed).replace('\n', "\r\n").into_bytes();
        }
    }
    seeds.push(Vec::new());
    seeds
}

fn mutate(random: &mut SmallRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds.choose(random).cloned().unwrap_or_default();
    if random.random_ratio(1, 256) {
        fill(random, &mut input);
    }
    for _ in 0..random.random_range(1..=8) {
        let at = random.random_range(0..=input.len());
        let until = (at + random.random_range(0..=16)).min(input.len());
        match random.random_range(0..8) {
            0 if at < input.len() => input[at] = random.random(),
            1 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            2 => drop(input.drain(at..until)),
            3 => {
                let piece = input[at..until].repeat(random.random_range(1..=64));
                input.splice(at..at, piece);
            }
            4 => {
                let word = WORDS.choose(random).copied().unwrap_or_default();
                input.splice(at..until.min(at + word.len()), word.iter().copied());
            }
            5 => {
                let word = WORDS.choose(random).copied().unwrap_or_default();
                input.splice(at..at, word.iter().copied());
            }
            6 => input.truncate(at),
            _ => {
                let other = seeds.choose(random).map_or(&[][..], Vec::as_slice);
                let from = random.random_range(0..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
        input.truncate(LONGEST);
    }
    input
}

/// Repeats a piece until the input is as long as it may be: whoever looks at everything again for each of many
/// is found by the time it takes.
fn fill(random: &mut SmallRng, input: &mut Vec<u8>) {
    let at = random.random_range(0..=input.len());
    let piece = if random.random() {
        WORDS.choose(random).copied().unwrap_or_default().to_vec()
    } else {
        input[at..(at + random.random_range(1..=32)).min(input.len())].to_vec()
    };
    if let Some(times) = LONGEST.saturating_sub(input.len()).checked_div(piece.len()) {
        input.splice(at..at, piece.repeat(times));
    }
}

/// FNV-1a: a name for a file.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

//! `jiesu`: the gateway's binary. Everything is in the library; here only the exit status is made.

use std::process::ExitCode;

/// A fifth of a call's cost was the C library's allocator, and half of an idle dialog its fragments.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gateway::cli::main()
}

//! `jiesu`: the gateway's binary. Everything is in the library; here only the exit status is made.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::cli::main()
}

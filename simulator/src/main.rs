//! `d1sim`, the D1 sandbox.

use std::process::ExitCode;

fn main() -> ExitCode {
    d1_simulator::cli::main()
}

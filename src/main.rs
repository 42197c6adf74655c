//! The `gen404` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    gen404::commands::main(std::env::args_os())
}

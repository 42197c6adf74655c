//! The `gen404` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    give_back_what_is_freed();
    gen404::commands::main(std::env::args_os())
}

/// Many threads take turns at drawing large models. By default glibc's allocator keeps what each of them
/// has freed: 730 MiB where 200 are in use. With a fixed bound, larger blocks go back to the system at once.
fn give_back_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "the allocator's settings have no safe interface")]
    // SAFETY: sets one number of the allocator, before there is another thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

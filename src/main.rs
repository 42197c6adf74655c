//! The `gen404` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    set_up_the_allocator();
    gen404::commands::main(std::env::args_os())
}

/// Caps the memory that glibc's allocator holds on to. Many threads take turns drawing large models, and by default
/// each keeps what it has freed: 730 MiB held where 200 MiB are in use. Fixed thresholds return larger blocks to the
/// system at once. For smaller ones, such as a view's images, a few megabytes stay at hand instead of a few pages,
/// which saves `verify` 9 000 of 23 000 page faults and `render` of a small model a twentieth of its time. Two arenas
/// instead of one per thread: each reserves 64 MiB of address space, which `ulimit -v` may limit.
fn set_up_the_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "the allocator's settings have no safe interface")]
    // SAFETY: `mallopt` sets four allocator parameters, and no other thread exists yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_TOP_PAD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 8 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

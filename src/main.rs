//! The `gen404` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    set_up_the_allocator();
    gen404::commands::main(std::env::args_os())
}

/// Many threads take turns at drawing large models. By default glibc's allocator keeps what each of them
/// has freed: 730 MiB where 200 are in use. With fixed bounds, larger blocks go back to the system at once.
/// Of smaller ones, a view's pictures among them, it keeps a few megabytes at hand, not a few pages that go
/// back and forth: `verify` then has 9 000 page faults less, of 23 000, and `render` of a small model takes
/// a twentieth less time. Two arenas, where by default each thread has one: an arena takes 64 MiB
/// of address space, of which a limit (`ulimit -v`) may leave little.
fn set_up_the_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "the allocator's settings have no safe interface")]
    // SAFETY: sets four numbers of the allocator, before there is another thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_TOP_PAD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 8 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

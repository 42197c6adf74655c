# Short names for what CONTRIBUTING.md describes: `just`, `just test`, `just bench verify` ...

# Lists these.
default:
    @just --list --unsorted

# What all of them need: the parts of the toolchain, and the crates.
setup:
    rustup component add clippy rustfmt
    cargo fetch --locked

# The program and the tests: one build.
test *filter:
    cargo test --locked {{ filter }}

# What has to pass before a change lands: fast, lands or full.
ci lane="fast":
    .ci/run {{ lane }}

# `verify` or `preview`.
bench what="verify": dist
    GEN404_BIN=target/dist/gen404 cargo bench --locked -p gen404-benches --bench {{ what }}

# `model` or `picture`, for some seconds; needs cargo-fuzz.
fuzz what="model" seconds="600":
    scripts/fuzz {{ what }} {{ seconds }}

# Man pages and completions after a change to src/cli.rs; then the crates' documentation.
docs:
    scripts/generate
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# The pages of docs/ as a book, in target/book; needs mdbook.
book:
    scripts/book

# The program as it is released.
dist:
    cargo build --locked --profile dist

# A release: static programs in archives, sums, bill of materials; see CONTRIBUTING.md.
release:
    scripts/release

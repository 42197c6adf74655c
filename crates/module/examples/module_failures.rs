//! Checks modules: one JSON string a line in, one JSON array of failures a line out.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for comparing with another implementation")]

fn main() {
    for line in std::io::stdin().lines() {
        let source: String = serde_json::from_str(&line.unwrap()).unwrap();
        let failures = gen404_module::check(source.as_bytes()).unwrap();
        println!("{}", serde_json::to_string(&failures).unwrap());
    }
}

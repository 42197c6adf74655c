//! A whole `download` under the rule for public addresses, nothing lifted, over real sockets and a real
//! name server: in a network of its own, where public addresses are this machine's.

use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::cdn::{Cdn, Serve, blank_glb};
use crate::hostile_cdns::untrusted;
use crate::round::{IMPATIENT, download, hotkey, round, stage, stem, submitted};
use crate::support::skipped;

const INSIDE: &str = "GEN404_TEST_OWN_NETWORK";
const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const PROMPTS: usize = 3;

/// Makes the network, and runs a command in it; `$1` is a `resolv.conf`, `$2` an `nsswitch.conf`.
const IN_OWN_NETWORK: &str = "set -e
    ip link set lo up
    for address in 93.184.215.14 169.254.169.254 10.0.0.7; do ip address add $address/32 dev lo; done
    mount --bind \"$1\" /etc/resolv.conf
    mount --bind \"$2\" /etc/nsswitch.conf
    shift 2
    exec \"$@\"";

#[test]
fn only_public_addresses_are_connected_to_in_a_whole_run() {
    if std::env::var_os(INSIDE).is_some() {
        return whole_run();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let (resolver, switch) =
        (file("resolv.conf", "nameserver 127.0.0.1\n"), file("nsswitch.conf", "hosts: files dns\n"));
    let in_own_network = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--net", "--mount", "sh", "-c", IN_OWN_NETWORK, "sh"]);
        unshare.args([&resolver, &switch]).args(command).env(INSIDE, "1").output()
    };
    match in_own_network(&["true"]) {
        Ok(made) if made.status.success() => {}
        Ok(made) => return skipped(&format!("no network of its own: {}", String::from_utf8_lossy(&made.stderr))),
        Err(e) => return skipped(&format!("no network of its own: unshare: {e}")),
    }
    let this = std::env::current_exe().unwrap();
    let test = "public_network::only_public_addresses_are_connected_to_in_a_whole_run";
    let inside = in_own_network(&[this.to_str().unwrap(), "--exact", test, "--nocapture"]).unwrap();
    let said = [inside.stdout, inside.stderr].concat();
    assert!(inside.status.success(), "{}", String::from_utf8_lossy(&said));
    assert!(String::from_utf8_lossy(&said).contains("1 passed"), "the test inside did not run");
}

/// What a miner's server does, at which host, and what is recorded of its files (nothing: they are stored).
struct Miner {
    kind: &'static str,
    host: String,
    recorded: &'static str,
}

fn miners(port: u16, tls: u16) -> Vec<Miner> {
    let public = format!("http://{PUBLIC}:{port}");
    let miner = |kind, host: &str, recorded| Miner { kind, host: host.to_owned(), recorded };
    vec![
        miner("good", &public, ""),
        miner("named", &format!("http://cdn.example.org:{port}"), ""),
        miner("to-loopback", &public, "127.0.0.1 is not a public address"),
        miner("to-metadata", &public, "169.254.169.254 is not a public address"),
        miner("to-mapped", &public, "::ffff:127.0.0.1 is not a public address"),
        miner("to-private-name", &public, "inside.example.org resolves to 10.0.0.7"),
        miner("private-name", "http://inside.example.org", "inside.example.org resolves to 10.0.0.7"),
        miner("mixed-name", &format!("http://mixed.example.org:{port}"), "mixed.example.org resolves to 127.0.0.1"),
        miner("fickle-name", &format!("http://fickle.example.org:{port}"), "fickle.example.org resolves to 127.0.0.1"),
        miner("no-name", "http://nowhere.example.org", "failed to lookup"),
        miner("untrusted", &format!("https://{PUBLIC}:{tls}"), "certificate"),
        miner("201-mib", &public, "longer than 209715200 bytes"),
        miner("201-mib-unsaid", &public, "longer than 209715200 bytes"),
        miner("gzip-bomb", &public, "encoded (gzip)"),
        miner("gzip-in-transfer", &public, "encoded in transfer (gzip)"),
    ]
}

fn behave(path: &str, port: u16, bomb: &[u8]) -> Serve {
    let redirect = |to: String| Serve::Status(302, format!("Location: {to}\r\n"));
    let closing = |head: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        Serve::Raw([head.as_bytes(), body].concat())
    };
    match path.split('/').nth(1).unwrap() {
        "to-loopback" => redirect(format!("http://127.0.0.1:{port}/canary.glb")),
        "to-metadata" => redirect("http://169.254.169.254/latest/meta-data/".to_owned()),
        "to-mapped" => redirect(format!("http://[::ffff:127.0.0.1]:{port}/canary.glb")),
        "to-private-name" => redirect("http://inside.example.org/canary.glb".to_owned()),
        // The next file needs a connection of its own, and the name another look.
        "fickle-name" => closing("", &blank_glb(path)),
        "201-mib" => Serve::Long(201 << 20, true),
        "201-mib-unsaid" if path.ends_with("00aa.glb") => Serve::Long(201 << 20, false),
        "201-mib-unsaid" => Serve::Status(404, String::new()),
        "gzip-bomb" => closing("Content-Encoding: gzip\r\n", bomb),
        // Said to be the transfer's, it is not unpacked either.
        "gzip-in-transfer" => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned();
            let size = format!("{:x}\r\n", bomb.len());
            Serve::Raw([head.as_bytes(), size.as_bytes(), bomb, b"\r\n0\r\n\r\n"].concat())
        }
        _ => Serve::File(blank_glb(path)),
    }
}

/// 64 MiB of zeros as gzip: some sixty kilobytes.
fn bomb() -> Vec<u8> {
    let zeros = miniz_oxide::deflate::compress_to_vec(&vec![0; 64 << 20], 1);
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], zeros.as_slice()].concat()
}

fn whole_run() {
    name_server();
    let canaries: Vec<Cdn> = [(METADATA, 80), (PRIVATE, 80)]
        .map(|(ip, port)| Cdn::start_at(&format!("{ip}:{port}"), |path, _| Serve::File(blank_glb(path))))
        .into();
    // The same port on both: what is refused would be answered.
    let loopback = Cdn::start_at("127.0.0.1:0", |path, _| Serve::File(blank_glb(path)));
    let port = loopback.address.port();
    let bomb = bomb();
    let cdn = Cdn::start_at(&format!("{PUBLIC}:{port}"), move |path, _| behave(path, port, &bomb));
    let (tls, taken) = untrusted(&PUBLIC.to_string());
    for address in canaries.iter().chain([&loopback, &cdn]).map(|server| server.address) {
        TcpStream::connect(address).unwrap_or_else(|e| panic!("{address}: {e}"));
    }
    let miners = miners(port, tls);
    let cdns: Vec<String> = miners.iter().map(|miner| format!("{}/{}", miner.host, miner.kind)).collect();
    let folder = round(&cdns, PROMPTS);
    strict(folder.path());
    let begun = Instant::now();
    let run = download(folder.path(), &["--json", "-v"]).ends(0);
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    assert_eq!(stage(folder.path()), "duels");
    let report = run.json();
    for (n, Miner { kind, recorded, .. }) in miners.iter().enumerate() {
        let n = u8::try_from(n).unwrap();
        let (entries, said) = (submitted(folder.path(), n), &report["details"]["miners"][hotkey(n)]);
        let stored = (0..PROMPTS).filter(|prompt| entries[stem(*prompt)]["glb"].is_string()).count();
        // The fickle name was public once, and what it gave then is a file like any other.
        let expected = if recorded.is_empty() { PROMPTS } else { usize::from(*kind == "fickle-name") };
        assert_eq!(stored, expected, "{kind}: {said}");
        assert!(recorded.is_empty() || said["reasons"].to_string().contains(recorded), "{kind}: {said}");
    }
    for server in canaries.iter().chain([&loopback]) {
        assert!(server.seen().is_empty(), "{}: {:?}", server.address, server.seen());
    }
    assert_eq!(taken.load(Ordering::SeqCst), 0, "a certificate that nobody vouches for was taken");
}

/// The settings of the tests, with the rule and the size limit as they are by default.
fn strict(folder: &Path) {
    let toml = IMPATIENT.replace("[miners]\nallow_private_cdn = true\n", "").replace("file_mib = 8\n", "");
    std::fs::write(folder.join("gen404.toml"), toml.replace("file_seconds = 6.0", "file_seconds = 100.0")).unwrap();
}

/// A name server on port 53 that knows the names of the test; what it says of one may change.
fn name_server() {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let (name, end) = question(&packet[..length]);
            let is_a = packet[end..end + 2] == [0, 1];
            let known: &[Ipv4Addr] = match name.as_str() {
                _ if !is_a => &[],
                "cdn.example.org" => &[PUBLIC],
                "inside.example.org" => &[PRIVATE],
                "mixed.example.org" => &[PUBLIC, Ipv4Addr::LOCALHOST],
                "fickle.example.org" if asked.fetch_add(1, Ordering::SeqCst) == 0 => &[PUBLIC],
                "fickle.example.org" => &[Ipv4Addr::LOCALHOST],
                _ => &[],
            };
            let code = if name == "nowhere.example.org" { 3 } else { 0 };
            let head =
                [packet[0], packet[1], 0x85, 0x80 | code, 0, 1, 0, u8::try_from(known.len()).unwrap(), 0, 0, 0, 0];
            let mut answer = [&head[..], &packet[12..end + 4]].concat();
            for ip in known {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                answer.extend(ip.octets());
            }
            let _ = socket.send_to(&answer, from);
        }
    });
}

/// The name that a packet asks for, and where its type begins.
fn question(packet: &[u8]) -> (String, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while packet[at] != 0 {
        let end = at + 1 + usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(&packet[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    (labels.join("."), at + 1)
}

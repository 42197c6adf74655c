//! Miners' servers on real sockets, as good or as hostile as a test wants them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a server does with a request.
pub enum Serve {
    /// 200 with these bytes.
    File(Vec<u8>),
    /// The same, after a while.
    Late(Duration, Vec<u8>),
    /// 200 with these bytes, a few at a time.
    Drip(Vec<u8>, usize, Duration),
    /// A status without a body; header lines end in `\r\n`.
    Status(u16, String),
    /// These bytes as they are, and the end of the connection.
    Raw(Vec<u8>),
    /// A body that does not end.
    Endless,
    /// A body of so many bytes, whose length is said beforehand or not.
    Long(usize, bool),
    /// Headers that drip in and do not end.
    DripHeaders(Duration),
    /// Silence.
    Hang,
}

/// A server up to the end of the test.
pub struct Cdn {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Cdn {
    /// Answers by path, and by how often that path was asked for before.
    pub fn start(answer: impl Fn(&str, usize) -> Serve + Send + Sync + 'static) -> Cdn {
        Cdn::start_at("127.0.0.1:0", answer)
    }

    /// As [`Cdn::start`], at this address.
    pub fn start_at(address: &str, answer: impl Fn(&str, usize) -> Serve + Send + Sync + 'static) -> Cdn {
        let listener = TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            let counts = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
            for stream in listener.incoming().flatten() {
                let (log, answer, counts) = (Arc::clone(&log), Arc::clone(&answer), Arc::clone(&counts));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some(path) = request(&mut reader) {
                        log.lock().unwrap().push(path.clone());
                        let before = {
                            let mut counts = counts.lock().unwrap();
                            let count = counts.entry(path.clone()).or_default();
                            *count += 1;
                            *count - 1
                        };
                        if serve(&stream, answer(&path, before)).is_none() {
                            return;
                        }
                    }
                });
            }
        });
        Cdn { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths asked for so far, in order.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// The path of the next request of a connection.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|count| *count > 0)?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    first.split(' ').nth(1).map(str::to_owned)
}

/// Answers; `None` where the connection is over.
fn serve(mut stream: &TcpStream, what: Serve) -> Option<()> {
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    match what {
        Serve::File(bytes) => stream.write_all(&[head(bytes.len()), bytes].concat()).ok(),
        Serve::Late(time, bytes) => {
            std::thread::sleep(time);
            stream.write_all(&[head(bytes.len()), bytes].concat()).ok()
        }
        Serve::Drip(bytes, piece, pause) => {
            stream.write_all(&head(bytes.len())).ok()?;
            for piece in bytes.chunks(piece) {
                stream.write_all(piece).ok()?;
                std::thread::sleep(pause);
            }
            Some(())
        }
        Serve::Status(status, lines) => {
            let text = format!("HTTP/1.1 {status} Said\r\n{lines}Content-Length: 0\r\n\r\n");
            stream.write_all(text.as_bytes()).ok()
        }
        Serve::Raw(bytes) => {
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
        Serve::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
            let chunk = [b"10000\r\n".as_slice(), &[0; 0x10000], b"\r\n"].concat();
            while stream.write_all(&chunk).is_ok() {}
            None
        }
        Serve::Long(length, said) => {
            let said = if said { format!("Content-Length: {length}\r\n") } else { String::new() };
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{said}\r\n").as_bytes()).ok()?;
            let piece = [0; 1 << 16];
            let mut left = length;
            while left > 0 && stream.write_all(&piece[..left.min(piece.len())]).is_ok() {
                left = left.saturating_sub(piece.len());
            }
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
        Serve::DripHeaders(pause) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").ok()?;
            while stream.write_all(b"X-Y: z\r\n").is_ok() {
                std::thread::sleep(pause);
            }
            None
        }
        Serve::Hang => {
            std::thread::sleep(Duration::from_secs(60));
            None
        }
    }
}

/// A GLB file that is well formed, and that no renderer can draw: stored, but without a preview.
pub fn blank_glb(mark: &str) -> Vec<u8> {
    let mut json = format!(r#"{{"asset":{{"version":"2.0","generator":"{mark}"}}}}"#).into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    glb(&json, &[])
}

/// A triangle: the smallest model that can be drawn.
pub fn triangle_glb(mark: &str) -> Vec<u8> {
    let mut json = format!(
        r#"{{"asset":{{"version":"2.0","generator":"{mark}"}},"scene":0,"scenes":[{{"nodes":[0]}}],"nodes":[{{"mesh":0}}],"meshes":[{{"primitives":[{{"attributes":{{"POSITION":0}}}}]}}],"accessors":[{{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3","min":[-0.4,-0.4,0],"max":[0.4,0.4,0]}}],"bufferViews":[{{"buffer":0,"byteLength":36}}],"buffers":[{{"byteLength":36}}]}}"#
    )
    .into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let corners = [-0.4f32, -0.4, 0.0, 0.4, -0.4, 0.0, 0.0, 0.4, 0.0];
    glb(&json, &corners.map(f32::to_le_bytes).concat())
}

fn glb(json: &[u8], bin: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], bytes: &[u8]| {
        [u32::try_from(bytes.len()).unwrap().to_le_bytes().as_slice(), kind.as_slice(), bytes].concat()
    };
    let mut chunks = chunk(b"JSON", json);
    if !bin.is_empty() {
        chunks.extend(chunk(b"BIN\0", bin));
    }
    let length = u32::try_from(chunks.len() + 12).unwrap();
    [b"glTF".as_slice(), &2u32.to_le_bytes(), &length.to_le_bytes(), &chunks].concat()
}

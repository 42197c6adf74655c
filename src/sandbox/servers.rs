//! The sandbox's servers: one loopback port, many threads.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use super::site::{Reply, SandboxSite, SiteRequest};
use crate::base::error::{Context as _, Error, Result};

/// Requests answered concurrently: more than the commands have in flight.
const THREADS: usize = 32;

/// How many ports are tried, from the default one on.
const TRIED: usize = 50;

/// Longest request body, in bytes: three previews sent inline fit.
const LONGEST: u64 = 64 << 20;

/// An open port, not served yet.
pub(crate) struct LocalPort {
    server: tiny_http::Server,
    number: u16,
}

impl LocalPort {
    /// Opens a port on 127.0.0.1; 0 picks a free one.
    ///
    /// # Errors
    /// It is taken, or cannot be opened.
    pub(crate) fn open(number: u16) -> Result<LocalPort> {
        let server = tiny_http::Server::http(("127.0.0.1", number)).map_err(|error| {
            let failed = Error::failed(format!("127.0.0.1:{number}: cannot listen ({error})"));
            failed.hint("is another sandbox running? --port N takes another port, --port 0 a free one")
        })?;
        let address = server.server_addr().to_ip();
        let number = address.ok_or_else(|| Error::failed("the port has no number"))?.port();
        Ok(LocalPort { server, number })
    }

    /// Opens `first`, or the next port after it that can be opened.
    ///
    /// # Errors
    /// None of the [`TRIED`] ports can be opened.
    pub(crate) fn first_free(first: u16) -> Result<LocalPort> {
        let later = (first..).skip(1).take(TRIED - 1);
        let opened = LocalPort::open(first);
        opened.or_else(|taken| later.map(LocalPort::open).find_map(Result::ok).ok_or(taken))
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Serves it until the process ends.
    ///
    /// # Errors
    /// No threads can be started.
    pub(crate) fn serve(self, site: &Arc<SandboxSite>) -> Result<()> {
        let server = Arc::new(self.server);
        for number in 0..THREADS {
            let (server, site) = (Arc::clone(&server), Arc::clone(site));
            let thread = std::thread::Builder::new().name(format!("server-{number}"));
            thread.spawn(move || work(&server, &site)).failed(|| "cannot start the servers".to_owned())?;
        }
        Ok(())
    }
}

fn work(server: &tiny_http::Server, site: &SandboxSite) {
    while let Ok(mut request) = server.recv() {
        let mut body = Vec::new();
        if request.as_reader().take(LONGEST).read_to_end(&mut body).is_err() {
            continue;
        }
        let field = request.headers().iter().find(|header| header.field.equiv("Content-Type"));
        let content_type = field.map(|header| header.value.to_string()).unwrap_or_default();
        let (method, path) = (request.method().to_string(), request.url().to_owned());
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let reply =
            site.answer(&SiteRequest { method: &method, path, query, content_type: &content_type, body: &body });
        // Ignore clients that have gone away.
        let _ = send(request, reply);
    }
}

/// Answers, and has the client close the connection. The server cannot be told to do so (it drops a `Connection` header),
/// and a connection that stays open keeps a thread of its few: the next one might wait for that until its time is up.
fn send(request: tiny_http::Request, reply: Reply) -> io::Result<()> {
    // `doctor` compares clocks by it.
    let date = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
    let mut head = format!("HTTP/1.1 {} \r\nDate: {date}\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.fields {
        head = format!("{head}{name}: {value}\r\n");
    }
    let mut out = request.into_writer();
    match reply.body {
        Some(bytes) => {
            write!(out, "{head}Content-Length: {}\r\n\r\n", bytes.len())?;
            out.write_all(&bytes)?;
        }
        None => {
            write!(out, "{head}Transfer-Encoding: chunked\r\n\r\n")?;
            let chunk = [b"10000\r\n".as_slice(), &[0; 0x10000], b"\r\n"].concat();
            // Until the client has had enough.
            loop {
                out.write_all(&chunk)?;
            }
        }
    }
    out.flush()
}

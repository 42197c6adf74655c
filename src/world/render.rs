//! Previews: from the bytes of a model to the bytes of a picture.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::Value;

use super::http::{Client, Failure, Limits, Method, Request, Response, Retry};
use crate::error::Result;
use crate::preview::{self, Options};

/// Edge of a view in pixels where nobody asks for another.
pub const DEFAULT_SIZE: u32 = preview::DEFAULT_SIZE;

/// What came of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendering {
    /// The preview, as PNG.
    Png(Vec<u8>),
    /// The model cannot be drawn, and never will: no retry helps.
    Refused {
        /// A stable reason, where the renderer gives one.
        code: Option<String>,
        /// Where in the file, where the renderer says.
        place: Option<String>,
        /// What is wrong, in a sentence.
        message: String,
    },
}

/// Something that draws previews.
pub trait Renderer: Send + Sync {
    /// The driver's name, as settings and reports spell it.
    fn name(&self) -> &'static str;

    /// Draws the preview of a GLB model.
    ///
    /// # Errors
    /// The renderer could not be asked, or failed for a reason that is not the model's.
    fn render(&self, glb: &[u8]) -> Result<Rendering>;
}

/// The embedded renderer: on this machine's processor, the same bytes everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    options: Options,
}

impl Builtin {
    /// Views of `size` pixels a side, drawn by up to `threads` threads a model.
    #[must_use]
    pub fn new(size: u32, threads: NonZeroUsize) -> Self {
        Builtin { options: Options { size, threads } }
    }
}

impl Renderer for Builtin {
    fn name(&self) -> &'static str {
        "builtin"
    }

    fn render(&self, glb: &[u8]) -> Result<Rendering> {
        Ok(match preview::render(glb, &self.options) {
            Ok(preview) => Rendering::Png(preview.png()),
            Err(refusal) => Rendering::Refused {
                code: Some(refusal.code.as_str().to_owned()),
                place: Some(refusal.place),
                message: refusal.message.into_owned(),
            },
        })
    }
}

/// A render service that takes a GLB as a form and answers with a PNG.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    url: String,
}

impl Http {
    /// The service at `base`, such as `http://127.0.0.1:8000`. A render may take two minutes; it is
    /// asked three times in all, since drawing twice does no harm.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let limits = Limits { idle: Duration::from_secs(120), whole: Duration::from_secs(240), ..Limits::default() };
        let retry = Retry { attempts: 3, first_pause: Duration::from_secs(1), longest_pause: Duration::from_secs(10) };
        Http { client: Client::new(limits, retry), url: format!("{}/render_glb", base.trim_end_matches('/')) }
    }

    /// The same service, asked as `retry` says.
    #[must_use]
    pub fn retrying(mut self, limits: Limits, retry: Retry) -> Self {
        self.client = Client::new(limits, retry);
        self
    }
}

impl Renderer for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn render(&self, glb: &[u8]) -> Result<Rendering> {
        let (kind, body) = form(glb);
        let request =
            Request::new(Method::POST, self.url.as_str()).header("content-type", &kind).body(body).repeatable();
        self.client.send_checked(&request, answer)
    }
}

/// What the service's answer says of the model.
fn answer(response: Response) -> std::result::Result<Rendering, Failure> {
    match response.status {
        200 if response.body.starts_with(b"\x89PNG\r\n\x1a\n") => Ok(Rendering::Png(response.body)),
        200 => Err(Failure::transient("the answer is no PNG")),
        400 | 413 | 422 => Ok(Rendering::Refused { code: None, place: None, message: detail(&response) }),
        status => Err(Failure::Permanent(format!("status {status}: {}", response.shown_body()))),
    }
}

/// The text that the service gives with a refusal: its `detail`, or else the body as it is.
fn detail(response: &Response) -> String {
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let detail = body.as_ref().and_then(|body| body.get("detail"));
    match detail {
        Some(Value::String(text)) => text.chars().take(300).collect(),
        _ => response.shown_body(),
    }
}

/// The model as a form with one file part, and the form's content type. The line between parts must
/// not occur in the model: it is made longer until it does not.
fn form(glb: &[u8]) -> (String, Vec<u8>) {
    let mut line = "gen404-model-7f3a9c51".to_owned();
    while glb.windows(line.len()).any(|part| part == line.as_bytes()) {
        line.push('x');
    }
    let head = format!(
        "--{line}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"content.glb\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let body = [head.as_bytes(), glb, format!("\r\n--{line}--\r\n").as_bytes()].concat();
    (format!("multipart/form-data; boundary={line}"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that answers each request with the next of `answers`; gives the bodies it got.
    fn service(answers: Vec<(u16, Vec<u8>)>) -> (Http, std::thread::JoinHandle<Vec<Vec<u8>>>) {
        let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
        let base = format!("http://{}/", server.server_addr());
        let retry = Retry { attempts: 3, first_pause: Duration::ZERO, longest_pause: Duration::ZERO };
        let worker = std::thread::spawn(move || {
            let mut bodies = Vec::new();
            for (status, body) in answers {
                let mut request = server.recv().unwrap();
                assert_eq!(request.url(), "/render_glb");
                let mut got = Vec::new();
                request.as_reader().read_to_end(&mut got).unwrap();
                bodies.push(got);
                request.respond(tiny_http::Response::from_data(body).with_status_code(status)).unwrap();
            }
            bodies
        });
        (Http::new(&base).retrying(Limits::default(), retry), worker)
    }

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

    #[test]
    fn the_service_is_asked_again_after_a_5xx() {
        let (http, worker) = service(vec![(503, b"busy".to_vec()), (200, PNG.to_vec())]);
        assert_eq!(http.render(b"model").unwrap(), Rendering::Png(PNG.to_vec()));
        let bodies = worker.join().unwrap();
        assert_eq!(bodies[0], bodies[1]);
        let text = String::from_utf8(bodies[0].clone()).unwrap();
        assert!(text.contains("name=\"file\"; filename=\"content.glb\"") && text.contains("\r\n\r\nmodel\r\n--"));
    }

    #[test]
    fn a_4xx_is_the_models_fault_and_final() {
        let (http, worker) = service(vec![(400, br#"{"detail":"GLB file contains 2 objects"}"#.to_vec())]);
        let refused = http.render(b"model").unwrap();
        let message = "GLB file contains 2 objects".to_owned();
        assert_eq!(refused, Rendering::Refused { code: None, place: None, message });
        assert_eq!(worker.join().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_picture_is_no_preview() {
        let (http, worker) = service(vec![(200, b"<html>".to_vec()); 3]);
        assert!(http.render(b"model").is_err());
        worker.join().unwrap();
    }

    #[test]
    fn the_line_between_parts_is_not_in_the_model() {
        let (kind, body) = form(b"..gen404-model-7f3a9c51..");
        assert!(kind.ends_with("51x") && body.ends_with(b"51x--\r\n"));
    }

    #[test]
    fn a_refusal_is_an_answer_and_no_error() {
        let renderer = Builtin::new(preview::DEFAULT_SIZE, NonZeroUsize::MIN);
        let Rendering::Refused { code, .. } = renderer.render(b"").unwrap() else { panic!("drawn") };
        assert_eq!((renderer.name(), code.as_deref()), ("builtin", Some("container.header")));
    }
}

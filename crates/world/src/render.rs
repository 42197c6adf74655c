//! Previews: from a model's bytes to a picture's.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::http::{Client, Failure, HttpLimits, MultipartForm, Request, Response, Retry, ServerKind, shown_url};
use super::probe::{PATIENCE, Probed};
use super::usage::{Meter, Service};
use crate::base::error::{Error, Result};
use crate::base::url::check_service_url;
use crate::model::format::{ModelFormat, Previewed};
use crate::preview::limits::MAX_FILE_BYTES;
use crate::preview::{self, Cut, Options, Refusal};

/// The result of rendering a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendering {
    /// The preview, as PNG.
    Png(Vec<u8>),
    /// The model can never be drawn: no retry helps.
    Refused {
        /// A stable reason code, if the renderer gives one.
        code: Option<String>,
        /// The place in the file, if the renderer gives one.
        place: Option<String>,
        /// What is wrong, in a sentence.
        message: String,
    },
}

/// A renderer of previews.
pub trait Renderer: Send + Sync {
    /// The driver's name in settings and reports.
    fn name(&self) -> &'static str;

    /// Draws the preview of a model.
    ///
    /// # Errors
    /// The renderer could not be asked, or failed for a reason that is not the model's fault.
    fn render(&self, model: &[u8]) -> Result<Rendering>;

    /// As [`Renderer::render`], within the limits of a room.
    ///
    /// # Errors
    /// As for [`Renderer::render`].
    fn render_in(&self, model: &[u8], _room: Room<'_>) -> Result<Drawn> {
        self.render(model).map(Drawn::Done)
    }

    /// The refusal of a model of this many bytes, if its size alone decides.
    fn refuses(&self, _bytes: u64) -> Option<Rendering> {
        None
    }
}

/// The renderer for models of this format: a render service if one is named, else the embedded renderer with
/// views of `size` pixels per side.
///
/// # Errors
/// The service's URL is not http(s), or models of this format are not drawn here.
pub fn open(
    format: ModelFormat,
    service: Option<&str>,
    size: u32,
    threads: NonZeroUsize,
    meter: &Meter,
) -> Result<Box<dyn Renderer>> {
    Ok(match (format.previewed(), service) {
        (_, Some(url)) => Box::new(RenderService::new(url, format)?.metered(meter.of(Service::Render))),
        (Previewed::FourViews { .. }, None) => Box::new(Builtin::new(size, threads)),
        (Previewed::Elsewhere, None) => return Err(not_drawn(format)),
    })
}

fn not_drawn(format: ModelFormat) -> Error {
    Error::usage(format!("gen404 draws no previews of {} models", format.name()))
}

/// The result of drawing within limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    /// A verdict on the model.
    Done(Rendering),
    /// It needs more memory.
    NoRoom,
    /// A stop was requested.
    Stopped,
}

/// The resources that drawing a model may use.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// Bytes of file, decoded data and pictures.
    pub bytes: u64,
    /// Threads.
    pub threads: NonZeroUsize,
    /// Says whether to stop. Once it has returned true, it always does.
    pub stopped: &'a (dyn Fn() -> bool + Sync),
}

/// The embedded renderer: on the CPU, with the same bytes on every machine.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    options: Options,
}

impl Builtin {
    /// Views of `size` pixels per side, drawn by up to `threads` threads per model.
    #[must_use]
    pub fn new(size: u32, threads: NonZeroUsize) -> Self {
        Builtin { options: Options { size, threads } }
    }
}

impl Renderer for Builtin {
    fn name(&self) -> &'static str {
        "builtin"
    }

    fn render(&self, model: &[u8]) -> Result<Rendering> {
        Ok(preview::render(model, &self.options).into())
    }

    fn render_in(&self, model: &[u8], room: Room<'_>) -> Result<Drawn> {
        let options = Options { threads: room.threads, ..self.options };
        Ok(match preview::render_within(model, &options, room.bytes, room.stopped) {
            Ok(drawn) => Drawn::Done(drawn.into()),
            Err(Cut::NoRoom) => Drawn::NoRoom,
            Err(Cut::Stopped) => Drawn::Stopped,
        })
    }

    fn refuses(&self, bytes: u64) -> Option<Rendering> {
        (bytes > MAX_FILE_BYTES).then(|| Err(Refusal::too_long(bytes)).into())
    }
}

impl From<std::result::Result<preview::Preview, Refusal>> for Rendering {
    fn from(drawn: std::result::Result<preview::Preview, Refusal>) -> Self {
        match drawn {
            Ok(preview) => Rendering::Png(preview.png()),
            Err(refusal) => Rendering::Refused {
                code: Some(refusal.code.as_str().to_owned()),
                place: Some(refusal.place),
                message: refusal.message.into_owned(),
            },
        }
    }
}

/// The deployed render service: `POST <url>/<path of the format>` with a form of one file, answered with a PNG.
#[derive(Debug, Clone)]
pub struct RenderService {
    client: Client,
    url: String,
    /// The name of the file in the form.
    file: &'static str,
}

/// The first bytes of a PNG.
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

impl RenderService {
    /// The service at this base URL; it gets three attempts per model, of two minutes each.
    ///
    /// # Errors
    /// The URL is not http(s).
    pub fn new(url: &str, format: ModelFormat) -> Result<Self> {
        let limits =
            HttpLimits { idle: Duration::from_secs(120), whole: Duration::from_secs(180), ..HttpLimits::default() };
        let (first_pause, longest_pause) = (Duration::from_secs(1), Duration::from_secs(10));
        let client = Client::new(limits, Retry { attempts: 3, first_pause, longest_pause });
        RenderService::with_client(url, format, client)
    }

    /// As [`RenderService::new`], with a given client.
    ///
    /// # Errors
    /// The URL is not http(s), or models of this format are not drawn.
    pub fn with_client(url: &str, format: ModelFormat, client: Client) -> Result<Self> {
        check_service_url(url)
            .map_err(|why| Error::usage(format!("the render service's URL {}: {why}", shown_url(url))))?;
        let Previewed::FourViews { path, file } = format.previewed() else { return Err(not_drawn(format)) };
        Ok(RenderService { client: client.hearing_all(), url: format!("{}/{path}", url.trim_end_matches('/')), file })
    }
}

impl RenderService {
    /// Has a small model drawn, once.
    ///
    /// # Errors
    /// The service cannot be reached, or does not draw it.
    pub fn probe(url: &str, format: ModelFormat, model: &[u8]) -> Result<Probed> {
        let limits =
            HttpLimits { connect: PATIENCE / 2, idle: 3 * PATIENCE, whole: 3 * PATIENCE, ..HttpLimits::default() };
        let service = RenderService::with_client(url, format, Client::new(limits, Retry::ONCE))?;
        let named =
            |error: Error| error.hint("RENDER_URL or --render-service names it; without one, this machine draws");
        match service.render(model).map_err(named)? {
            Rendering::Png(png) => {
                Ok(Probed::fine(format!("{} draws: a preview of {} bytes", shown_url(url), png.len())))
            }
            Rendering::Refused { message, .. } => {
                Err(named(Error::outside(format!("{}: a valid model is refused: {message}", shown_url(&service.url)))))
            }
        }
    }

    /// The same service, which counts in this meter.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        RenderService { client: self.client.metered(meter), ..self }
    }
}

impl Renderer for RenderService {
    fn name(&self) -> &'static str {
        "http"
    }

    fn render(&self, model: &[u8]) -> Result<Rendering> {
        let form = MultipartForm::default().file("file", self.file, "application/octet-stream", model).finish();
        // Drawing the same model twice does no harm.
        let request = Request::new(super::http::Method::POST, self.url.as_str());
        let request = request.header("content-type", MultipartForm::CONTENT_TYPE).body(form).repeatable();
        self.client.send_checked(&request, rendering)
    }
}

/// 400 and 413 are verdicts on the model; anything else but a picture is the service's fault.
fn rendering(response: Response) -> std::result::Result<Rendering, Failure> {
    match response.status {
        200 if response.begins_with(PNG_SIGNATURE) => Ok(Rendering::Png(response.into_bytes())),
        200 => Err(Failure::transient("status 200, but the body is not a PNG")),
        400 | 413 => {
            let message = detail(&response).unwrap_or_else(|| format!("status {}", response.status));
            Ok(Rendering::Refused { code: None, place: None, message })
        }
        status if ServerKind::Any.passes(status) => Err(response.failure(ServerKind::Any)),
        _ => Err(Failure::Permanent(response.shown())),
    }
}

/// The text of `{"detail": TEXT}`.
fn detail(response: &Response) -> Option<String> {
    let answer: serde_json::Value = response.json().ok()?;
    Some(super::http::shown_text(answer.get("detail")?.as_str()?, 200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_no_error() {
        let renderer = Builtin::new(preview::DEFAULT_SIZE, NonZeroUsize::MIN);
        let Rendering::Refused { code, .. } = renderer.render(b"").unwrap() else { panic!("drawn") };
        assert_eq!((renderer.name(), code.as_deref()), ("builtin", Some("container.header")));
    }
}

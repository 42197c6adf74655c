//! The deployed render service of three.js competitions: `POST /render` for views, `POST /render/grid`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BACKGROUNDS, BOX, GRAYS, VIEW_SIZE, ViewError, ViewRenderer, Views, WHITE};
use crate::base::error::{Error, Result};
use crate::base::url::check_service_url;
use crate::http::{Client, Failure, HttpLimits, Request, Response, Retry, Secret, shown_text, shown_url};
use crate::probe::Probed;
use crate::stop::Stop;
use crate::usage::Meter;

/// What every PNG begins with.
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The most bytes of an answer: eight views of four bytes a pixel that do not compress, in base64.
const MOST_BYTES: u64 = 64 << 20;

/// The longest reason of a refusal, in characters.
const LONGEST_REASON: usize = 200;

/// A client of the service.
#[derive(Debug, Clone)]
pub struct ViewService {
    client: Client,
    url: String,
    key: Option<Secret>,
}

/// What became of a request.
enum Drawn<T> {
    Pictures(T),
    /// The module breaks the rules.
    Refused(String),
    /// The service answers that it cannot draw it, each time it is asked.
    Fails(String),
}

impl ViewService {
    /// The service at this base URL. Each attempt may take so long.
    ///
    /// # Errors
    /// The URL is not http(s).
    pub fn new(url: &str, key: Option<Secret>, timeout: Duration, retry: Retry) -> Result<Self> {
        let url = url.trim().trim_end_matches('/');
        check_service_url(url)
            .map_err(|why| Error::usage(format!("the render service's URL {}: {why}", shown_url(url))))?;
        let limits = HttpLimits { idle: timeout, whole: timeout, body: MOST_BYTES, ..HttpLimits::default() };
        Ok(ViewService { client: Client::new(limits, retry).hearing_all(), url: url.to_owned(), key })
    }

    /// The same service, which counts in this meter.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        ViewService { client: self.client.metered(meter), ..self }
    }

    /// Has a box drawn, once.
    ///
    /// # Errors
    /// The service cannot be reached, or does not draw it.
    pub fn probe(&self) -> Result<Probed> {
        let grid = self.ask("render/grid", BOX, png)?;
        let at = shown_url(&self.url);
        match grid {
            Drawn::Pictures(png) => Ok(Probed::fine(format!("{at} draws: a grid of {} bytes", png.len()))),
            Drawn::Refused(why) | Drawn::Fails(why) => {
                Err(Error::outside(format!("{at}: a valid module is refused: {why}"))
                    .hint("[views] url in gen404.toml names the render service"))
            }
        }
    }

    /// Asks for pictures of a module.
    fn ask<T>(
        &self,
        path: &str,
        source: &str,
        read: impl Fn(Response) -> std::result::Result<T, Failure>,
    ) -> Result<Drawn<T>> {
        let body = json!({ "source": source }).to_string().into_bytes();
        // Drawing the same module twice does no harm.
        let mut request = Request::post_json(format!("{}/{path}", self.url), body).repeatable();
        request = request.named(format!("POST {}/{}", shown_url(&self.url), path.split('?').next().unwrap_or(path)));
        if let Some(key) = &self.key {
            request = request.bearer(key);
        }
        let mut fails = None;
        let drawn = self.client.send_checked(&request, |response| match response.status {
            200 => read(response).map(Drawn::Pictures),
            422 => Ok(Drawn::Refused(refusal(&response))),
            500 if said(&response).is_some() => Err(Failure::transient(format!("{SAID}{}", response.shown()))),
            400 | 430 | 429 | 500.. => Err(Failure::transient(response.shown())),
            _ => Err(Failure::Permanent(response.shown())),
        });
        if let Err(error) = &drawn {
            fails = error.to_string().split_once(SAID).map(|(_, why)| why.to_owned());
        }
        fails.map_or(drawn, |why| Ok(Drawn::Fails(why)))
    }

    /// All pictures of a module; the three requests run side by side.
    fn draw(&self, source: &str) -> std::result::Result<Views, ViewError> {
        let (white, gray, grid) = std::thread::scope(|scope| {
            let white = scope.spawn(|| self.ask(&views_path(WHITE.len(), 0), source, pictures::<{ WHITE.len() }>));
            let gray = scope.spawn(|| self.ask(&views_path(GRAYS, 1), source, pictures::<GRAYS>));
            let grid = self.ask("render/grid", source, png);
            (joined(white), joined(gray), grid)
        });
        // The order of the services: views before the grid.
        Ok(Views { white: self.drawn(white)?, gray: self.drawn(gray)?, grid: self.drawn(grid)? })
    }

    fn drawn<T>(&self, drawn: Result<Drawn<T>>) -> std::result::Result<T, ViewError> {
        match drawn.map_err(ViewError::Failed)? {
            Drawn::Pictures(pictures) => Ok(pictures),
            Drawn::Refused(why) => Err(ViewError::Refused(why)),
            // A service that cannot even draw a box says nothing about the module.
            Drawn::Fails(why) => match self.ask("render/grid", BOX, png) {
                Ok(Drawn::Pictures(_)) => Err(ViewError::Refused(why)),
                Ok(_) => Err(ViewError::Failed(Error::outside(format!("{}: {why}", shown_url(&self.url))))),
                Err(error) => Err(ViewError::Failed(error)),
            },
        }
    }
}

/// Marks, within an error's text, the service's own words about a module that it cannot draw.
const SAID: &str = "the service says: ";

impl ViewRenderer for ViewService {
    fn name(&self) -> &'static str {
        "http"
    }

    fn render(&self, source: &str, stop: &Stop) -> std::result::Result<Views, ViewError> {
        ViewService { client: self.client.clone().heeding(stop), ..self.clone() }.draw(source)
    }
}

fn joined<T>(worker: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    worker.join().unwrap_or_else(|_| Err(Error::failed("a worker thread panicked: this is a bug in gen404")))
}

/// The path and query for the first views, on the background of this place.
fn views_path(count: usize, background: usize) -> String {
    let listed = |angle: fn(&(&str, i32, i32)) -> i32| {
        WHITE.iter().take(count).map(|view| angle(view).to_string()).collect::<Vec<_>>().join(",")
    };
    let (thetas, phis) = (listed(|view| view.1), listed(|view| view.2));
    let color = BACKGROUNDS.get(background).copied().unwrap_or_default();
    format!(
        "render?thetas={thetas}&phis={phis}&bg_color={color}&img_size={VIEW_SIZE}&cam_radius=2.0&cam_fov_deg=49.1\
         &lighting=follow"
    )
}

/// The answer to a request for several views.
#[derive(Deserialize)]
struct Several {
    images: Vec<String>,
}

#[allow(clippy::needless_pass_by_value, reason = "as `png`, which keeps the body")]
fn pictures<const COUNT: usize>(response: Response) -> std::result::Result<[Vec<u8>; COUNT], Failure> {
    let wrong = |what: String| Failure::Permanent(format!("status 200, but {what}"));
    let Several { images } = response.json().map_err(|why| wrong(format!("not the views: {why}")))?;
    let count = images.len();
    let decoded: Vec<Vec<u8>> = images
        .iter()
        .map(|image| STANDARD.decode(image).ok().filter(|bytes| bytes.starts_with(PNG_SIGNATURE)))
        .collect::<Option<_>>()
        .ok_or_else(|| wrong("a view that is not a PNG in base64".to_owned()))?;
    decoded.try_into().map_err(|_| wrong(format!("{count} views instead of {COUNT}")))
}

fn png(response: Response) -> std::result::Result<Vec<u8>, Failure> {
    if response.begins_with(PNG_SIGNATURE) {
        return Ok(response.into_bytes());
    }
    Err(Failure::Permanent("status 200, but the body is not a PNG".to_owned()))
}

/// The first of the failures for which a module is refused.
fn refusal(response: &Response) -> String {
    let answer: Value = response.json().unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = answer.get("failures").and_then(|failures| failures.get(0));
    let parts = ["stage", "rule", "detail"].map(|key| text(first.and_then(|failure| failure.get(key))));
    let said = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    let said = if said.is_empty() { text(answer.get("error")) } else { said };
    shown_text(if said.is_empty() { "status 422" } else { &said }, LONGEST_REASON)
}

/// The service's own words in an answer `{"error": TEXT}`.
fn said(response: &Response) -> Option<String> {
    let answer: Value = response.json().ok()?;
    Some(answer.get("error")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_asked_for_by_angle() {
        assert_eq!(
            views_path(8, 0),
            "render?thetas=30,330,0,0,90,180,270,0&phis=0,0,15,-30,0,0,0,-90&bg_color=ffffff&img_size=1024\
             &cam_radius=2.0&cam_fov_deg=49.1&lighting=follow"
        );
        assert!(views_path(GRAYS, 1).starts_with("render?thetas=30,330,0,0&phis=0,0,15,-30&bg_color=808080&"));
    }
}

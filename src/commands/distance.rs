//! `gen404 distance`: the distance between two pictures, to try out what audits use.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::cli::{DistanceOneArgs, Global};
use crate::engine::context::settings_here;
use crate::settings::flags::distance_settings;
use crate::ui::{Report, Ui};
use crate::world::distance::settings::DistanceDriver;
use crate::world::distance::{NotMeasured, Picture};
use crate::world::http::{Client, HttpLimits, Request, Retry};

/// Largest picture, in bytes.
const LARGEST: u64 = 64 << 20;

pub(super) fn run(global: &Global, ui: &Ui, args: &DistanceOneArgs, report: &mut Report) -> Result<()> {
    let config = settings_here(global, ui, report)?;
    let settings = distance_settings(&config.distance, &args.distance);
    let chosen = settings.chosen();
    let distance = settings.open(|_| None)?.ok_or_else(|| {
        let unknown = Error::usage("no way to measure distances is named");
        unknown.hint("give --distance dinov3, http or pixels, IMAGE_DISTANCE_SERVICE_URL, or [distance] in gen404.toml")
    })?;
    if chosen == Some(DistanceDriver::Pixels) {
        ui.status("pixels: compares plain pixels, for sandboxes; no vision model is used");
    }
    let bytes = |place: &str| if chosen == Some(DistanceDriver::Http) { url_only(place) } else { fetch(place) };
    let (a, b) = (bytes(&args.a)?, bytes(&args.b)?);
    let pair = (Picture { url: &args.a, png: &a }, Picture { url: &args.b, png: &b });
    let measured =
        distance.measure(&[pair]).pop().unwrap_or_else(|| Err(NotMeasured("nothing was measured".to_owned())));
    let kind = if chosen == Some(DistanceDriver::Http) { Kind::Outside } else { Kind::Failed };
    let measured = measured.map_err(|why| Error::new(kind, why))?;
    report.detail(json!({ "a": args.a, "b": args.b, "driver": distance.name(), "distance": measured }));
    report.say(measured.to_string());
    Ok(())
}

fn is_url(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// Accepts URLs only: a distance service fetches pictures itself and cannot see local files.
fn url_only(place: &str) -> Result<Vec<u8>> {
    if is_url(place) {
        return Ok(Vec::new());
    }
    Err(Error::usage(format!("{place}: a distance service fetches pictures itself, and takes http(s) URLs only")))
}

/// Reads a file or a URL.
fn fetch(place: &str) -> Result<Vec<u8>> {
    if is_url(place) {
        let limits = HttpLimits { whole: Duration::from_secs(120), body: LARGEST, ..HttpLimits::default() };
        return Client::new(limits, Retry::default()).send(&Request::get(place))?.file();
    }
    let path = Path::new(place.strip_prefix("file://").unwrap_or(place));
    files::read(path, LARGEST)?.ok_or_else(|| Error::usage(format!("{}: no such file", path.display())))
}

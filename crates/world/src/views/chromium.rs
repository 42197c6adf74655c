//! Views drawn on this machine, by a headless Chromium that is shut off and bounded.

use std::path::PathBuf;
use std::time::Duration;

use gen404_chromium::{Lighting, NOBODY, Picture, Pool, RenderError, Settings, Sheet, THREE_SHA256, View, grid};
use serde::{Deserialize, Serialize};

use super::{GRAYS, VIEW_SIZE, ViewError, ViewRenderer, Views, WHITE};
use crate::base::error::{Error, Result};
use crate::base::setting::{SettingError, check_counts, check_range};
use crate::http::shown_text;
use crate::probe::Probed;
use crate::stop::{Stop, stopped};

/// The backgrounds of white and gray views, and of the grid, which is gray.
const BACKGROUNDS: [[u8; 3]; 2] = [[0xff; 3], [0x80; 3]];

/// The grid's views: their horizontal angles, and the vertical one.
const GRID: ([f64; 4], f64) = ([24.0, 120.0, 216.0, 312.0], -15.0);

/// Width and height of a view of the grid, and of the gap between two, in pixels.
const GRID_SIZE: (u32, u32) = (518, 5);

/// The longest reason of a refusal, in characters.
const LONGEST_REASON: usize = 200;

/// `[views.chromium]` of `gen404.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChromiumSettings {
    /// The browser: a path, or a name in PATH.
    pub program: PathBuf,
    /// three.js as one file: `build/three.cjs` of its package.
    pub three: Option<PathBuf>,
    /// Its SHA-256 in lower hex.
    pub three_sha256: String,
    /// The user to run it as where gen404 runs as root.
    pub user: u32,
    /// Is Chromium's own sandbox on?
    pub sandbox: bool,
    /// Milliseconds of CPU time to run a module.
    pub run_ms: u64,
    /// Seconds of CPU time to draw all its views.
    pub draw_seconds: u64,
    /// Seconds of wall time for each of the two; more says nothing of the module.
    pub wall_seconds: u64,
    /// MiB of a module's heap.
    pub heap_mib: u32,
    /// MiB of all processes of a browser.
    pub memory_mib: u64,
}

impl Default for ChromiumSettings {
    fn default() -> Self {
        ChromiumSettings {
            program: "chromium".into(),
            three: None,
            three_sha256: THREE_SHA256.to_owned(),
            user: NOBODY,
            sandbox: true,
            run_ms: 5000,
            draw_seconds: 120,
            wall_seconds: 300,
            heap_mib: 256,
            memory_mib: 2048,
        }
    }
}

impl ChromiumSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting is named.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        check_range("views.chromium.run_ms", 100..=600_000, self.run_ms)?;
        check_range("views.chromium.draw_seconds", 1..=3600, self.draw_seconds)?;
        check_range("views.chromium.wall_seconds", 1..=3600, self.wall_seconds)?;
        check_counts("views.chromium", 1..=u64::from(u32::MAX - 1), &[("user", self.user.into())])?;
        check_range("views.chromium.heap_mib", 64..=4096, u64::from(self.heap_mib))?;
        check_range("views.chromium.memory_mib", 512..=65_536, self.memory_mib)
    }

    /// Browsers with these settings; none is started yet.
    ///
    /// # Errors
    /// three.js is not named, not there, or another one.
    pub fn open(&self) -> Result<ChromiumViews> {
        let three = self.three.as_ref().ok_or_else(|| {
            let missing = Error::usage("the browser is chosen to draw modules, but three.js is not named");
            missing.hint("[views.chromium] three in gen404.toml is the path of build/three.cjs: see docs/views.md")
        })?;
        let mut settings = Settings::new(&self.program, three);
        settings.three_sha256.clone_from(&self.three_sha256);
        (settings.user, settings.sandbox) = (self.user, self.sandbox);
        let limits = &mut settings.limits;
        limits.run = Duration::from_millis(self.run_ms);
        limits.draw = Duration::from_secs(self.draw_seconds);
        limits.wall = Duration::from_secs(self.wall_seconds);
        (limits.heap_mib, limits.memory) = (self.heap_mib, self.memory_mib << 20);
        let pool = Pool::open(settings).map_err(|why| Error::usage(why).hint("see docs/views.md"))?;
        Ok(ChromiumViews { pool })
    }
}

/// Browsers that draw modules; as many as threads ask at once. They end with this value.
#[derive(Debug)]
pub struct ChromiumViews {
    pool: Pool,
}

impl ChromiumViews {
    /// Starts a browser, and has it draw a box.
    ///
    /// # Errors
    /// It does not start, or does not draw.
    pub fn probe(&self) -> Result<Probed> {
        let stop = Stop::of_process();
        let stopped = || stop.is_wanted();
        let version = self.pool.version(&stopped).map_err(of_browser)?;
        let sheet = Sheet::new(64, BACKGROUNDS[0], Lighting::Follow, &[View { theta: 30.0, phi: 0.0 }]);
        self.pool.render(super::BOX, &[sheet], &stopped).map_err(of_browser)?;
        Ok(Probed::fine(format!("{version} draws a box")))
    }
}

impl ViewRenderer for ChromiumViews {
    fn name(&self) -> &'static str {
        "chromium"
    }

    fn render(&self, source: &str, stop: &Stop) -> std::result::Result<Views, ViewError> {
        let drawn = self.pool.render(source, &sheets(), &|| stop.is_wanted()).map_err(|error| match &error {
            RenderError::Refused { failures, .. } => {
                let first = failures.first().map(|f| format!("{}: {}: {}", f.stage, f.rule, f.detail));
                ViewError::Refused(shown_text(first.as_deref().unwrap_or("refused"), LONGEST_REASON))
            }
            RenderError::Failed(_) | RenderError::Stopped => ViewError::Failed(of_browser(error)),
        })?;
        written(&drawn.sheets).map_err(|why| ViewError::Failed(Error::failed(why)))
    }
}

/// All pictures of a module, in one run of it: white and gray views, and those of the grid.
fn sheets() -> [Sheet; 3] {
    let views = WHITE.map(|(_, theta, phi)| View { theta: theta.into(), phi: phi.into() });
    let (thetas, phi) = GRID;
    let [white, gray] = BACKGROUNDS;
    [
        Sheet::new(VIEW_SIZE, white, Lighting::Follow, &views),
        Sheet::new(VIEW_SIZE, gray, Lighting::Follow, views.get(..GRAYS).unwrap_or(&views)),
        Sheet::new(GRID_SIZE.0, gray, Lighting::Studio, &thetas.map(|theta| View { theta, phi })),
    ]
}

/// The pictures of [`sheets`] as files.
fn written(sheets: &[Vec<Picture>]) -> std::result::Result<Views, String> {
    let [white, gray, four] = sheets else { return Err("a browser drew other pictures than asked".to_owned()) };
    Ok(Views { white: files(white)?, gray: files(gray)?, grid: grid(four, GRID_SIZE.1)? })
}

fn files<const COUNT: usize>(pictures: &[Picture]) -> std::result::Result<[Vec<u8>; COUNT], String> {
    let files = pictures.iter().map(Picture::png).collect::<std::result::Result<Vec<_>, _>>()?;
    files.try_into().map_err(|files: Vec<_>| format!("a browser drew {} views instead of {COUNT}", files.len()))
}

/// An error that says nothing of a module.
fn of_browser(error: RenderError) -> Error {
    match error {
        RenderError::Stopped => stopped(),
        error => Error::outside(shown_text(&error.to_string(), 400))
            .hint("`gen404 doctor` tries the browser: see docs/views.md"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pictures_are_asked_for_as_the_render_service_draws_them() {
        let [white, gray, four] = sheets();
        assert_eq!((white.views.len(), gray.views.len(), four.views.len()), (8, 4, 4));
        assert_eq!((white.size, gray.size, four.size), (1024, 1024, 518));
        assert_eq!((white.background, gray.background, four.background), ([255; 3], [128; 3], [128; 3]));
        assert_eq!(white.views.get(..4), Some(gray.views.as_slice()));
        assert_eq!(white.views.last(), Some(&View { theta: 0.0, phi: -90.0 }));
        assert!([white, gray, four].iter().all(|sheet| (sheet.radius - 2.0).abs() + (sheet.fov - 49.1).abs() < 1e-9));
    }

    #[test]
    fn three_js_has_to_be_named_and_the_right_one() {
        let of = |text: &str| toml::from_str::<ChromiumSettings>(text).unwrap();
        let error = of("").open().unwrap_err();
        assert!(error.to_string().contains("three.js is not named"));
        assert!(of("three = '/nowhere/three.cjs'").open().unwrap_err().to_string().contains("cannot read three.js"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let of_file = ChromiumSettings { three: Some(file.path().to_owned()), ..of("") };
        assert!(of_file.open().unwrap_err().to_string().contains("SHA-256 is e3b0c442"));
        assert!(of("run_ms = 1").check().unwrap_err().to_string().contains("views.chromium.run_ms"));
        assert!(of("user = 0").check().is_err() && of("").check().is_ok());
    }
}

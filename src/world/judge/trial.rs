//! A trial of the judge: the models that its server lists, and one small question.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::openai::OpenAi;
use crate::base::error::{Context as _, Result};
use crate::model::penalties::Penalties;
use crate::world::http::{Failure, Request};
use crate::world::probe::Probed;

/// Edge of the trial's pictures, in pixels: models refuse smaller ones.
const EDGE: u32 = 64;

/// The colours of the prompt and of the two previews.
const COLOURS: [[u8; 3]; 3] = [[200, 40, 40], [200, 60, 60], [40, 40, 200]];

/// More models than this are not looked at.
const MOST_MODELS: usize = 10_000;

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

impl OpenAi {
    /// Does the server list our model, and how many others? `None` if it lists none.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub fn lists_model(&self) -> Result<Option<(bool, usize)>> {
        let request = self.authorized(Request::get(self.sibling("models")));
        let listed = self.once(&request, |response| match response.status {
            200 => Ok(response.json::<Models>().ok()),
            404 | 405 | 501 => Ok(None),
            _ => Err(Failure::Permanent(response.shown())),
        })?;
        Ok(listed
            .map(|Models { data }| (data.iter().take(MOST_MODELS).any(|model| model.id == self.model()), data.len())))
    }

    /// Asks one question about three small pictures, and says what it cost.
    ///
    /// # Errors
    /// It cannot be reached, refuses, or its answer is not one.
    pub fn try_question(&self) -> Result<Probed> {
        let [prompt, first, second] = COLOURS;
        let (prompt, first, second) = (picture(prompt)?, picture(first)?, picture(second)?);
        let (answer, tokens) = self.ask_once([&prompt, &first, &second])?;
        let cost = tokens.map_or("tokens not told".to_owned(), |tokens| format!("{tokens} tokens"));
        let Penalties { first, second, .. } = answer.said;
        let said = format!("one question about pictures of {EDGE} x {EDGE}: penalties {first} and {second}; {cost}");
        Ok(Probed::fine(said))
    }
}

/// A picture of one colour, as a data URL.
fn picture([red, green, blue]: [u8; 3]) -> Result<String> {
    let what = || "a picture for the judge cannot be made".to_owned();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, EDGE, EDGE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let pixels: Vec<u8> = (0..EDGE * EDGE).flat_map(|_| [red, green, blue]).collect();
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.failed(what)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}

//! A trial of the judge: the models that its server lists, and one small question.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::endpoint::Endpoint;
use super::openai::OpenAi;
use super::staged::{StageJudge, StageQuestion};
use crate::base::error::{Context as _, Error, Result};
use crate::http::{Failure, Request};
use crate::model::penalties::Penalties;
use crate::model::threejs::asked::{Form, PenaltyAnswer, StageAnswer, Topic};
use crate::model::threejs::view::View;
use crate::probe::Probed;

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

/// A judge that can be tried out.
pub trait Trial {
    /// Does the server list our model, and how many others? `None` if it lists none.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    fn lists_model(&self) -> Result<Option<(bool, usize)>>;

    /// Asks one question about three small pictures, and says what it cost.
    ///
    /// # Errors
    /// It cannot be reached, refuses, or its answer is not one.
    fn try_question(&self) -> Result<Probed>;
}

impl Trial for OpenAi {
    fn lists_model(&self) -> Result<Option<(bool, usize)>> {
        lists_model(self.endpoint())
    }

    fn try_question(&self) -> Result<Probed> {
        let [prompt, first, second] = pictures()?;
        let (answer, tokens) = self.ask_once([&prompt, &first, &second])?;
        let Penalties { first, second, .. } = answer.said;
        Ok(answered("one question", (first, second), tokens))
    }
}

impl Trial for StageJudge {
    fn lists_model(&self) -> Result<Option<(bool, usize)>> {
        lists_model(self.endpoint())
    }

    fn try_question(&self) -> Result<Probed> {
        let question = StageQuestion {
            topic: Topic::PromptMatch,
            label: "s1_prompt_match",
            view: Some(View::FrontLeft),
            images: Vec::new(),
            seed: 0,
            tokens: 1024,
            attempts: 1,
            form: Form::Penalties,
        };
        let (answer, tokens) = self.ask_once(&question, &pictures()?)?;
        match answer.said {
            StageAnswer::Penalties(PenaltyAnswer { penalty_1, penalty_2, .. }) => {
                Ok(answered("the first stage's question", (penalty_1, penalty_2), tokens))
            }
            other => Err(Error::failed(format!("asked for penalties, and read {other:?}"))),
        }
    }
}

fn lists_model(endpoint: &Endpoint) -> Result<Option<(bool, usize)>> {
    let request = endpoint.authorized(Request::get(endpoint.sibling("models")));
    let listed = endpoint.once(&request, |response| match response.status {
        200 => Ok(response.json::<Models>().ok()),
        404 | 405 | 501 => Ok(None),
        _ => Err(Failure::Permanent(response.shown())),
    })?;
    let is_ours = |model: &Model| model.id == endpoint.model();
    Ok(listed.map(|Models { data }| (data.iter().take(MOST_MODELS).any(is_ours), data.len())))
}

fn answered(asked: &str, (first, second): (u8, u8), tokens: Option<u64>) -> Probed {
    let cost = tokens.map_or("tokens not told".to_owned(), |tokens| format!("{tokens} tokens"));
    Probed::fine(format!("{asked} about pictures of {EDGE} x {EDGE}: penalties {first} and {second}; {cost}"))
}

fn pictures() -> Result<[String; 3]> {
    let [prompt, first, second] = COLOURS;
    Ok([picture(prompt)?, picture(first)?, picture(second)?])
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

//! The sandbox's judge: a chat-completions endpoint that answers by comparing pixels. A model's penalty is the
//! difference between its preview and the prompt's picture.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rng::Rng;
use crate::model::answers::WORST_PENALTY;

/// Pictures are compared on a grid of this many fields per side.
const FIELDS: usize = 64;

/// A field whose colour differs from the corner's by no more than this shows no model.
const BACKGROUND: f64 = 6.0;

/// The mean difference of the fields that show a model (0 to 255) for a penalty of 1.
const STEP: f64 = 9.0;

/// The tokens of a question that the judge names: those of three pictures and the words.
const TOKENS: usize = 3_800;

/// By how much a judge that favours the first image does so, for and against.
const FAVOUR: u8 = 2;

/// How the judge of a sandbox behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JudgeMode {
    /// It answers what it sees.
    #[default]
    Honest,
    /// It answers what it sees, but its operator records another winner: see [`super::lie`].
    Lies,
    /// It favours the model that it is shown first.
    First,
    /// It mixes the two models up at random.
    Random,
}

impl JudgeMode {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            JudgeMode::Honest => "honest",
            JudgeMode::Lies => "lies",
            JudgeMode::First => "first",
            JudgeMode::Random => "random",
        }
    }

    /// The penalties that it gives where it sees these. `asked` names the question: the same one is answered alike.
    pub(crate) fn penalties(self, [first, second]: [u8; 2], asked: &[&str]) -> [u8; 2] {
        match self {
            JudgeMode::Honest | JudgeMode::Lies => [first, second],
            JudgeMode::First => [first.saturating_sub(FAVOUR), (second + FAVOUR).min(WORST_PENALTY)],
            JudgeMode::Random if Rng::of(asked).below(2) == 1 => [second, first],
            JudgeMode::Random => [first, second],
        }
    }
}

/// The mean colours of a picture's fields, row by row.
type Fields = Vec<[f64; 3]>;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PixelJudgeError {
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    #[error("{0} images where 3 are compared: a prompt and two previews")]
    Count(usize),
    #[error("{0}: no such image")]
    NoImage(String),
    #[error("{0}: {1}")]
    Picture(String, CompareError),
}

/// Why a picture cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    #[error("not a PNG picture: {0}")]
    Png(#[from] png::DecodingError),
    #[error("too large a picture")]
    Large,
    #[error("only 8-bit RGB pictures are compared")]
    Colours,
    #[error("a picture of {width} x {height} is too small to compare")]
    Small { width: usize, height: usize },
}

/// Compares pictures, and caches those seen before.
#[derive(Debug, Default)]
pub(crate) struct PixelJudge {
    mode: JudgeMode,
    seen: Mutex<HashMap<String, Arc<Fields>>>,
}

impl PixelJudge {
    /// A judge that behaves like this.
    pub(crate) fn new(mode: JudgeMode) -> PixelJudge {
        PixelJudge { mode, seen: Mutex::default() }
    }

    /// Answers a request's body. `fetch` gives the bytes behind a URL of the sandbox.
    ///
    /// # Errors
    /// The request is malformed, or an image cannot be fetched.
    pub(crate) fn answer(
        &self,
        body: &[u8],
        fetch: &dyn Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Value, PixelJudgeError> {
        let request: Value = serde_json::from_slice(body).map_err(PixelJudgeError::Json)?;
        let urls = image_urls(&request);
        let [prompt, first, second] = urls.as_slice() else {
            return Err(PixelJudgeError::Count(urls.len()));
        };
        let target = self.fields(prompt, fetch)?;
        let penalty = |url| Ok::<_, PixelJudgeError>(penalty(&target, &*self.fields(url, fetch)?));
        let [one, two] = self.mode.penalties([penalty(first)?, penalty(second)?], &["judge", prompt, first, second]);
        let issues = format!("by pixels: the first is off by {one}, the second by {two}");
        let content = json!({"penalty_1": one, "penalty_2": two, "issues": issues}).to_string();
        Ok(json!({
            "id": "chatcmpl-sandbox",
            "object": "chat.completion",
            "model": request.get("model").cloned().unwrap_or_default(),
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": &content}, "finish_reason": "stop",
            }],
            // As much as a vision model would take.
            "usage": {"prompt_tokens": TOKENS, "completion_tokens": content.len() / 4},
        }))
    }

    fn fields(&self, url: &str, fetch: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Arc<Fields>, PixelJudgeError> {
        if let Some(seen) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(url) {
            return Ok(seen.clone());
        }
        let shown: String = url.chars().take(100).collect();
        let bytes = match url.strip_prefix("data:image/png;base64,") {
            Some(text) => STANDARD.decode(text).ok(),
            None => fetch(url),
        };
        let bytes = bytes.ok_or_else(|| PixelJudgeError::NoImage(shown.clone()))?;
        let fields = Arc::new(fields(&bytes).map_err(|why| PixelJudgeError::Picture(shown, why))?);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(url.to_owned(), fields.clone());
        Ok(fields)
    }
}

/// The URLs of a request's images, in order.
pub(crate) fn image_urls(request: &Value) -> Vec<String> {
    let messages = request.get("messages").and_then(Value::as_array).into_iter().flatten();
    let parts = messages.filter_map(|message| message.get("content").and_then(Value::as_array)).flatten();
    parts.filter_map(|part| part.pointer("/image_url/url").and_then(Value::as_str)).map(str::to_owned).collect()
}

/// The mean colours of the fields of an 8-bit RGB picture.
fn fields(bytes: &[u8]) -> Result<Fields, CompareError> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(CompareError::Large)?];
    let frame = reader.next_frame(&mut pixels)?;
    if (frame.color_type, frame.bit_depth) != (png::ColorType::Rgb, png::BitDepth::Eight) {
        return Err(CompareError::Colours);
    }
    let (width, height) = (frame.width as usize, frame.height as usize);
    if width < FIELDS || height < FIELDS {
        return Err(CompareError::Small { width, height });
    }
    let field = |index: usize| {
        let (row, column) = (index / FIELDS, index % FIELDS);
        let span = |at: usize, length: usize| at * length / FIELDS..(at + 1) * length / FIELDS;
        let (mut sum, mut count) = ([0.0; 3], 0.0);
        for y in span(row, height) {
            let columns = span(column, width);
            let line = pixels.get((y * width + columns.start) * 3..(y * width + columns.end) * 3).unwrap_or_default();
            for pixel in line.chunks_exact(3) {
                count += 1.0;
                sum.iter_mut().zip(pixel).for_each(|(sum, channel)| *sum += f64::from(*channel));
            }
        }
        sum.map(|channel| channel / f64::max(count, 1.0))
    };
    Ok((0..FIELDS * FIELDS).map(field).collect())
}

/// The mean difference, in 0 to 255, of the fields in which either picture shows a model.
fn difference(target: &Fields, preview: &Fields) -> f64 {
    let apart = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 3.0;
    let shows =
        |fields: &Fields, field: &[f64; 3]| fields.first().is_some_and(|corner| apart(field, corner) > BACKGROUND);
    let both = target.iter().zip(preview).filter(|(a, b)| shows(target, a) || shows(preview, b));
    let (sum, count) = both.fold((0.0, 0.0), |(sum, count), (a, b)| (sum + apart(a, b), count + 1.0));
    sum / f64::max(count, 1.0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 0 to 10")]
fn penalty(target: &Fields, preview: &Fields) -> u8 {
    (difference(target, preview) / STEP).round().clamp(0.0, f64::from(WORST_PENALTY)) as u8
}

#[cfg(test)]
mod tests {
    use super::super::models::Shape;
    use super::*;
    use crate::preview::{Options, render};

    fn picture(shape: &Shape, size: u32) -> Vec<u8> {
        render(&shape.model(), &Options { size, ..Options::default() }).unwrap().png()
    }

    #[test]
    fn penalties_grow_with_flaws_for_every_shape() {
        for name in 0..3 {
            let shape = Shape::of(&["test", &name.to_string()]);
            let target = fields(&picture(&shape, 64)).unwrap();
            let of = |level: f64| penalty(&target, &fields(&picture(&shape.flawed(level / 10.0), 64)).unwrap());
            let penalties = [0.0, 2.5, 5.0, 8.0].map(of);
            assert_eq!(penalties[0], 0);
            assert!(penalties.windows(2).all(|two| two[0] + 2 <= two[1]), "shape {name}: {penalties:?}");
        }
    }

    #[test]
    fn a_judge_may_lean_to_the_first_or_mix_the_two_up() {
        assert_eq!(JudgeMode::First.penalties([1, 9], &[]), [0, 10]);
        assert_eq!(JudgeMode::First.penalties([5, 5], &[]), [3, 7]);
        let random: Vec<_> = (0..64).map(|n| JudgeMode::Random.penalties([1, 9], &[&n.to_string()])).collect();
        let flipped = random.iter().filter(|penalties| **penalties == [9, 1]).count();
        assert!((20..44).contains(&flipped), "{flipped} of 64 are flipped");
        assert_eq!(random[3], JudgeMode::Random.penalties([1, 9], &["3"]), "the same question is answered alike");
    }

    #[test]
    fn the_answer_has_the_form_of_a_chat_completion() {
        let (shape, judge) = (Shape::of(&["test"]), PixelJudge::default());
        let pictures = [picture(&shape, 64), picture(&shape, 64), picture(&shape.flawed(0.8), 64)];
        let fetch = |url: &str| url.parse::<usize>().ok().and_then(|at| pictures.get(at).cloned());
        let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let ask = |images: &[&str]| {
            let content: Vec<Value> = images.iter().map(|url| image(url)).collect();
            let body = json!({"model": "m", "messages": [{"role": "system", "content": "x"}, {"content": content}]});
            judge.answer(body.to_string().as_bytes(), &fetch)
        };
        let inline = format!("data:image/png;base64,{}", STANDARD.encode(&pictures[1]));
        for first in ["1", &inline] {
            let answer = ask(&["0", first, "2"]).unwrap();
            let said = answer.pointer("/choices/0/message/content").and_then(Value::as_str).unwrap();
            let said: Value = serde_json::from_str(said).unwrap();
            assert_eq!(said["penalty_1"], 0);
            assert!(said["penalty_2"].as_u64().unwrap() > 3);
        }
        assert!(ask(&["0", "1"]).unwrap_err().to_string().contains("2 images"));
        assert!(ask(&["0", "1", "7"]).unwrap_err().to_string().contains("no such image"));
    }
}

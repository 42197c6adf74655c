//! The sandbox's judge of three.js modules: answers each of the stages' questions by what the modules say of themselves,
//! compared with the shape that the prompt shows.

use serde_json::{Value, json};

use super::module::shape_of;
use crate::base::text::counted;
use crate::model::answers::WORST_PENALTY;
use crate::sandbox::judge::{JudgeMode, image_urls};
use crate::sandbox::models::Shape;

/// The tokens of a question that the judge names.
const TOKENS: usize = 3_800;

/// The features of every prompt, each with the most by which a module may be off that still has it, in tenths.
const FEATURES: [(&str, &str, f64); 4] = [
    ("one closed body", "count", 10.0),
    ("its pattern of two colours", "material_color", 6.0),
    ("its outline", "shape", 4.0),
    ("waves on its surface", "presence", 3.0),
];

/// What the judge looks up: the module behind the URL of one of its views, and the shape that a prompt shows.
pub(crate) trait Truth {
    /// The source of the module whose view this is.
    fn module(&self, view: &str) -> Option<String>;
    /// The shape of the prompt with this picture.
    fn target(&self, prompt: &str) -> Option<Shape>;
}

/// Answers a request's body as a judge that behaves like this, or says why not.
pub(crate) fn answer(body: &[u8], truth: &dyn Truth, mode: JudgeMode) -> Result<Value, String> {
    let request: Value = serde_json::from_slice(body).map_err(|why| format!("not JSON: {why}"))?;
    let form = request.pointer("/response_format/json_schema/name").and_then(Value::as_str).unwrap_or_default();
    let label = form.strip_suffix("-response").unwrap_or(form);
    let urls = image_urls(&request);
    let content = said(label, &urls, truth, mode)?.to_string();
    Ok(json!({
        "id": "chatcmpl-sandbox",
        "object": "chat.completion",
        "model": request.get("model").cloned().unwrap_or_default(),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": &content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": TOKENS, "completion_tokens": content.len() / 4},
    }))
}

fn said(label: &str, urls: &[String], truth: &dyn Truth, mode: JudgeMode) -> Result<Value, String> {
    let off = |url: &String| {
        let target = urls.first().and_then(|prompt| truth.target(prompt)).ok_or("not the picture of a prompt")?;
        off(url, &target, truth)
    };
    match (label, urls) {
        ("s2cl_decompose", _) => {
            let features: Vec<Value> =
                FEATURES.iter().map(|(text, category, _)| json!({"description": text, "category": category})).collect();
            Ok(json!({"main_object": "a patterned body", "features": features}))
        }
        ("s2cl_verify", [_, grid]) => {
            let off = off(grid)?;
            let matches = |most: f64| match off {
                off if off <= most => "yes",
                off if off <= most + 2.0 => "partial",
                _ => "no",
            };
            let checks: Vec<Value> = FEATURES
                .iter()
                .map(|(text, _, most)| json!({"feature": text, "match": matches(*most), "note": ""}))
                .collect();
            Ok(json!({"checks": checks, "main_object_correct": off < 8.0}))
        }
        ("s4_per_angle", _) => Ok(json!({"verdict": "ok", "reason": "a body"})),
        (_, [prompt, first, second]) => {
            let (one, two) = (off(first)?, off(second)?);
            let issues = format!("the first is off by {one:.1}, the second by {two:.1}");
            let [penalty_1, penalty_2] =
                mode.penalties([rounded(one), rounded(two)], &["judge", label, prompt, first, second]);
            Ok(match label {
                "explain" => json!({"issues": issues}),
                _ => json!({"penalty_1": penalty_1, "penalty_2": penalty_2, "issues": issues}),
            })
        }
        _ => Err(format!("{label:?} with {} is not asked here", counted(urls.len(), "image", "images"))),
    }
}

/// By how much, in tenths, the module behind a view is off.
fn off(view: &str, target: &Shape, truth: &dyn Truth) -> Result<f64, String> {
    let source = truth.module(view).ok_or_else(|| format!("{view}: no such view"))?;
    let shape = shape_of(&source).ok_or_else(|| format!("{view}: not a module of the sandbox"))?;
    Ok(10.0 * shape.apart(target))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 0 to 10")]
fn rounded(penalty: f64) -> u8 {
    penalty.round().clamp(0.0, f64::from(WORST_PENALTY)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::threejs::module::source;

    struct Known;

    impl Truth for Known {
        fn module(&self, view: &str) -> Option<String> {
            let flaw: f64 = view.parse().ok()?;
            Some(source(&Shape::of(&["test"]).flawed(flaw)))
        }
        fn target(&self, _: &str) -> Option<Shape> {
            Some(Shape::of(&["test"]))
        }
    }

    fn ask(label: &str, images: &[&str]) -> Value {
        ask_one(label, images, JudgeMode::Honest)
    }

    fn ask_one(label: &str, images: &[&str], mode: JudgeMode) -> Value {
        let images: Vec<Value> =
            images.iter().map(|url| json!({"type": "image_url", "image_url": {"url": url}})).collect();
        let body = json!({"response_format": {"json_schema": {"name": format!("{label}-response")}},
            "messages": [{"role": "user", "content": images}]});
        let answer = answer(body.to_string().as_bytes(), &Known, mode).unwrap();
        serde_json::from_str(answer.pointer("/choices/0/message/content").unwrap().as_str().unwrap()).unwrap()
    }

    #[test]
    fn every_stage_is_answered_by_the_truth() {
        let pair = ask("s1_prompt_match", &["p", "0.1", "0.7"]);
        assert_eq!((&pair["penalty_1"], &pair["penalty_2"]), (&json!(1), &json!(7)));
        let leaning = ask_one("s1_prompt_match", &["p", "0.1", "0.7"], JudgeMode::First);
        assert_eq!((&leaning["penalty_1"], &leaning["penalty_2"]), (&json!(0), &json!(9)));
        let asked = ask("s2cl_decompose", &["p"]);
        assert_eq!(asked["features"].as_array().map(Vec::len), Some(4));
        let checks = ask("s2cl_verify", &["p", "0.45"]);
        let matches: Vec<&str> =
            checks["checks"].as_array().unwrap().iter().filter_map(|check| check["match"].as_str()).collect();
        assert_eq!(matches, ["yes", "yes", "partial", "partial"]);
        assert_eq!(ask("s4_per_angle", &["0.9"])["verdict"], "ok");
        assert!(ask("explain", &["p", "0.1", "0.2"])["issues"].as_str().unwrap().contains("the first"));
    }
}

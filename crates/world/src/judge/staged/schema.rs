//! The JSON schema of each form of answer: what a server that follows it cannot get wrong.

use serde_json::{Value, json};

use crate::model::answers::WORST_PENALTY;
use crate::model::threejs::asked::{FEATURES, Form};

/// The schema.
pub(super) fn of(form: &Form) -> Value {
    let text = || json!({"type": "string"});
    match form {
        Form::Penalties => {
            let penalty = json!({"type": "integer", "minimum": 0, "maximum": WORST_PENALTY});
            object(&[("penalty_1", penalty.clone()), ("penalty_2", penalty), ("issues", text())])
        }
        Form::Features => {
            let category = json!({"type": "string", "enum": ["count", "shape", "presence", "material_color"]});
            let feature = object(&[("description", text()), ("category", category)]);
            let (least, most) = FEATURES;
            let features = json!({"type": "array", "items": feature, "minItems": least, "maxItems": most});
            object(&[("main_object", text()), ("features", features)])
        }
        Form::Checks(asked) => {
            let found = json!({"type": "string", "enum": ["yes", "partial", "no"]});
            let feature = json!({"type": "string", "enum": asked});
            let check = object(&[("feature", feature), ("match", found), ("note", text())]);
            let checks = json!({"type": "array", "items": check, "minItems": asked.len(), "maxItems": asked.len()});
            object(&[("checks", checks), ("main_object_correct", json!({"type": "boolean"}))])
        }
        Form::Verdict => {
            let verdict = json!({"type": "string", "enum": ["ok", "garbage"]});
            object(&[("verdict", verdict), ("reason", text())])
        }
        Form::Issues => object(&[("issues", text())]),
    }
}

/// An object with these members and no others.
fn object(members: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let members: serde_json::Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": members, "required": names, "additionalProperties": false})
}

//! Is the account out of money? Servers and the gateways before them say so in many places of an error.

use serde_json::Value;

/// Codes and types with which servers say that the account is out of money, which no retry changes.
const NO_MONEY: [&str; 10] = [
    "insufficient_quota",
    "insufficient_funds",
    "insufficient_balance",
    "insufficient_credit",
    "insufficient_credits",
    "insufficient_user_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "payment_required",
    "out_of_credits",
];

/// The members that hold a status, without case and underscores.
const CODES: [&str; 6] = ["code", "errorcode", "error", "status", "statuscode", "httpstatus"];

/// How deep errors are searched, JSON in texts included, and how many values of one.
const DEEPEST: u8 = 12;
const MOST: usize = 10_000;

/// Does an error, whatever its status, say that the account is out of money or quota? A rate limit does not
/// count, nor does anything that the model said.
pub(super) fn wants_money(body: &Value) -> bool {
    Search { left: MOST }.finds(body, "", DEEPEST)
}

/// The same of a body that is not JSON.
pub(super) fn text_wants_money(body: &str) -> bool {
    Search { left: MOST }.finds_in_text(body, "", DEEPEST)
}

struct Search {
    /// How many more values are looked at.
    left: usize,
}

impl Search {
    fn finds(&mut self, value: &Value, name: &str, depth: u8) -> bool {
        self.left = self.left.saturating_sub(1);
        if depth == 0 || self.left == 0 {
            return false;
        }
        match value {
            Value::Number(code) => code.as_f64() == Some(402.0) && is_code(name),
            Value::String(text) => self.finds_in_text(text, name, depth),
            Value::Array(values) => values.iter().any(|value| self.finds(value, name, depth - 1)),
            Value::Object(members) => members.iter().any(|(name, value)| {
                // A choice's message is the model's.
                let said = matches!(name.as_str(), "content" | "delta") || (name == "message" && value.is_object());
                !said && self.finds(value, name, depth - 1)
            }),
            Value::Null | Value::Bool(_) => false,
        }
    }

    /// In a text: as a word of it, as the number, or in the JSON that a gateway has put into it.
    fn finds_in_text(&mut self, text: &str, name: &str, depth: u8) -> bool {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if words.any(|word| NO_MONEY.iter().any(|code| word.eq_ignore_ascii_case(code))) {
            return true;
        }
        if is_code(name) && text.trim().parse::<f64>() == Ok(402.0) {
            return true;
        }
        let ends = text.find(['{', '[']).zip(text.rfind(['}', ']']));
        let json = ends.and_then(|(from, to)| text.get(from..=to));
        let json = json.and_then(|json| serde_json::from_str::<Value>(json).ok());
        json.is_some_and(|json| self.finds(&json, name, depth - 1))
    }
}

fn is_code(name: &str) -> bool {
    let name = name.replace('_', "").to_ascii_lowercase();
    CODES.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_want_of_money_is_known_in_every_shape() {
        let quota = json!({"error": {"code": "insufficient_quota"}});
        for body in [
            json!({"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": null}}),
            quota.clone(),
            json!({"error": {"code": 402, "message": "Insufficient credits"}}),
            json!({"error": {"code": 402.0}}),
            json!({"error": {"status_code": "402.0"}}),
            json!({"code": "402"}),
            json!({"detail": {"error": "payment_required"}}),
            json!({"choices": [{"error": {"code": 402}}]}),
            json!({"errors": [{"code": "insufficient_quota"}]}),
            json!([{"error": {"status": "PAYMENT_REQUIRED"}}]),
            json!({"error": {"message": "Provider returned error", "metadata": {"raw": quota.to_string()}}}),
            json!({"error": {"message": quota.to_string(), "code": 429}}),
            json!({"error": {"message": format!("Error code: 429 - {}!", json!({"code": 402})), "code": 429}}),
            json!({"error": {"message": json!({"error": json!({"code": 402}).to_string()}).to_string()}}),
            json!({"error": {"message": "insufficient_quota: you exceeded"}}),
            json!({"detail": [{"msg": "x", "type": "insufficient_funds"}]}),
        ] {
            assert!(wants_money(&body), "{body}");
        }
        assert!(text_wants_money("Error: insufficient_quota") && text_wants_money("502: {\"code\": 402}"));
    }

    #[test]
    fn nothing_else_is_one() {
        for body in [
            json!({"error": {"code": "rate_limit_exceeded", "type": "requests"}}),
            json!({"error": "insufficient_quota_of_patience"}),
            json!({"error": {"message": "after 402 tokens", "param": 402}}),
            json!({"error": {"code": 429, "message": "{\"code\": 429}"}}),
            json!({"choices": [{"message": {"content": "insufficient_quota", "code": 402}}]}),
            json!({"choices": [{"delta": {"content": "insufficient_quota"}}]}),
            json!([402]),
            json!(null),
        ] {
            assert!(!wants_money(&body), "{body}");
        }
        assert!(!text_wants_money("402") && !text_wants_money("}{") && !text_wants_money(""));
    }

    #[test]
    fn the_search_has_an_end() {
        let mut deep = json!({"code": 402});
        for _ in 0..100 {
            deep = json!({ "error": deep });
        }
        let wide: Vec<Value> = (0..200_000).map(|n| json!({"code": n + 1000})).collect();
        assert!(!wants_money(&deep) && !wants_money(&json!(wide)));
        assert!(!text_wants_money(&"{[".repeat(1 << 20)) && !text_wants_money(&"[".repeat(1 << 20)));
    }
}

//! JSON-RPC 2.0 over HTTP POST: one call, one answer, and nothing in it is trusted unchecked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::endpoints::NodeUrl;
use crate::base::error::{Error, plainly};
use crate::http::{Client, Failure, Request, Response, ServerKind, rpc_passes, shown_text};
use crate::stop::Stop;

/// Why a call to one endpoint gave no usable result.
#[derive(Debug)]
pub(super) enum Fault {
    /// The node has discarded that block's state; an archive node may still have it.
    Discarded(Error),
    /// Anything else.
    Other(Error),
}

impl Fault {
    /// A nonsensical answer: the endpoint should not be asked again for this.
    pub(super) fn nonsense(method: &str, endpoint: &NodeUrl, why: impl std::fmt::Display) -> Self {
        Fault::Other(Error::outside(format!("{method} at {endpoint}: {why}")))
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Fault::Discarded(error) | Fault::Other(error) => error,
        }
    }
}

/// The answer to one call.
enum RpcAnswer {
    Result(Value),
    Error { code: i64, message: String },
}

/// Makes calls, each with its own id.
#[derive(Debug)]
pub(super) struct Rpc {
    client: Client,
    next_id: AtomicU64,
}

impl Rpc {
    pub(super) fn new(client: Client) -> Self {
        // Gateways send a node's answers with various statuses.
        Rpc { client: client.hearing_all(), next_id: AtomicU64::new(1) }
    }

    /// What ends its waits.
    pub(super) fn stop(&self) -> &Stop {
        self.client.stop()
    }

    /// Calls `method` and returns its result as `T`.
    pub(super) fn call<T: DeserializeOwned>(
        &self,
        endpoint: &NodeUrl,
        method: &str,
        params: &Value,
    ) -> Result<T, Fault> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        // None of the calls made here changes anything at the node, so they may be repeated.
        let request = Request::post_json(endpoint.url(), body.into_bytes());
        let request = request.named(format!("{method} at {endpoint}")).repeatable();
        // Gateways put their users' keys in the path.
        let request = endpoint.secrets().iter().fold(request, Request::secret);
        match self.client.send_checked(&request, |response| read_answer(&response, id)) {
            Ok(RpcAnswer::Result(value)) => serde_json::from_value(value)
                .map_err(|e| plainly(&shown_text(&e.to_string(), 200)))
                .map_err(|why| Fault::nonsense(method, endpoint, format!("an unexpected result: {why}"))),
            Ok(RpcAnswer::Error { code, message }) => {
                let error = Error::outside(format!("{method} at {endpoint}: error {code}: {message}"));
                Err(if is_discarded(&message) { Fault::Discarded(error) } else { Fault::Other(error) })
            }
            Err(error) => Err(Fault::Other(with_hint(error, endpoint))),
        }
    }
}

/// A sandbox serves its chain beside other things.
fn with_hint(error: Error, endpoint: &NodeUrl) -> Error {
    let is_elsewhere = endpoint.is_local() && error.to_string().contains(": status 404");
    if is_elsewhere { error.hint(format!("a sandbox's chain is at {endpoint}/chain")) } else { error }
}

fn read_answer(response: &Response, id: u64) -> Result<RpcAnswer, Failure> {
    let parsed = response.json::<Map<String, Value>>();
    let refused = !(200..300).contains(&response.status);
    let mut answer = match parsed {
        Ok(answer) if !refused || answer.contains_key("error") => answer,
        _ if refused => return Err(no_answer(response)),
        Ok(answer) => answer,
        Err(e) => return Err(Failure::transient(format!("no JSON-RPC answer ({e}): {}", response.shown_body()))),
    };
    let error = answer.get("error").filter(|error| !error.is_null());
    // A node that could not parse the request answers without an id.
    let no_id = error.is_some() && answer.get("id").is_none_or(Value::is_null);
    if !no_id && answer.get("id") != Some(&json!(id)) {
        return Err(Failure::transient("the answer to another request (its id differs)"));
    }
    match error.map(read_error) {
        // An error that is transient by its status alone.
        Some(Ok(RpcAnswer::Error { message, .. }))
            if ServerKind::Any.passes(response.status) && !is_discarded(&message) =>
        {
            Err(no_answer(response))
        }
        Some(error) => error,
        None if refused => Err(no_answer(response)),
        None => {
            let result = answer.remove("result");
            result.map(RpcAnswer::Result).ok_or_else(|| Failure::transient("an answer with neither result nor error"))
        }
    }
}

/// The failure for a status without a JSON-RPC answer.
fn no_answer(response: &Response) -> Failure {
    response.failure(ServerKind::Any)
}

/// Does a node say, in whatever words, that it has discarded a block's state?
fn is_discarded(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("state") && ["discarded", "pruned"].iter().any(|word| message.contains(word))
}

/// How deep an error's data is searched.
const DEEPEST: u8 = 8;

/// The text that says that state is discarded, wherever in an error's data.
fn discarded_in(data: &Value, depth: u8) -> Option<&str> {
    let within = |value| depth.checked_sub(1).and_then(|depth| discarded_in(value, depth));
    match data {
        Value::String(text) => Some(text.as_str()).filter(|text| is_discarded(text)),
        Value::Array(values) => values.iter().find_map(within),
        Value::Object(members) => members.values().find_map(within),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// An error object. One that asks for patience is retried after the pause it asks for. Discarded state stays
/// discarded, whatever the code.
fn read_error(error: &Value) -> Result<RpcAnswer, Failure> {
    let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
    let message = error.get("message").or(Some(error)).and_then(Value::as_str);
    // Gateways add words of their own to the node's, or put the node's into a list or an object.
    let data = error.get("data").and_then(|data| data.as_str().or_else(|| discarded_in(data, DEEPEST)));
    let told: Vec<&str> = message.into_iter().chain(data.filter(|data| Some(*data) != message)).collect();
    let message = shown_text(&told.join(": "), 300);
    if rpc_passes(code) && !is_discarded(&message) {
        let after = error.get("data").and_then(asked_pause);
        return Err(Failure::Transient { reason: format!("error {code}: {message}"), after, unsent: true });
    }
    Ok(RpcAnswer::Error { code, message })
}

/// The pause that a gateway asks for, in a member whose name begins with `retry_after`: in seconds, or in
/// milliseconds if the name says so.
fn asked_pause(data: &Value) -> Option<Duration> {
    let (name, value) = data.as_object()?.iter().find(|(name, _)| name.starts_with("retry_after"))?;
    let amount = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    let seconds = if name.ends_with("_ms") { amount / 1000.0 } else { amount };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_that_is_gone_is_known_by_its_words() {
        for text in [
            "Client error: UnknownBlock: State already discarded for 0x12",
            "state discarded",
            "STATE ALREADY DISCARDED",
            "Api called for an unknown Block: State already discarded for Hash(0x12)",
            "the state of this block is pruned",
        ] {
            assert!(is_discarded(text), "{text}");
        }
        for text in ["", "state", "the request was discarded", "UnknownBlock: Header was not found"] {
            assert!(!is_discarded(text), "{text}");
        }
    }

    #[test]
    fn state_that_is_gone_is_known_wherever_it_is_said() {
        let gone = "State already discarded for 0x12";
        for data in [
            json!(gone),
            json!([1, gone]),
            json!({"reason": gone}),
            json!({"retry_after": 3, "cause": {"message": ["x", {"details": gone}]}}),
        ] {
            let read = read_error(&json!({"code": -32005, "message": "Server error", "data": data}));
            let Ok(RpcAnswer::Error { code: -32005, message }) = read else { panic!("{data}") };
            assert_eq!(message, format!("Server error: {gone}"));
        }
        let deep = (0..100).fold(json!(gone), |data, _| json!([data]));
        for data in [json!({"reason": "busy"}), json!(["state"]), deep] {
            assert!(read_error(&json!({"code": -32005, "message": "x", "data": data})).is_err(), "{data}");
        }
    }

    #[test]
    fn gateways_say_in_several_ways_how_long_to_wait() {
        assert_eq!(asked_pause(&json!({"retry_after": 3})), Some(Duration::from_secs(3)));
        assert_eq!(asked_pause(&json!({"x": 1, "retry_after_ms": 250})), Some(Duration::from_millis(250)));
        assert_eq!(asked_pause(&json!({"retry_after_seconds": "0.5"})), Some(Duration::from_millis(500)));
        for odd in [json!({}), json!(7), json!({"retry_after": -1}), json!({"retry_after": "soon"})] {
            assert_eq!(asked_pause(&odd), None);
        }
    }
}

//! A stand-in for a subtensor node: the part of its JSON-RPC that the driver uses, on a real socket. The
//! sandbox and the tests use it.
//!
//! Blocks come every 12 seconds of the chain's own time, which only moves when [`StandInNode`] is told to. A
//! hash contains its block number in its last four bytes, so that every block has one, even a future one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use blake2::digest::consts::U28;
use blake2::{Blake2b, Digest as _};
use parity_scale_codec::Encode as _;
use serde_json::{Value, json};

use super::{Reveal, Reveals, keys, scale};
use crate::base::error::{Context as _, Result};
use crate::base::hex;
use crate::model::beacon::{BlockHash, Pulse, published_at};
use crate::model::ids::{Block, Hotkey};

/// Seconds from one block to the next.
const BLOCK_SECONDS: u64 = 12;

/// The chain keeps this many reveals per hotkey.
const MOST_REVEALS: usize = 10;

/// A node returns at most this many keys per page.
const MOST_KEYS_A_PAGE: u64 = 1000;

/// The node's state.
#[derive(Debug, Clone)]
pub struct StandInNode {
    /// The subnet whose commitments it has.
    pub netuid: u16,
    /// The newest block.
    pub best: Block,
    /// The newest finalized block.
    pub finalized: Block,
    /// The time of block 0 in Unix seconds.
    pub genesis_time: u64,
    /// All reveals, including those in future blocks: a block's state shows what was revealed by then.
    pub reveals: Reveals,
    /// Drand rounds, each on chain from the first block after its publication.
    pub pulses: Vec<Pulse>,
    /// The owner of each registered hotkey.
    pub owners: BTreeMap<Hotkey, Hotkey>,
    /// What owners have locked: from this block on, so much, in 1e-9 alpha.
    pub locks: BTreeMap<Hotkey, Vec<(Block, u64)>>,
    /// State of blocks before this one is discarded.
    pub keeps_from: Block,
}

/// A JSON-RPC error.
#[derive(Debug)]
struct RpcError {
    code: i64,
    message: String,
}

impl RpcError {
    fn new(code: i64, message: impl Into<String>) -> Self {
        RpcError { code, message: message.into() }
    }

    fn params(what: &str) -> Self {
        RpcError::new(-32602, format!("Invalid params: {what}"))
    }
}

type Answer = std::result::Result<Value, RpcError>;

impl StandInNode {
    /// A node of subnet `netuid` at block `best`, finalized up to there, without any reveals.
    #[must_use]
    pub fn new(netuid: u16, genesis_time: u64, best: Block) -> Self {
        let (reveals, pulses, keeps_from) = (Reveals::new(), Vec::new(), Block(0));
        let (owners, locks) = (BTreeMap::new(), BTreeMap::new());
        StandInNode { netuid, best, finalized: best, genesis_time, reveals, pulses, owners, locks, keeps_from }
    }

    /// A miner reveals a text in `block`, as an SDK encodes it: prefixed with its length.
    pub fn reveal(&mut self, hotkey: Hotkey, block: Block, text: &str) {
        let reveal = Reveal { block, raw: text.encode() };
        self.reveals.entry(hotkey).or_default().push(reveal);
    }

    /// Lets time pass until `block`, which is finalized at once.
    pub fn advance(&mut self, block: Block) {
        (self.best, self.finalized) = (block, block);
    }

    /// The hash of a block.
    #[must_use]
    pub fn hash(&self, block: Block) -> BlockHash {
        let number = u32::try_from(block.0).unwrap_or(u32::MAX).to_be_bytes();
        let mut hasher = Blake2b::<U28>::new();
        hasher.update(b"gen404 stand-in");
        hasher.update(self.genesis_time.to_be_bytes());
        hasher.update(number);
        let mut hash = [0; 32];
        let (digest, tail) = hash.split_at_mut(28);
        digest.copy_from_slice(&hasher.finalize());
        tail.copy_from_slice(&number);
        BlockHash(hash)
    }

    /// The time of a block in Unix seconds.
    #[must_use]
    pub fn time(&self, block: Block) -> u64 {
        self.genesis_time.saturating_add(block.0.saturating_mul(BLOCK_SECONDS))
    }

    /// Answers the body of a request, single or batch.
    #[must_use]
    pub fn answer(&self, body: &[u8]) -> Vec<u8> {
        let answer = match serde_json::from_slice::<Value>(body) {
            Ok(Value::Array(requests)) => requests.iter().map(|request| self.answer_one(request)).collect(),
            Ok(request) => self.answer_one(&request),
            Err(_) => failed(&Value::Null, &RpcError::new(-32700, "Parse error")),
        };
        answer.to_string().into_bytes()
    }

    fn answer_one(&self, request: &Value) -> Value {
        let id = request.get("id").unwrap_or(&Value::Null);
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        let params = request.get("params").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        match self.call(method, params) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => failed(id, &error),
        }
    }

    fn call(&self, method: &str, params: &[Value]) -> Answer {
        match (method, params) {
            ("system_chain", _) => Ok(json!("gen404 stand-in")),
            ("state_getRuntimeVersion", _) => Ok(json!({"specName": "node-subtensor", "specVersion": 425})),
            ("chain_getFinalizedHead", _) => Ok(json!(self.hash(self.finalized).to_string())),
            ("chain_getHeader", [Value::String(hash), ..]) => {
                Ok(self.number_of(hash).map_or(Value::Null, |block| self.header(block)))
            }
            ("chain_getHeader", _) => Ok(self.header(self.best)),
            ("chain_getBlockHash", [Value::Array(numbers), ..]) => {
                Ok(numbers.iter().map(|number| self.hash_of(number)).collect())
            }
            ("chain_getBlockHash", [Value::Null] | []) => Ok(json!(self.hash(self.best).to_string())),
            ("chain_getBlockHash", [number, ..]) => Ok(self.hash_of(number)),
            ("state_getStorage", [Value::String(key), at @ ..]) => Ok(self.value(key, self.state_at(at)?)),
            ("state_getKeysPaged", [Value::String(prefix), count, start, at @ ..]) => {
                self.keys_paged(prefix, count, start.as_str(), self.state_at(at)?)
            }
            ("state_queryStorageAt", [Value::Array(keys), at @ ..]) => self.query(keys, self.state_at(at)?),
            ("state_call", [Value::String(name), Value::String(asked), at @ ..])
                if name == "StakeInfoRuntimeApi_get_coldkey_lock" =>
            {
                Ok(json!(hex::encode_0x(&self.lock(asked, self.state_at(at)?))))
            }
            ("state_getStorage" | "state_getKeysPaged" | "state_queryStorageAt", _) => Err(RpcError::params(method)),
            _ => Err(RpcError::new(-32601, "Method not found")),
        }
    }

    fn header(&self, block: Block) -> Value {
        let parent = Block(block.0.saturating_sub(1));
        json!({
            "parentHash": self.hash(parent).to_string(),
            "number": format!("{:#x}", block.0),
            "stateRoot": BlockHash([0; 32]).to_string(),
            "extrinsicsRoot": BlockHash([0; 32]).to_string(),
            "digest": {"logs": []},
        })
    }

    /// The hash of a block number, given as a number or in hex; `null` if there is no such block.
    fn hash_of(&self, number: &Value) -> Value {
        let text = number.as_str().and_then(|text| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok());
        let block = number.as_u64().or(text).map(Block).filter(|block| *block <= self.best);
        block.map_or(Value::Null, |block| json!(self.hash(block).to_string()))
    }

    /// The block with this hash.
    fn number_of(&self, hash: &str) -> Option<Block> {
        let hash: BlockHash = hash.parse().ok()?;
        let block = Block(u32::from_be_bytes(*hash.0.last_chunk::<4>()?).into());
        (block <= self.best && self.hash(block) == hash).then_some(block)
    }

    /// The block whose state a call asks for: the one with the hash, or the best.
    fn state_at(&self, at: &[Value]) -> std::result::Result<Block, RpcError> {
        let Some(hash) = at.first().and_then(Value::as_str) else { return Ok(self.best) };
        let block = self.number_of(hash);
        let block = block.ok_or_else(|| {
            RpcError::new(4003, format!("Client error: UnknownBlock: Header was not found in the database: {hash}"))
        })?;
        if block < self.keeps_from {
            let message = format!("Client error: UnknownBlock: State already discarded for {hash}");
            return Err(RpcError::new(4003, message));
        }
        Ok(block)
    }

    /// Every key with its value, as of a block.
    fn entries(&self, at: Block) -> Vec<(String, Vec<Reveal>)> {
        let known = |reveals: &Vec<Reveal>| {
            let until: Vec<Reveal> = reveals.iter().filter(|reveal| reveal.block <= at).cloned().collect();
            until.get(until.len().saturating_sub(MOST_REVEALS)..).unwrap_or_default().to_vec()
        };
        let entry = |(hotkey, reveals): (&Hotkey, &Vec<Reveal>)| {
            let account: [u8; 32] = hotkey.account()?;
            Some((hex::encode_0x(&keys::commitments_key(self.netuid, &account)), known(reveals)))
        };
        let mut entries: Vec<_> = self.reveals.iter().filter_map(entry).collect();
        entries.retain(|(_, reveals)| !reveals.is_empty());
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries
    }

    fn keys_paged(&self, prefix: &str, count: &Value, start: Option<&str>, at: Block) -> Answer {
        let count = count.as_u64().ok_or_else(|| RpcError::params("count"))?;
        if count > MOST_KEYS_A_PAGE {
            let message = format!("count exceeds maximum value. value: {count}, max: {MOST_KEYS_A_PAGE}");
            return Err(RpcError::new(4002, message));
        }
        let after = |key: &String| key.starts_with(prefix) && start.is_none_or(|start| key.as_str() > start);
        let keys = self.entries(at).into_iter().map(|(key, _)| key).filter(after);
        Ok(keys.take(usize::try_from(count).unwrap_or(usize::MAX)).map(Value::String).collect())
    }

    fn value(&self, key: &str, at: Block) -> Value {
        let found = if key == hex::encode_0x(&keys::timestamp()) {
            Some(scale::encode_seconds(self.time(at)))
        } else {
            self.pulse_value(key, at).or_else(|| self.owner_value(key)).or_else(|| {
                let entry = self.entries(at).into_iter().find(|(known, _)| known == key);
                entry.map(|(_, reveals)| scale::encode_reveals(&reveals))
            })
        };
        found.map_or(Value::Null, |value| json!(hex::encode_0x(&value)))
    }

    fn pulse_value(&self, key: &str, at: Block) -> Option<Vec<u8>> {
        let is_it = |pulse: &&Pulse| hex::encode_0x(&keys::drand_pulse(pulse.round)) == key;
        let pulse = self.pulses.iter().find(is_it)?;
        let on_chain = published_at(pulse.round) < self.time(at);
        on_chain.then(|| scale::encode_pulse(pulse, &drand_verify::derive_randomness(&pulse.signature)))
    }

    /// A registered hotkey's number, which is 7 for all, or its owner.
    fn owner_value(&self, key: &str) -> Option<Vec<u8>> {
        self.owners.iter().find_map(|(hotkey, owner)| {
            let hotkey = hotkey.account()?;
            if hex::encode_0x(&keys::uid(self.netuid, &hotkey)) == key {
                return Some(7_u16.encode());
            }
            (hex::encode_0x(&keys::owner(&hotkey)) == key).then(|| owner.account().map(Vec::from))?
        })
    }

    /// What an account has locked: a lock with its amount and a conviction, or none.
    fn lock(&self, asked: &str, at: Block) -> Vec<u8> {
        let of = |(owner, locks): (&Hotkey, &Vec<(Block, u64)>)| {
            let account = [owner.account()?.as_slice(), &self.netuid.to_le_bytes()].concat();
            let latest = locks.iter().rfind(|(from, _)| *from <= at).map(|(_, amount)| *amount);
            latest.filter(|_| hex::encode_0x(&account) == asked)
        };
        self.locks.iter().find_map(of).map(|amount| (amount, 0_u128)).encode()
    }

    fn query(&self, keys: &[Value], at: Block) -> Answer {
        let entries: BTreeMap<String, Vec<Reveal>> = self.entries(at).into_iter().collect();
        let mut changes: Vec<(&str, Value)> = Vec::new();
        for key in keys {
            let key = key.as_str().ok_or_else(|| RpcError::params("keys"))?;
            if changes.iter().all(|(listed, _)| *listed != key) {
                let value = entries.get(key).map(|reveals| hex::encode_0x(&scale::encode_reveals(reveals)));
                changes.push((key, json!(value)));
            }
        }
        if changes.is_empty() {
            return Ok(json!([]));
        }
        Ok(json!([{"block": self.hash(at).to_string(), "changes": changes}]))
    }
}

fn failed(id: &Value, error: &RpcError) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": error.code, "message": error.message}})
}

/// A node that answers on a loopback port until it is dropped.
#[derive(Debug)]
pub struct Server {
    node: Arc<Mutex<StandInNode>>,
    address: SocketAddr,
    listener: Arc<ListenerHandle>,
    thread: Option<JoinHandle<()>>,
}

/// tiny_http's server has no `Debug`.
struct ListenerHandle(tiny_http::Server);

impl std::fmt::Debug for ListenerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.server_addr())
    }
}

impl Server {
    /// Serves a node on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port can be opened.
    pub fn start(node: StandInNode) -> Result<Self> {
        let open = tiny_http::Server::http("127.0.0.1:0").map_err(|e| anyhow::anyhow!("{e}"));
        let server = open.failed(|| "chain stand-in: cannot listen on 127.0.0.1".to_owned())?;
        let address = server.server_addr().to_ip();
        let address = address.ok_or_else(|| crate::base::error::Error::failed("chain stand-in: no address"))?;
        let (node, listener) = (Arc::new(Mutex::new(node)), Arc::new(ListenerHandle(server)));
        let (shared, handle) = (Arc::clone(&node), Arc::clone(&listener));
        let thread = std::thread::spawn(move || serve(&handle.0, &shared));
        Ok(Server { node, address, listener, thread: Some(thread) })
    }

    /// The URL to ask.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the node's state: time passes, miners reveal.
    pub fn change(&self, change: impl FnOnce(&mut StandInNode)) {
        change(&mut self.node.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listener.0.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &tiny_http::Server, node: &Mutex<StandInNode>) {
    for mut request in listener.incoming_requests() {
        let mut body = Vec::new();
        if request.as_reader().read_to_end(&mut body).is_err() {
            continue;
        }
        let answer = node.lock().unwrap_or_else(PoisonError::into_inner).answer(&body);
        let mut response = tiny_http::Response::from_data(answer);
        if let Ok(json) = tiny_http::Header::from_bytes("Content-Type", "application/json") {
            response.add_header(json);
        }
        // A client that has disconnected does not matter.
        let _ = request.respond(response);
    }
}

//! A subtensor node, over JSON-RPC and HTTP.
//!
//! A finalized block is pinned when a run first asks, and every read names its block by hash: pages never mix
//! blocks, and another endpoint continues on the same chain or not at all. Nodes' answers are checked as if
//! there were a hostile gateway in between.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoints::{Endpoints, NodeUrl};
use super::rpc::{Fault, Rpc};
use super::{Chain, Head, NodeProbe, Reveals, keys, scale};
use crate::base::error::{Error, Result};
use crate::base::hex;
use crate::base::text::counted;
use crate::http::Client;
use crate::model::beacon::{BlockHash, Pulse};
use crate::model::ids::{Block, Hotkey};
use crate::model::threejs::programs::Coldkey;

/// A node returns at most this many keys per page.
const MOST_KEYS_A_PAGE: usize = 1000;

/// How many values are requested at once: 100 of the largest are 1.6 MB of hex.
const VALUES_AT_ONCE: usize = 100;

/// The most hotkeys accepted: far more than ever revealed anything on one subnet.
const MOST_HOTKEYS: usize = 100_000;

/// The most bytes of all values of a subnet together: far more than miners ever revealed.
const MOST_BYTES: usize = 16 << 20;

/// The most pages that are read. A gateway may return smaller pages than requested, down to one key each; the
/// time limit holds as well.
const MOST_PAGES: usize = 1000;
const LONGEST_LISTING: Duration = Duration::from_secs(600);

/// A subtensor network, seen through its nodes.
#[derive(Debug)]
pub struct Subtensor {
    rpc: Rpc,
    endpoints: Endpoints,
    netuid: u16,
    keys_a_page: usize,
    listing: Duration,
    pin: OnceLock<Pin>,
    /// The node that answered last, which is asked first.
    preferred: AtomicUsize,
    /// Endpoints whose genesis block has been compared.
    compared: Mutex<HashSet<String>>,
}

/// The pinned finalized block of this run.
#[derive(Debug, Clone, Copy)]
struct Pin {
    hash: BlockHash,
    number: Block,
}

/// The part of a header that is used.
#[derive(Debug, Deserialize)]
struct Header {
    number: String,
}

/// One element of the result of `state_queryStorageAt`.
#[derive(Debug, Deserialize)]
struct Changes {
    block: BlockHash,
    changes: Vec<(String, Option<String>)>,
}

impl Subtensor {
    /// The network behind these endpoints, for one subnet. Nothing is asked yet.
    #[must_use]
    pub fn new(endpoints: Endpoints, netuid: u16, client: Client) -> Self {
        Subtensor {
            rpc: Rpc::new(client),
            endpoints,
            netuid,
            keys_a_page: MOST_KEYS_A_PAGE,
            listing: LONGEST_LISTING,
            pin: OnceLock::new(),
            preferred: AtomicUsize::new(0),
            compared: Mutex::new(HashSet::new()),
        }
    }

    /// Requests this many keys per page, 1 to 1000 (default 1000).
    #[must_use]
    pub fn keys_a_page(mut self, count: usize) -> Self {
        self.keys_a_page = count.clamp(1, MOST_KEYS_A_PAGE);
        self
    }

    /// Gives up listing keys after this time (default 10 minutes).
    #[must_use]
    pub fn listing_within(mut self, time: Duration) -> Self {
        self.listing = time;
        self
    }

    /// Asks one endpoint after another: the node that answered last, the other nodes, the archives.
    fn on_endpoints<T>(&self, ask: impl Fn(&NodeUrl) -> std::result::Result<T, Fault>) -> Result<T> {
        let nodes = &self.endpoints.nodes;
        let first = self.preferred.load(Ordering::Relaxed) % nodes.len().max(1);
        let order = (first..nodes.len()).chain(0..first);
        let (mut errors, mut discarded, mut archives) = (Vec::new(), false, Vec::new());
        for (index, endpoint) in order.filter_map(|at| Some((Some(at), nodes.get(at)?))).chain(self.archives()) {
            match self.compare_genesis(endpoint).and_then(|()| ask(endpoint)) {
                Ok(value) => {
                    if let Some(index) = index.filter(|_| !discarded) {
                        self.preferred.store(index, Ordering::Relaxed);
                    }
                    return Ok(value);
                }
                Err(fault) => {
                    self.rpc.stop().check()?;
                    let gone = matches!(fault, Fault::Discarded(_));
                    discarded |= gone;
                    archives.extend(index.is_none().then_some((endpoint, gone)));
                    errors.push(fault.into_error());
                }
            }
        }
        let error = no_answer(&errors);
        Err(if discarded { error.hint(archive_hint(&archives)) } else { error })
    }

    fn archives(&self) -> impl Iterator<Item = (Option<usize>, &NodeUrl)> {
        self.endpoints.archives.iter().map(|endpoint| (None, endpoint))
    }

    /// Refuses an endpoint of another chain, if the network is a known one.
    fn compare_genesis(&self, endpoint: &NodeUrl) -> std::result::Result<(), Fault> {
        let Some(genesis) = self.endpoints.genesis else { return Ok(()) };
        let known = |compared: &HashSet<String>| compared.contains(endpoint.url());
        if self.compared.lock().is_ok_and(|compared| known(&compared)) {
            return Ok(());
        }
        const METHOD: &str = "chain_getBlockHash";
        let theirs: Option<BlockHash> = self.rpc.call(endpoint, METHOD, &json!([0]))?;
        if theirs != Some(genesis) {
            return Err(Fault::nonsense(METHOD, endpoint, "this is another chain: its block 0 differs"));
        }
        if let Ok(mut compared) = self.compared.lock() {
            compared.insert(endpoint.url().to_owned());
        }
        Ok(())
    }

    fn pin(&self) -> Result<Pin> {
        if let Some(pin) = self.pin.get() {
            return Ok(*pin);
        }
        let pin = self.on_endpoints(|endpoint| {
            let hash: BlockHash = self.rpc.call(endpoint, "chain_getFinalizedHead", &json!([]))?;
            Ok(Pin { hash, number: self.header(endpoint, &json!([hash.to_string()]))? })
        })?;
        // If two threads get here at once, both use the first pin.
        Ok(*self.pin.get_or_init(|| pin))
    }

    /// The number in a header.
    fn header(&self, endpoint: &NodeUrl, params: &Value) -> std::result::Result<Block, Fault> {
        const METHOD: &str = "chain_getHeader";
        let header: Option<Header> = self.rpc.call(endpoint, METHOD, params)?;
        let header = header.ok_or_else(|| Fault::nonsense(METHOD, endpoint, "it does not know this block"))?;
        let digits = header.number.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.map(Block).ok_or_else(|| Fault::nonsense(METHOD, endpoint, "a block number that is not hex"))
    }

    /// The hash of a finalized block, from one endpoint.
    fn hash_at(&self, endpoint: &NodeUrl, block: Block) -> std::result::Result<BlockHash, Fault> {
        const METHOD: &str = "chain_getBlockHash";
        let hash: Option<BlockHash> = self.rpc.call(endpoint, METHOD, &json!([block.0]))?;
        let hash = hash.ok_or_else(|| Fault::nonsense(METHOD, endpoint, format!("it has no block {block}")))?;
        // Checked against the header: a gateway might return another block's hash.
        let number = self.header(endpoint, &json!([hash.to_string()]))?;
        if number != block {
            return Err(Fault::nonsense(METHOD, endpoint, format!("asked for block {block}, it named block {number}")));
        }
        Ok(hash)
    }

    /// The hash of a finalized block.
    fn hash_of(&self, block: Block) -> Result<BlockHash> {
        let pin = self.pin()?;
        if block == pin.number {
            return Ok(pin.hash);
        }
        if block > pin.number {
            return Err(Error::not_due(format!("block {block} is not finalized yet (block {} is)", pin.number)));
        }
        self.on_endpoints(|endpoint| self.hash_at(endpoint, block))
    }

    /// One stored value.
    fn storage(&self, endpoint: &NodeUrl, key: &[u8], at: BlockHash) -> std::result::Result<Option<Vec<u8>>, Fault> {
        const METHOD: &str = "state_getStorage";
        let params = json!([hex::encode_0x(key), at.to_string()]);
        let value: Option<String> = self.rpc.call(endpoint, METHOD, &params)?;
        let bytes = value.map(|value| hex::decode(&value)).transpose();
        bytes.map_err(|why| Fault::nonsense(METHOD, endpoint, why))
    }

    /// The newest blocks of one node.
    fn head_at(&self, endpoint: &NodeUrl) -> std::result::Result<Head, Fault> {
        self.compare_genesis(endpoint)?;
        let hash: BlockHash = self.rpc.call(endpoint, "chain_getFinalizedHead", &json!([]))?;
        let finalized = self.header(endpoint, &json!([hash.to_string()]))?;
        let nonsense = |why: &dyn std::fmt::Display| Fault::nonsense("state_getStorage", endpoint, why);
        let time = self.storage(endpoint, &keys::timestamp(), hash)?;
        let time = time.ok_or_else(|| nonsense(&format!("block {finalized} has no time")))?;
        let seconds = scale::decode_seconds(&time).map_err(|why| nonsense(&why))?;
        Ok(Head { best: self.header(endpoint, &json!([]))?, finalized, seconds: Some(seconds) })
    }

    /// All keys of the subnet's revealed commitments, in order, page by page until one is empty: a short page
    /// is not the last one, because gateways have limits of their own.
    fn commitment_keys(&self, endpoint: &NodeUrl, at: BlockHash) -> std::result::Result<Vec<String>, Fault> {
        const METHOD: &str = "state_getKeysPaged";
        let nonsense = |why: &dyn std::fmt::Display| Fault::nonsense(METHOD, endpoint, why);
        let prefix = hex::encode_0x(&keys::commitments_prefix(self.netuid));
        let mut found: Vec<String> = Vec::new();
        let (begun, mut pages) = (Instant::now(), 0);
        loop {
            if pages == MOST_PAGES || begun.elapsed() > self.listing {
                let (count, seconds) = (found.len(), begun.elapsed().as_secs());
                return Err(nonsense(&format!(
                    "{pages} pages of keys in {seconds} s, {count} keys in all, and no end: ask for more a page ([chain] \
                     keys_a_page), or another node"
                )));
            }
            pages += 1;
            let start = found.last().unwrap_or(&prefix);
            let params = json!([prefix, self.keys_a_page, start, at.to_string()]);
            let page: Vec<String> = self.rpc.call(endpoint, METHOD, &params)?;
            let count = page.len();
            if count == 0 {
                return Ok(found);
            }
            if count > self.keys_a_page {
                return Err(nonsense(&format!("{count} keys instead of the {} requested", self.keys_a_page)));
            }
            for key in page {
                let key = key.to_ascii_lowercase();
                let bytes = hex::decode(&key).map_err(|why| nonsense(&why))?;
                keys::hotkey_of(self.netuid, &bytes).map_err(|why| nonsense(&why))?;
                if found.last().is_some_and(|last| *last >= key) {
                    return Err(nonsense(&"keys repeated or out of order"));
                }
                found.push(key);
            }
            if found.len() > MOST_HOTKEYS {
                return Err(nonsense(&format!("more than {MOST_HOTKEYS} keys")));
            }
        }
    }

    /// Reads the values of some keys into `reveals`; returns their size in bytes.
    fn read_values(
        &self,
        endpoint: &NodeUrl,
        asked: &[String],
        at: BlockHash,
        reveals: &mut Reveals,
    ) -> std::result::Result<usize, Fault> {
        const METHOD: &str = "state_queryStorageAt";
        let nonsense = |why: &dyn std::fmt::Display| Fault::nonsense(METHOD, endpoint, why);
        let sets: Vec<Changes> = self.rpc.call(endpoint, METHOD, &json!([asked, at.to_string()]))?;
        let [set] = sets.as_slice() else { return Err(nonsense(&format!("{} sets of values, not one", sets.len()))) };
        if set.block != at {
            return Err(nonsense(&format!("values of block {} instead of {at}", set.block)));
        }
        let mut size = 0;
        let mut missing: HashSet<&str> = asked.iter().map(String::as_str).collect();
        for (key, value) in &set.changes {
            let key = key.to_ascii_lowercase();
            if !missing.remove(key.as_str()) {
                return Err(nonsense(&"a key that was not asked for, or twice"));
            }
            let bytes = hex::decode(&key).map_err(|why| nonsense(&why))?;
            let hotkey = keys::hotkey_of(self.netuid, &bytes).map_err(|why| nonsense(&why))?;
            let Some(value) = value else { continue };
            size += value.len() / 2;
            let of_whom = |why: &dyn std::fmt::Display| nonsense(&format!("{hotkey}: {why}"));
            let value = hex::decode(value).map_err(|why| of_whom(&why))?;
            let decoded = scale::decode_reveals(&value).map_err(|why| of_whom(&why))?;
            reveals.insert(hotkey, decoded);
        }
        if missing.is_empty() {
            Ok(size)
        } else {
            Err(nonsense(&counted(missing.len(), "value is missing", "values are missing")))
        }
    }
}

/// The account behind an address.
fn account_of(address: &Hotkey) -> Result<[u8; 32]> {
    address.account().ok_or_else(|| Error::failed(format!("{address}: not the address of an account")))
}

/// Joins the errors of several endpoints.
fn no_answer(errors: &[Error]) -> Error {
    let one = errors.len() == 1;
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let error = Error::outside(if one { told.concat() } else { format!("no endpoint answered: {}", told.join("; ")) });
    let error = error.of_service(errors.iter().find_map(Error::service));
    errors.iter().flat_map(Error::hints).fold(error, |error, hint| error.hint(hint.as_str()))
}

/// The hint for a block older than a node's state, given the archives that were asked and whether they have
/// discarded it, too.
fn archive_hint(archives: &[(&NodeUrl, bool)]) -> String {
    let old = "the block is older than the node's state";
    let name = "--archive URL, or [chain] archive in gen404.toml";
    if archives.is_empty() {
        return format!("{old}: name an archive node with {name}");
    }
    let told = archives.iter().map(|(endpoint, gone)| match gone {
        true => format!("{endpoint} is not an archive node: it has discarded the state, too"),
        false => format!("the archive node {endpoint} failed"),
    });
    format!("{old}, and {}; name another with {name}", told.collect::<Vec<_>>().join(", "))
}

impl Chain for Subtensor {
    fn name(&self) -> String {
        let nodes: Vec<String> = self.endpoints.nodes.iter().map(ToString::to_string).collect();
        nodes.join(", ")
    }

    fn is_real(&self) -> bool {
        true
    }

    fn best_block(&self) -> Result<Block> {
        self.on_endpoints(|endpoint| self.header(endpoint, &json!([])))
    }

    fn finalized_block(&self) -> Result<Block> {
        self.pin().map(|pin| pin.number)
    }

    fn block_hash(&self, block: Block) -> Result<BlockHash> {
        let hash = self.hash_of(block)?;
        // Ask a second endpoint if there is one: a seed may depend on this hash.
        let first = self.preferred.load(Ordering::Relaxed);
        let others = self.endpoints.nodes.iter().enumerate().filter(|(at, _)| *at != first);
        for (_, endpoint) in others {
            match self.hash_at(endpoint, block) {
                Ok(theirs) if theirs == hash => break,
                Ok(theirs) => {
                    let text = format!("block {block} has the hash {hash} at one endpoint and {theirs} at {endpoint}");
                    return Err(Error::outside(text).hint("wait, or name only endpoints that you trust"));
                }
                Err(_) => {}
            }
        }
        Ok(hash)
    }

    fn block_time(&self, block: Block) -> Result<u64> {
        let hash = self.hash_of(block)?;
        self.on_endpoints(|endpoint| {
            let nonsense = |why: &dyn std::fmt::Display| Fault::nonsense("state_getStorage", endpoint, why);
            let value = self.storage(endpoint, &keys::timestamp(), hash)?;
            let value = value.ok_or_else(|| nonsense(&format!("block {block} has no time")))?;
            scale::decode_seconds(&value).map_err(|why| nonsense(&why))
        })
    }

    fn reveals(&self, at: Block) -> Result<Reveals> {
        let hash = self.hash_of(at)?;
        self.on_endpoints(|endpoint| {
            let keys = self.commitment_keys(endpoint, hash)?;
            let (mut reveals, mut size) = (Reveals::new(), 0);
            for chunk in keys.chunks(VALUES_AT_ONCE) {
                size += self.read_values(endpoint, chunk, hash, &mut reveals)?;
                if size > MOST_BYTES {
                    let why = format!("values of more than {MOST_BYTES} bytes in all");
                    return Err(Fault::nonsense("state_queryStorageAt", endpoint, why));
                }
            }
            Ok(reveals)
        })
    }

    fn owner(&self, at: Block, hotkey: &Hotkey) -> Result<Option<Coldkey>> {
        let (hash, account) = (self.hash_of(at)?, account_of(hotkey)?);
        self.on_endpoints(|endpoint| {
            if self.storage(endpoint, &keys::uid(self.netuid, &account), hash)?.is_none() {
                return Ok(None);
            }
            let nonsense = |why: &str| Fault::nonsense("state_getStorage", endpoint, format!("{hotkey}: {why}"));
            let value = self.storage(endpoint, &keys::owner(&account), hash)?;
            let value = value.ok_or_else(|| nonsense("registered, but without an owner"))?;
            let owner: [u8; 32] = value.try_into().map_err(|_| nonsense("an owner that is not 32 bytes"))?;
            Ok(Some(Hotkey::from_account(&owner)))
        })
    }

    fn locked(&self, at: Block, owner: &Coldkey) -> Result<u64> {
        const METHOD: &str = "state_call";
        let (hash, account) = (self.hash_of(at)?, account_of(owner)?);
        let asked = [account.as_slice(), &self.netuid.to_le_bytes()].concat();
        let params = json!(["StakeInfoRuntimeApi_get_coldkey_lock", hex::encode_0x(&asked), hash.to_string()]);
        self.on_endpoints(|endpoint| {
            let nonsense = |why: &dyn std::fmt::Display| Fault::nonsense(METHOD, endpoint, why);
            let value: String = self.rpc.call(endpoint, METHOD, &params)?;
            let value = hex::decode(&value).map_err(|why| nonsense(&why))?;
            scale::decode_locked(&value).map_err(|why| nonsense(&why))
        })
    }

    fn drand_pulse(&self, round: u64) -> Result<Option<Pulse>> {
        let hash = self.pin()?.hash;
        self.on_endpoints(|endpoint| {
            let value = self.storage(endpoint, &keys::drand_pulse(round), hash)?;
            let pulse = value.map(|value| scale::decode_pulse(&value, round)).transpose();
            pulse.map_err(|why| Fault::nonsense("state_getStorage", endpoint, why))
        })
    }

    fn probe(&self) -> Vec<NodeProbe> {
        let Endpoints { nodes, archives, .. } = &self.endpoints;
        let all: Vec<_> =
            nodes.iter().map(|node| (node, false)).chain(archives.iter().map(|node| (node, true))).collect();
        let ask = |(endpoint, archive): (&NodeUrl, bool)| NodeProbe {
            name: endpoint.to_string(),
            url: Some(endpoint.url().to_owned()),
            archive,
            head: self.head_at(endpoint).map_err(Fault::into_error),
        };
        // Together: one that is silent keeps no other waiting.
        std::thread::scope(|scope| {
            let asked: Vec<_> = all.into_iter().map(|node| scope.spawn(move || ask(node))).collect();
            asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
        })
    }
}

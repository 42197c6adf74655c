//! First floor: the rules of a competition (DESIGN section 4). Pure: facts in, a plan or findings
//! out; no disk, network, clock or randomness.

pub mod hex;
pub mod payload;
pub mod seed;
pub mod submissions;
pub mod url;

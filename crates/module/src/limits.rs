//! The limits, as numbers. Each fails only above it.

/// Bytes of a source file.
pub const SOURCE_BYTES: usize = 1_048_576;

/// Bytes of all literals of a module together.
pub const LITERAL_BYTES: usize = 51_200;

/// Failures that are told; a file of nothing but violations has no more.
pub const MAX_FAILURES: usize = 1_000;

/// Brackets open at once. The deployed parser is out of stack at 450 to 1,100, depending on the kind.
pub(crate) const BRACKETS: usize = 1_000;

/// Tokens that may wait for their end at once: all since the beginning of the statement, or of the element of a list, at
/// each open bracket. The deployed traversal is out of stack at operators nested 2,100 deep.
pub(crate) const WAITING: usize = 10_000;

/// Bytes read again: what stands in parentheses that may turn out to be parameters of an arrow function is parsed
/// twice, and once more for each such pair around it.
pub(crate) const AGAIN: usize = 4 * 1_048_576;

/// The parser's stack. Only what is used is ever taken from memory: at most 10 kB for each waiting token in a build that
/// is not optimised.
pub(crate) const STACK_BYTES: usize = 256 * 1_048_576;

/// Characters of a name or key that a detail shows.
pub(crate) const SHOWN: usize = 64;

//! The names of the rules, as data. Sources: ../shared/formats/THREEJS-SERVICES.md, section (a), and three.js 0.183.

/// Forbidden as a binding or a reference, even of a local. Sorted.
pub const FORBIDDEN: &[&str] = &[
    "Atomics",
    "Date",
    "FinalizationRegistry",
    "Function",
    "HTMLCanvasElement",
    "OffscreenCanvas",
    "Proxy",
    "Reflect",
    "SharedArrayBuffer",
    "WeakRef",
    "WebSocket",
    "Worker",
    "XMLHttpRequest",
    "crypto",
    "document",
    "eval",
    "fetch",
    "global",
    "globalThis",
    "indexedDB",
    "localStorage",
    "module",
    "navigator",
    "performance",
    "process",
    "queueMicrotask",
    "require",
    "self",
    "sessionStorage",
    "setImmediate",
    "setInterval",
    "setTimeout",
    "window",
];

/// Free names that pass: the competition's list, and what the deployed scope analysis takes for bound (the built-ins of
/// ECMAScript, and `arguments`). Those that are forbidden as well never get here. Sorted.
pub const FREE: &[&str] = &[
    "AggregateError",
    "Array",
    "ArrayBuffer",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Boolean",
    "DataView",
    "Error",
    "EvalError",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "Infinity",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Intl",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "RangeError",
    "ReferenceError",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakMap",
    "WeakSet",
    "arguments",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
    "unescape",
];

/// Objects whose members must be named, not computed.
const GATED: &[&str] = &["Array", "Math", "Object", "Symbol", "THREE"];

/// Members that may not be reached with a dot.
const FORBIDDEN_MEMBERS: &[&str] =
    &["__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__", "__proto__", "constructor"];

/// Members of `THREE.MathUtils` that are excluded: they are random.
const FORBIDDEN_MATH: &[&str] = &["generateUUID", "seededRandom"];

/// Whether a name may not even be bound.
pub(crate) fn is_forbidden(name: &str) -> bool {
    is_in(FORBIDDEN, name)
}

/// Whether a name passes that nothing binds.
pub(crate) fn is_free(name: &str) -> bool {
    is_in(FREE, name)
}

/// Whether computed access is refused on the object of this name.
pub(crate) fn is_gated(name: &str) -> bool {
    is_in(GATED, name)
}

/// Whether `x.name` is refused on all objects.
pub(crate) fn is_forbidden_member(name: &str) -> bool {
    is_in(FORBIDDEN_MEMBERS, name)
}

/// Whether `THREE.MathUtils.name` is refused.
pub(crate) fn is_forbidden_math(name: &str) -> bool {
    is_in(FORBIDDEN_MATH, name)
}

/// `table` is sorted; a test says so.
pub(crate) fn is_in(table: &[&str], name: &str) -> bool {
    table.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        for table in [FORBIDDEN, FREE, GATED, FORBIDDEN_MEMBERS, FORBIDDEN_MATH] {
            assert!(table.is_sorted_by(|a, b| a < b), "{table:?}");
        }
        assert_eq!(FORBIDDEN.len(), 33);
    }

    #[test]
    fn nothing_is_both_forbidden_and_free() {
        for name in FREE {
            assert!(!is_forbidden(name), "{name}");
        }
    }
}

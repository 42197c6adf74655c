//! The names that a module finds: those that its static rules let it use.

use gen404_module::{FORBIDDEN, FREE, THREE_MEMBERS};

/// Global names of the language that a module keeps. They are parameters of the function around it, since a name that
/// is looked for in the traps first is slow. `arguments` is a function's own.
pub(crate) fn kept() -> impl Iterator<Item = &'static str> {
    FREE.iter().copied().filter(|name| *name != "arguments")
}

/// The names, as JSON for the page: those kept, those that a module may not even read, and the members of three.js that
/// it finds.
pub(crate) fn as_json() -> String {
    let kept: Vec<&str> = kept().collect();
    serde_json::json!({ "kept": kept, "forbidden": FORBIDDEN, "three": THREE_MEMBERS }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_both_kept_and_forbidden() {
        assert_eq!((kept().count(), FORBIDDEN.len(), THREE_MEMBERS.len()), (52, 33, 109));
        assert!(kept().all(|name| !FORBIDDEN.contains(&name)));
    }
}

//! Names in error texts: suggestions for misspelt ones, and lists.

/// Returns the known word nearest to `word`, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let is_similar = |known: &&str| distance(word, known) <= known.len().div_ceil(3);
    closest(word, known.into_iter().filter(is_similar))
}

/// Returns the known word nearest to `word`.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .min_by_key(|known| (distance(word, known), *known))
}

/// Returns the distance of Damerau and Levenshtein: the number of insertions, deletions,
/// substitutions and transpositions.
fn distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(one, other)
}

/// Formats names in backquotes, with commas and "and".
pub(crate) fn quoted(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_a_third_of_the_letters_may_differ() {
        assert_eq!(nearest("wsam", ["args", "wasm"]), Some("wasm"));
        assert_eq!(
            nearest("store.v1.Stores", ["store.v1.Store", "store.v2.Store"]),
            Some("store.v1.Store")
        );
        assert_eq!(nearest("mem", ["args", "memory"]), None);
        assert_eq!(nearest("wasm", []), None);
    }
}

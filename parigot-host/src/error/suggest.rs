//! What was meant by a word that is not known.

/// The known word that is most like `word`, if one is so like it that it may have been meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_near_that_differs_in_a_third_of_its_letters_at_most() {
        assert_eq!(nearest("wsam", ["args", "wasm"]), Some("wasm"));
        assert_eq!(
            nearest("store.v1.Stores", ["store.v1.Store", "store.v2.Store"]),
            Some("store.v1.Store")
        );
        assert_eq!(nearest("mem", ["args", "memory"]), None);
        assert_eq!(nearest("wasm", []), None);
    }
}

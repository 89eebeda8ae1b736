//! Items and numbers as text.

use golden::streams::streams::Item;

pub(crate) fn item(text: impl Into<String>) -> Item {
    Item { text: text.into() }
}

pub(crate) fn number(text: &str) -> usize {
    text.parse().expect("the text is a number")
}

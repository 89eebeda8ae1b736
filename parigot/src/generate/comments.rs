//! Comments of a `.proto`, attached to the same declarations as by `protoc`.
//!
//! protox attaches some comments to other declarations. The rules are those of
//! `Tokenizer::NextWithComments` of protobuf: a comment belongs to the declaration before it, to
//! the one after it, or to neither. Only the comments between two declarations count.

use std::collections::BTreeSet;

use protox::prost_reflect::prost_types::SourceCodeInfo;

use super::scan::{Token, tokens};

/// Replaces the comments of all declarations of a file.
pub(super) fn attach(text: &str, info: &mut SourceCodeInfo) {
    let tokens = tokens(text);
    let starts = line_starts(text);
    let offset = |span: &[i32]| {
        let [line, column] = [0, 1].map(|at| usize::try_from(*span.get(at)?).ok());
        Some(starts.get(line?)? + column?)
    };
    let nested: BTreeSet<_> = info
        .location
        .iter()
        .filter(|location| is_nested_message(&location.path))
        .filter_map(|location| offset(&location.span))
        .collect();
    for location in &mut info.location {
        // The path to a part of a declaration, such as its name, is of odd length.
        if location.path.is_empty() || !location.path.len().is_multiple_of(2) {
            continue;
        }
        let start = offset(&location.span);
        let found = start.and_then(|at| tokens.binary_search_by_key(&at, |token| token.start).ok());
        let (Some(start), Some(first)) = (start, found) else {
            continue;
        };
        // A group is a field and a message. The comments are those of the message.
        let is_group = nested.contains(&start) && !is_nested_message(&location.path);
        let comments = (!is_group).then(|| comments(&tokens, first));
        (location.leading_comments, location.trailing_comments) = comments.unwrap_or_default();
    }
}

/// Returns the leading and the trailing comment of the declaration that begins with a token.
fn comments(tokens: &[Token], first: usize) -> (Option<String>, Option<String>) {
    let trailing = head_end(&tokens[first..])
        .and_then(|end| tokens.get(first + end + 1))
        .and_then(|after| after.trailing.clone());
    (tokens[first].leading.clone(), trailing)
}

/// Returns the position of the `;` or `{` that ends the head of a declaration.
fn head_end(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        match token.first {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b';' | b'{' => return depth == 0,
            _ => {}
        }
        false
    })
}

/// Returns true for the path to a message in a message: `DescriptorProto.nested_type` is field 3.
fn is_nested_message(path: &[i32]) -> bool {
    path.len().is_multiple_of(2) && matches!(path, [_, _, .., 3, _])
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(end, _)| end + 1);
    [0].into_iter().chain(ends).collect()
}

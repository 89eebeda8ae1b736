//! Comments as Go documentation, in the form that `gofmt` does not change.
//!
//! Markdown in a comment becomes the syntax of Go: `# ` before a heading, two spaces before an item
//! of a list, a tab before a line of code. No comment may become a directive: a space or a tab
//! follows its slashes.

mod block;
mod line;
mod read;

use self::block::Block;
use self::line::is_old_heading;
use self::read::Reader;
use crate::model::go::GoFile;

/// Returns the lines of a doc comment, with slashes: the comment, then notes. If the comment does
/// not begin with prose, the default text comes first.
pub(super) fn lines(comment: &[String], default: String, notes: Vec<String>) -> Vec<String> {
    let mut blocks = Reader {
        lines: comment,
        blocks: Vec::new(),
    }
    .read();
    // Go removes the indentation that all lines share, so some line must have none.
    if !matches!(
        blocks.first(),
        Some(Block::Paragraph(_) | Block::Heading(_))
    ) {
        blocks.insert(0, Block::Paragraph(vec![default]));
    }
    blocks.extend(notes.into_iter().map(|note| Block::Paragraph(vec![note])));
    let mut blocks = separate(blocks);
    name_headings(&mut blocks);
    blocks
        .iter()
        .enumerate()
        .flat_map(|(index, block)| block.print(index == 0))
        .collect()
}

/// Returns the paragraph by which Go tools recognise a deprecated declaration.
pub(super) fn deprecation(deprecated: bool, file: &GoFile) -> Option<String> {
    deprecated.then(|| format!("Deprecated: Marked as deprecated in {}.", file.source))
}

/// Separates indented blocks. Adjacent code blocks become one block. A list beside code or another
/// list becomes paragraphs, because Go would merge them.
fn separate(blocks: Vec<Block>) -> Vec<Block> {
    let mut separate: Vec<Block> = Vec::new();
    for mut block in blocks {
        if let Block::Code(code) = &mut block {
            *code = dedent(code);
            if code.is_empty() {
                continue;
            }
        }
        match (separate.pop(), block) {
            (Some(Block::Code(mut code)), Block::Code(more)) => {
                code.push(String::new());
                code.extend(more);
                separate.push(Block::Code(code));
            }
            (Some(Block::List(list)), block) if block.is_indented() => {
                separate.extend(list.into_paragraphs());
                separate.push(block);
            }
            (Some(code @ Block::Code(_)), Block::List(list)) => {
                separate.push(code);
                separate.extend(list.into_paragraphs());
            }
            (before, block) => {
                separate.extend(before);
                separate.push(block);
            }
        }
    }
    separate
}

/// Removes empty lines at both ends, and the indentation that all lines share.
fn dedent(code: &[String]) -> Vec<String> {
    let indent = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let is_text = |line: &String| !line.trim().is_empty();
    let shared = code
        .iter()
        .filter(|line| is_text(line))
        .map(indent)
        .min()
        .unwrap_or(0);
    let first = code.iter().position(is_text);
    let last = code.iter().rposition(is_text);
    let Some((first, last)) = first.zip(last) else {
        return Vec::new();
    };
    code[first..=last]
        .iter()
        .map(|line| line.get(shared..).unwrap_or_default().trim_end().to_owned())
        .collect()
}

/// Marks lines that Go reads as headings: a paragraph of one line between others, without
/// punctuation.
fn name_headings(blocks: &mut [Block]) {
    for index in 1..blocks.len().max(1) - 1 {
        let this = &blocks[index];
        let next = &blocks[index + 1];
        if let (Block::Paragraph(lines), false) = (this, next.is_indented())
            && let [line] = &lines[..]
            && is_old_heading(line)
        {
            blocks[index] = Block::Heading(line.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(comment: &str, expected: &str) {
        let comment: Vec<String> = comment.lines().map(str::to_owned).collect();
        assert_eq!(
            lines(&comment, "It is there.".to_owned(), Vec::new()).join("\n"),
            expected
        );
    }

    #[test]
    fn prose_is_unchanged() {
        check(
            "Says `hello`\nand more.\n\nAnd so on.",
            "// Says `hello`\n// and more.\n//\n// And so on.",
        );
        check("Hangs\n  below.", "// Hangs\n// below.");
    }

    #[test]
    fn a_comment_without_prose_gets_the_default() {
        check("", "// It is there.");
        check("- a", "// It is there.\n//\n//   - a");
        check("```\nx\n```", "// It is there.\n//\n//\tx");
    }

    #[test]
    fn a_note_is_a_paragraph() {
        let notes = vec!["Deprecated: Gone.".to_owned()];
        assert_eq!(
            lines(&[], "Is.".to_owned(), notes),
            ["// Is.", "//", "// Deprecated: Gone."]
        );
    }

    #[test]
    fn code_is_indented_by_a_tab() {
        check(
            "Like so:\n\n    let x;\n\n      y",
            "// Like so:\n//\n//\tlet x;\n//\n//\t  y",
        );
        check("Like so:\n  x", "// Like so:\n//\n//\tx");
        check(
            "Is:\n```go\nx\n\n\n```\n~~~\ny\n",
            "// Is:\n//\n//\tx\n//\n//\ty",
        );
        check(
            "Is:\n```\n- yaml: 1\n```",
            "// Is:\n//\n//\t```\n//\t- yaml: 1\n//\t```",
        );
    }

    #[test]
    fn lists_are_indented_by_two() {
        check("Of:\n- a\n  b\n* c", "// Of:\n//   - a\n//     b\n//   - c");
        check(
            "Of:\n\n1. a\n\n2) b\n\n   c",
            "// Of:\n//\n//  1. a\n//\n//  2. b\n//\n//     c",
        );
        check("It is\n7. or so", "// It is\n// 7. or so");
    }

    #[test]
    fn a_list_beside_code_is_prose() {
        check(
            "Of:\n\n- a\n\n```\nx\n```\n- b",
            "// Of:\n//\n// - a\n//\n//\tx\n//\n// - b",
        );
        check("Of:\n\n- a\n\n1. b", "// Of:\n//\n// - a\n//\n//  1. b");
    }

    #[test]
    fn headings_are_marked() {
        check(
            "# One\ntext\n\n### Two",
            "// # One\n//\n// text\n//\n// # Two",
        );
        check(
            "Text.\n\nOf Headings\n\nText.",
            "// Text.\n//\n// # Of Headings\n//\n// Text.",
        );
        check(
            "Text.\n\nIt's no heading\n\nText.",
            "// Text.\n//\n// # It's no heading\n//\n// Text.",
        );
        check(
            "Text.\n\nDon't\n\nText.",
            "// Text.\n//\n// Don't\n//\n// Text.",
        );
    }

    #[test]
    fn directives_and_go_syntax_are_escaped() {
        check("[a]: https://b", "// a: https://b");
        check(
            "- [a]: https://b\n+build x",
            "// It is there.\n//\n//   - a: https://b\n//     \\+build x",
        );
        check("``a'' and ```b```", "// “a” and ```b```");
        check(
            "//go:generate rm\n//line x:1",
            "// //go:generate rm\n// //line x:1",
        );
        check("Is:\n\n    +build x", "// Is:\n//\n//\t\\+build x");
    }
}

//! Comments as Rust documentation. No comment may become code, because rustdoc runs code blocks as
//! tests.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

/// Returns the lines of a doc comment. Each begins with a space unless the line is empty.
///
/// Code blocks are marked as text: by the info string of a fence, or by a fence around an indented
/// block. HTML is escaped. If a code block, a tag or a link that runs a script remains, the whole
/// comment becomes a block of text.
pub(super) fn lines(comment: &[String]) -> Vec<String> {
    let text = comment.join("\n");
    let marked = mark(&escape_html(&text));
    let text = if is_inert(&marked) {
        marked
    } else {
        fenced(&text)
    };
    text.lines()
        .map(|line| {
            if line.is_empty() {
                String::new()
            } else {
                format!(" {line}")
            }
        })
        .collect()
}

/// Code block, as rustdoc finds it.
struct CodeBlock {
    range: Range<usize>,
    is_text: bool,
    is_fenced: bool,
}

/// Parses with the extensions that rustdoc enables. Each extension may change where a block ends.
fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_SMART_PUNCTUATION;
    Parser::new_ext(text, options).into_offset_iter()
}

/// Returns true if neither rustdoc nor a browser would run anything in the text.
fn is_inert(text: &str) -> bool {
    let runs = |url: &str| {
        let url: String = url
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ':')
            .collect();
        ["javascript:", "vbscript:", "data:"]
            .iter()
            .any(|scheme| url.to_ascii_lowercase().starts_with(scheme))
    };
    !events(text).any(|(event, _)| match event {
        Event::Html(_)
        | Event::InlineHtml(_)
        | Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => true,
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => &*info != "text",
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => runs(&dest_url),
        _ => false,
    })
}

/// Escapes HTML: puts a backslash before each `<` that begins a tag.
fn escape_html(text: &str) -> String {
    let mut escaped = text.to_owned();
    let is_html =
        |(event, range)| matches!(event, Event::Html(_) | Event::InlineHtml(_)).then_some(range);
    let ranges: Vec<Range<usize>> = events(text).filter_map(is_html).collect();
    for range in ranges.into_iter().rev() {
        escaped.replace_range(range.clone(), &text[range].replace('<', "\\<"));
    }
    escaped
}

fn blocks(text: &str) -> Vec<CodeBlock> {
    let block = |(event, range)| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => Some(CodeBlock {
            range,
            is_text: &*info == "text",
            is_fenced: true,
        }),
        Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => Some(CodeBlock {
            range,
            is_text: false,
            is_fenced: false,
        }),
        _ => None,
    };
    events(text).filter_map(block).collect()
}

/// Marks each code block as text. The last block comes first, so that the ranges of earlier blocks
/// stay valid.
fn mark(text: &str) -> String {
    let mut marked = text.to_owned();
    for block in blocks(text)
        .into_iter()
        .rev()
        .filter(|block| !block.is_text)
    {
        if block.is_fenced {
            mark_fence(&mut marked, block.range.start);
        } else {
            fence_indented(&mut marked, block.range);
        }
    }
    marked
}

/// Replaces the info string of the fence at `start` by `text`.
fn mark_fence(text: &mut String, start: usize) {
    let rest = &text[start..];
    let fence = rest.len() - rest.trim_start_matches(['`', '~']).len();
    let line = rest.find('\n').unwrap_or(rest.len());
    text.replace_range(start + fence..start + line, "text");
}

/// Replaces the indentation of a block by fences.
fn fence_indented(text: &mut String, range: Range<usize>) {
    let start = text[..range.start].rfind('\n').map_or(0, |end| end + 1);
    let block = text[start..range.end].trim_end();
    let code: Vec<&str> = block
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect();
    let end = start + block.len();
    let fenced = fenced(&code.join("\n"));
    text.replace_range(start..end, &fenced);
}

/// Returns a block of text with a fence longer than any run of backticks in the text.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(comment: &str, expected: &str) {
        let comment: Vec<String> = comment.lines().map(str::to_owned).collect();
        assert_eq!(lines(&comment).join("\n"), expected);
    }

    #[test]
    fn prose_is_unchanged() {
        check(
            "Says `hello`.\n\n- one\n  more\n- two",
            " Says `hello`.\n\n - one\n   more\n - two",
        );
    }

    #[test]
    fn fences_are_marked_as_text() {
        check(
            "```\nlet x;\n```\nand\n~~~ rust\nx\n~~~",
            " ```text\n let x;\n ```\n and\n ~~~text\n x\n ~~~",
        );
        check(
            "- ```rust,should_panic\n  x\n  ```",
            " - ```text\n   x\n   ```",
        );
        check("```rust", " ```text");
    }

    #[test]
    fn indented_code_gets_a_fence() {
        check(
            "Like so:\n\n    let x;\n\n      y\n\nand so on",
            " Like so:\n\n ```text\n let x;\n\n   y\n ```\n\n and so on",
        );
        check("a\n\n    ```", " a\n\n ````text\n ```\n ````");
        check("a\n\n    b\nc", " a\n\n ```text\n b\n ```\n c");
    }

    #[test]
    fn indented_code_leaves_its_list_or_quotation() {
        check("- a\n\n      let x;", " - a\n\n ```text\n   let x;\n ```");
        check(">     let x;", " ```text\n >     let x;\n ```");
    }

    #[test]
    fn html_is_escaped() {
        check(
            "a <b>c</b> `<d>` <https://e.f>",
            " a \\<b>c\\</b> `<d>` <https://e.f>",
        );
        check("<!-- a\n-->\n\n<p>\nb", " \\<!-- a\n -->\n\n \\<p>\n b");
        check(
            "<div>\n    assert!(false);\n```\nx",
            " \\<div>\n     assert!(false);\n ```text\n x",
        );
    }

    #[test]
    fn links_do_not_run_scripts() {
        check("[a](https://b.c) [Name]", " [a](https://b.c) [Name]");
        check(
            "[a](javascript:b())",
            " ```text\n [a](javascript:b())\n ```",
        );
        check(
            "[a]\n\n[a]: <Java&#115;cript:b>",
            " ```text\n [a]\n\n [a]: <Java&#115;cript:b>\n ```",
        );
        check("<data:text/html,a>", " ```text\n <data:text/html,a>\n ```");
    }

    /// These comments make a naive parser backtrack or recurse deeply.
    #[test]
    fn long_comments_are_parsed_quickly() {
        for part in [
            "[",
            "> ",
            "- ",
            "*a_ ",
            "`",
            "``` ",
            "<a",
            "![](",
            "a\n\n    b\n\n",
            "```\n",
            "<!-- ",
            "[a][",
            "\\",
        ] {
            let comment: Vec<String> = part
                .repeat(30_000 / part.len())
                .lines()
                .map(str::to_owned)
                .collect();
            assert!(is_inert(
                &lines(&comment)
                    .iter()
                    .map(|line| line.replacen(' ', "", 1) + "\n")
                    .collect::<String>()
            ));
        }
    }

    /// Tries every sequence of four Markdown tokens.
    #[test]
    fn no_comment_becomes_code() {
        const WORDS: [&str; 15] = [
            "a", "\n", "\n\n", "    ", "      ", " ", "- ", "> ", "```", "~~~", "rust", "1. ",
            "[^a]: ", "<p>", "\\",
        ];
        for number in 0..WORDS.len().pow(4) {
            let word = |at: u32| WORDS[number / WORDS.len().pow(at) % WORDS.len()];
            let comment: String = (0..4).map(word).collect();
            let comment: Vec<String> = comment.lines().map(str::to_owned).collect();
            // rustdoc removes the space that all lines share.
            let lines: Vec<String> = lines(&comment)
                .iter()
                .map(|line| line.replacen(' ', "", 1))
                .collect();
            let text = lines.join("\n");
            assert!(is_inert(&text), "{comment:?} became {text:?}");
        }
    }
}

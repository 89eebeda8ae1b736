//! Comments as Go documentation, in the one form that `gofmt` leaves as it is.
//!
//! What is Markdown in a comment becomes what Go has for it: `# ` before a heading, two spaces before an item of a list, a tab
//! before a line of code. A comment must never become a directive: a space or a tab follows its slashes.

/// A part of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    Paragraph(Vec<String>),
    Heading(String),
    List(List),
    Code(Vec<String>),
}

/// A list of one kind: Go has none within another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct List {
    /// Whether it stands directly below what is before it.
    tight: bool,
    /// Whether empty lines stand between its items.
    loose: bool,
    items: Vec<ListItem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ListItem {
    /// Its number, if the list is numbered.
    number: Option<String>,
    paragraphs: Vec<Vec<String>>,
}

/// The lines of a doc comment, with their slashes: the comment, or what stands in where it has no prose, and notes.
pub(super) fn lines(comment: &[String], default: String, notes: Vec<String>) -> Vec<String> {
    let mut blocks = Reader {
        lines: comment,
        blocks: Vec::new(),
    }
    .read();
    // Go takes away the indentation that all lines share, so some line must have none.
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

/// Reads the blocks of a comment, line by line.
struct Reader<'a> {
    lines: &'a [String],
    blocks: Vec<Block>,
}

/// A line as it is read.
struct Line<'a> {
    /// Without its indentation.
    text: &'a str,
    indent: usize,
    after_blank: bool,
}

impl Reader<'_> {
    fn read(mut self) -> Vec<Block> {
        let mut after_blank = true;
        while let Some((line, rest)) = self.lines.split_first() {
            self.lines = rest;
            let text = line.trim();
            if !text.is_empty() {
                let indent = line.len() - line.trim_start_matches(' ').len();
                self.line(&Line {
                    text,
                    indent,
                    after_blank,
                });
            }
            after_blank = text.is_empty();
        }
        self.blocks
    }

    fn line(&mut self, line: &Line<'_>) {
        if ["```", "~~~"]
            .iter()
            .any(|fence| line.text.starts_with(fence))
        {
            let code = self.fenced(&line.text[..3]);
            self.blocks.push(Block::Code(code));
        } else if let Some(item) = self.item(line) {
            self.push_item(item, line);
        } else if !self.go_on(line) {
            self.blocks
                .push(match heading(line.text).filter(|_| line.indent == 0) {
                    Some(heading) => Block::Heading(heading.to_owned()),
                    None if line.indent > 0 => Block::Code(vec![line.indented()]),
                    None => Block::Paragraph(vec![plain(line.text)]),
                });
        }
    }

    /// The lines up to the fence that closes this one, or up to the end.
    fn fenced(&mut self, fence: &str) -> Vec<String> {
        let end = self
            .lines
            .iter()
            .position(|line| line.trim().starts_with(fence))
            .unwrap_or(self.lines.len());
        let code = self.lines[..end].to_vec();
        self.lines = self.lines.get(end + 1..).unwrap_or_default();
        code
    }

    /// The item of a list that begins here. A number in the midst of a paragraph is none, nor is what belongs to an item of
    /// another kind or to code.
    fn item(&self, line: &Line<'_>) -> Option<ListItem> {
        let (number, text) = marker(line.text)?;
        let begins = match self.blocks.last() {
            Some(Block::List(list)) => {
                list.is_numbered() == number.is_some() || line.indent == 0 && line.after_blank
            }
            Some(Block::Paragraph(_)) => line.after_blank || number.is_none(),
            Some(Block::Code(_)) => line.indent == 0,
            Some(Block::Heading(_)) | None => true,
        };
        begins.then(|| ListItem {
            number: number.map(str::to_owned),
            paragraphs: vec![vec![plain(text)]],
        })
    }

    fn push_item(&mut self, item: ListItem, line: &Line<'_>) {
        match self.blocks.last_mut() {
            Some(Block::List(list)) if list.is_numbered() == item.number.is_some() => {
                list.loose |= line.after_blank;
                list.items.push(item);
            }
            _ => self.blocks.push(Block::List(List {
                tight: !line.after_blank,
                loose: false,
                items: vec![item],
            })),
        }
    }

    /// Whether the line belongs to the last block, to which it is then added. A line that hangs below a paragraph does, unless
    /// a colon announces code.
    fn go_on(&mut self, line: &Line<'_>) -> bool {
        match self.blocks.last_mut() {
            Some(Block::List(list)) if line.indent > 0 || !line.after_blank => {
                list.loose |= line.after_blank;
                let paragraphs = &mut list
                    .items
                    .last_mut()
                    .expect("a list begins with an item")
                    .paragraphs;
                if line.after_blank {
                    paragraphs.push(Vec::new());
                }
                paragraphs
                    .last_mut()
                    .expect("an item begins with a paragraph")
                    .push(plain(line.text));
                true
            }
            Some(Block::Code(code)) if line.indent > 0 => {
                code.extend(line.after_blank.then(String::new));
                code.push(line.indented());
                true
            }
            Some(Block::Paragraph(lines)) => {
                let is_code =
                    line.indent > 0 && lines.last().is_some_and(|last| last.ends_with(':'));
                let goes_on = !line.after_blank && !is_code && heading(line.text).is_none();
                lines.extend(goes_on.then(|| plain(line.text)));
                goes_on
            }
            _ => false,
        }
    }
}

impl Line<'_> {
    fn indented(&self) -> String {
        " ".repeat(self.indent) + self.text
    }
}

impl List {
    fn is_numbered(&self) -> bool {
        self.items.iter().any(|item| item.number.is_some())
    }

    /// The list as it reads without indentation, where it would otherwise run into its neighbour.
    fn into_paragraphs(self) -> Vec<Block> {
        let mut paragraphs: Vec<Vec<String>> = Vec::new();
        for item in self.items {
            let mark = item
                .number
                .map_or("- ".to_owned(), |number| format!("{number}. "));
            let mut lines = item.paragraphs.into_iter();
            let mut first = lines.next().unwrap_or_default();
            first[0].insert_str(0, &mark);
            match paragraphs.last_mut() {
                Some(last) if !self.loose => last.append(&mut first),
                _ => paragraphs.push(first),
            }
            paragraphs.extend(lines);
        }
        paragraphs.into_iter().map(Block::Paragraph).collect()
    }
}

impl Block {
    /// Whether all its lines are indented.
    fn is_indented(&self) -> bool {
        matches!(self, Self::List(_) | Self::Code(_))
    }

    fn print(&self, is_first: bool) -> Vec<String> {
        let (tight, lines) = match self {
            Self::Paragraph(lines) => (
                false,
                lines.iter().map(|line| format!("// {line}")).collect(),
            ),
            Self::Heading(text) => (false, vec![format!("// # {text}")]),
            Self::List(list) => (list.tight && !list.loose, list.print()),
            Self::Code(code) => (false, print_code(code)),
        };
        let blank = (!is_first && !tight).then(|| "//".to_owned());
        blank.into_iter().chain(lines).collect()
    }
}

impl List {
    fn print(&self) -> Vec<String> {
        let mut printed = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            printed.extend((index > 0 && self.loose).then(|| "//".to_owned()));
            let mut mark = item
                .number
                .as_ref()
                .map_or("  - ".to_owned(), |number| format!(" {number}. "));
            for (index, paragraph) in item.paragraphs.iter().enumerate() {
                printed.extend((index > 0).then(|| "//".to_owned()));
                for line in paragraph {
                    printed.push(format!("// {mark}{line}"));
                    mark = "    ".to_owned();
                }
            }
        }
        printed
    }
}

/// The lines of a block of code. Go would take it for a list if it began as one, so that then its fences stay.
fn print_code(code: &[String]) -> Vec<String> {
    let is_list = code
        .first()
        .is_some_and(|line| marker(line.trim()).is_some());
    let fence = is_list.then(|| "//\t```".to_owned());
    let line = |line: &String| match line.as_str() {
        "" => "//".to_owned(),
        text => format!("//\t{}", no_constraint(text)),
    };
    fence
        .clone()
        .into_iter()
        .chain(code.iter().map(line))
        .chain(fence)
        .collect()
}

/// Keeps apart what is indented: code that follows code is one block, and a list beside either is none.
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

/// The lines without the empty ones at both ends and without what they are all indented by.
fn dedent(code: &[String]) -> Vec<String> {
    let indent = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let is_text = |line: &String| !line.trim().is_empty();
    let shared = code
        .iter()
        .filter(|line| is_text(line))
        .map(indent)
        .min()
        .unwrap_or(0);
    let (first, last) = (
        code.iter().position(is_text),
        code.iter().rposition(is_text),
    );
    let Some((first, last)) = first.zip(last) else {
        return Vec::new();
    };
    code[first..=last]
        .iter()
        .map(|line| line.get(shared..).unwrap_or_default().trim_end().to_owned())
        .collect()
}

/// Marks as headings the lines that Go takes for some: a line of its own between others, without punctuation.
fn name_headings(blocks: &mut [Block]) {
    for index in 1..blocks.len().max(1) - 1 {
        let (this, next) = (&blocks[index], &blocks[index + 1]);
        if let (Block::Paragraph(lines), false) = (this, next.is_indented())
            && let [line] = &lines[..]
            && is_old_heading(line)
        {
            blocks[index] = Block::Heading(line.clone());
        }
    }
}

/// Go's rule of how a heading looks that is not marked as one.
fn is_old_heading(line: &str) -> bool {
    let rest_after = |mark: &str| {
        line.match_indices(mark)
            .map(|(at, _)| &line[at + 1..])
            .collect::<Vec<_>>()
    };
    line.starts_with(char::is_uppercase)
        && line.ends_with(char::is_alphanumeric)
        && !line.contains([
            ';', ':', '!', '?', '+', '*', '/', '=', '[', ']', '{', '}', '_', '^', '°', '&', '§',
        ])
        && !line.contains(['~', '%', '#', '@', '<', '"', '>', '\\'])
        && rest_after("'")
            .iter()
            .all(|rest| *rest == "s" || rest.starts_with("s "))
        && rest_after(".")
            .iter()
            .all(|rest| !rest.is_empty() && !rest.starts_with(' '))
}

/// The text of a heading of Markdown.
fn heading(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('#');
    let marked = (1..=6).contains(&(text.len() - rest.len())) && rest.starts_with(' ');
    Some(rest.trim()).filter(|heading| marked && !heading.is_empty())
}

/// The number, if it has one, and the text of what begins as an item of a list does.
fn marker(text: &str) -> Option<(Option<&str>, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = match text.split_at(digits) {
        ("", text) => (None, text.strip_prefix(['-', '*', '+', '•'])?),
        (number, rest) => (Some(number), rest.strip_prefix(['.', ')'])?),
    };
    Some((number, rest.trim())).filter(|(_, text)| rest.starts_with(' ') && !text.is_empty())
}

/// A line of prose without what Go would rewrite: definitions of links, which it moves to the end, and quotes of two signs.
fn plain(text: &str) -> String {
    let text = join_quotes(no_constraint(text).as_ref());
    match text
        .strip_prefix('[')
        .and_then(|link| link.split_once("]:"))
    {
        Some((name, url)) if url.contains("://") => plain(&format!("{name}: {}", url.trim())),
        _ => text,
    }
}

/// A line that is no old constraint on builds, which `go vet` would miss at the top of the file.
fn no_constraint(text: &str) -> std::borrow::Cow<'_, str> {
    if text.trim_start().starts_with("+build") {
        format!("\\{text}").into()
    } else {
        text.into()
    }
}

/// Makes quotation marks of two backticks or apostrophes. Three backticks are a fence.
fn join_quotes(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let (part, taken) = match c {
            '`' if ticks == 2 => ("“", 2),
            '`' => (&rest[..ticks], ticks),
            '\'' if rest.starts_with("''") => ("”", 2),
            _ => (&rest[..c.len_utf8()], c.len_utf8()),
        };
        joined.push_str(part);
        rest = &rest[taken..];
    }
    joined
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
    fn prose_is_left_alone() {
        check(
            "Says `hello`\nand more.\n\nAnd so on.",
            "// Says `hello`\n// and more.\n//\n// And so on.",
        );
        check("Hangs\n  below.", "// Hangs\n// below.");
    }

    #[test]
    fn where_there_is_no_prose_something_stands_in() {
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
    fn what_go_would_rewrite_or_obey_is_rewritten() {
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

//! The parts of a comment, and how they are printed.

use super::line::{marker, no_constraint};

/// Part of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    Paragraph(Vec<String>),
    Heading(String),
    List(List),
    Code(Vec<String>),
}

/// List of one kind. Go has no nested lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// No empty line precedes the list.
    pub(super) tight: bool,
    /// Empty lines separate the items.
    pub(super) loose: bool,
    pub(super) items: Vec<ListItem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListItem {
    /// Number, in a numbered list.
    pub(super) number: Option<String>,
    pub(super) paragraphs: Vec<Vec<String>>,
}

impl Block {
    /// Returns true if all lines are indented.
    pub(super) fn is_indented(&self) -> bool {
        matches!(self, Self::List(_) | Self::Code(_))
    }

    pub(super) fn print(&self, is_first: bool) -> Vec<String> {
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
    pub(super) fn is_numbered(&self) -> bool {
        self.items.iter().any(|item| item.number.is_some())
    }

    /// Returns the list as paragraphs, for where Go would merge it with the adjacent block.
    pub(super) fn into_paragraphs(self) -> Vec<Block> {
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

/// Prints a block of code. If its first line looks like an item of a list, Go would read the block
/// as a list, so the fences remain.
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

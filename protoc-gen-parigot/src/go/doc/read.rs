//! Reader of comments: lines of Markdown to blocks.

use super::block::{Block, List, ListItem};
use super::line::{heading, marker, plain};

/// Reader of a comment.
pub(super) struct Reader<'a> {
    pub(super) lines: &'a [String],
    pub(super) blocks: Vec<Block>,
}

/// Line of a comment.
struct Line<'a> {
    /// Text without indentation.
    text: &'a str,
    indent: usize,
    after_blank: bool,
}

impl Reader<'_> {
    pub(super) fn read(mut self) -> Vec<Block> {
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
        } else if !self.continues(line) {
            self.blocks
                .push(match heading(line.text).filter(|_| line.indent == 0) {
                    Some(heading) => Block::Heading(heading.to_owned()),
                    None if line.indent > 0 => Block::Code(vec![line.indented()]),
                    None => Block::Paragraph(vec![plain(line.text)]),
                });
        }
    }

    /// Takes the lines up to the closing fence, or up to the end.
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

    /// Returns the item that begins in this line. A number within a paragraph begins no item, nor
    /// does a line that belongs to an item of another kind or to code.
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

    /// Adds the line to the last block and returns true, if the line continues that block. An
    /// indented line continues a paragraph, unless the paragraph ends with a colon, which announces
    /// code.
    fn continues(&mut self, line: &Line<'_>) -> bool {
        match self.blocks.last_mut() {
            Some(Block::List(list)) if line.indent > 0 || !line.after_blank => {
                list.loose |= line.after_blank;
                let paragraphs = &mut list
                    .items
                    .last_mut()
                    .expect("a list must have an item")
                    .paragraphs;
                if line.after_blank {
                    paragraphs.push(Vec::new());
                }
                paragraphs
                    .last_mut()
                    .expect("an item must have a paragraph")
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

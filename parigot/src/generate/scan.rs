//! Tokens of a `.proto` with the comments between them, as the tokenizer of protobuf splits them.

/// Token, and the comments between the token before and this one.
pub(super) struct Token {
    pub(super) start: usize,
    /// First byte; 0 at the end of the file.
    pub(super) first: u8,
    /// Comment of the token before.
    pub(super) trailing: Option<String>,
    /// Comment of this token.
    pub(super) leading: Option<String>,
}

/// Maximum depth of nested brackets. protoc-gen-parigot allows as many nested messages.
pub(super) const DEPTH_MAX: usize = 64;

/// Returns the line and column of the first bracket that is nested too deep.
pub(super) fn too_deep(text: &str) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    let deep = tokens(text).into_iter().find(|token| {
        match token.first {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_MAX
    })?;
    let before = &text[..deep.start];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Some((
        1 + before.matches('\n').count(),
        1 + deep.start - line_start,
    ))
}

/// Returns all tokens of a text, valid or not, and a last one at its end.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner { text, at: 0 };
    let mut tokens = vec![scanner.next(true)];
    while tokens.last().is_some_and(|token| token.first != 0) {
        tokens.push(scanner.next(false));
    }
    tokens
}

/// Comments between two tokens, added in their order.
#[derive(Default)]
struct Comments {
    trailing: Option<String>,
    /// Latest comment, whose kind is not known yet.
    latest: Option<String>,
    /// The latest comment consists of line comments, so that another line continues it.
    is_of_lines: bool,
    /// The latest comment may be that of the token before.
    follows: bool,
    flushed: usize,
}

impl Comments {
    fn add_line(&mut self, line: &str) {
        if !self.is_of_lines {
            self.flush();
        }
        self.is_of_lines = true;
        self.latest.get_or_insert_default().push_str(line);
    }

    fn add_block(&mut self, block: String) {
        self.flush();
        self.latest = Some(block);
    }

    /// Ends the latest comment, which is not that of the next token.
    fn flush(&mut self) {
        self.is_of_lines = false;
        if let Some(comment) = self.latest.take() {
            self.flushed += 1;
            if std::mem::take(&mut self.follows) {
                self.trailing = Some(comment);
            }
        }
    }

    /// Detaches the only comment between two tokens of one line, which may be that of either.
    fn detach_single(&mut self) {
        if self.flushed + usize::from(self.latest.is_some()) == 1 {
            self.trailing = None;
            self.latest = None;
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self, is_first: bool) -> Token {
        let mut comments = Comments {
            follows: !is_first,
            ..Comments::default()
        };
        // The next line does not continue a comment on the line of the token before.
        let line = if is_first {
            self.at
        } else {
            self.rest_of_line(&mut comments)
        };
        loop {
            self.skip_blanks();
            if let Some(comment) = self.line_comment() {
                comments.add_line(comment);
            } else if let Some(comment) = self.block_comment() {
                comments.add_block(comment);
                self.skip_blanks();
                self.eat("\n");
            } else if self.eat("\n") {
                comments.flush();
                comments.follows = false;
            } else {
                break;
            }
        }
        let start = self.at;
        let first = self.skip_token();
        if !self.text[line..start].contains('\n') {
            comments.detach_single();
        }
        if matches!(first, 0 | b'}' | b']' | b')') {
            comments.flush();
        }
        let some = |comment: Option<String>| comment.filter(|text| !text.is_empty());
        Token {
            start,
            first,
            trailing: some(comments.trailing),
            leading: some(comments.latest),
        }
    }

    /// Reads a comment behind a token, and the end of the line. Returns a position on the line that
    /// must not have another token, or else the comment may belong to that token.
    fn rest_of_line(&mut self, comments: &mut Comments) -> usize {
        let token_end = self.at;
        self.skip_blanks();
        if let Some(comment) = self.line_comment() {
            comments.add_line(comment);
        } else if let Some(comment) = self.block_comment() {
            comments.add_block(comment);
            comments.flush();
            return self.at;
        } else {
            self.eat("\n");
        }
        comments.flush();
        token_end
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest().bytes().take_while(|byte| is_blank(*byte));
        self.at += blanks.count();
    }

    /// Reads a line comment, with the end of the line.
    fn line_comment(&mut self) -> Option<&'a str> {
        if !self.eat("//") {
            return None;
        }
        let start = self.at;
        let end = self.rest().find('\n').map(|end| start + end + 1);
        self.at = end.unwrap_or(self.text.len());
        let text = self.text;
        Some(&text[start..self.at])
    }

    /// Reads a block comment, without the blanks and the star at the beginning of each line.
    fn block_comment(&mut self) -> Option<String> {
        if !self.eat("/*") {
            return None;
        }
        let start = self.at;
        let end = self.rest().find("*/").map(|end| start + end);
        self.at = end.map_or(self.text.len(), |end| end + 2);
        let mut lines = self.text[start..end.unwrap_or(self.at)].split('\n');
        let mut comment = lines.next().unwrap_or_default().to_owned();
        for line in lines {
            let line = line.trim_start_matches(|c: char| c.is_ascii() && is_blank(c as u8));
            comment.push('\n');
            comment.push_str(line.strip_prefix('*').unwrap_or(line));
        }
        Some(comment)
    }

    /// Skips a token, and returns its first byte, or 0 at the end of the text.
    fn skip_token(&mut self) -> u8 {
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else {
            return 0;
        };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        self.at += match first {
            b'"' | b'\'' => string_len(rest.as_bytes(), first),
            _ if is_word(first) => rest.bytes().take_while(|byte| is_word(*byte)).count(),
            _ => 1,
        };
        first
    }
}

/// Returns true for white space that does not end a line.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c')
}

/// Returns the length of a string with this quote, up to the end of the line if it is not closed.
fn string_len(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'\\' if text.get(at).is_some_and(u8::is_ascii) => at += 1,
            b'\n' => break,
            _ if *byte == quote => break,
            _ => {}
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the comments of each token, as `trailing|leading`.
    fn check(text: &str, expected: &[&str]) {
        let comments = |token: &Token| {
            let [trailing, leading] =
                [&token.trailing, &token.leading].map(|text| text.as_deref().unwrap_or("-"));
            format!("{trailing}|{leading}")
        };
        let found: Vec<_> = tokens(text).iter().map(comments).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_comment_belongs_to_the_token_before_or_after() {
        check("a; // t\nb", &["-|-", "-|-", " t\n|-", "-|-"]);
        check("a;\n// l\nb", &["-|-", "-|-", "-| l\n", "-|-"]);
        check("a; // t\n// l\nb", &["-|-", "-|-", " t\n| l\n", "-|-"]);
        check("a;\n// t\n\nb", &["-|-", "-|-", " t\n|-", "-|-"]);
        check("a;\n// t\n}", &["-|-", "-|-", " t\n|-", "-|-"]);
        check("a;\n\n// d\n\n// l\nb", &["-|-", "-|-", "-| l\n", "-|-"]);
    }

    #[test]
    fn a_comment_between_tokens_of_one_line_belongs_to_neither() {
        check("a; /* ? */ b", &["-|-", "-|-", "-|-", "-|-"]);
        check("a; /* ?\n */ b", &["-|-", "-|-", "-|-", "-|-"]);
        check("a; /* t */ /* l */ b", &["-|-", "-|-", " t | l ", "-|-"]);
        check("/* ? */ a", &["-|-", "-|-"]);
        check("a { /* ? */ }", &["-|-", "-|-", "-|-", "-|-"]);
    }

    #[test]
    fn stars_begin_the_lines_of_a_block() {
        check(
            "/*\n * One.\n *\tTwo.\n\n */\na",
            &["-|\n One.\n\tTwo.\n\n", "-|-"],
        );
        check("/*/ */\na", &["-|/ ", "-|-"]);
    }

    #[test]
    fn no_comment_begins_in_a_string() {
        check(
            r#"a = "\\\" // no"; // t
"#,
            &["-|-", "-|-", "-|-", "-|-", " t\n|-"],
        );
        check("'/*\nb", &["-|-", "-|-", "-|-"]);
    }

    #[test]
    fn deep_brackets_are_found() {
        let nested = |depth: usize| format!("x\n  {}", "{[(<".repeat(depth / 4));
        assert_eq!(too_deep(&nested(DEPTH_MAX)), None);
        assert_eq!(too_deep(&nested(DEPTH_MAX + 4)), Some((2, 3 + DEPTH_MAX)));
        assert_eq!(too_deep(&"{}".repeat(1_000)), None);
        assert_eq!(
            too_deep(&format!("// {}", nested(1_000))),
            Some((2, 3 + DEPTH_MAX))
        );
    }

    #[test]
    fn any_text_has_an_end() {
        for text in ["", "/*", "//", "\"", "\"\\", "\\", "é/", "\0a"] {
            tokens(text);
        }
    }
}

//! Lexer for Rust and Go: tokens and comments, each with its line.
//!
//! Text in string literals and comments yields no tokens, so the rules that count braces or
//! follow paths are not misled by it.

/// Language of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Go,
}

impl Language {
    /// Returns the language by the ending of a file's name.
    pub(crate) fn of(file: &str) -> Self {
        if file.ends_with(".go") {
            Language::Go
        } else {
            Language::Rust
        }
    }
}

/// Category of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident,
    Literal,
    Punct,
}

/// Token: an identifier, a literal, `::`, or any other single character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Line on which the token begins, from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Compares the text of an identifier or of punctuation.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

/// Comment from `//` to the end of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comment<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
    /// True when the line holds nothing else.
    pub(crate) alone: bool,
}

/// Tokens and line comments of one file.
#[derive(Default)]
pub(crate) struct Lexed<'a> {
    pub(crate) tokens: Vec<Token<'a>>,
    pub(crate) comments: Vec<Comment<'a>>,
}

/// Splits `source` into tokens and comments.
pub(crate) fn lex(source: &str, language: Language) -> Lexed<'_> {
    let mut lexer = Lexer {
        source,
        language,
        at: 0,
        line: 1,
        lexed: Lexed::default(),
    };
    while let Some(next) = lexer.rest().chars().next() {
        lexer.step(next);
    }
    lexer.lexed
}

struct Lexer<'a> {
    source: &'a str,
    language: Language,
    /// Offset of the next byte.
    at: usize,
    line: usize,
    lexed: Lexed<'a>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Consumes one token, one comment or one white space character.
    fn step(&mut self, next: char) {
        let rest = self.rest();
        if next.is_whitespace() {
            self.consume(next.len_utf8());
        } else if rest.starts_with("//") {
            self.line_comment();
        } else if rest.starts_with("/*") {
            self.block_comment();
        } else if next == '"' {
            self.quoted(0, '"');
        } else if next == '`' && self.language == Language::Go {
            let length = rest[1..].find('`').map_or(rest.len(), |end| end + 2);
            self.token(Kind::Literal, length);
        } else if next == '\'' {
            self.apostrophe();
        } else if next.is_alphabetic() || next == '_' {
            self.word();
        } else if next.is_ascii_digit() {
            self.token(Kind::Literal, word_length(rest));
        } else if rest.starts_with("::") {
            self.token(Kind::Punct, 2);
        } else {
            self.token(Kind::Punct, next.len_utf8());
        }
    }

    /// Moves on by `length` bytes and counts the lines passed.
    fn consume(&mut self, length: usize) {
        self.line += self.rest()[..length]
            .bytes()
            .filter(|&byte| byte == b'\n')
            .count();
        self.at += length;
    }

    fn token(&mut self, kind: Kind, length: usize) {
        let text = &self.rest()[..length];
        self.lexed.tokens.push(Token {
            kind,
            text,
            line: self.line,
        });
        self.consume(length);
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        let length = rest.find('\n').unwrap_or(rest.len());
        let before = &self.source[..self.at];
        let alone = before
            .rsplit('\n')
            .next()
            .is_none_or(|line| line.trim().is_empty());
        let text = rest[..length].trim_end();
        self.lexed.comments.push(Comment {
            text,
            line: self.line,
            alone,
        });
        self.consume(length);
    }

    /// Consumes a block comment. Rust nests them, Go does not.
    fn block_comment(&mut self) {
        let bytes = self.rest().as_bytes();
        let mut depth = 1;
        let mut end = 2;
        while end < bytes.len() && depth > 0 {
            if bytes[end..].starts_with(b"*/") {
                depth -= 1;
                end += 2;
            } else if bytes[end..].starts_with(b"/*") && self.language == Language::Rust {
                depth += 1;
                end += 2;
            } else {
                end += 1;
            }
        }
        self.consume(end);
    }

    /// Consumes a literal with escapes, whose opening quote is at `prefix`.
    fn quoted(&mut self, prefix: usize, quote: char) {
        let rest = self.rest();
        let mut escaped = false;
        let mut length = rest.len();
        for (at, next) in rest.char_indices().skip_while(|&(at, _)| at <= prefix) {
            if !escaped && next == quote {
                length = at + 1;
                break;
            }
            escaped = !escaped && next == '\\';
        }
        self.token(Kind::Literal, length);
    }

    /// Consumes a character literal or a lifetime.
    fn apostrophe(&mut self) {
        let mut after = self.rest().chars().skip(1);
        let first = after.next();
        let is_literal =
            self.language == Language::Go || first == Some('\\') || after.next() == Some('\'');
        if is_literal {
            self.quoted(0, '\'');
        } else {
            let length = 1 + word_length(&self.rest()[1..]);
            self.token(Kind::Literal, length);
        }
    }

    /// Consumes an identifier, or a literal with a prefix such as `b"…"` or `r#"…"#`.
    fn word(&mut self) {
        let rest = self.rest();
        let length = word_length(rest);
        let word = &rest[..length];
        let after = &rest[length..];
        if self.language == Language::Go {
            return self.token(Kind::Ident, length);
        }
        let hashes = after.bytes().take_while(|&byte| byte == b'#').count();
        let is_raw = matches!(word, "r" | "br" | "cr");
        if is_raw && after[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = length + hashes + 1;
            let content = rest[start..]
                .find(&end)
                .unwrap_or(rest.len() - start - end.len());
            return self.token(Kind::Literal, start + content + end.len());
        }
        if matches!(word, "b" | "c") && after.starts_with('"') {
            return self.quoted(length, '"');
        }
        if word == "b" && after.starts_with('\'') {
            return self.quoted(length, '\'');
        }
        if word == "r" && hashes == 1 {
            // A raw identifier: the prefix is no part of its name.
            self.consume(length + 1);
            let length = word_length(self.rest());
            return self.token(Kind::Ident, length);
        }
        self.token(Kind::Ident, length);
    }
}

/// Length in bytes of the letters, digits and underscores at the beginning of `text`.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str, language: Language) -> Vec<&str> {
        lex(source, language)
            .tokens
            .iter()
            .map(|token| token.text)
            .collect()
    }

    #[test]
    fn literals_hide_their_braces() {
        let source = r##"f("}", r#"}"}"#, '}', b'{', b"\"{") // }"##;
        let texts = texts(source, Language::Rust);
        let expected = [
            "f",
            "(",
            "\"}\"",
            ",",
            "r#\"}\"}\"#",
            ",",
            "'}'",
            ",",
            "b'{'",
            ",",
            "b\"\\\"{\"",
            ")",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn lifetimes_and_raw_identifiers() {
        assert_eq!(
            texts("&'a r#fn::b", Language::Rust),
            ["&", "'a", "fn", "::", "b"]
        );
    }

    #[test]
    fn go_literals_hide_their_braces() {
        let texts = texts("x := `}\n` + '\\'' + \"}\"", Language::Go);
        assert_eq!(texts, ["x", ":", "=", "`}\n`", "+", "'\\''", "+", "\"}\""]);
    }

    #[test]
    fn comments_know_their_lines() {
        let lexed = lex("// a\nx /* /* */ \n */ // b\n", Language::Rust);
        let alone = Comment {
            text: "// a",
            line: 1,
            alone: true,
        };
        let trailing = Comment {
            text: "// b",
            line: 3,
            alone: false,
        };
        assert_eq!(lexed.comments, [alone, trailing]);
        assert_eq!(lexed.tokens.len(), 1);
    }
}

//! Scan of one Rust file for its modules, items, imports and paths.

use std::collections::BTreeSet;

use crate::lexer::{Kind, Language, Token, lex};

/// Keywords after which the name of an item follows.
const ITEMS: [&str; 9] = [
    "fn",
    "struct",
    "enum",
    "union",
    "trait",
    "type",
    "const",
    "static",
    "macro_rules",
];
/// Further keywords with which an item may begin.
const ITEM_STARTS: [&str; 7] = ["mod", "use", "impl", "unsafe", "async", "extern", "pub"];

/// Module of a file: the file's own one, or one written in braces.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Modules in braces around this one, from the outermost to this one.
    pub(super) path: Vec<String>,
    /// Names of items that the module defines.
    pub(super) items: BTreeSet<String>,
    /// Names of macros that it exports at the root of the crate.
    pub(super) exported_macros: BTreeSet<String>,
    /// Modules declared by `mod name;`.
    pub(super) children: Vec<Child>,
    pub(super) uses: Vec<Use>,
    pub(super) paths: Vec<PathInCode>,
}

/// Declaration `mod name;`.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    /// Value of the attribute `path`.
    pub(super) file: Option<String>,
}

/// One name of a `use` declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// Name under which the path is known, or none for a glob import.
    pub(super) name: Option<String>,
    pub(super) is_public: bool,
    pub(super) line: usize,
}

/// Path outside `use` declarations; a single name if it can be an imported one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathInCode {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// Scans a file, without its code for tests. The first scope is the file's own module.
pub(super) fn scan(source: &str) -> Vec<Scope> {
    let tokens = lex(source, Language::Rust).tokens;
    let mut scanner = Scanner {
        tokens: &tokens,
        at: 0,
        depth: 0,
        scopes: vec![Scope::default()],
        open: vec![(0, 0)],
        is_public: false,
        is_exported: false,
        file: None,
    };
    while scanner.at < tokens.len() {
        scanner.step();
    }
    scanner.scopes
}

struct Scanner<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    /// Depth in braces.
    depth: usize,
    scopes: Vec<Scope>,
    /// Indices of the scopes that are open, each with the depth of its content.
    open: Vec<(usize, usize)>,
    /// State of the item that begins: `pub` was read, then the attributes.
    is_public: bool,
    is_exported: bool,
    file: Option<String>,
}

impl<'a> Scanner<'a> {
    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(text))
    }

    /// Returns the identifier at `at`.
    fn ident(&self, at: usize) -> Option<&'a str> {
        let token = self.tokens.get(at)?;
        (token.kind == Kind::Ident).then_some(token.text)
    }

    fn scope(&mut self) -> &mut Scope {
        let current = self.open.last().map_or(0, |&(scope, _)| scope);
        &mut self.scopes[current]
    }

    fn step(&mut self) {
        let token = self.tokens[self.at];
        match (token.kind, token.text) {
            (Kind::Punct, "#") if self.is(self.at + 1, "[") => self.attribute(),
            (Kind::Punct, _) => self.punctuation(token.text),
            (Kind::Literal, _) => self.at += 1,
            (Kind::Ident, "pub") => self.visibility(),
            (Kind::Ident, "use") if !self.is(self.at + 1, "<") => self.use_declaration(),
            (Kind::Ident, "mod") => self.module(),
            (Kind::Ident, text) if ITEMS.contains(&text) => self.item(),
            (Kind::Ident, _) => self.path(),
        }
    }

    fn punctuation(&mut self, text: &str) {
        match text {
            "{" => self.depth += 1,
            "}" => {
                let content = self.depth;
                self.depth = self.depth.saturating_sub(1);
                if self.open.len() > 1 && self.open.last().is_some_and(|&(_, d)| d == content) {
                    self.open.pop();
                }
            }
            _ => {}
        }
        if matches!(text, "{" | "}" | ";" | ",") {
            self.end_start();
        }
        self.at += 1;
    }

    /// Forgets the visibility and the attributes of an item.
    fn end_start(&mut self) {
        self.is_public = false;
        self.is_exported = false;
        self.file = None;
    }

    /// Reads an attribute, and skips the item behind `cfg(test)`.
    fn attribute(&mut self) {
        let start = self.at + 2;
        let end = self.after_group(self.at + 1);
        let all = self.is(start + 2, "all") && self.is(start + 4, "test");
        if self.is(start, "cfg") && (self.is(start + 2, "test") || all) {
            self.at = self.after_item(end);
            return;
        }
        self.is_exported |= self.is(start, "macro_export");
        if self.is(start, "path") && self.is(start + 1, "=") {
            self.file = self
                .tokens
                .get(start + 2)
                .map(|file| file.text.trim_matches('"').into());
        }
        // Paths in the attribute count as paths in code.
        self.at = start;
    }

    /// Returns the index behind the group that opens at `at`.
    fn after_group(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        for (index, token) in self.tokens.iter().enumerate().skip(at) {
            match token.text {
                _ if token.kind != Kind::Punct => {}
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return index + 1;
            }
        }
        self.tokens.len()
    }

    /// Returns the index behind the item, field or statement that begins at `at`.
    fn after_item(&self, mut at: usize) -> usize {
        while self.is(at, "#") {
            at = self.after_group(at + 1);
        }
        let first = self.ident(at).unwrap_or_default();
        let mut is_item = ITEMS.contains(&first) || ITEM_STARTS.contains(&first);
        if first == "pub" {
            let name = if self.is(at + 1, "(") {
                self.after_group(at + 1)
            } else {
                at + 1
            };
            // A field has its colon behind its name.
            is_item = !self.is(name + 1, ":");
        }
        while at < self.tokens.len() {
            let token = self.tokens[at];
            match token.text {
                _ if token.kind != Kind::Punct => at += 1,
                "{" => return self.after_group(at),
                "(" | "[" => at = self.after_group(at),
                ";" => return at + 1,
                "," if !is_item => return at + 1,
                ")" | "]" | "}" => return at,
                _ => at += 1,
            }
        }
        at
    }

    fn visibility(&mut self) {
        self.is_public = true;
        self.at += 1;
        let restricts = ["crate", "super", "self", "in"];
        if self.is(self.at, "(") && restricts.iter().any(|word| self.is(self.at + 1, word)) {
            self.at = self.after_group(self.at);
        }
    }

    fn use_declaration(&mut self) {
        let is_public = self.is_public;
        self.at += 1;
        if self.is(self.at, "::") {
            // The path of another crate.
            while self.at < self.tokens.len() && !self.is(self.at, ";") {
                self.at += 1;
            }
        }
        self.use_tree(&mut Vec::new(), is_public);
        self.end_start();
    }

    /// Reads a path, a group of them, or a glob behind `prefix`.
    fn use_tree(&mut self, prefix: &mut Vec<String>, is_public: bool) {
        let Some(&Token { line, .. }) = self.tokens.get(self.at) else {
            return;
        };
        let path = prefix.clone();
        if self.is(self.at, "*") {
            self.at += 1;
            self.scope().uses.push(Use {
                path,
                name: None,
                is_public,
                line,
            });
        } else if self.is(self.at, "{") {
            self.at += 1;
            while self.at < self.tokens.len() && !self.is(self.at, "}") {
                let before = self.at;
                self.use_tree(prefix, is_public);
                let stuck = before == self.at;
                self.at += usize::from(stuck || self.is(self.at, ","));
            }
            self.at += 1;
        } else if let Some(segment) = self.ident(self.at) {
            self.at += 1;
            prefix.push(segment.to_owned());
            if self.is(self.at, "::") {
                self.at += 1;
                self.use_tree(prefix, is_public);
            } else {
                self.use_name(prefix.clone(), is_public, line);
            }
            prefix.pop();
        }
    }

    /// Reads `as name` behind a complete path.
    fn use_name(&mut self, mut path: Vec<String>, is_public: bool, line: usize) {
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned();
        if self.is(self.at, "as") {
            name = self.ident(self.at + 1).map(str::to_owned);
            self.at += 2;
        }
        self.scope().uses.push(Use {
            path,
            name,
            is_public,
            line,
        });
    }

    fn module(&mut self) {
        let Some(name) = self.ident(self.at + 1) else {
            self.at += 1;
            return;
        };
        if self.is(self.at + 2, "{") {
            let mut path = self.scope().path.clone();
            path.push(name.to_owned());
            self.depth += 1;
            self.open.push((self.scopes.len(), self.depth));
            self.scopes.push(Scope {
                path,
                ..Scope::default()
            });
        } else {
            let child = Child {
                name: name.to_owned(),
                file: self.file.take(),
            };
            self.scope().children.push(child);
        }
        self.end_start();
        self.at += 3;
    }

    /// Records the name of an item unless it is local to a function or an `impl`.
    fn item(&mut self) {
        let is_macro = self.is(self.at, "macro_rules");
        self.at += 1;
        let skipped = ["!", "mut", "ref"];
        let mut at = self.at;
        while skipped.iter().any(|word| self.is(at, word)) {
            at += 1;
        }
        let Some(name) = self.ident(at) else { return };
        if ITEMS.contains(&name) || ITEM_STARTS.contains(&name) {
            return;
        }
        let is_exported = is_macro && self.is_exported;
        let is_local = self
            .open
            .last()
            .is_some_and(|&(_, depth)| depth != self.depth);
        let scope = self.scope();
        if is_exported {
            scope.exported_macros.insert(name.to_owned());
        }
        if !is_local {
            scope.items.insert(name.to_owned());
        }
        self.end_start();
        self.at = at + 1;
    }

    /// Reads a path or a single name.
    fn path(&mut self) {
        let start = self.at;
        let line = self.tokens[start].line;
        let mut path = Vec::new();
        while let Some(segment) = self.ident(self.at) {
            path.push(segment.to_owned());
            self.at += 1;
            if !self.is(self.at, "::") || self.ident(self.at + 1).is_none() {
                break;
            }
            self.at += 1;
        }
        let continues = start > 0 && (self.is(start - 1, "::") || self.is(start - 1, "."));
        let is_name = path[0].starts_with(char::is_uppercase)
            || self.is(self.at, "(")
            || self.is(self.at, "!");
        if !continues && (path.len() > 1 || is_name) {
            self.scope().paths.push(PathInCode { path, line });
        }
    }
}

#[cfg(test)]
mod tests;

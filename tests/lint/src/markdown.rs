//! Links, anchors and prose of a Markdown file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag, TagEnd};

/// Link with the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// Parsed Markdown file.
#[derive(Default)]
pub(crate) struct Document {
    /// Links and images, also those in HTML.
    pub(crate) links: Vec<Link>,
    /// Labels of reference links that are not defined.
    pub(crate) undefined: Vec<Link>,
    /// Anchors of headings by GitHub's rule, and those set in HTML.
    pub(crate) anchors: BTreeSet<String>,
    /// Text outside code, tables and HTML.
    pub(crate) prose: String,
}

impl Document {
    /// Parses `text`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut undefined = Vec::new();
        let mut on_broken_link = |link: BrokenLink<'_>| {
            // `[text]` alone is plain text more often than a link.
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                let line = line_of(text, link.span.start);
                undefined.push(Link {
                    line,
                    target: link.reference.to_string(),
                });
            }
            None
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let parser =
            Parser::new_with_broken_link_callback(text, options, Some(&mut on_broken_link));
        let mut reader = Reader {
            text,
            ..Reader::default()
        };
        for (event, span) in parser.into_offset_iter() {
            reader.event(event, span);
        }
        let mut document = reader.document;
        document.undefined = undefined;
        document
    }
}

/// State while the events of one file are read.
#[derive(Default)]
struct Reader<'a> {
    text: &'a str,
    document: Document,
    /// Text of the heading that is being read.
    heading: Option<String>,
    /// Depth in code blocks and tables.
    outside_prose: usize,
    /// Number of headings seen by anchor.
    headings: BTreeMap<String, usize>,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.link(span.start, &dest_url);
            }
            Event::Start(Tag::Heading { .. }) => self.heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => self.end_heading(),
            Event::Start(Tag::CodeBlock(_) | Tag::Table(_)) => self.outside_prose += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Table) => self.outside_prose -= 1,
            Event::End(TagEnd::Paragraph | TagEnd::Item) => self.document.prose.push('\n'),
            Event::SoftBreak | Event::HardBreak => self.document.prose.push('\n'),
            Event::Code(code) => {
                self.document.prose.push(' ');
                if let Some(heading) = &mut self.heading {
                    heading.push_str(&code);
                }
            }
            Event::Text(text) => self.plain(&text),
            Event::Html(html) | Event::InlineHtml(html) => self.html(span.start, &html),
            _ => {}
        }
    }

    fn link(&mut self, at: usize, target: &str) {
        let line = line_of(self.text, at);
        self.document.links.push(Link {
            line,
            target: target.to_owned(),
        });
    }

    fn plain(&mut self, text: &str) {
        if self.outside_prose == 0 {
            self.document.prose.push_str(text);
        }
        if let Some(heading) = &mut self.heading {
            heading.push_str(text);
        }
    }

    fn end_heading(&mut self) {
        self.document.prose.push('\n');
        let slug = slug(&self.heading.take().unwrap_or_default());
        let count = self.headings.entry(slug.clone()).or_default();
        let anchor = if *count == 0 {
            slug
        } else {
            format!("{slug}-{count}")
        };
        *count += 1;
        self.document.anchors.insert(anchor);
    }

    fn html(&mut self, at: usize, html: &str) {
        for attribute in ["href=\"", "src=\""] {
            for (start, value) in values(html, attribute) {
                self.link(at + start, value);
            }
        }
        for attribute in ["id=\"", "name=\""] {
            let anchors = values(html, attribute).map(|(_, value)| value.to_owned());
            self.document.anchors.extend(anchors);
        }
    }
}

/// Returns the values of an HTML attribute with their offsets.
fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = (usize, &'a str)> {
    html.match_indices(attribute).map(|(at, name)| {
        let start = at + name.len();
        (start, html[start..].split('"').next().unwrap_or_default())
    })
}

/// Returns the anchor that GitHub gives to a heading.
fn slug(heading: &str) -> String {
    let kept = heading
        .trim()
        .chars()
        .filter(|&c| c.is_alphanumeric() || " -_".contains(c));
    kept.flat_map(char::to_lowercase)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_follow_the_rule_of_github() {
        let text = "# A `b-c` & D_e!\n## A b\n## A *b*\n<a id=\"own\"></a>\n";
        let document = Document::parse(text);
        let anchors: Vec<_> = document.anchors.iter().map(String::as_str).collect();
        assert_eq!(anchors, ["a-b", "a-b-1", "a-b-c--d_e", "own"]);
    }

    #[test]
    fn links_of_every_form_are_found() {
        let text = "[a](b.md)\n![c](d.png) [e][f]\n<img src=\"g.png\">\n\n[f]: h.md#i\n\n[j][k]\n";
        let document = Document::parse(text);
        let mut links: Vec<_> = document
            .links
            .iter()
            .map(|link| (link.line, link.target.as_str()))
            .collect();
        links.sort_unstable();
        assert_eq!(
            links,
            [(1, "b.md"), (2, "d.png"), (2, "h.md#i"), (3, "g.png")]
        );
        assert_eq!(
            document.undefined,
            [Link {
                line: 7,
                target: "k".to_owned()
            }]
        );
    }

    #[test]
    fn prose_has_no_code_and_no_tables() {
        let text = "# a\nb `c` [d](e)\n\n```\nf\n```\n\n| g |\n|---|\n| h |\n";
        let document = Document::parse(text);
        let words: Vec<_> = document.prose.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "d"]);
    }
}

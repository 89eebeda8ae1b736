//! The deployment file: which guests run, and how.
//!
//! ```toml
//! manifest_version = 1
//! startup_deadline = "30s"       # until all guests must be ready, from when the first is launched
//! shutdown_deadline = "5s"       # until all guests must have left, from when the first is told to
//!
//! [service.greeting]
//! wasm = "build/greeting.wasm"   # relative to this file
//! args = ["--loud"]
//! env = { TONGUE = "french" }
//! memory = "64MiB"               # what its linear memory may grow to
//! budget = "50ms"                # of CPU time that it may hold its thread between two awaits
//! log = "1MiB"                   # what it may log in a second, each line counted with its columns
//! deadline = "3s"                # of calls to this service that bring none of their own
//! restart = "on-failure"         # or "never", or "always"
//! max_restarts = 10              # so many in `max_seconds`; one more, and it has failed for good
//! max_seconds = 60
//! replicas = 1                   # instances; a call goes to the least busy
//! shared = ["greeting.v1.Greeting"]   # what others export as well, who say so too
//!
//! [program.hello]                # the same keys, but for the last six: nobody calls a program, and it runs once
//! wasm = "build/hello.wasm"
//! ```
//!
//! Nothing is accepted in silence and nothing is guessed: all that is wrong in a file is reported at once, each mistake with its
//! place and the next step.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::Complaint;
use crate::spelling;

pub use crate::error::{DeploymentError, Mistake};

/// The `manifest_version` that this host reads.
pub const MANIFEST_VERSION: u32 = 1;

/// What a guest's memory may grow to where the file does not say: 64 MiB.
pub const MEMORY_BYTES_DEFAULT: u64 = 64 << 20;

/// What a guest may log in a second where the file does not say: 1 MiB.
pub const LOG_BYTES_DEFAULT: u64 = 1 << 20;

/// How long a guest may hold its thread where neither the file nor the method says.
pub const BUDGET_DEFAULT: Duration = Duration::from_millis(50);

/// The largest budget that a guest or a method may have.
pub const BUDGET_MAX: Duration = Duration::from_secs(60);

/// How long a call to a service may take where neither the file nor the caller says.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(3);

/// How long a start may take where the file does not say.
pub const STARTUP_DEADLINE_DEFAULT: Duration = Duration::from_secs(30);
/// How long guests may take to leave, all together, where the file does not say.
pub const SHUTDOWN_DEADLINE_DEFAULT: Duration = Duration::from_secs(5);

/// How often a service may be restarted within [`RESTARTS_WITHIN_DEFAULT`] where the file does not say.
///
/// OTP's one in 5 s is meant for processes among many that share a fate. A service stands alone, and what it waits for, another machine say, may
/// take a while to come back: with the pauses that grow between them, ten restarts last for half a minute and more.
pub const MAX_RESTARTS_DEFAULT: u32 = 10;

/// The time in which restarts are counted where the file does not say.
pub const RESTARTS_WITHIN_DEFAULT: Duration = Duration::from_secs(60);

/// How many instances a service may have.
pub const REPLICAS_MAX: u32 = 1_000;

/// A deployment file that was read and found without mistakes.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The guests, sorted by name; at least one.
    pub guests: Vec<GuestSpec>,
    /// How long it may take until all guests are ready, from when all of them are compiled and have had their first turn.
    pub startup_deadline: Duration,
    /// How long guests may take to leave, all together, from when the first is told to.
    pub shutdown_deadline: Duration,
    /// The file's name and text, for messages that point into it.
    pub source: NamedSource<Arc<str>>,
}

/// One guest of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSpec {
    /// Its name in the file and in the log, made of `a-z`, `0-9`, `_` and `-`; no two guests share one.
    pub name: String,
    /// Whether it serves or runs to an end.
    pub role: Role,
    /// Its wasm file: absolute, or relative to the working directory.
    pub wasm: PathBuf,
    /// Its arguments, without a name of its own in front.
    pub args: Vec<String>,
    /// Its environment; it gets nothing of the host's.
    pub env: BTreeMap<String, String>,
    /// What its linear memory may grow to, in bytes: 64 KiB to 4 GiB.
    pub memory_bytes: u64,
    /// How long it may hold its thread between two awaits, in CPU time.
    pub budget: Duration,
    /// What it may log in a second, in bytes, 64 of which each line takes for its columns: 1 KiB to 1 GiB.
    pub log_bytes: u64,
    /// How long a call to it may take that brings no deadline; a program, which nobody calls, has the default.
    pub deadline: Duration,
    /// Whether it is restarted when it ends; a program never is.
    pub restart: RestartPolicy,
    /// How many instances of it there are, between which calls are spread: 1 to [`REPLICAS_MAX`]. A program has one.
    pub replicas: u32,
    /// The full names of services that it exports and others may export as well: calls are spread over all of them.
    pub shared: Vec<String>,
    /// Where the value of `wasm` stands in the file, in bytes.
    pub span: Range<usize>,
}

impl GuestSpec {
    /// A service of that name and that wasm file, and otherwise as a file says that says no more.
    pub fn service(name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec::new(Role::Service, name, wasm)
    }

    /// The same for a program.
    pub fn program(name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec::new(Role::Program, name, wasm)
    }

    fn new(role: Role, name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec {
            name: name.into(),
            role,
            wasm: wasm.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            memory_bytes: MEMORY_BYTES_DEFAULT,
            budget: BUDGET_DEFAULT,
            log_bytes: LOG_BYTES_DEFAULT,
            deadline: DEADLINE_DEFAULT,
            restart: RestartPolicy::of(role),
            replicas: 1,
            shared: Vec::new(),
            span: 0..0,
        }
    }

    /// The same guest with these arguments.
    #[must_use]
    pub fn with_args<I: IntoIterator<Item: Into<String>>>(self, args: I) -> Self {
        GuestSpec { args: args.into_iter().map(Into::into).collect(), ..self }
    }
}

/// What a guest is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It exports services and is called; from `[service.<name>]`.
    Service,
    /// It has a `main` that ends; from `[program.<name>]`.
    Program,
}

/// Whether and how often a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// After which ends.
    pub after: RestartAfter,
    /// How many restarts there may be in the time of `within`: 1 to 1,000. Instead of one more it has failed for good.
    pub max_restarts: u32,
    /// The time in which they are counted: 1 second to a day.
    pub within: Duration,
}

/// The ends after which a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartAfter {
    /// None.
    Never,
    /// A fault, or leaving with a status that is not 0.
    Failure,
    /// Any, unless it was told to leave.
    Always,
}

impl Deployment {
    /// Reads the deployment file at `path`; paths in it are relative to the folder that it is in.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or with every mistake that is in it.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| DeploymentError::Unreadable { file: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a deployment file as though it stood at `file`, which need not exist.
    ///
    /// # Errors
    ///
    /// With every mistake that is in it.
    pub fn parse(text: &str, file: &Path) -> Result<Self, DeploymentError> {
        let mut reader = Reader {
            folder: file.parent().unwrap_or(Path::new("")),
            source: NamedSource::new(file.to_string_lossy(), Arc::from(text)),
            startup_deadline: STARTUP_DEADLINE_DEFAULT,
            shutdown_deadline: SHUTDOWN_DEADLINE_DEFAULT,
            mistakes: Vec::new(),
        };
        let (root, errors) = DeTable::parse_recoverable(text);
        let guests = if errors.is_empty() {
            reader.file(root.get_ref())
        } else {
            // What was guessed behind a mistake in the syntax would only lead to more complaints.
            errors.iter().for_each(|error| reader.syntax(error));
            Vec::new()
        };
        reader.finish(guests, file)
    }
}

const FILE_KEYS: &[&str] = &["manifest_version", "startup_deadline", "shutdown_deadline", "service", "program"];
const SIZE_UNITS: &[(&str, u64)] = &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const DURATION_UNITS_MS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl Role {
    /// The table of the file that holds guests of this role.
    const fn table(self) -> &'static str {
        match self {
            Role::Service => "service",
            Role::Program => "program",
        }
    }

    const fn keys(self) -> &'static [&'static str] {
        match self {
            Role::Service => &[
                "wasm",
                "args",
                "env",
                "memory",
                "budget",
                "log",
                "deadline",
                "restart",
                "max_restarts",
                "max_seconds",
                "replicas",
                "shared",
            ],
            Role::Program => &["wasm", "args", "env", "memory", "budget", "log"],
        }
    }
}

impl RestartPolicy {
    /// Where the file does not say.
    fn of(role: Role) -> Self {
        let after = match role {
            Role::Service => RestartAfter::Failure,
            Role::Program => RestartAfter::Never,
        };
        RestartPolicy { after, max_restarts: MAX_RESTARTS_DEFAULT, within: RESTARTS_WITHIN_DEFAULT }
    }
}

type Key<'a> = Spanned<DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Walks through a file and writes down what is wrong; what it returns counts only if nothing was.
struct Reader<'a> {
    folder: &'a Path,
    source: NamedSource<Arc<str>>,
    startup_deadline: Duration,
    shutdown_deadline: Duration,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn finish(mut self, mut guests: Vec<GuestSpec>, file: &Path) -> Result<Deployment, DeploymentError> {
        if self.mistakes.is_empty() {
            guests.sort_by(|a, b| a.name.cmp(&b.name));
            let Reader { source, startup_deadline, shutdown_deadline, .. } = self;
            Ok(Deployment { guests, startup_deadline, shutdown_deadline, source })
        } else {
            self.mistakes.sort_by_key(|mistake| mistake.span.offset());
            Err(DeploymentError::Refused { file: file.to_owned(), mistakes: self.mistakes })
        }
    }

    fn mistake(&mut self, span: Range<usize>, complaint: &Complaint<'_>) -> &mut Mistake {
        let text = self.source.inner();
        let before = &text[..text.floor_char_boundary(span.start)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.mistakes.push(Mistake {
            message: complaint.to_string(),
            help: complaint.help(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: span.into(),
            other: None,
            source_code: self.source.clone(),
        });
        self.mistakes.last_mut().expect("one was just pushed")
    }

    fn syntax(&mut self, error: &toml::de::Error) {
        let text = self.source.inner();
        let mut span = error.span().unwrap_or(text.len()..text.len());
        if span.is_empty() {
            // Something is missing: point at what stands before it, for there may be nothing behind.
            span.start = text.floor_char_boundary(span.start.saturating_sub(1));
        }
        self.mistake(span, &Complaint::Syntax(error.message().replace('\n', ", ")));
    }

    fn file(&mut self, root: &DeTable<'_>) -> Vec<GuestSpec> {
        if !self.version(root) {
            return Vec::new(); // another version may mean other things by the same words
        }
        let mut names = BTreeMap::new();
        let mut guests = Vec::new();
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "manifest_version" => {}
                "startup_deadline" => self.startup_deadline = self.deadline("startup_deadline", value),
                "shutdown_deadline" => self.shutdown_deadline = self.deadline("shutdown_deadline", value),
                "service" => guests.extend(self.guests(Role::Service, value, &mut names)),
                "program" => guests.extend(self.guests(Role::Program, value, &mut names)),
                _ => _ = self.unknown_key(key, "the file", FILE_KEYS),
            }
        }
        if names.is_empty() && self.mistakes.is_empty() {
            self.mistake(0..0, &Complaint::NoGuest);
        }
        guests
    }

    /// Whether the file is of the version that is understood here.
    fn version(&mut self, root: &DeTable<'_>) -> bool {
        let Some(value) = root.get("manifest_version") else {
            self.mistake(0..0, &Complaint::NoVersion);
            // Most likely it was forgotten, and the rest is worth a look.
            return true;
        };
        let DeValue::Integer(version) = value.get_ref() else {
            self.wrong_type("`manifest_version`", value, "the integer 1");
            return true;
        };
        let supported = u32::from_str_radix(version.as_str(), version.radix()) == Ok(MANIFEST_VERSION);
        if !supported {
            self.mistake(value.span(), &Complaint::Version { found: &version.to_string() });
        }
        supported
    }

    fn guests(&mut self, role: Role, value: &Value<'_>, names: &mut BTreeMap<String, Range<usize>>) -> Vec<GuestSpec> {
        let table = role.table();
        let Some(entries) = self.table(&format!("`{table}`"), value, &format!("tables `[{table}.<name>]`")) else {
            return Vec::new();
        };
        entries
            .iter()
            .filter_map(|(key, value)| {
                self.name(key, names);
                let place = format!("`[{table}.{}]`", key.get_ref());
                let entry = self.table(&format!("`{table}.{}`", key.get_ref()), value, &format!("a table {place}"))?;
                Some(self.guest(role, key, &place, entry))
            })
            .collect()
    }

    fn name(&mut self, key: &Key<'_>, names: &mut BTreeMap<String, Range<usize>>) {
        let name = key.get_ref().as_ref();
        if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')) {
            self.mistake(key.span(), &Complaint::GuestName { name });
        }
        if let Some(other) = names.insert(name.to_owned(), key.span()) {
            self.mistake(key.span(), &Complaint::SameName { name }).other = Some(other.into());
        }
    }

    fn guest(&mut self, role: Role, name: &Key<'_>, place: &str, entry: &DeTable<'_>) -> GuestSpec {
        let mut guest = GuestSpec { span: name.span(), ..GuestSpec::new(role, &**name.get_ref(), "") };
        let mut has_wasm = false;
        for (key, value) in entry {
            match (key.get_ref().as_ref(), role) {
                ("wasm", _) => {
                    guest.wasm = self.wasm(value);
                    guest.span = value.span();
                    has_wasm = true;
                }
                ("args", _) => guest.args = self.strings("args", "an argument", value),
                ("env", _) => guest.env = self.env(value),
                ("memory", _) => guest.memory_bytes = self.memory_bytes(value),
                ("budget", _) => guest.budget = self.budget(value),
                ("log", _) => guest.log_bytes = self.log_bytes(value),
                ("deadline", Role::Service) => guest.deadline = self.deadline("deadline", value),
                ("replicas", Role::Service) => {
                    guest.replicas = self.count("replicas", value, 1..=REPLICAS_MAX.into()) as u32;
                }
                ("shared", Role::Service) => guest.shared = self.strings("shared", "a service", value),
                (key_name @ ("replicas" | "shared"), Role::Program) => {
                    self.mistake(key.span(), &Complaint::ReplicasOfProgram { key: key_name, place });
                }
                (key_name @ "deadline", Role::Program) => {
                    self.mistake(key.span(), &Complaint::DeadlineOfProgram { key: key_name, place });
                }
                ("restart", Role::Service) => guest.restart.after = self.restart_after(value),
                ("max_restarts", Role::Service) => {
                    guest.restart.max_restarts = self.count("max_restarts", value, 1..=1_000) as u32;
                }
                ("max_seconds", Role::Service) => {
                    guest.restart.within = Duration::from_secs(self.count("max_seconds", value, 1..=86_400));
                }
                (key_name @ ("restart" | "max_restarts" | "max_seconds"), Role::Program) => {
                    self.mistake(key.span(), &Complaint::RestartOfProgram { key: key_name, place });
                }
                // If `wasm` is what was meant, it is not missing besides.
                _ => has_wasm |= self.unknown_key(key, place, role.keys()) == Some("wasm"),
            }
        }
        if !has_wasm {
            let file = self.source.name().to_owned();
            self.mistake(name.span(), &Complaint::NoWasm { place, file: &file });
        }
        guest
    }

    fn wasm(&mut self, value: &Value<'_>) -> PathBuf {
        let file = self.string("`wasm`", value, "a path");
        if file == Some("") {
            let file = self.source.name().to_owned();
            self.mistake(value.span(), &Complaint::EmptyWasm { file: &file });
        }
        self.folder.join(file.unwrap_or_default())
    }

    /// An array, each of whose items is `what`.
    fn strings(&mut self, key: &str, what: &str, value: &Value<'_>) -> Vec<String> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(&format!("`{key}`"), value, "an array of strings");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.string(what, item, "a string")).map(str::to_owned).collect()
    }

    fn env(&mut self, value: &Value<'_>) -> BTreeMap<String, String> {
        let Some(pairs) = self.table("`env`", value, "a table of strings") else { return BTreeMap::new() };
        let mut env = BTreeMap::new();
        for (key, value) in pairs {
            let name = key.get_ref().as_ref();
            if name.is_empty() || name.contains(['=', '\0']) {
                self.mistake(key.span(), &Complaint::VariableName { name });
            }
            if let Some(value) = self.string(&format!("`{name}`"), value, "a string") {
                env.insert(name.to_owned(), value.to_owned());
            }
        }
        env
    }

    fn memory_bytes(&mut self, value: &Value<'_>) -> u64 {
        let scale = Scale {
            key: "memory",
            noun: "a size",
            units: SIZE_UNITS,
            range: 64 << 10..=4 << 30,
            form: "a whole number and KiB, MiB or GiB, from \"64KiB\" to \"4GiB\", such as \"64MiB\"",
        };
        self.quantity(value, &scale)
    }

    fn budget(&mut self, value: &Value<'_>) -> Duration {
        let scale = Scale {
            key: "budget",
            noun: "a duration",
            units: DURATION_UNITS_MS,
            range: 10..=BUDGET_MAX.as_millis() as u64,
            form: "a whole number and ms or s, from \"10ms\" to \"60s\", such as \"50ms\"",
        };
        Duration::from_millis(self.quantity(value, &scale))
    }

    fn log_bytes(&mut self, value: &Value<'_>) -> u64 {
        let scale = Scale {
            key: "log",
            noun: "a size",
            units: SIZE_UNITS,
            range: 1 << 10..=1 << 30,
            form: "a whole number and KiB, MiB or GiB, from \"1KiB\" to \"1GiB\", such as \"1MiB\"",
        };
        self.quantity(value, &scale)
    }

    fn deadline(&mut self, key: &'static str, value: &Value<'_>) -> Duration {
        let scale = Scale {
            key,
            noun: "a duration",
            units: DURATION_UNITS_MS,
            range: 1..=24 * 3_600_000,
            form: "a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\"",
        };
        Duration::from_millis(self.quantity(value, &scale))
    }

    fn restart_after(&mut self, value: &Value<'_>) -> RestartAfter {
        const NAMES: [(&str, RestartAfter); 3] =
            [("never", RestartAfter::Never), ("on-failure", RestartAfter::Failure), ("always", RestartAfter::Always)];
        const CHOICES: &str = "\"never\", \"on-failure\" or \"always\"";
        let Some(text) = self.string("`restart`", value, "a string") else { return RestartAfter::Never };
        let known = NAMES.iter().find(|(name, _)| *name == text);
        if known.is_none() {
            self.mistake(value.span(), &Complaint::Choice { key: "restart", text, choices: CHOICES });
        }
        known.map_or(RestartAfter::Never, |(_, after)| *after)
    }

    /// A whole number without a unit.
    fn count(&mut self, key: &'static str, value: &Value<'_>, range: RangeInclusive<u64>) -> u64 {
        let DeValue::Integer(number) = value.get_ref() else {
            let expected = format!("an integer from {} to {}", range.start(), range.end());
            self.wrong_type(&format!("`{key}`"), value, &expected);
            return 0;
        };
        let count = u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|count| range.contains(count));
        if count.is_none() {
            self.mistake(value.span(), &Complaint::Count { key, number: &number.to_string(), range });
        }
        count.unwrap_or_default()
    }

    /// The number in a value such as `"64MiB"`, in the smallest unit of the scale that bounds it.
    fn quantity(&mut self, value: &Value<'_>, scale: &Scale) -> u64 {
        let Scale { key, noun, units, ref range, form } = *scale;
        let DeValue::String(text) = value.get_ref() else {
            let found = with_article(value.get_ref());
            self.mistake(value.span(), &Complaint::NoQuantity { key, found: &found, noun, form });
            return 0;
        };
        let quantity = parse_quantity(text, units);
        match quantity {
            None => _ = self.mistake(value.span(), &Complaint::Quantity { key, text, noun, form }),
            Some(quantity) if !range.contains(&quantity) => {
                let much = if quantity < *range.start() { "little" } else { "much" };
                self.mistake(value.span(), &Complaint::Range { key, text, much, form });
            }
            Some(_) => {}
        }
        quantity.unwrap_or_default()
    }

    fn string<'v>(&mut self, what: &str, value: &'v Value<'_>, expected: &str) -> Option<&'v str> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(what, value, expected);
            return None;
        };
        if text.contains('\0') {
            self.mistake(value.span(), &Complaint::Nul { what });
        }
        Some(text)
    }

    fn table<'v, 'i>(&mut self, what: &str, value: &'v Value<'i>, expected: &str) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(what, value, expected);
        }
        table
    }

    fn wrong_type(&mut self, what: &str, value: &Value<'_>, expected: &str) {
        let found = with_article(value.get_ref());
        self.mistake(value.span(), &Complaint::Type { what, found: &found, expected });
    }

    /// Returns the known key that was meant, if one is similar.
    fn unknown_key(&mut self, key: &Key<'_>, place: &str, known: &[&'static str]) -> Option<&'static str> {
        let name = key.get_ref().as_ref();
        let similar = spelling::nearest(name, known.iter().copied());
        self.mistake(key.span(), &Complaint::UnknownKey { key: name, place, similar, known });
        similar
    }
}

/// A kind of number with a unit.
struct Scale {
    key: &'static str,
    noun: &'static str,
    units: &'static [(&'static str, u64)],
    range: RangeInclusive<u64>,
    /// How it is written.
    form: &'static str,
}

/// Reads `12KiB` as 12 times what the unit stands for.
fn parse_quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

fn with_article(value: &DeValue<'_>) -> String {
    let noun = value.type_str();
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "manifest_version = 1\n[program.hello]\nwasm = \"hello.wasm\"\n";

    fn parse(text: &str) -> Result<Deployment, DeploymentError> {
        Deployment::parse(text, Path::new("apps/app.toml"))
    }

    /// Checks all the mistakes of a file, a line each: `line:column: message; help`.
    #[track_caller]
    fn check_errors(text: &str, expected: &[&str]) {
        let Err(DeploymentError::Refused { mistakes, .. }) = parse(text) else { panic!("{text:?} was accepted") };
        let found: Vec<_> =
            mistakes.iter().map(|m| format!("{}:{}: {}; {}", m.line, m.column, m.message, m.help)).collect();
        assert_eq!(found, expected);
    }

    /// Checks the one mistake in the fourth line, the last of a file that is right without it.
    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        check_errors(&format!("{HELLO}{line}"), &[expected]);
    }

    #[test]
    fn a_file_is_read_with_its_defaults() {
        let deployment = parse(HELLO).expect("the file is right");
        let [hello] = &deployment.guests[..] else { panic!("{:?}", deployment.guests) };
        assert_eq!(hello.name, "hello");
        assert_eq!(hello.role, Role::Program);
        assert_eq!(hello.wasm, Path::new("apps/hello.wasm"));
        assert_eq!(hello.args, [""; 0]);
        assert_eq!(hello.env, BTreeMap::new());
        assert_eq!(hello.memory_bytes, 64 << 20);
        assert_eq!(hello.budget, Duration::from_millis(50));
        assert_eq!(hello.log_bytes, 1 << 20);
        assert_eq!(hello.deadline, Duration::from_secs(3));
        assert_eq!(hello.restart.after, RestartAfter::Never);
        assert_eq!(&HELLO[hello.span.clone()], "\"hello.wasm\"");
        assert_eq!(deployment.startup_deadline, Duration::from_secs(30));
        assert_eq!(deployment.shutdown_deadline, Duration::from_secs(5));
        assert_eq!(deployment.source.name(), "apps/app.toml");
        assert_eq!(&**deployment.source.inner(), HELLO);
    }

    #[test]
    fn every_key_of_a_service_is_read_and_guests_are_sorted_by_name() {
        let text = r#"
            manifest_version = 1
            startup_deadline = "2m"
            shutdown_deadline = "1500ms"
            [program.a]
            wasm = "/opt/a.wasm"
            [service.c]
            wasm = "c.wasm"
            [service.b]
            wasm = "../b.wasm"
            args = ["--tongue", "french"]
            env = { GREETING = "loud", EMPTY = "" }
            memory = "16MiB"
            budget = "1s"
            log = "4KiB"
            deadline = "50ms"
            restart = "always"
            max_restarts = 3
            max_seconds = 5
            replicas = 3
            shared = ["greeting.v1.Greeting"]
        "#;
        let Deployment { guests, startup_deadline, shutdown_deadline, .. } = parse(text).expect("the file is right");
        assert_eq!((startup_deadline, shutdown_deadline), (Duration::from_secs(120), Duration::from_millis(1_500)));
        let [a, b, c] = &guests[..] else { panic!("{guests:?}") };
        assert_eq!((&*a.name, &*b.name, &*c.name), ("a", "b", "c"));
        assert_eq!(a.wasm, Path::new("/opt/a.wasm"));
        assert_eq!(b.role, Role::Service);
        assert_eq!(b.wasm, Path::new("apps/../b.wasm"));
        assert_eq!(b.args, ["--tongue", "french"]);
        assert_eq!(b.env, BTreeMap::from([("EMPTY".into(), "".into()), ("GREETING".into(), "loud".into())]));
        assert_eq!(b.memory_bytes, 16 << 20);
        assert_eq!(b.budget, Duration::from_secs(1));
        assert_eq!(b.log_bytes, 4 << 10);
        assert_eq!(b.deadline, Duration::from_millis(50));
        let restart =
            |after, max_restarts, seconds| RestartPolicy { after, max_restarts, within: Duration::from_secs(seconds) };
        assert_eq!(b.restart, restart(RestartAfter::Always, 3, 5));
        assert_eq!(c.restart, restart(RestartAfter::Failure, 10, 60), "the default");
        assert_eq!((b.replicas, &b.shared[..]), (3, &["greeting.v1.Greeting".to_owned()][..]));
        assert_eq!((c.replicas, &c.shared[..]), (1, &[][..]), "the default");
    }

    #[test]
    fn sizes_and_durations_are_whole_numbers_with_a_unit() {
        let size = |text| parse_quantity(text, SIZE_UNITS);
        assert_eq!(size("64KiB"), Some(64 << 10));
        assert_eq!(size("2GiB"), Some(2 << 30));
        for bad in ["", "64", "MiB", "64MB", "64mib", "64 MiB", "1.5GiB", "-1KiB", "0x1KiB", "99999999999999999GiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        let duration_ms = |text| parse_quantity(text, DURATION_UNITS_MS);
        assert_eq!(duration_ms("50ms"), Some(50));
        assert_eq!(duration_ms("3s"), Some(3_000));
        assert_eq!(duration_ms("2m"), Some(120_000));
        assert_eq!(duration_ms("24h"), Some(86_400_000));
    }

    #[test]
    fn all_mistakes_are_told_in_the_order_of_the_file() {
        check_errors(
            "service.x.args = 7\nmanifest_version = 1\n[program.X]\nwsam = 1\nmemory = \"1\"",
            &[
                "1:9: `[service.x]` has no `wasm`; add `wasm = \"<file>.wasm\"`, relative to apps/app.toml",
                "1:18: `args` is an integer, expected an array of strings; make it an array of strings",
                "3:10: \"X\" cannot be the name of a guest; a guest's name is made of `a` to `z`, `0` to `9`, `_` and `-`",
                "4:1: unknown key `wsam` in `[program.X]`; did you mean `wasm`?",
                "5:10: `memory` is \"1\", which is not a size; write a whole number and KiB, MiB or GiB, from \"64KiB\" to \
                 \"4GiB\", such as \"64MiB\"",
            ],
        );
    }

    #[test]
    fn a_version_is_required_and_must_be_1() {
        check_errors(
            "[program.hello]\nwasm = \"\"",
            &[
                "1:1: the file has no `manifest_version`; begin it with `manifest_version = 1`",
                "2:8: `wasm` is empty; name a wasm file, relative to apps/app.toml",
            ],
        );
        check_errors(
            "manifest_version = 2\n[process.front]",
            &[
                "1:20: `manifest_version` is 2, which is not supported; this parigot reads version 1: `manifest_version = 1`",
            ],
        );
        check_errors(
            "manifest_version = '1'\n[program]\na.wasm = 'a.wasm'",
            &["1:20: `manifest_version` is a string, expected the integer 1; make it the integer 1"],
        );
    }

    #[test]
    fn a_file_without_guests_is_refused() {
        let expected = "1:1: the file has no guest; \
                        add a table `[service.<name>]` or `[program.<name>]` with `wasm = \"<file>.wasm\"`";
        check_errors("manifest_version = 1", &[expected]);
        check_errors("manifest_version = 1\n[service]", &[expected]);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        check_error("[services.a]", "4:2: unknown key `services` in the file; did you mean `service`?");
        check_error(
            "[network]",
            "4:2: unknown key `network` in the file; known here: manifest_version, startup_deadline, shutdown_deadline, service, program",
        );
        check_error(
            "mem = '1GiB'",
            "4:1: unknown key `mem` in `[program.hello]`; known here: wasm, args, env, memory, budget, log",
        );
        check_error(
            "deadline = '3s'",
            "4:1: unknown key `deadline` in `[program.hello]`; it bounds calls to a service, and nobody calls a program",
        );
    }

    #[test]
    fn a_name_belongs_to_one_guest() {
        check_error(
            "[service.hello]\nwasm = 'a.wasm'",
            "4:10: a service and a program are both named `hello`; \
             in log and messages a guest is known by its name alone: rename one of them",
        );
        check_error(
            "[program.'a b']\nwasm = 'a.wasm'",
            "4:10: \"a b\" cannot be the name of a guest; a guest's name is made of `a` to `z`, `0` to `9`, `_` and `-`",
        );
    }

    #[test]
    fn values_of_the_wrong_type_are_refused() {
        check_error("args = ['a', 1]", "4:14: an argument is an integer, expected a string; make it a string");
        check_error("env = ['A=b']", "4:7: `env` is an array, expected a table of strings; make it a table of strings");
        check_error("env = { A = 1.5 }", "4:13: `A` is a float, expected a string; make it a string");
        check_error(
            "[program]\na = 'a.wasm'",
            "5:5: `program.a` is a string, expected a table `[program.a]`; make it a table `[program.a]`",
        );
        check_error(
            "[[service]]",
            "4:1: `service` is an array, expected tables `[service.<name>]`; make it tables `[service.<name>]`",
        );
        check_error(
            "memory = 64",
            "4:10: `memory` is an integer, expected a size with its unit, in quotes; \
             write a whole number and KiB, MiB or GiB, from \"64KiB\" to \"4GiB\", such as \"64MiB\"",
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        check_error(
            "memory = '16KiB'",
            "4:10: `memory` is \"16KiB\", which is too little; \
             write a whole number and KiB, MiB or GiB, from \"64KiB\" to \"4GiB\", such as \"64MiB\"",
        );
        check_error(
            "[service.a]\nwasm = 'a.wasm'\ndeadline = '25h'",
            "6:12: `deadline` is \"25h\", which is too much; \
             write a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\"",
        );
        check_errors(
            &format!("startup_deadline = '0s'\n{HELLO}"),
            &["1:20: `startup_deadline` is \"0s\", which is too little; \
             write a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\""],
        );
    }

    #[test]
    fn a_restart_that_is_not_known_or_not_bounded_is_refused() {
        const SERVICE: &str = "[service.a]\nwasm = 'a.wasm'\n";
        check_error(
            &format!("{SERVICE}restart = 'sometimes'"),
            "6:11: `restart` is \"sometimes\", which is not known; write \"never\", \"on-failure\" or \"always\"",
        );
        check_error(
            &format!("{SERVICE}max_restarts = 0"),
            "6:16: `max_restarts` is 0, expected an integer from 1 to 1000; make it an integer from 1 to 1000",
        );
        check_error(
            &format!("{SERVICE}max_seconds = '5s'"),
            "6:15: `max_seconds` is a string, expected an integer from 1 to 86400; make it an integer from 1 to 86400",
        );
        check_error(
            "restart = 'always'",
            "4:1: unknown key `restart` in `[program.hello]`; it is about a service that ends, and a program is there to end",
        );
    }

    #[test]
    fn what_no_guest_could_be_given_is_refused() {
        check_error(r#"args = ["a\u0000b"]"#, "4:9: an argument contains a NUL; take the `\\u0000` out");
        check_error(
            "env = { 'A=B' = '' }",
            "4:9: \"A=B\" cannot be the name of an environment variable; \
             such a name has at least one character, and neither `=` nor NUL among them",
        );
    }

    #[test]
    fn faults_in_the_syntax_are_told_with_their_place() {
        check_error("args = [", "4:8: unclosed array, expected `]`; the file is TOML: see https://toml.io");
        check_error("wasm = ''", "4:1: duplicate key; the file is TOML: see https://toml.io");
        check_errors("", &["1:1: the file has no `manifest_version`; begin it with `manifest_version = 1`"]);
    }

    #[test]
    fn columns_count_characters() {
        check_error("args = ['é', 1]", "4:14: an argument is an integer, expected a string; make it a string");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Deployment::read(Path::new("no/such.toml")).expect_err("there is none");
        assert_eq!(error.to_string(), "cannot read the deployment file no/such.toml");
    }

    #[test]
    fn an_error_says_how_many_mistakes_there_are_and_the_first() {
        let error = parse("manifest_version = 1\nx = 1\ny = 2").expect_err("both keys are unknown");
        let expected = "apps/app.toml:2:1: unknown key `x` in the file (the first of 2 mistakes)";
        assert_eq!(error.to_string(), expected);
    }
}

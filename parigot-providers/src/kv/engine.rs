//! Calls in groups, each with one transaction and one commit.

use std::sync::Arc;

use parigot_guest::Method;
use parigot_guest::kv::KvErr;
use parigot_guest::kv::store::Transaction;
use parigot_guest::kv::v1::kv;
use parigot_host::clock::Clock;
use parigot_host::provider::{Answer, Call, Calls};
use rusqlite::{Connection, TransactionBehavior, params};

use super::file::StoreFile;
use super::table::{Entries, TableError, service_error};

/// Most calls of one commit.
const GROUP_CALLS_MAX: usize = 256;

/// Most expired entries that a group deletes, so that no call waits long for this.
const SWEEP_ENTRIES_MAX: u32 = 100;

/// Engine of one store.
pub(super) struct Engine {
    name: String,
    file: StoreFile,
    clock: Arc<dyn Clock>,
    /// Time of the last group in milliseconds since 1970.
    last_ms: i64,
    /// The file must be opened again: SQLite or a commit has failed.
    is_broken: bool,
}

/// Failure of a group. No call of it was answered.
enum GroupError {
    /// Nothing was committed.
    RolledBack(rusqlite::Error),
    /// The commit itself has failed, and may be in the file all the same.
    Commit(rusqlite::Error),
}

/// Revision and clock of the store at the begin of a group.
#[derive(Clone, Copy)]
struct StoreState {
    revision: u64,
    now_ms: i64,
}

impl Engine {
    pub(super) fn new(name: &str, file: StoreFile, clock: Arc<dyn Clock>) -> Self {
        Engine {
            name: name.to_owned(),
            file,
            clock,
            last_ms: 0,
            is_broken: false,
        }
    }

    /// Serves all calls. Calls that arrive during a commit make the next group, so groups grow with
    /// the load, and no call waits for others.
    pub(super) fn serve(mut self, mut calls: Calls) {
        loop {
            let group = calls.next_group(GROUP_CALLS_MAX);
            if group.is_empty() {
                return;
            }
            self.serve_group(group);
        }
    }

    fn serve_group(&mut self, group: Vec<Call>) {
        if let Err(refused) = self.repair() {
            return answer_all(group, &refused);
        }
        match self.run(&group) {
            Ok(answers) => {
                for (call, answer) in group.into_iter().zip(answers) {
                    call.answer(answer);
                }
            }
            // One call may fail for want of room, and the others not.
            Err(GroupError::RolledBack(_)) if group.len() > 1 => {
                for call in group {
                    self.serve_group(vec![call]);
                }
            }
            Err(GroupError::RolledBack(error)) => {
                let text = format!("the store `{}` has failed: {error}", self.name);
                for call in group {
                    let answer = match service_error(&error) {
                        // All methods have one error enum.
                        Some(kind) => {
                            let failure = kind.with_message(error.to_string());
                            Answer::of::<kv::Batch>(Err(failure))
                        }
                        None => {
                            self.is_broken = true;
                            Answer::refused(&text)
                        }
                    };
                    call.answer(answer);
                }
            }
            Err(GroupError::Commit(error)) => {
                tracing::error!("cannot write the store `{}`: {error}", self.name);
                self.is_broken = true;
                let text = format!("the store `{}` may not be written: {error}", self.name);
                answer_all(group, &Answer::unknown(&text));
            }
        }
    }

    /// Opens the file again after a failure.
    fn repair(&mut self) -> Result<(), Answer> {
        if !self.is_broken {
            return Ok(());
        }
        let text = |error| format!("the store `{}` cannot be opened again: {error}", self.name);
        match self.file.reopen() {
            Ok(()) => {
                self.is_broken = false;
                Ok(())
            }
            Err(error) => Err(Answer::refused(&text(error))),
        }
    }

    /// Runs the calls of a group in one transaction, and commits.
    fn run(&mut self, group: &[Call]) -> Result<Vec<Answer>, GroupError> {
        let wall_ms = (self.clock.wall_ns() / 1_000_000) as i64;
        let now_ms = wall_ms.max(self.last_ms);
        let writes = group.iter().any(|call| !is_read(call.method()));
        let behavior = match writes {
            true => TransactionBehavior::Immediate,
            false => TransactionBehavior::Deferred,
        };
        let begun = self.file.connection.transaction_with_behavior(behavior);
        let transaction = begun.map_err(GroupError::RolledBack)?;
        let run = || {
            let mut state = StoreState::read(&transaction, now_ms)?;
            if writes {
                sweep(&transaction, state.now_ms)?;
            }
            let answers = group
                .iter()
                .map(|call| serve(call, &transaction, &mut state));
            let answers = answers.collect::<Result<Vec<_>, _>>()?;
            if writes {
                state.write(&transaction)?;
            }
            Ok((answers, state.now_ms))
        };
        // A transaction that is dropped is rolled back.
        let (answers, now_ms) = run().map_err(GroupError::RolledBack)?;
        transaction.commit().map_err(GroupError::Commit)?;
        self.last_ms = now_ms;
        Ok(answers)
    }
}

impl StoreState {
    /// Reads the state. Its time is never before that of an earlier group, also after a restart, so
    /// that no expired entry returns when the clock is set back.
    fn read(connection: &Connection, now_ms: i64) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached("SELECT revision, clock_ms FROM store")?;
        statement.query_one([], |row| {
            let clock_ms: i64 = row.get(1)?;
            Ok(StoreState {
                revision: row.get::<_, i64>(0)? as u64,
                now_ms: now_ms.max(clock_ms),
            })
        })
    }

    fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE store SET revision = ?1, clock_ms = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![self.revision as i64, self.now_ms])?;
        Ok(())
    }
}

/// Deletes some of the expired entries. Reads ignore the others.
fn sweep(connection: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM entries WHERE id IN
               (SELECT id FROM entries WHERE expires_ms > 0 AND expires_ms <= ?1 LIMIT ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![now_ms, SWEEP_ENTRIES_MAX])?;
    Ok(())
}

fn is_read(method: u32) -> bool {
    matches!(method, kv::Get::INDEX | kv::Scan::INDEX)
}

/// Runs a call in a transaction.
fn serve(call: &Call, connection: &Connection, state: &mut StoreState) -> rusqlite::Result<Answer> {
    let mut table = Entries(connection);
    let mut transaction = Transaction {
        table: &mut table,
        now_ms: state.now_ms,
        revision: state.revision,
    };
    let on = &mut transaction;
    let answer = match call.method() {
        kv::Get::INDEX => run::<kv::Get>(call, |request| on.get(&request)),
        kv::Set::INDEX => run::<kv::Set>(call, |request| on.set(request)),
        kv::Delete::INDEX => run::<kv::Delete>(call, |request| on.delete(&request)),
        kv::Scan::INDEX => run::<kv::Scan>(call, |request| on.scan(&request)),
        kv::Batch::INDEX => run::<kv::Batch>(call, |request| on.batch(request)),
        _ => Ok(Answer::unimplemented("the store has no such method")),
    };
    state.revision = transaction.revision;
    answer
}

fn run<M: Method<Error = KvErr>>(
    call: &Call,
    run: impl FnOnce(M::Request) -> Result<M::Response, TableError>,
) -> rusqlite::Result<Answer> {
    let request = match call.request::<M>() {
        Ok(request) => request,
        Err(undecodable) => return Ok(undecodable),
    };
    match run(request) {
        Ok(response) => Ok(Answer::of::<M>(Ok::<_, KvErr>(response))),
        Err(TableError::Refused(failure)) => Ok(Answer::of::<M>(Err(failure))),
        Err(TableError::Sqlite(error)) => Err(error),
    }
}

fn answer_all(group: Vec<Call>, answer: &Answer) {
    for call in group {
        call.answer(answer.clone());
    }
}

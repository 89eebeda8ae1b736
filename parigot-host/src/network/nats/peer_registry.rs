//! Which processes offer a service that guests of this one require.
//!
//! Who offers it says so every [`BEAT`], and is lost if nothing is heard of it for [`SILENCE_MAX`]. One whose schema is another than the requirer's
//! counts once its descriptors were found to fit; else it is as if it were not there, except that callers are told why.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use parigot_abi::id::HostId;

use super::envelope::{Announcement, PeerId, Stage};

/// How often a process says what it offers.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// After how long without a word a process is lost; that is looked at with each beat.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How many processes, and how many schemas, are remembered for a service.
const HOSTS_MAX: usize = 1 << 10;

/// Those who offer one service.
pub(super) struct PeerRegistry {
    /// The requirer's hash, 0 if it knows the service by its name alone.
    schema: u64,
    hosts: HashMap<u128, Host>,
    /// What is known of schemas that are not the requirer's.
    verdicts: HashMap<u64, Compatibility>,
    /// Why one who speaks another version of the protocol cannot be called, if there is one.
    foreign: Option<Foreign>,
    /// Calls go to each schema in turn.
    turn: usize,
}

struct Host {
    writer: PeerId,
    schema: u64,
    heard_ns: u64,
    /// What it offers, until the requirer is told.
    methods: Vec<String>,
    deadline_ns: u64,
    is_leaving: bool,
    standing: PeerStatus,
}

/// Somebody who speaks another version of the protocol.
struct Foreign {
    why: Arc<str>,
    heard_ns: u64,
}

/// What the requirer was told of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerStatus {
    Unknown,
    Found,
    Leaving,
}

/// Whether a schema fits the requirer's.
#[derive(Clone, Debug)]
pub(super) enum Compatibility {
    /// Nobody has answered yet.
    Asked,
    Fits,
    /// It does not, for that reason.
    Misfit(Arc<str>),
}

/// A process that takes calls to methods of these names, and how long they may take whose callers do not say.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) writer: PeerId,
    pub(super) methods: Vec<String>,
    pub(super) deadline_ns: u64,
}

/// What follows from a word about a process.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PeerChanges {
    /// Those who take calls now.
    pub(super) found: Vec<Found>,
    /// Those who take no more calls.
    pub(super) leaving: Vec<PeerId>,
    pub(super) lost: Vec<PeerId>,
    /// Ask that host for its descriptors.
    pub(super) ask: Option<HostId>,
}

/// What a caller may expect.
#[derive(Clone, Debug)]
pub(super) enum ServiceAvailability {
    Nobody,
    Somebody,
    /// There are processes, and none of them fits, for that reason.
    Misfit(Arc<str>),
}

impl PeerRegistry {
    pub(super) fn new(schema: u64) -> Self {
        let (hosts, verdicts) = (HashMap::new(), HashMap::new());
        PeerRegistry {
            schema,
            hosts,
            verdicts,
            foreign: None,
            turn: 0,
        }
    }

    /// A process has said that it offers the service, or does no more. `None` if there are too many to remember it.
    pub(super) fn hear(
        &mut self,
        writer: PeerId,
        announcement: Announcement,
        now_ns: u64,
    ) -> Option<PeerChanges> {
        let (key, stage) = (writer.host.key(), announcement.stage());
        let Announcement {
            schema,
            methods,
            deadline_ns,
            ..
        } = announcement;
        if stage == Stage::Gone {
            let lost = self
                .hosts
                .remove(&key)
                .into_iter()
                .filter_map(Host::lost)
                .collect();
            return Some(PeerChanges {
                lost,
                ..PeerChanges::default()
            });
        }
        let is_known = self.hosts.contains_key(&key);
        let is_schema_known = schema == self.schema || self.verdicts.contains_key(&schema);
        if !is_known && self.hosts.len() >= HOSTS_MAX
            || !is_schema_known && self.verdicts.len() >= HOSTS_MAX
        {
            return None;
        }
        let ask = matches!(self.judge(schema), Compatibility::Asked).then_some(writer.host);
        let is_leaving = stage == Stage::Leaving;
        let standing = self
            .hosts
            .get(&key)
            .map_or(PeerStatus::Unknown, |host| host.standing);
        let methods = if standing == PeerStatus::Found {
            Vec::new()
        } else {
            methods
        };
        self.hosts.insert(
            key,
            Host {
                writer,
                schema,
                heard_ns: now_ns,
                methods,
                deadline_ns,
                is_leaving,
                standing,
            },
        );
        Some(PeerChanges {
            ask,
            ..self.settle()
        })
    }

    /// Somebody offers the service in another version of the protocol. Says whether that is news.
    pub(super) fn hear_foreign(&mut self, why: String, now_ns: u64) -> bool {
        self.foreign
            .replace(Foreign {
                why: why.into(),
                heard_ns: now_ns,
            })
            .is_none()
    }

    fn judge(&mut self, schema: u64) -> Compatibility {
        if self.schema == 0 || schema == self.schema {
            return Compatibility::Fits;
        }
        self.verdicts
            .entry(schema)
            .or_insert(Compatibility::Asked)
            .clone()
    }

    /// Whether a verdict on that schema is awaited.
    pub(super) fn is_asked(&self, schema: u64) -> bool {
        matches!(self.verdicts.get(&schema), Some(Compatibility::Asked))
    }

    /// It was found out whether that schema fits.
    pub(super) fn decide(&mut self, schema: u64, verdict: Compatibility) -> PeerChanges {
        self.verdicts.insert(schema, verdict);
        self.settle()
    }

    /// Lets those go of whom nothing was heard for too long.
    pub(super) fn expire(&mut self, now_ns: u64) -> PeerChanges {
        let is_silent =
            |heard_ns: u64| now_ns.saturating_sub(heard_ns) > SILENCE_MAX.as_nanos() as u64;
        self.foreign.take_if(|foreign| is_silent(foreign.heard_ns));
        let silent = self.hosts.extract_if(|_, host| is_silent(host.heard_ns));
        let lost = silent.filter_map(|(_, host)| host.lost()).collect();
        PeerChanges {
            lost,
            ..PeerChanges::default()
        }
    }

    /// Nothing could be heard for a while: everybody has time to speak again.
    pub(super) fn forgive(&mut self, now_ns: u64) {
        self.hosts
            .values_mut()
            .for_each(|host| host.heard_ns = now_ns);
        self.foreign
            .iter_mut()
            .for_each(|foreign| foreign.heard_ns = now_ns);
    }

    /// The schema of one who takes calls.
    pub(super) fn choose(&mut self) -> Option<u64> {
        self.turn = self.turn.wrapping_add(1);
        let open = self.open().count().max(1);
        self.open().nth(self.turn % open).map(|host| host.schema)
    }

    /// Those who take calls.
    fn open(&self) -> impl Iterator<Item = &Host> {
        self.fitting().filter(|host| !host.is_leaving)
    }

    /// The hosts that may have taken a call.
    pub(super) fn takers(&self) -> impl Iterator<Item = HostId> {
        self.fitting().map(|host| host.writer.host)
    }

    fn fitting(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values().filter(|host| self.fits(host.schema))
    }

    fn fits(&self, schema: u64) -> bool {
        self.schema == 0
            || schema == self.schema
            || matches!(self.verdicts.get(&schema), Some(Compatibility::Fits))
    }

    pub(super) fn prospect(&self) -> ServiceAvailability {
        if self.open().next().is_some() {
            return ServiceAvailability::Somebody;
        }
        let misfit = |host: &Host| match self.verdicts.get(&host.schema) {
            Some(Compatibility::Misfit(why)) => Some(ServiceAvailability::Misfit(Arc::clone(why))),
            _ => None,
        };
        let foreign = || {
            self.foreign
                .as_ref()
                .map(|foreign| ServiceAvailability::Misfit(Arc::clone(&foreign.why)))
        };
        self.hosts
            .values()
            .find_map(misfit)
            .or_else(foreign)
            .unwrap_or(ServiceAvailability::Nobody)
    }

    /// Finds out of whom the requirer must be told.
    fn settle(&mut self) -> PeerChanges {
        let (schema, verdicts) = (self.schema, &self.verdicts);
        let fits = |other| {
            schema == 0
                || other == schema
                || matches!(verdicts.get(&other), Some(Compatibility::Fits))
        };
        let mut turnout = PeerChanges::default();
        for host in self.hosts.values_mut() {
            let standing = match (fits(host.schema), host.is_leaving, host.standing) {
                // It is told when it is known to fit.
                (false, _, PeerStatus::Unknown) => continue,
                (false, ..) => {
                    turnout.lost.push(host.writer.clone());
                    PeerStatus::Unknown
                }
                (true, true, PeerStatus::Found) => {
                    turnout.leaving.push(host.writer.clone());
                    PeerStatus::Leaving
                }
                (true, false, PeerStatus::Unknown | PeerStatus::Leaving) => {
                    let methods = std::mem::take(&mut host.methods);
                    turnout.found.push(Found {
                        writer: host.writer.clone(),
                        methods,
                        deadline_ns: host.deadline_ns,
                    });
                    PeerStatus::Found
                }
                (true, true, PeerStatus::Unknown | PeerStatus::Leaving)
                | (true, false, PeerStatus::Found) => continue,
            };
            host.standing = standing;
        }
        turnout
    }
}

impl Host {
    /// Who it was, if the requirer knows of it.
    fn lost(self) -> Option<PeerId> {
        (self.standing != PeerStatus::Unknown).then_some(self.writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(number: u128) -> PeerId {
        PeerId {
            host: HostId::from_random(number),
            process: format!("p{number}"),
        }
    }

    fn says(schema: u64, stage: Stage) -> Announcement {
        Announcement::new("x.Echo".to_owned(), schema, vec!["M".to_owned()], stage)
    }

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn who_takes_calls_is_found_once_and_lost_after_three_seconds_of_silence() {
        let mut presence = PeerRegistry::new(7);
        let turnout = presence.hear(writer(1), says(7, Stage::Ready), 0).unwrap();
        assert_eq!(turnout.found.len(), 1);
        assert_eq!(
            presence
                .hear(writer(1), says(7, Stage::Ready), SECOND_NS)
                .unwrap()
                .found,
            []
        );
        assert_eq!(presence.expire(4 * SECOND_NS).lost, []);
        assert_eq!(presence.choose(), Some(7));
        assert_eq!(presence.expire(4 * SECOND_NS + 1).lost, [writer(1)]);
        assert_eq!((presence.choose(), presence.takers().count()), (None, 0));
    }

    #[test]
    fn who_leaves_gets_no_calls_and_may_still_have_some_until_it_is_gone() {
        let mut presence = PeerRegistry::new(7);
        presence.hear(writer(1), says(7, Stage::Ready), 0).unwrap();
        assert_eq!(
            presence
                .hear(writer(1), says(7, Stage::Leaving), 0)
                .unwrap()
                .leaving,
            [writer(1)]
        );
        assert_eq!((presence.choose(), presence.takers().count()), (None, 1));
        assert_eq!(
            presence
                .hear(writer(1), says(7, Stage::Gone), 0)
                .unwrap()
                .lost,
            [writer(1)]
        );
        assert_eq!(presence.takers().count(), 0);
    }

    #[test]
    fn calls_go_to_all_schemas_that_fit_in_turn() {
        let mut presence = PeerRegistry::new(1);
        for schema in 1..=3 {
            presence
                .hear(writer(schema.into()), says(schema, Stage::Ready), 0)
                .unwrap();
        }
        let [found] = &presence.decide(2, Compatibility::Fits).found[..] else {
            panic!("one fits")
        };
        assert_eq!(
            (&found.writer, &found.methods[..]),
            (&writer(2), &["M".to_owned()][..])
        );
        assert_eq!(
            presence.decide(3, Compatibility::Misfit("no".into())),
            PeerChanges::default()
        );
        let mut chosen: Vec<_> = (0..4).filter_map(|_| presence.choose()).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [1, 1, 2, 2]);
        assert!(matches!(presence.prospect(), ServiceAvailability::Somebody));
        presence.hear(writer(1), says(1, Stage::Gone), 0).unwrap();
        presence.hear(writer(2), says(2, Stage::Gone), 0).unwrap();
        assert!(matches!(presence.prospect(), ServiceAvailability::Misfit(why) if &*why == "no"));
    }

    #[test]
    fn who_speaks_another_version_is_told_of_for_as_long_as_it_is_heard() {
        let mut presence = PeerRegistry::new(7);
        assert!(presence.hear_foreign("it is late".to_owned(), 0));
        assert!(!presence.hear_foreign("it is late".to_owned(), SECOND_NS));
        presence.expire(4 * SECOND_NS);
        assert!(
            matches!(presence.prospect(), ServiceAvailability::Misfit(why) if &*why == "it is late")
        );
        presence.forgive(5 * SECOND_NS);
        presence.expire(8 * SECOND_NS);
        assert!(matches!(
            presence.prospect(),
            ServiceAvailability::Misfit(_)
        ));
        presence.expire(8 * SECOND_NS + 1);
        assert!(matches!(presence.prospect(), ServiceAvailability::Nobody));
    }

    #[test]
    fn no_more_processes_and_schemas_are_remembered_than_there_is_room_for() {
        let mut presence = PeerRegistry::new(0);
        let most = HOSTS_MAX as u128;
        assert!((1..=most).all(|number| {
            presence
                .hear(writer(number), says(7, Stage::Ready), 0)
                .is_some()
        }));
        assert_eq!(
            presence.hear(writer(most + 1), says(7, Stage::Ready), 0),
            None
        );
        assert!(
            presence.hear(writer(1), says(7, Stage::Ready), 0).is_some(),
            "it is known"
        );
        let mut presence = PeerRegistry::new(7);
        let mut hear = |schema| presence.hear(writer(1), says(schema, Stage::Ready), 0);
        assert!((8..8 + HOSTS_MAX as u64).all(|schema| hear(schema).is_some()));
        assert_eq!(hear(8 + HOSTS_MAX as u64), None);
    }
}

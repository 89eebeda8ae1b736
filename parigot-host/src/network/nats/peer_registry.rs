//! Which processes offer a service that guests of this one require.
//!
//! Who offers it says so every [`HEARTBEAT`], and is lost if nothing is heard of it for [`SILENCE_MAX`]. One whose schema is another than the requirer's
//! counts once its descriptors were found to fit; else it is as if it were not there, except that callers are told why.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use parigot_abi::id::HostId;

use super::envelope::{Announcement, PeerId, Stage};

/// How often a process says what it offers.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
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
    compatibilities: HashMap<u64, Compatibility>,
    /// Why one who speaks another version of the protocol cannot be called, if there is one.
    foreign: Option<Foreign>,
    /// Calls go to each schema in turn.
    turn: usize,
}

struct Host {
    peer: PeerId,
    schema: u64,
    heard_ns: u64,
    /// What it offers, until the requirer is told.
    methods: Vec<String>,
    deadline_ns: u64,
    is_leaving: bool,
    status: PeerStatus,
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
    pub(super) peer: PeerId,
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
        let (hosts, compatibilities) = (HashMap::new(), HashMap::new());
        PeerRegistry {
            schema,
            hosts,
            compatibilities,
            foreign: None,
            turn: 0,
        }
    }

    /// A process has said that it offers the service, or does no more. `None` if there are too many to remember it.
    pub(super) fn hear(
        &mut self,
        peer: PeerId,
        announcement: Announcement,
        now_ns: u64,
    ) -> Option<PeerChanges> {
        let (key, stage) = (peer.host.key(), announcement.stage());
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
        let is_schema_known = schema == self.schema || self.compatibilities.contains_key(&schema);
        if !is_known && self.hosts.len() >= HOSTS_MAX
            || !is_schema_known && self.compatibilities.len() >= HOSTS_MAX
        {
            return None;
        }
        let ask = matches!(self.judge(schema), Compatibility::Asked).then_some(peer.host);
        let is_leaving = stage == Stage::Leaving;
        let status = self
            .hosts
            .get(&key)
            .map_or(PeerStatus::Unknown, |host| host.status);
        let methods = if status == PeerStatus::Found {
            Vec::new()
        } else {
            methods
        };
        self.hosts.insert(
            key,
            Host {
                peer,
                schema,
                heard_ns: now_ns,
                methods,
                deadline_ns,
                is_leaving,
                status,
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
        self.compatibilities
            .entry(schema)
            .or_insert(Compatibility::Asked)
            .clone()
    }

    /// Whether a verdict on that schema is awaited.
    pub(super) fn is_asked(&self, schema: u64) -> bool {
        matches!(
            self.compatibilities.get(&schema),
            Some(Compatibility::Asked)
        )
    }

    /// It was found out whether that schema fits.
    pub(super) fn decide(&mut self, schema: u64, compatibility: Compatibility) -> PeerChanges {
        self.compatibilities.insert(schema, compatibility);
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
        self.fitting().map(|host| host.peer.host)
    }

    fn fitting(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values().filter(|host| self.fits(host.schema))
    }

    fn fits(&self, schema: u64) -> bool {
        self.schema == 0
            || schema == self.schema
            || matches!(self.compatibilities.get(&schema), Some(Compatibility::Fits))
    }

    pub(super) fn availability(&self) -> ServiceAvailability {
        if self.open().next().is_some() {
            return ServiceAvailability::Somebody;
        }
        let misfit = |host: &Host| match self.compatibilities.get(&host.schema) {
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
        let (schema, compatibilities) = (self.schema, &self.compatibilities);
        let fits = |other| {
            schema == 0
                || other == schema
                || matches!(compatibilities.get(&other), Some(Compatibility::Fits))
        };
        let mut changes = PeerChanges::default();
        for host in self.hosts.values_mut() {
            let status = match (fits(host.schema), host.is_leaving, host.status) {
                // It is told when it is known to fit.
                (false, _, PeerStatus::Unknown) => continue,
                (false, ..) => {
                    changes.lost.push(host.peer.clone());
                    PeerStatus::Unknown
                }
                (true, true, PeerStatus::Found) => {
                    changes.leaving.push(host.peer.clone());
                    PeerStatus::Leaving
                }
                (true, false, PeerStatus::Unknown | PeerStatus::Leaving) => {
                    let methods = std::mem::take(&mut host.methods);
                    changes.found.push(Found {
                        peer: host.peer.clone(),
                        methods,
                        deadline_ns: host.deadline_ns,
                    });
                    PeerStatus::Found
                }
                (true, true, PeerStatus::Unknown | PeerStatus::Leaving)
                | (true, false, PeerStatus::Found) => continue,
            };
            host.status = status;
        }
        changes
    }
}

impl Host {
    /// Who it was, if the requirer knows of it.
    fn lost(self) -> Option<PeerId> {
        (self.status != PeerStatus::Unknown).then_some(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u128) -> PeerId {
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
        let mut registry = PeerRegistry::new(7);
        let changes = registry.hear(peer(1), says(7, Stage::Ready), 0).unwrap();
        assert_eq!(changes.found.len(), 1);
        assert_eq!(
            registry
                .hear(peer(1), says(7, Stage::Ready), SECOND_NS)
                .unwrap()
                .found,
            []
        );
        assert_eq!(registry.expire(4 * SECOND_NS).lost, []);
        assert_eq!(registry.choose(), Some(7));
        assert_eq!(registry.expire(4 * SECOND_NS + 1).lost, [peer(1)]);
        assert_eq!((registry.choose(), registry.takers().count()), (None, 0));
    }

    #[test]
    fn who_leaves_gets_no_calls_and_may_still_have_some_until_it_is_gone() {
        let mut registry = PeerRegistry::new(7);
        registry.hear(peer(1), says(7, Stage::Ready), 0).unwrap();
        assert_eq!(
            registry
                .hear(peer(1), says(7, Stage::Leaving), 0)
                .unwrap()
                .leaving,
            [peer(1)]
        );
        assert_eq!((registry.choose(), registry.takers().count()), (None, 1));
        assert_eq!(
            registry
                .hear(peer(1), says(7, Stage::Gone), 0)
                .unwrap()
                .lost,
            [peer(1)]
        );
        assert_eq!(registry.takers().count(), 0);
    }

    #[test]
    fn calls_go_to_all_schemas_that_fit_in_turn() {
        let mut registry = PeerRegistry::new(1);
        for schema in 1..=3 {
            registry
                .hear(peer(schema.into()), says(schema, Stage::Ready), 0)
                .unwrap();
        }
        let [found] = &registry.decide(2, Compatibility::Fits).found[..] else {
            panic!("one fits")
        };
        assert_eq!(
            (&found.peer, &found.methods[..]),
            (&peer(2), &["M".to_owned()][..])
        );
        assert_eq!(
            registry.decide(3, Compatibility::Misfit("no".into())),
            PeerChanges::default()
        );
        let mut chosen: Vec<_> = (0..4).filter_map(|_| registry.choose()).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [1, 1, 2, 2]);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Somebody
        ));
        registry.hear(peer(1), says(1, Stage::Gone), 0).unwrap();
        registry.hear(peer(2), says(2, Stage::Gone), 0).unwrap();
        assert!(
            matches!(registry.availability(), ServiceAvailability::Misfit(why) if &*why == "no")
        );
    }

    #[test]
    fn who_speaks_another_version_is_told_of_for_as_long_as_it_is_heard() {
        let mut registry = PeerRegistry::new(7);
        assert!(registry.hear_foreign("it is late".to_owned(), 0));
        assert!(!registry.hear_foreign("it is late".to_owned(), SECOND_NS));
        registry.expire(4 * SECOND_NS);
        assert!(
            matches!(registry.availability(), ServiceAvailability::Misfit(why) if &*why == "it is late")
        );
        registry.forgive(5 * SECOND_NS);
        registry.expire(8 * SECOND_NS);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Misfit(_)
        ));
        registry.expire(8 * SECOND_NS + 1);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Nobody
        ));
    }

    #[test]
    fn no_more_processes_and_schemas_are_remembered_than_there_is_room_for() {
        let mut registry = PeerRegistry::new(0);
        let most = HOSTS_MAX as u128;
        assert!((1..=most).all(|number| {
            registry
                .hear(peer(number), says(7, Stage::Ready), 0)
                .is_some()
        }));
        assert_eq!(
            registry.hear(peer(most + 1), says(7, Stage::Ready), 0),
            None
        );
        assert!(
            registry.hear(peer(1), says(7, Stage::Ready), 0).is_some(),
            "it is known"
        );
        let mut registry = PeerRegistry::new(7);
        let mut hear = |schema| registry.hear(peer(1), says(schema, Stage::Ready), 0);
        assert!((8..8 + HOSTS_MAX as u64).all(|schema| hear(schema).is_some()));
        assert_eq!(hear(8 + HOSTS_MAX as u64), None);
    }
}

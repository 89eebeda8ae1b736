//! Peers that offer one service required by this process.
//!
//! A peer announces itself every [`HEARTBEAT`], and is lost after [`SILENCE_MAX`] without an
//! announcement. A peer with another schema than the importer's counts only after its descriptors
//! were compared. An incompatible peer is ignored, except that callers get the reason.

mod status;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use parigot_abi::id::HostId;

use self::status::{Change, PeerStatus};
use super::envelope::{Announcement, PeerId, Stage};

/// Interval of the announcements of a process.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// Time without an announcement after which a peer is lost; checked with each heartbeat.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Limit for the known peers of a service, and for the known schemas. Any client of the NATS server
/// can announce peers, so their number is not under the control of this deployment.
const PEERS_MAX: usize = 1 << 10;

/// Peers that offer one service.
pub(super) struct PeerRegistry {
    /// Schema hash of the importer; 0 if it knows only the name, so any schema is compatible.
    schema: u64,
    peers: HashMap<u128, Peer>,
    /// State of the comparison for each schema other than the importer's.
    compatibilities: HashMap<u64, Compatibility>,
    /// The last announcement with another protocol version.
    other_version: Option<OtherVersion>,
    /// Counter that distributes calls over the schemas in turn.
    turn: usize,
}

struct Peer {
    id: PeerId,
    schema: u64,
    last_heard_ns: u64,
    /// Names of the methods; moved out when the peer is reported as found.
    methods: Vec<String>,
    deadline_ns: u64,
    is_leaving: bool,
    /// The peer is leaving only for the time of a restart.
    is_away: bool,
    status: PeerStatus,
}

/// An exporter with another protocol version.
struct OtherVersion {
    reason: Arc<str>,
    last_heard_ns: u64,
}

/// Compatibility of a schema with the importer's.
#[derive(Clone, Debug)]
pub(super) enum Compatibility {
    /// The descriptors were requested and have not arrived.
    Requested,
    Compatible,
    /// The schemas differ, for this reason.
    Incompatible(Arc<str>),
}

/// A peer that accepts calls, with its methods and the default deadline of calls.
#[derive(Debug, PartialEq)]
pub(super) struct FoundPeer {
    pub(super) peer: PeerId,
    pub(super) methods: Vec<String>,
    pub(super) deadline_ns: u64,
}

/// Changes to report to the importer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PeerChanges {
    /// Peers that now accept calls.
    pub(super) found: Vec<FoundPeer>,
    /// Peers that accept no more calls and have pending ones.
    pub(super) leaving: Vec<PeerId>,
    pub(super) lost: Vec<PeerId>,
    /// Host to ask for its descriptors.
    pub(super) request_schema: Option<HostId>,
}

/// Availability of a service for callers.
#[derive(Clone, Debug)]
pub(super) enum ServiceAvailability {
    NotOffered,
    Available,
    /// The service restarts in all processes that offer it.
    Restarting,
    /// All exporters are incompatible, for this reason.
    Incompatible(Arc<str>),
}

impl PeerRegistry {
    pub(super) fn new(schema: u64) -> Self {
        PeerRegistry {
            schema,
            peers: HashMap::new(),
            compatibilities: HashMap::new(),
            other_version: None,
            turn: 0,
        }
    }

    /// Records an announcement; `None` if the registry is full.
    pub(super) fn record(
        &mut self,
        peer: PeerId,
        announcement: Announcement,
        now_ns: u64,
    ) -> Option<PeerChanges> {
        let key = peer.host.key();
        let stage = announcement.stage();
        let schema = announcement.schema;
        if stage == Stage::Gone {
            let lost = self.peers.remove(&key).and_then(Peer::lost);
            return Some(PeerChanges {
                lost: lost.into_iter().collect(),
                ..PeerChanges::default()
            });
        }
        let known = self.peers.get(&key);
        let is_schema_known = schema == self.schema || self.compatibilities.contains_key(&schema);
        if known.is_none() && self.peers.len() >= PEERS_MAX
            || !is_schema_known && self.compatibilities.len() >= PEERS_MAX
        {
            return None;
        }
        let status = known.map_or(PeerStatus::Unknown, |known| known.status);
        // A found peer has been reported with its methods. A copy for each heartbeat would only
        // hold memory.
        let methods = if status == PeerStatus::Found {
            Vec::new()
        } else {
            announcement.methods
        };
        let is_requested = matches!(self.compatibility(schema), Compatibility::Requested);
        let request_schema = is_requested.then_some(peer.host);
        self.peers.insert(
            key,
            Peer {
                id: peer,
                schema,
                last_heard_ns: now_ns,
                methods,
                deadline_ns: announcement.deadline_ns,
                is_leaving: stage == Stage::Leaving,
                is_away: announcement.is_away,
                status,
            },
        );
        Some(PeerChanges {
            // Repeated with each announcement until the descriptors arrive, because the request or
            // its reply can be lost.
            request_schema,
            ..self.update_statuses()
        })
    }

    /// Records an exporter with another protocol version. Returns `true` if there was none before.
    pub(super) fn record_other_version(&mut self, reason: String, now_ns: u64) -> bool {
        self.other_version
            .replace(OtherVersion {
                reason: reason.into(),
                last_heard_ns: now_ns,
            })
            .is_none()
    }

    /// Returns the compatibility of a schema. An unknown schema becomes a requested one.
    fn compatibility(&mut self, schema: u64) -> Compatibility {
        if self.schema == 0 || schema == self.schema {
            return Compatibility::Compatible;
        }
        self.compatibilities
            .entry(schema)
            .or_insert(Compatibility::Requested)
            .clone()
    }

    /// Returns `true` if the descriptors of a schema were requested and have not arrived.
    pub(super) fn is_requested(&self, schema: u64) -> bool {
        matches!(
            self.compatibilities.get(&schema),
            Some(Compatibility::Requested)
        )
    }

    /// Sets the result of the comparison of a schema.
    pub(super) fn set_compatibility(
        &mut self,
        schema: u64,
        compatibility: Compatibility,
    ) -> PeerChanges {
        self.compatibilities.insert(schema, compatibility);
        self.update_statuses()
    }

    /// Removes the peers without an announcement for too long.
    pub(super) fn expire(&mut self, now_ns: u64) -> PeerChanges {
        let is_silent = |last_heard_ns: u64| {
            now_ns.saturating_sub(last_heard_ns) > SILENCE_MAX.as_nanos() as u64
        };
        self.other_version
            .take_if(|other| is_silent(other.last_heard_ns));
        let silent = self
            .peers
            .extract_if(|_, peer| is_silent(peer.last_heard_ns));
        let lost = silent.filter_map(|(_, peer)| peer.lost()).collect();
        PeerChanges {
            lost,
            ..PeerChanges::default()
        }
    }

    /// Gives all peers a full silence interval from now. Used after a time in which this process
    /// could not receive announcements.
    pub(super) fn reset_silence(&mut self, now_ns: u64) {
        for peer in self.peers.values_mut() {
            peer.last_heard_ns = now_ns;
        }
        if let Some(other) = &mut self.other_version {
            other.last_heard_ns = now_ns;
        }
    }

    /// Returns the schema of a peer that accepts calls: the peers in turn. NATS then picks one of
    /// the exporters with this schema.
    pub(super) fn next_schema(&mut self) -> Option<u64> {
        self.turn = self.turn.wrapping_add(1);
        let count = self.accepting().count().max(1);
        self.accepting()
            .nth(self.turn % count)
            .map(|peer| peer.schema)
    }

    /// Returns the peers that accept calls.
    fn accepting(&self) -> impl Iterator<Item = &Peer> {
        self.compatible().filter(|peer| !peer.is_leaving)
    }

    /// Returns the hosts that may have accepted a call: leaving peers finish their calls.
    pub(super) fn possible_callees(&self) -> impl Iterator<Item = HostId> {
        self.compatible().map(|peer| peer.id.host)
    }

    fn compatible(&self) -> impl Iterator<Item = &Peer> {
        self.peers
            .values()
            .filter(|peer| is_compatible(self.schema, &self.compatibilities, peer.schema))
    }

    pub(super) fn availability(&self) -> ServiceAvailability {
        if self.accepting().next().is_some() {
            return ServiceAvailability::Available;
        }
        if self.compatible().any(|peer| peer.is_away) {
            return ServiceAvailability::Restarting;
        }
        let incompatible =
            self.peers
                .values()
                .find_map(|peer| match self.compatibilities.get(&peer.schema) {
                    Some(Compatibility::Incompatible(reason)) => Some(reason),
                    _ => None,
                });
        let other_version = self.other_version.as_ref().map(|other| &other.reason);
        match incompatible.or(other_version) {
            Some(reason) => ServiceAvailability::Incompatible(Arc::clone(reason)),
            None => ServiceAvailability::NotOffered,
        }
    }

    /// Updates the status of each peer and returns the changes to report.
    fn update_statuses(&mut self) -> PeerChanges {
        let mut changes = PeerChanges::default();
        for peer in self.peers.values_mut() {
            let is_compatible = is_compatible(self.schema, &self.compatibilities, peer.schema);
            let Some(change) = peer.status.next(is_compatible, peer.is_leaving) else {
                continue;
            };
            peer.status = change.status();
            match change {
                Change::Found => changes.found.push(FoundPeer {
                    peer: peer.id.clone(),
                    methods: std::mem::take(&mut peer.methods),
                    deadline_ns: peer.deadline_ns,
                }),
                Change::Leaving => changes.leaving.push(peer.id.clone()),
                Change::Lost => changes.lost.push(peer.id.clone()),
            }
        }
        changes
    }
}

/// Returns `true` if a peer's schema is known to be compatible with the importer's.
fn is_compatible(
    importer_schema: u64,
    compatibilities: &HashMap<u64, Compatibility>,
    schema: u64,
) -> bool {
    importer_schema == 0
        || schema == importer_schema
        || matches!(
            compatibilities.get(&schema),
            Some(Compatibility::Compatible)
        )
}

impl Peer {
    /// Returns the id if the peer was reported to the importer.
    fn lost(self) -> Option<PeerId> {
        (self.status != PeerStatus::Unknown).then_some(self.id)
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

    fn announcement(schema: u64, stage: Stage) -> Announcement {
        Announcement::new("x.Echo".to_owned(), schema, vec!["M".to_owned()], stage)
    }

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_peer_is_found_once_and_lost_after_three_seconds() {
        let mut registry = PeerRegistry::new(7);
        let changes = registry
            .record(peer(1), announcement(7, Stage::Ready), 0)
            .unwrap();
        assert_eq!(changes.found.len(), 1);
        let changes = registry
            .record(peer(1), announcement(7, Stage::Ready), SECOND_NS)
            .unwrap();
        assert_eq!(changes.found, []);
        assert_eq!(registry.expire(4 * SECOND_NS).lost, []);
        assert_eq!(registry.next_schema(), Some(7));
        assert_eq!(registry.expire(4 * SECOND_NS + 1).lost, [peer(1)]);
        assert_eq!(registry.next_schema(), None);
        assert_eq!(registry.possible_callees().count(), 0);
    }

    #[test]
    fn a_leaving_peer_gets_no_calls_but_may_have_some() {
        let mut registry = PeerRegistry::new(7);
        registry
            .record(peer(1), announcement(7, Stage::Ready), 0)
            .unwrap();
        let changes = registry
            .record(peer(1), announcement(7, Stage::Leaving), 0)
            .unwrap();
        assert_eq!(changes.leaving, [peer(1)]);
        assert_eq!(registry.next_schema(), None);
        assert_eq!(registry.possible_callees().count(), 1);
        let changes = registry
            .record(peer(1), announcement(7, Stage::Gone), 0)
            .unwrap();
        assert_eq!(changes.lost, [peer(1)]);
        assert_eq!(registry.possible_callees().count(), 0);
    }

    #[test]
    fn a_peer_that_restarts_its_service_comes_back() {
        let mut registry = PeerRegistry::new(7);
        let mut away = announcement(7, Stage::Leaving);
        away.is_away = true;
        let ready = announcement(7, Stage::Ready);
        registry.record(peer(1), ready.clone(), 0).unwrap();
        let changes = registry.record(peer(1), away, 0).unwrap();
        assert_eq!(changes.leaving, [peer(1)]);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Restarting
        ));
        let changes = registry.record(peer(1), ready, 0).unwrap();
        assert_eq!(changes.found.len(), 1);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Available
        ));
    }

    #[test]
    fn calls_go_to_all_compatible_schemas_in_turn() {
        let mut registry = PeerRegistry::new(1);
        for schema in 1..=3 {
            registry
                .record(peer(schema.into()), announcement(schema, Stage::Ready), 0)
                .unwrap();
        }
        let changes = registry.set_compatibility(2, Compatibility::Compatible);
        let [found] = &changes.found[..] else {
            panic!("one peer must be found: {changes:?}")
        };
        assert_eq!(found.peer, peer(2));
        assert_eq!(found.methods, ["M"]);
        assert_eq!(
            registry.set_compatibility(3, Compatibility::Incompatible("no".into())),
            PeerChanges::default()
        );
        let mut chosen: Vec<_> = (0..4).filter_map(|_| registry.next_schema()).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [1, 1, 2, 2]);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Available
        ));
        registry
            .record(peer(1), announcement(1, Stage::Gone), 0)
            .unwrap();
        registry
            .record(peer(2), announcement(2, Stage::Gone), 0)
            .unwrap();
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Incompatible(reason) if &*reason == "no"
        ));
    }

    #[test]
    fn another_version_is_reported_while_it_is_announced() {
        let mut registry = PeerRegistry::new(7);
        assert!(registry.record_other_version("version 2".to_owned(), 0));
        assert!(!registry.record_other_version("version 2".to_owned(), SECOND_NS));
        registry.expire(4 * SECOND_NS);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Incompatible(reason) if &*reason == "version 2"
        ));
        registry.reset_silence(5 * SECOND_NS);
        registry.expire(8 * SECOND_NS);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::Incompatible(_)
        ));
        registry.expire(8 * SECOND_NS + 1);
        assert!(matches!(
            registry.availability(),
            ServiceAvailability::NotOffered
        ));
    }

    #[test]
    fn peers_and_schemas_are_limited() {
        let mut registry = PeerRegistry::new(0);
        let mut record = |number| registry.record(peer(number), announcement(7, Stage::Ready), 0);
        let most = PEERS_MAX as u128;
        assert!((1..=most).all(|number| record(number).is_some()));
        assert_eq!(record(most + 1), None);
        assert!(record(1).is_some(), "a known peer must be accepted");
        let mut registry = PeerRegistry::new(7);
        let mut record = |schema| registry.record(peer(1), announcement(schema, Stage::Ready), 0);
        assert!((8..8 + PEERS_MAX as u64).all(|schema| record(schema).is_some()));
        assert_eq!(record(8 + PEERS_MAX as u64), None);
    }
}

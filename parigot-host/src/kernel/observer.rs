//! Hook of the kernel for tests, telemetry and recorders.

use parigot_abi::Prologue;

use crate::error::Ending;
use crate::kernel::index::InstanceIndex;
use crate::kernel::instance::Outbound;

/// Receiver of the events of one worker, in their order.
///
/// [`Worker`](crate::kernel::scheduler::Worker) has its observer as a type parameter. The default,
/// `()`, has empty methods, which the compiler removes: a worker without an observer pays nothing.
/// An observer only watches. It cannot change what the kernel does, so a deployment behaves the
/// same with and without it.
///
/// The events of a turn come in this order; brackets mark optional events:
///
/// ```text
/// turn_begins  [guest_entered  call_sent…]  [instance_ended]  turn_ended
/// ```
///
/// All methods run on the thread of the worker while it has the instance, so they should not
/// block.
pub(crate) trait Observer {
    /// Reports that a worker has taken an instance for a turn at `now_ns` of the host's clock.
    #[inline]
    fn turn_begins(&mut self, _instance: InstanceIndex, _now_ns: u64) {}

    /// Reports that the guest is entered with these frames. The prologue, the frames and the random
    /// seed of its start determine all that the guest does in the turn.
    #[inline]
    fn guest_entered(&mut self, _instance: InstanceIndex, _prologue: &Prologue, _inbox: &[u8]) {}

    /// Reports a call that was delivered to its callee. `number` is the caller's number. A call
    /// that was refused is not reported.
    #[inline]
    fn call_sent(&mut self, _caller: InstanceIndex, _number: u64, _call: &Outbound) {}

    /// Reports the end of an instance, after its callers and callees were notified.
    #[inline]
    fn instance_ended(&mut self, _instance: InstanceIndex, _ending: &Ending) {}

    /// Reports the end of a turn. The worker has put the instance back or ended it.
    #[inline]
    fn turn_ended(&mut self, _instance: InstanceIndex) {}
}

/// Observer of a worker that nothing watches.
impl Observer for () {}

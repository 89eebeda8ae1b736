//! The floor: two entries into wasm with the codec in the guests, and a copy each way. No frames,
//! no scheduler, no log.

use bench_meter::{Case, Latencies, Measured, Moment};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

use crate::host::Guests;

/// One side of a call.
struct Side {
    store: Store<()>,
    memory: Memory,
    handle: u32,
    step: TypedFunc<(u32, u32), u32>,
    input: usize,
    output: usize,
}

impl Side {
    fn new(engine: &Engine, module: &Module, step: &str, size: usize) -> Self {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, module, &[]).expect("the floor imports nothing");
        let open: TypedFunc<u32, u32> = instance
            .get_typed_func(&mut store, "floor_open")
            .expect("the floor must export its functions and memory");
        let handle = open
            .call(&mut store, size as u32)
            .expect("`floor_open` must not trap");
        let mut address = |name| {
            let address: TypedFunc<u32, u32> = instance
                .get_typed_func(&mut store, name)
                .expect("the floor must export its functions and memory");
            address
                .call(&mut store, handle)
                .expect("the address functions must not trap") as usize
        };
        let input = address("floor_input");
        let output = address("floor_output");
        let step = instance
            .get_typed_func(&mut store, step)
            .expect("the floor must export its functions and memory");
        let memory = instance
            .get_memory(&mut store, "memory")
            .expect("the floor must export its functions and memory");
        Side {
            store,
            memory,
            handle,
            step,
            input,
            output,
        }
    }

    fn step(&mut self, input_bytes: usize) -> usize {
        self.step
            .call(&mut self.store, (self.handle, input_bytes as u32))
            .expect("a step must not trap") as usize
    }

    /// Copies the output of `from` into the input of this side.
    fn copy_from(&mut self, from: &Side, bytes: usize) {
        let output = &from.memory.data(&from.store)[from.output..][..bytes];
        self.memory.data_mut(&mut self.store)[self.input..][..bytes].copy_from_slice(output);
    }
}

/// Runs one round of the case. Calls in flight make no difference, because the floor has no queue.
pub(crate) fn round(guests: &Guests, case: Case) -> Measured {
    let engine = Engine::default();
    let module =
        Module::from_file(&engine, guests.wasm("bench_floor.wasm")).expect("the floor compiles");
    let mut caller = Side::new(&engine, &module, "floor_call", case.size);
    let mut callee = Side::new(&engine, &module, "floor_serve", case.size);
    let mut latencies = Latencies::new(case.timed, case.calls);
    run(
        &mut caller,
        &mut callee,
        case.warm_up(),
        &mut Latencies::new(false, 0),
    );
    let begin = Moment::now();
    run(&mut caller, &mut callee, case.calls, &mut latencies);
    latencies.complete(Moment::now().per_call_since(begin, case.calls))
}

fn run(caller: &mut Side, callee: &mut Side, calls: usize, latencies: &mut Latencies) {
    let mut response_bytes = 0;
    for _ in 0..calls {
        let begin = latencies.begin();
        let request_bytes = caller.step(response_bytes);
        callee.copy_from(caller, request_bytes);
        response_bytes = callee.step(request_bytes);
        caller.copy_from(callee, response_bytes);
        latencies.end(begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callee_answers() {
        let measured = round(
            &Guests::build(),
            Case {
                size: 1_000,
                in_flight: 1,
                calls: 64,
                timed: true,
            },
        );
        assert!(
            measured.p99_ns >= measured.p50_ns && measured.p50_ns > 0.0,
            "{measured:?}"
        );
    }
}

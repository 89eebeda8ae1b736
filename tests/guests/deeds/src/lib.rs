//! What no guest should do.

use std::hint::black_box;

/// Does the deed of that name in `load.v1.Job.Deed`, if it is one that breaks a guest whatever it is made with.
pub fn commit(name: &str) {
    match name {
        "Trap" => trap(),
        "Loop" => spin(),
        "Fill" => fill(),
        "Overflow" => drop(black_box(overflow(0))),
        "Grow" => grow(),
        "Panic" => panic!("told to panic"),
        _ => {}
    }
}

/// Executes an unreachable instruction.
pub fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort()
}

/// Holds the thread for ever.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Holds it with fills of 16 MiB, each of which is one instruction.
pub fn fill() -> ! {
    let mut memory = vec![0_u8; 16 << 20];
    for byte in (0..=u8::MAX).cycle() {
        black_box(&mut memory).fill(byte);
    }
    unreachable!("a cycle has no end")
}

/// Takes of the thread's stack alone.
#[inline(never)]
#[expect(unconditional_recursion, reason = "it ends with the stack")]
pub fn recurse(depth: u64) -> u64 {
    recurse(depth + 1).rotate_left(7) ^ depth
}

/// Takes of the stack in its memory, more than of the thread's.
#[inline(never)]
#[expect(unconditional_recursion, reason = "it ends with the stack")]
pub fn overflow(depth: usize) -> usize {
    let mut frame = [0_usize; 4096];
    frame[depth % 4096] = depth;
    black_box(&mut frame);
    overflow(depth + 1) + frame[0]
}

/// Takes memory until there is none.
pub fn grow() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

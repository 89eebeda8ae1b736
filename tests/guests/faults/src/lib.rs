//! Ways in which a guest can fail.

use std::hint::black_box;

/// Does the deed of that name in `load.v1.Job.Deed`. Returns if the deed needs an SDK, which the
/// caller then does.
pub fn inject(name: &str) {
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

/// Loops forever.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Fills 16 MiB of memory forever. Each fill is one wasm instruction, within which the host cannot
/// interrupt the guest.
pub fn fill() -> ! {
    let mut memory = vec![0_u8; 16 << 20];
    for byte in (0..=u8::MAX).cycle() {
        black_box(&mut memory).fill(byte);
    }
    unreachable!("a cycle never ends")
}

/// Recurses until the stack of the thread is used up.
#[inline(never)]
#[expect(unconditional_recursion, reason = "the stack limit ends the recursion")]
pub fn recurse(depth: u64) -> u64 {
    recurse(depth + 1).rotate_left(7) ^ depth
}

/// Recurses until the shadow stack in linear memory is used up, before the stack of the thread is.
#[inline(never)]
#[expect(unconditional_recursion, reason = "the stack limit ends the recursion")]
pub fn overflow(depth: usize) -> usize {
    let mut frame = [0_usize; 4096];
    frame[depth % 4096] = depth;
    black_box(&mut frame);
    overflow(depth + 1) + frame[0]
}

/// Allocates memory until an allocation fails.
pub fn grow() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

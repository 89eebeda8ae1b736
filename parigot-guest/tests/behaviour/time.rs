//! The clock and its timers.

use core::time::Duration;

use parigot_guest::futures_lite::future::or;
use parigot_guest::{Context, Error, Exit, info};

use crate::harness::Guest;

#[test]
fn a_sleep_ends_when_its_time_has_come() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let start = cx.now();
        cx.sleep(Duration::from_micros(5)).await;
        info!(
            cx,
            "{:?} {:?} {:?}",
            cx.now() - start,
            cx.now().since_start(),
            cx.wall()
        );
        Ok(Exit::SUCCESS)
    }
    let (mut guest, trace) = Guest::started(main);
    assert_eq!((trace, guest.wake_at_ns()), (vec![], Some(6_000)));
    guest.now_ns = 5_999;
    assert_eq!((guest.turn([]), guest.wake_at_ns()), (vec![], Some(6_000)));
    guest.now_ns = 6_500;
    assert_eq!(guest.turn([]), ["Info: 5.5µs 6.5µs 1.0000065s", "exit 0"]);
    assert_eq!(guest.wake_at_ns(), None);
}

#[test]
fn a_sleep_of_nothing_ends_at_the_next_turn() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.sleep(Duration::ZERO).await;
        Ok(Exit::SUCCESS)
    }
    let (mut guest, trace) = Guest::started(main);
    assert_eq!((trace, guest.wake_at_ns()), (vec![], Some(1_000)));
    assert_eq!(guest.turn([]), ["exit 0"]);
}

#[test]
fn sleeps_end_in_the_order_of_their_ends() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        for ns in [3, 1, 2, 1] {
            let inside = cx.clone();
            cx.spawn(async move {
                inside.sleep(Duration::from_nanos(ns)).await;
                info!(inside, "{ns}");
            });
        }
        core::future::pending().await
    }
    let (mut guest, _) = Guest::started(main);
    guest.now_ns += 10;
    assert_eq!(guest.turn([]), ["Info: 1", "Info: 1", "Info: 2", "Info: 3"]);
}

#[test]
fn a_dropped_sleep_wakes_no_task() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        or(
            cx.sleep(Duration::from_secs(9)),
            cx.sleep(Duration::from_nanos(1)),
        )
        .await;
        drop(cx.sleep(Duration::from_nanos(1)));
        core::future::pending().await
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(guest.wake_at_ns(), Some(1_001));
    guest.now_ns += 1;
    guest.turn([]);
    assert_eq!(guest.wake_at_ns(), None);
}

#[test]
fn a_sleep_longer_than_the_clock_never_ends() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.sleep(Duration::MAX).await;
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(guest.wake_at_ns(), None);
    guest.now_ns = u64::MAX - 1_000_000_000;
    assert!(guest.turn([]).is_empty());
}

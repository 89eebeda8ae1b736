//! A program that does not end by itself: it sleeps, or after the argument `--spin` holds its thread.

use std::time::Duration;

use parigot_guest::{Context, Error, Exit};

#[parigot_guest::program]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let _farewell = Farewell(cx.clone());
    if cx.args().iter().any(|arg| arg == "--spin") {
        parigot_guest::info!(cx, "about to spin");
        cx.sleep(Duration::ZERO).await; // what was logged leaves when the turn ends
        loop {
            std::hint::spin_loop();
        }
    }
    parigot_guest::info!(cx, "asleep");
    cx.sleep(Duration::from_secs(3_600)).await;
    Ok(Exit::SUCCESS)
}

/// Says that `main` was dropped rather than killed.
struct Farewell(Context);

impl Drop for Farewell {
    fn drop(&mut self) {
        parigot_guest::info!(self.0, "good night");
    }
}

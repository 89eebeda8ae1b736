//! A program that sleeps for an hour. With the argument `--spin` it loops forever, with `--wait` it
//! waits for nothing, and with `--wait-first` it does so before its launch.

use std::time::Duration;

use parigot_guest::{Context, Error, Exit};

#[parigot_guest::program]
async fn main(cx: Context) -> Result<Exit, Error> {
    let has = |argument: &str| cx.args().iter().any(|arg| arg == argument);
    if has("--wait-first") {
        std::future::pending::<()>().await;
    }
    cx.launch().await?;
    let _dropped = Dropped(cx.clone());
    if has("--wait") {
        std::future::pending::<()>().await;
    }
    if has("--spin") {
        parigot_guest::info!(cx, "about to spin");
        cx.sleep(Duration::ZERO).await; // the line is sent when the turn ends
        loop {
            std::hint::spin_loop();
        }
    }
    parigot_guest::info!(cx, "asleep");
    cx.sleep(Duration::from_secs(3_600)).await;
    Ok(Exit::SUCCESS)
}

/// Logs that `main` was dropped. A guest that is killed does not log this.
struct Dropped(Context);

impl Drop for Dropped {
    fn drop(&mut self) {
        parigot_guest::info!(self.0, "good night");
    }
}

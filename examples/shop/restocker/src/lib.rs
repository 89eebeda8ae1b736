//! The restocker: a worker that fills the stock of low items once a minute.

use std::time::Duration;

use parigot_guest::{Context, Error, Exit, RetryPolicy, info, retry, warn};
use stubs::stock::v1::{RefillRequest, StockClient};

const INTERVAL: Duration = Duration::from_secs(60);

const REFILL: RefillRequest = RefillRequest {
    below: 3,
    up_to: 10,
};

#[parigot_guest::program(requires(StockClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let stock = StockClient::locate(&cx)?;
    loop {
        cx.sleep(INTERVAL).await;
        match retry(RetryPolicy::default(), || stock.refill(REFILL)).await {
            Ok(response) => {
                for level in response.filled {
                    info!(cx, "filled {} up to {}", level.item, level.count);
                }
            }
            // The next round tries again, so the worker goes on.
            Err(error) => warn!(cx, "nothing was filled: {error}"),
        }
    }
}

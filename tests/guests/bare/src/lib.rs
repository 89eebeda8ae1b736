//! A program without std: says that it is there, and panics after the argument `--panic`.
#![no_std]

use parigot_guest::{Context, Error, Exit};

#[parigot_guest::program]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    parigot_guest::info!(cx, "no std in here");
    if cx.args().iter().any(|arg| arg == "--panic") {
        panic!("the oven is {}", "cold");
    }
    Ok(Exit::SUCCESS)
}

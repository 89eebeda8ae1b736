//! A program without std. It logs a line, and then panics after the argument `--panic`, or exits
//! with status 7 after `--leave`.
#![no_std]

use parigot_guest::{Context, Error, Exit};

#[parigot_guest::program]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    parigot_guest::info!(cx, "no std in here");
    if cx.args().iter().any(|arg| arg == "--panic") {
        panic!("the oven is {}", "cold");
    }
    if cx.args().iter().any(|arg| arg == "--leave") {
        return Ok(Exit::code(7));
    }
    Ok(Exit::SUCCESS)
}

//! A program that reads stdin and writes stdout.
//!
//! | arguments | effect |
//! |---|---|
//! | `cat` | copies the input, and logs `copied N bytes` |
//! | `lengths` | writes the length of each line of input |
//! | `first` | writes the first line of input |
//! | `list N` | writes the numbers from 1 to N, a line each, and logs `listed` |
//! | `flood N` | writes N bytes at once |
//! | `hang` | writes a line, logs `asleep` and waits for a line of input |
//! | `impatient` | gives up waiting for input, logs `gave up`, and then copies the input |

use std::time::Duration;

use parigot_guest::futures_lite::FutureExt;
use parigot_guest::stdio::{Stdin, StdioClient, Stdout};
use parigot_guest::{Context, Error, Exit, info};

#[parigot_guest::program(requires(StdioClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let mut stdin = Stdin::locate(&cx)?;
    let stdout = Stdout::locate(&cx)?;
    let args: Vec<&str> = cx.args().iter().map(String::as_str).collect();
    match args[..] {
        ["cat"] => copy(&cx, &mut stdin, &stdout).await?,
        ["lengths"] => {
            while let Some(line) = stdin.read_line().await? {
                stdout.println(line.len()).await?;
            }
        }
        ["first"] => {
            let line = stdin.read_line().await?.unwrap_or_default();
            stdout.println(line).await?;
        }
        ["list", lines] => {
            for line in 1..=number(lines) {
                stdout.println(line).await?;
            }
            info!(cx, "listed");
        }
        ["flood", bytes] => stdout.write(vec![b'x'; number(bytes)]).await?,
        ["hang"] => {
            stdout.println("asleep").await?;
            info!(cx, "asleep");
            stdin.read_line().await?;
        }
        ["impatient"] => {
            let patience = async {
                cx.sleep(Duration::from_millis(10)).await;
                Ok(Vec::new())
            };
            stdin.read().or(patience).await?;
            info!(cx, "gave up");
            copy(&cx, &mut stdin, &stdout).await?;
        }
        _ => return Err(Error::new(format!("unknown arguments: {args:?}"))),
    }
    Ok(Exit::SUCCESS)
}

fn number(text: &str) -> usize {
    text.parse().expect("the argument must be a number")
}

async fn copy(cx: &Context, stdin: &mut Stdin, stdout: &Stdout) -> Result<(), Error> {
    let mut copied = 0;
    loop {
        let bytes = stdin.read().await?;
        if bytes.is_empty() {
            info!(cx, "copied {copied} bytes");
            return Ok(());
        }
        copied += bytes.len();
        stdout.write(bytes).await?;
    }
}

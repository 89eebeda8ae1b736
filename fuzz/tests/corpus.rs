//! The committed inputs pass each fuzz target. `make soak` searches for further inputs.

#[path = "../targets/mod.rs"]
mod targets;

use std::fs;
use std::path::Path;

#[test]
fn the_committed_inputs_pass_their_target() {
    for (name, target) in targets::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let inputs = fs::read_dir(&folder).unwrap_or_else(|error| {
            panic!("cannot read {}: {error}", folder.display());
        });
        let mut tried = 0;
        for input in inputs {
            let path = input.expect("the folder must be readable").path();
            println!("{}", path.display());
            target(&fs::read(path).expect("the input must be readable"));
            tried += 1;
        }
        assert!(tried > 0, "{name} has no input");
    }
}

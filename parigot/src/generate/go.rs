//! `lang=go`: the messages, which protoc-gen-go writes.

use std::path::Path;

use protoc_gen_parigot::OutputFile;

use crate::cli::Generate;

/// Version of protoc-gen-go: the version of the library in the `go.mod` of the SDK.
const VERSION: &str = "v1.36.12";

/// Folder that the note suggests for the files that come with the command.
const PROTOS: &str = "parigot-protos";

/// Returns a note if a file with the messages of the written stubs does not exist. With
/// `imports_own`, `protoc` needs the files that come with the command.
pub(super) fn note(
    command: &Generate,
    out: &Path,
    files: &[OutputFile],
    imports_own: bool,
) -> Option<String> {
    let messages = files
        .iter()
        .filter_map(|file| Some(file.name.strip_suffix("_parigot.pb.go")?.to_owned() + ".pb.go"));
    let missing: Vec<_> = messages.filter(|name| !out.join(name).exists()).collect();
    let what = if files.is_empty() {
        "no file declares a service, so that nothing was written".to_owned()
    } else if missing.is_empty() {
        return None;
    } else {
        format!("the stubs need messages in {}", missing.join(", "))
    };
    let mut lines = vec![
        format!("note: {what}; protoc-gen-go writes the Go messages:"),
        format!("go install google.golang.org/protobuf/cmd/protoc-gen-go@{VERSION}"),
    ];
    let written = command.write_protos.as_deref();
    let protos = imports_own.then(|| written.unwrap_or(Path::new(PROTOS)));
    if let (Some(folder), None) = (protos, written) {
        lines.push(format!(
            "parigot generate --write-protos {}",
            folder.display()
        ));
    }
    lines.push(protoc(command, out, protos));
    Some(lines.join("\n"))
}

/// Returns the command that writes the messages beside the stubs. `protos` is the folder with the
/// files that come with the command, if they are needed.
fn protoc(command: &Generate, out: &Path, protos: Option<&Path>) -> String {
    let mut words = vec!["protoc".to_owned()];
    let include = command.include.iter().map(|folder| &**folder);
    words.extend(
        include
            .chain(protos)
            .map(|folder| format!("--proto_path={}", folder.display())),
    );
    words.push(format!("--go_out={}", out.display()));
    let options = command.opt.iter().flat_map(|options| options.split(','));
    let of_both = options.map(str::trim).filter(|option| {
        ["paths=", "module=", "M"]
            .iter()
            .any(|key| option.starts_with(key))
    });
    words.extend(of_both.map(|option| format!("--go_opt={option}")));
    words.extend(command.files.iter().map(|file| file.display().to_string()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_protoc_gen_go_is_that_of_the_sdk() {
        let module = include_str!("../../../parigot-guest-go/go.mod");
        let required = format!("google.golang.org/protobuf {VERSION}\n");
        assert!(module.contains(&required), "{module}");
    }
}

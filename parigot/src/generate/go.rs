//! `lang=go`: the messages, which protoc-gen-go writes.

use protoc_gen_parigot::OutputFile;

use crate::cli::Generate;

/// Returns a note if a file with the messages of the written stubs does not exist.
pub(super) fn note(command: &Generate, files: &[OutputFile]) -> Option<String> {
    let messages = files
        .iter()
        .filter_map(|file| Some(file.name.strip_suffix("_parigot.pb.go")?.to_owned() + ".pb.go"));
    let missing: Vec<_> = messages
        .filter(|name| !command.out.join(name).exists())
        .collect();
    let what = if files.is_empty() {
        "no file declares a service, so that nothing was written".to_owned()
    } else if missing.is_empty() {
        return None;
    } else {
        format!("the stubs need messages in {}", missing.join(", "))
    };
    Some(format!(
        "note: {what}; protoc-gen-go writes the Go messages:\n{}",
        protoc(command)
    ))
}

/// Returns the command that writes the messages beside the stubs.
fn protoc(command: &Generate) -> String {
    let mut words = vec!["protoc".to_owned()];
    words.extend(
        command
            .include
            .iter()
            .map(|folder| format!("--proto_path={}", folder.display())),
    );
    words.push(format!("--go_out={}", command.out.display()));
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

//! Next steps for errors of the compiler: an import that is missing, or another compiler.

use protoc_gen_parigot::PROTOS;
use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver};
use protox::prost_reflect::DescriptorPool;

use super::files::OwnResolver;

/// Files of `google.api` and `google.rpc` that many services import, by a name that each declares.
const OF_GOOGLE: [(&str, &str); 9] = [
    ("google.api.HttpBody", "google/api/httpbody.proto"),
    ("google.api.default_host", "google/api/client.proto"),
    (
        "google.api.field_behavior",
        "google/api/field_behavior.proto",
    ),
    ("google.api.http", "google/api/annotations.proto"),
    ("google.api.method_signature", "google/api/client.proto"),
    ("google.api.resource", "google/api/resource.proto"),
    ("google.api.resource_reference", "google/api/resource.proto"),
    ("google.rpc.Code", "google/rpc/code.proto"),
    ("google.rpc.Status", "google/rpc/status.proto"),
];

/// Returns an error message, with the next step where one is known.
pub(super) fn explained(message: &str) -> String {
    let explain = |line: &str| match next_step(line) {
        Some(step) => format!("{line}; {step}"),
        None => line.to_owned(),
    };
    message.lines().map(explain).collect::<Vec<_>>().join("\n")
}

fn next_step(line: &str) -> Option<String> {
    if line.ends_with("but found 'edition'") {
        return Some(
            "a file of an edition needs protoc or buf, with protoc-gen-parigot".to_owned(),
        );
    }
    let (_, name) = line.split_once("name '")?;
    let name = name.strip_suffix("' is not defined")?;
    let file = declaring_file(name.trim_start_matches('.'))?;
    Some(format!("add `import \"{file}\";`"))
}

/// Returns the file that declares a type or option, if the file is a known one.
fn declaring_file(name: &str) -> Option<String> {
    let known = OF_GOOGLE.iter().find(|(known, _)| *known == name);
    known.map(|(_, file)| (*file).to_owned()).or_else(|| {
        let pools = [DescriptorPool::global(), own_pool()?];
        pools.iter().find_map(|pool| find(pool, name))
    })
}

fn find(pool: &DescriptorPool, name: &str) -> Option<String> {
    let message = pool.get_message_by_name(name);
    let message = message.map(|message| message.parent_file());
    let r#enum = || Some(pool.get_enum_by_name(name)?.parent_file());
    let option = || {
        pool.all_extensions()
            .find(|option| option.full_name() == name)
    };
    let file = message
        .or_else(r#enum)
        .or_else(|| Some(option()?.parent_file()))?;
    Some(file.name().to_owned())
}

/// Returns the files that come with the command.
fn own_pool() -> Option<DescriptorPool> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(OwnResolver);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_files(PROTOS.map(|(name, _)| name)).ok()?;
    Some(compiler.descriptor_pool())
}

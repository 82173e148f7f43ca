//! The messages and services of `proto/`, compiled without a `protoc` on the machine.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "../../proto";
    println!("cargo:rerun-if-changed={root}");
    let files = ["tasks", "modules", "cluster"].map(|name| format!("tasklane/v1/{name}.proto"));
    let descriptors = protox::compile(files, [root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("tasklane.bin");
    tonic_prost_build::configure().file_descriptor_set_path(&out).bytes(".").compile_fds(descriptors.clone())?;
    // `compile_fds` writes no descriptors by itself; reflection shows these.
    std::fs::write(out, prost_bytes(&descriptors))?;
    Ok(())
}

fn prost_bytes(descriptors: &tonic_prost_build::FileDescriptorSet) -> Vec<u8> {
    use protox::prost::Message as _;
    descriptors.encode_to_vec()
}
